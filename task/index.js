'use strict';

// Starts the compiled task, `wif` or another program, for the platform that Node itself runs on, inside a container its own.
//
// The agent can start a script but not a binary, and it unpacks the task without execute bits, sometimes into a folder
// that is read-only. That is all this file makes up for: inputs, sign-in and log are the binary's. It uses no packages
// and no syntax newer than Node 10, because the agent chooses the Node, and may fall back to an old one.

const childProcess = require('child_process');
const fs = require('fs');
const path = require('path');

const WINDOWS = process.platform === 'win32';
const PLATFORM = `${process.platform}-${process.arch}`;
const PROGRAM = 'wif';
const COPY_PREFIX = 'wif-copy-';
const INSTALL_AGAIN = 'Install the extension again; in a source tree, run `cargo xtask stage` again.';
const REPORT_IT = 'If it happens again, report it at https://github.com/wif-azure/wif/issues.';

/** What a program for a platform begins with: its format, and the machine that it is for. */
const MACHINES = {
  'linux-x64': { format: 'ELF', machine: 0x3e },
  'linux-arm64': { format: 'ELF', machine: 0xb7 },
  'darwin-x64': { format: 'Mach-O', machine: 0x01000007 },
  'darwin-arm64': { format: 'Mach-O', machine: 0x0100000c },
  'win32-x64': { format: 'PE', machine: 0x8664 },
  'win32-arm64': { format: 'PE', machine: 0xaa64 },
};
/** Longer than the head of every one of these formats, in bytes. */
const HEAD = 4096;
/** How long a trial run may take, in milliseconds. The binary takes a few. */
const TRIAL_TIMEOUT = 10000;

let child = null;
let askedToStop = null;
/** The binary's file. */
let fileName = null;

/** Runs one stage of a program, `run` or `post`: as the binary ends, so ends this process. */
async function run(stage, program = PROGRAM) {
  fileName = WINDOWS ? `${program}.exe` : program;
  const mayReplace = stage === 'run' && !WINDOWS && typeof process.execve === 'function';
  // A signal that ends this process early ends all there is. One that is kept for later would be lost with this process.
  if (!mayReplace) forwardSignals();
  let copy = null;
  try {
    const packaged = packagedBinary();
    const native = checkFormat(packaged);
    copy = handedOnCopy(packaged) || (makeExecutable(packaged) ? null : privateCopy(packaged, stage));
    if (mayReplace) {
      if (native && succeedsInTrial(copy || packaged)) replaceThisProcess(copy || packaged, stage);
      forwardSignals();
    }
    try {
      process.exitCode = await launch(copy || packaged, stage);
    } catch (error) {
      // The mode allows it and the system does not, a security module for example: elsewhere it may.
      if (copy || error.code !== 'EACCES') throw error;
      copy = privateCopy(packaged, stage);
      process.exitCode = await launch(copy, stage);
    }
  } catch (error) {
    report(error, stage);
  }
  if (stage === 'post' && copy) remove(path.dirname(copy));
}

function packagedBinary() {
  const bin = path.join(__dirname, 'bin');
  const binary = (platform) => path.join(bin, platform, fileName);
  // Windows for arm64 runs programs for x64, too.
  const usable = PLATFORM === 'win32-arm64' ? [PLATFORM, 'win32-x64'] : [PLATFORM];
  const found = usable.map(binary).find((file) => fs.existsSync(file));
  if (found) return found;
  const others = (platform) => !usable.includes(platform);
  const present = fs.existsSync(bin) ? fs.readdirSync(bin).filter(others).sort().join(', ') : '';
  throw new Problem('WIF4002', `This package has no binary for ${PLATFORM}. It has: ${present || 'none'}.`, present
    ? 'Run the job on an agent, or in a container, of one of these platforms.'
    : 'Install the extension again; in a source tree, run `cargo xtask stage` first.');
}

/**
 * Fails if the file is no program, or one for another system or processor: the system would hand what it does not know
 * to a shell. Whether it is a native program; a script names its interpreter, so the system decides about it.
 */
