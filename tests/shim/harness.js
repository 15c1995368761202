'use strict';

// Runs a copy of the task folder with a stand-in for the binary, as the agent would: an environment built from nothing,
// no standard input, and both streams read. What holds for every run is asserted here, once.

const assert = require('node:assert');
const childProcess = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const TASK = path.join(__dirname, '..', '..', 'task');
const PLATFORM = `${process.platform}-${process.arch}`;
/** Which Node runs the shim; the agent has several. */
const NODE = process.env.WIF_SHIM_NODE || process.execPath;
/** Whether that Node can let a program take its own place. */
const REPLACES = childProcess.spawnSync(NODE, ['-p', 'typeof process.execve']).stdout.toString().trim() === 'function';
const SECRET = 'only-the-binary-may-see-this';

/** Says what it got: its arguments, its path, one variable, and whether the secret arrived. */
const TELLTALE = `#!/bin/sh
echo "arguments $#: $*"
echo "path $0"
echo "input $INPUT_AZURESUBSCRIPTION"
[ "$SECRET_THING" = "${SECRET}" ] && echo "secret arrived"
exit "\${WISHED_EXIT:-0}"
`;

/**
 * A native program for a stand-in: bash, which takes the arguments `task run` for a script of that name in the working
 * folder, and says what version it is when it is tried.
 */
function native(place, script) {
  const file = path.join(place.root, 'task');
  fs.writeFileSync(file, script);
  const [shell] = ['/bin/bash', '/usr/bin/bash'].filter((candidate) => fs.existsSync(candidate));
  fs.copyFileSync(shell, place.binary);
  fs.chmodSync(place.binary, 0o755);
  return place;
}

/** A temporary job: `task` (with the stand-in staged), `temp` for the agent's temporary folder. Gone after the test. */
function job(t, { binary = TELLTALE, mode = 0o755, name = 'job', platform = PLATFORM, file = 'wif' } = {}) {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'wif-shim-'));
  t.after(() => fs.rmSync(root, { recursive: true, force: true }));
  const task = path.join(root, name, 'task');
  const temp = path.join(root, name, '_temp');
  fs.mkdirSync(temp, { recursive: true });
  fs.mkdirSync(path.join(task, 'bin', platform), { recursive: true });
  for (const stage of ['index.js', 'post.js']) fs.copyFileSync(path.join(TASK, stage), path.join(task, stage));
  const staged = path.join(task, 'bin', platform, file);
  fs.writeFileSync(staged, binary);
  fs.chmodSync(staged, mode);
  return { root, task, temp, binary: staged };
}

/**
 * Runs one stage, `index` or `post`. `pretend` is code that Node loads first, for what a test cannot make the system do
 * (the super-user may write and execute everywhere). `whenReady` is called with the process at the line `ready`; `killed` is the
 * signal that may end it.
 */
function run(place, stage, { env = {}, pretend = '', whenReady = () => {}, killed = null } = {}) {
  const preload = path.join(place.root, `pretend-${stage}.js`);
  fs.writeFileSync(preload, pretend);
  const shim = childProcess.spawn(NODE, ['-r', preload, path.join(place.task, `${stage}.js`)], {
    cwd: place.root,
    env: { PATH: process.env.PATH, AGENT_TEMPDIRECTORY: place.temp, SECRET_THING: SECRET, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return new Promise((resolve, reject) => {
    let [stdout, stderr, ready] = ['', '', false];
    shim.stderr.on('data', (text) => { stderr += text; });
    shim.stdout.on('data', (text) => {
      stdout += text;
      if (ready || !stdout.includes('ready\n')) return;
      ready = true;
      whenReady(shim);
    });
    shim.on('error', reject);
    shim.on('close', (code, signal) => {
      try {
        assert.strictEqual(stderr, '', 'the agent would print this before lines that came earlier');
        assert.ok(!stdout.includes(SECRET), 'the environment is not for the log');
        assert.strictEqual(signal, killed);
        resolve({ code, lines: stdout.split('\n').slice(0, -1) });
      } catch (error) {
        reject(error);
      }
    });
  });
}

/** The text after the first line that starts so. */
function after(lines, start) {
  const line = lines.find((candidate) => candidate.startsWith(start));
  assert.ok(line !== undefined, `no line starts with ${start} in:\n${lines.join('\n')}`);
  return line.slice(start.length);
}

/** The task variable as the agent would hand it to the next stage, or undefined. */
function handedOn(lines) {
  const command = '##vso[task.settaskvariable variable=WIF_COPY]';
  if (!lines.some((line) => line.startsWith(command))) return undefined;
  const escapes = [['%3B', ';'], ['%0D', '\r'], ['%0A', '\n'], ['%5D', ']'], ['%AZP25', '%']];
  return escapes.reduce((text, [escape, character]) => text.replaceAll(escape, character), after(lines, command));
}

/** Code for `pretend`: the task folder is a read-only file system, where nothing changes its mode. */
const READ_ONLY = `
  const fs = require('fs'), path = require('path'), { chmodSync } = fs;
  fs.chmodSync = (file, mode) => {
    if (!file.startsWith(path.dirname(process.argv[1]))) return chmodSync(file, mode);
    throw Object.assign(new Error('EROFS: ' + file), { code: 'EROFS', syscall: 'chmod' });
  };
`;

module.exports = { PLATFORM, READ_ONLY, REPLACES, SECRET, TASK, TELLTALE, after, handedOn, job, native, run };
