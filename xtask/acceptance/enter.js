'use strict';

// Enters a container as the agent does: `node enter.js COMMAND… -- PROGRAM ARGUMENT…` starts COMMAND, which starts invoke.js
// inside, and tells it by standard input what to run there, with which environment. So no secret is on a command line.

const { spawn } = require('node:child_process');

const words = process.argv.slice(2);
const end = words.indexOf('--');
const [command, ...given] = words.slice(0, end);
const [program, ...args] = words.slice(end + 1);
const child = spawn(command, given, { stdio: ['pipe', 'inherit', 'inherit'] });
child.on('error', (error) => {
  console.error(String(error));
  process.exitCode = 1;
});
child.on('exit', (code) => {
  process.exitCode = code ?? 1;
});
// A container that is gone says so by its exit code.
child.stdin.on('error', () => {});
child.stdin.end(JSON.stringify({ program, args, folder: process.cwd(), env: process.env }));