function checkFormat(binary) {
  const wanted = MACHINES[path.basename(path.dirname(binary))];
  const head = Buffer.alloc(HEAD);
  try {
    const file = fs.openSync(binary, 'r');
    try {
      fs.readSync(file, head, 0, HEAD, 0);
    } finally {
      fs.closeSync(file);
    }
  } catch (error) {
    if (error.code === 'EACCES') return false; // it may be executable all the same
    throw new Problem('WIF4001', `The binary could not be read: ${cause(error)}.`, INSTALL_AGAIN);
  }
  if (head.toString('latin1', 0, 2) === '#!') return false;
  const found = formatOf(head);
  if (!found) throw new Problem('WIF4001', 'The binary is not a program: its file is empty or damaged.', INSTALL_AGAIN);
  if (wanted && (found.format !== wanted.format || !found.machines.includes(wanted.machine))) {
    const machines = found.machines.map((machine) => `0x${machine.toString(16)}`).join(', ');
    throw new Problem('WIF4001', `The binary is a program for another machine: ${found.format} ${machines}, ` +
      `where ${PLATFORM} needs ${wanted.format} 0x${wanted.machine.toString(16)}.`, INSTALL_AGAIN);
  }
  return true;
}

/** The format and the machines that the head of a file says it is for, or null. */
function formatOf(head) {
  if (head.readUInt32BE(0) === 0x7f454c46) return { format: 'ELF', machines: [head.readUInt16LE(18)] }; // elf(5)
  if (head.readUInt32LE(0) === 0xfeedfacf) return { format: 'Mach-O', machines: [head.readUInt32LE(4)] }; // mach-o/loader.h
  if (head.readUInt32BE(0) === 0xcafebabe) { // mach-o/fat.h: several programs in one file
    const count = Math.min(head.readUInt32BE(4), 16);
    return { format: 'Mach-O', machines: Array.from({ length: count }, (_, at) => head.readUInt32BE(8 + 20 * at)) };
  }
  if (head.toString('latin1', 0, 2) !== 'MZ') return null;
  const at = head.readUInt32LE(0x3c); // "PE Format" by Microsoft: where the second head is
  if (at > HEAD - 6 || head.toString('latin1', at, at + 4) !== 'PE\0\0') return null;
  return { format: 'PE', machines: [head.readUInt16LE(at + 4)] };
}

/**
 * Whether the system runs the binary to its end. `process.execve` aborts Node if it fails, for a loader that is missing
 * or by a policy for example; in a child such a failure can be reported.
 */
function succeedsInTrial(binary) {
  const trial = { env: {}, stdio: 'ignore', timeout: TRIAL_TIMEOUT, killSignal: 'SIGKILL' };
  return childProcess.spawnSync(binary, ['--version'], trial).status === 0;
}

/** The binary becomes this very process, with its environment and standard streams. Does not return. */
function replaceThisProcess(binary, stage) {
  process.execve(binary, [binary, 'task', stage]);
}

/** Whether the binary may be executed where it is, after an attempt to make it so. */
function makeExecutable(binary) {
  try {
    fs.chmodSync(binary, 0o755); // on every run: an agent may unpack a task again before each of its steps
  } catch (error) {
    // The file is read-only or another user's. It may be executable all the same.
  }
  try {
    fs.accessSync(binary, fs.constants.X_OK); // says no on a noexec mount, too
    return true;
  } catch (error) {
    return false;
  }
}

/** A copy in a new folder that only we can enter; the main stage hands it on to the post-job stage. */
function privateCopy(packaged, stage) {
  const temp = process.env.AGENT_TEMPDIRECTORY;
  const why = 'The binary cannot be executed in the task folder';
  if (!temp) throw new Problem('WIF4001', `${why}, and AGENT_TEMPDIRECTORY, where a copy could run, is not set.`,
    'Run the task on an Azure Pipelines agent, or make the task folder writable and executable.');
  let folder = null;
  try {
    folder = fs.mkdtempSync(path.join(path.resolve(temp), COPY_PREFIX)); // mkdtemp(3) creates it with mode 0700
    const copy = path.join(folder, fileName);
    fs.copyFileSync(packaged, copy);
    fs.chmodSync(copy, 0o700);
    if (stage === 'run') say(`##vso[task.settaskvariable variable=WIF_COPY]${escaped(folder)}`);
    return copy;
  } catch (error) {
    if (folder) remove(folder);
    throw new Problem('WIF4001', `${why}, and copying it to AGENT_TEMPDIRECTORY failed: ${cause(error)}.`,
      'Give the user of the agent space and write access there.');
  }
}

/**
 * The copy of an earlier stage, or null. Earlier steps ran between, and this stage is given secrets that they were not:
 * what they could have put there instead is not run.
 */
