'use strict';

// The inner half of enter.js: reads what to run from standard input, and runs it with the container's own environment and
// the given one over it.

const { spawn } = require('node:child_process');
const { readFileSync } = require('node:fs');

const { program, args, folder, env } = JSON.parse(readFileSync(0, 'utf8'));
const child = spawn(program, args, {
  cwd: folder,
  env: { ...process.env, ...env },
  stdio: ['ignore', 'inherit', 'inherit'],
});
child.on('error', (error) => {
  console.error(String(error));
  process.exitCode = 1;
});
child.on('exit', (code) => {
  process.exitCode = code ?? 1;
});