function handedOnCopy(packaged) {
  const temp = process.env.AGENT_TEMPDIRECTORY;
  const handedOn = process.env.VSTS_TASKVARIABLE_WIF_COPY;
  if (!temp || !handedOn) return null;
  const folder = path.resolve(handedOn);
  const copy = path.join(folder, fileName);
  if (path.dirname(folder) !== path.resolve(temp) || !path.basename(folder).startsWith(COPY_PREFIX)) return null;
  try {
    const ours = (stat) => WINDOWS || (stat.uid === process.getuid() && (stat.mode & 0o077) === 0);
    const [folderStat, copyStat] = [fs.lstatSync(folder), fs.lstatSync(copy)]; // lstat: a symlink is neither
    if (!folderStat.isDirectory() || !copyStat.isFile() || !ours(folderStat) || !ours(copyStat)) return null;
    return fs.readFileSync(copy).equals(fs.readFileSync(packaged)) ? copy : null;
  } catch (error) {
    return null; // gone, or not readable: a fresh copy is as good
  }
}

/** Starts the binary without a shell (some drop variables with a `-` in the name) and gives its exit code. */
function launch(binary, stage) {
  return new Promise((resolve, reject) => {
    child = childProcess.spawn(binary, ['task', stage], { stdio: ['ignore', 'inherit', 'inherit'], windowsHide: true });
    child.on('error', (error) => child.pid || reject(error)); // with a pid: a signal that did not arrive; it still runs
    child.on('exit', (code, signal) => (signal === null ? resolve(code) : reject(new Problem('WIF4001',
      `The binary was ended by ${signal}${askedToStop ? `, after the agent asked it to stop (${askedToStop})` : ''}.`,
      signal === 'SIGKILL' ? 'Often the machine or the container ran out of memory: give it more.' : REPORT_IT))));
  });
}

/** The agent signals Node alone, and an orphan would keep the session: pass it on, and let the child clean up. */
function forwardSignals() {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGBREAK']) {
    process.on(signal, () => {
      askedToStop = signal;
      if (child && !WINDOWS) child.kill(signal); // on Windows the console tells both, and `kill` would be the hard end
    });
  }
}

/** What a refusal of the system to start the binary means, and what to do. */
const REFUSALS = {
  E2BIG: 'The variables of the job are too long: publish fewer or shorter ones in earlier steps.',
  EACCES: 'The file system or a policy forbids it: allow execution in the folders of the agent (a noexec mount?).',
  ENOENT: 'Its loader or the working folder is missing: use the binary that this package ships.',
  ENOEXEC: 'The file is damaged or made for another machine: install the extension again.',
  ETXTBSY: 'Another process is writing to the file: run the job again, and give each agent a work folder of its own.',
};

function report(error, stage) {
  const problem = error instanceof Problem ? error : new Problem('WIF4001',
    `The binary could not be started: ${cause(error)}.`, REFUSALS[error.code] || REPORT_IT);
  // A job that did its work does not fail because nothing could be tidied up: the agent empties its folder anyway.
  const type = stage === 'post' ? 'warning' : 'error';
  say(`##vso[task.logissue type=${type};code=${problem.code}]${escaped(`${problem.code}: ${problem.message}\n  fix: ${problem.fix}`)}`);
  if (stage !== 'post') say('##vso[task.complete result=Failed]');
}

class Problem extends Error {
  constructor(code, message, fix) {
    super(message);
    Object.assign(this, { code, fix });
  }
}

/** The error's name only: the rest of its text may quote paths and variables. */
function cause(error) {
  return [error.code || error.name, error.syscall && error.syscall.split(' ')[0]].filter(Boolean).join(' in ');
}

/** One write, done when it returns: no line is lost at exit, and the pipe that the child shares stays blocking. */
function say(line) {
  try {
    fs.writeSync(1, `${line}\n`);
  } catch (error) {
    // The agent reads the log no longer.
  }
}

/** The agent's own escapes for the text of a command. */
function escaped(text) {
  const escapes = { '%': '%AZP25', '\r': '%0D', '\n': '%0A', ']': '%5D', ';': '%3B' };
  return text.replace(/[%\r\n\];]/g, (character) => escapes[character]);
}

function remove(folder) {
  for (const step of [() => fs.unlinkSync(path.join(folder, fileName)), () => fs.rmdirSync(folder)]) {
    try {
      step();
    } catch (error) {
      // Not there, or still in use: the agent empties its temporary folder when the job ends.
    }
  }
}

module.exports = { run };
if (require.main === module) run('run');
