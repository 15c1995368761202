'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const { builtinModules } = require('node:module');
const path = require('node:path');
const { describe, it } = require('node:test');
const { PLATFORM, READ_ONLY, REPLACES, TASK, TELLTALE, after, handedOn, job, native, run } = require('./harness.js');

const ISSUE = '##vso[task.logissue type=error;code=';
const WARNING = '##vso[task.logissue type=warning;code=';
const FAILED = '##vso[task.complete result=Failed]';

const mode = (file) => fs.statSync(file).mode & 0o777;
const skip = process.platform === 'win32' && 'the stand-in for the binary is a shell script';
const parallel = { concurrency: true, skip };

/** The step fails, says so with this code, and the agent has nothing to add about an exit code. */
function assertFailed({ code, lines }, problem, ...patterns) {
  assert.strictEqual(code, 0);
  const text = after(lines, `${ISSUE}${problem}]`);
  for (const pattern of patterns) assert.match(text, pattern);
  assert.strictEqual(lines.filter((line) => line.startsWith(ISSUE)).length, 1);
  assert.strictEqual(lines.at(-1), FAILED);
}

/** The post-job stage warns and fails nothing. */
function assertWarned({ code, lines }, problem, ...patterns) {
  assert.strictEqual(code, 0);
  const text = after(lines, `${WARNING}${problem}]`);
  for (const pattern of patterns) assert.match(text, pattern);
  assert.ok(!lines.some((line) => line.startsWith(ISSUE) || line.includes('task.complete')));
}

describe('the binary in place', parallel, () => {
  it('the main stage runs it with its arguments and the whole environment', async (t) => {
    const place = job(t);
    const { code, lines } = await run(place, 'index', { env: { INPUT_AZURESUBSCRIPTION: 'sc prod' } });
    assert.strictEqual(code, 0);
    assert.deepStrictEqual(lines, ['arguments 2: task run', `path ${place.binary}`, 'input sc prod', 'secret arrived']);
  });

  it('the post-job stage runs it with its own arguments', async (t) => {
    const place = job(t);
    const { code, lines } = await run(place, 'post');
    assert.strictEqual(code, 0);
    assert.deepStrictEqual(lines, ['arguments 2: task post', `path ${place.binary}`, 'input ', 'secret arrived']);
  });

  for (const wished of [0, 1, 101]) {
    for (const stage of ['index', 'post']) {
      it(`exit code ${wished} of ${stage} is passed on`, async (t) => {
        const { code, lines } = await run(job(t), stage, { env: { WISHED_EXIT: String(wished) } });
        assert.strictEqual(code, wished);
        assert.ok(!lines.some((line) => line.includes('##vso')));
      });
    }
  }

  it('a lost execute bit is restored', async (t) => {
    const place = job(t, { mode: 0o644 });
    const { code, lines } = await run(place, 'index');
    assert.strictEqual(code, 0);
    assert.strictEqual(after(lines, 'path '), place.binary);
    assert.strictEqual(mode(place.binary), 0o755);
    assert.deepStrictEqual(fs.readdirSync(place.temp), []);
  });

  it('one that is executable in a read-only folder runs there', async (t) => {
    const place = job(t, { mode: 0o555 });
    const { lines } = await run(place, 'index', { pretend: READ_ONLY });
    assert.strictEqual(after(lines, 'path '), place.binary);
    assert.strictEqual(handedOn(lines), undefined);
    assert.deepStrictEqual(fs.readdirSync(place.temp), []);
  });

  it('no temporary folder is needed', async (t) => {
    const { code, lines } = await run(job(t, { mode: 0o644 }), 'post', { env: { AGENT_TEMPDIRECTORY: '' } });
    assert.strictEqual(code, 0);
    assert.ok(!lines.some((line) => line.includes('##vso')));
  });

  it('a path full of characters that shells and commands take for theirs is only a path', async (t) => {
    const place = job(t, { mode: 0o644, name: `a b;c]d%20e%3Bf"g'h$(id)` });
    const { code, lines } = await run(place, 'index');
    assert.strictEqual(code, 0);
    assert.strictEqual(after(lines, 'path '), place.binary);
  });
});

describe('the private copy', parallel, () => {
  const NAMES = { 'a plain path': 'job', 'a path with spaces, % ] and ;': 'a b;c]d%20e%3Bf%AZP25' };
  for (const [title, name] of Object.entries(NAMES)) {
    it(`is made for a read-only task folder, reused by the post-job stage, then removed: ${title}`, async (t) => {
      const place = job(t, { mode: 0o644, name });
      const main = await run(place, 'index', { pretend: READ_ONLY });
      assert.strictEqual(main.code, 0);
      const folder = handedOn(main.lines);
      const copy = path.join(folder, 'wif');
      assert.deepStrictEqual(fs.readdirSync(place.temp), [path.basename(folder)]);
      assert.strictEqual(path.dirname(folder), place.temp);
      assert.strictEqual(after(main.lines, 'path '), copy);
      assert.strictEqual(after(main.lines, 'arguments 2: '), 'task run');
      assert.strictEqual(mode(folder), 0o700);
      assert.strictEqual(mode(copy), 0o700);
      assert.strictEqual(mode(place.binary), 0o644);

      const post = await run(place, 'post', { pretend: READ_ONLY, env: { VSTS_TASKVARIABLE_WIF_COPY: folder } });
      assert.strictEqual(post.code, 0);
      assert.strictEqual(after(post.lines, 'path '), copy);
      assert.strictEqual(handedOn(post.lines), undefined);
      assert.deepStrictEqual(fs.readdirSync(place.temp), []);
    });
  }

  it('is handed on before the binary says anything', async (t) => {
    const { lines } = await run(job(t, { mode: 0o644 }), 'index', { pretend: READ_ONLY });
    assert.match(lines[0], /^##vso\[task\.settaskvariable variable=WIF_COPY\]/);
  });

  it('of a second attempt of the step is the first one', async (t) => {
    const place = job(t, { mode: 0o644 });
    const folder = handedOn((await run(place, 'index', { pretend: READ_ONLY })).lines);
    const { lines } = await run(place, 'index', { pretend: READ_ONLY, env: { VSTS_TASKVARIABLE_WIF_COPY: folder } });
    assert.strictEqual(after(lines, 'path '), path.join(folder, 'wif'));
    assert.deepStrictEqual(fs.readdirSync(place.temp), [path.basename(folder)]);
  });

  it('of a post-job stage alone goes with it', async (t) => {
    const place = job(t, { mode: 0o644 });
    const { code, lines } = await run(place, 'post', { pretend: READ_ONLY, env: { WISHED_EXIT: '3' } });
    assert.strictEqual(code, 3);
    assert.strictEqual(path.dirname(path.dirname(after(lines, 'path '))), place.temp);
    assert.strictEqual(handedOn(lines), undefined);
    assert.deepStrictEqual(fs.readdirSync(place.temp), []);
  });

  it('is tried once when the system refuses to run the binary in place', async (t) => {
    const place = job(t, { mode: 0o644 });
    // The mode seems right; that it is not, shows only when the system is asked to start it: a true EACCES.
    const pretend = `${READ_ONLY} fs.accessSync = () => {};`;
    const { code, lines } = await run(place, 'index', { pretend });
    assert.strictEqual(code, 0);
    assert.strictEqual(path.dirname(after(lines, 'path ')), handedOn(lines));
    assert.ok(!lines.some((line) => line.startsWith(ISSUE)));
  });

  it('that may not run either is an error that names the errno', async (t) => {
    const pretend = "const fs = require('fs'); fs.chmodSync = fs.accessSync = () => {};";
    const result = await run(job(t, { mode: 0o644 }), 'index', { pretend });
    assertFailed(result, 'WIF4001', /could not be started/, /EACCES/, /noexec/);
  });

  it('without a temporary folder is an error that says so', async (t) => {
    const env = { AGENT_TEMPDIRECTORY: '' };
    const result = await run(job(t, { mode: 0o644 }), 'index', { pretend: READ_ONLY, env });
    assertFailed(result, 'WIF4001', /AGENT_TEMPDIRECTORY/, /not set/);
  });

  it('that cannot be made is an error that names the errno, and leaves nothing', async (t) => {
    const place = job(t, { mode: 0o644 });
    const full = "fs.copyFileSync = () => { throw Object.assign(new Error('/secret/path'), { code: 'ENOSPC' }); };";
    const result = await run(place, 'index', { pretend: READ_ONLY + full });
    assertFailed(result, 'WIF4001', /AGENT_TEMPDIRECTORY failed: ENOSPC/);
    assert.deepStrictEqual(fs.readdirSync(place.temp), []);
    assert.ok(!result.lines.some((line) => line.includes('/secret/path')));
  });
});

describe('a copy that an earlier step tampered with is not run', parallel, () => {
  const EVIL = '#!/bin/sh\necho evil\n';
  const genuine = (folder, text = TELLTALE) => {
    fs.mkdirSync(folder, { mode: 0o700 });
    fs.writeFileSync(path.join(folder, 'wif'), text, { mode: 0o700 });
    return folder;
  };
  const CASES = {
    'it lies outside of the temporary folder': ({ root }) => genuine(path.join(root, 'wif-copy-abc')),
    'it lies deeper': ({ temp }) => {
      fs.mkdirSync(path.join(temp, 'wif-copy-deep'));
      return genuine(path.join(temp, 'wif-copy-deep', 'wif-copy-abc'));
    },
    'its way leads out of the temporary folder': ({ root, temp }) => {
      genuine(path.join(root, 'wif-copy-abc'));
      return `${temp}/wif-copy-x/../../../wif-copy-abc`;
    },
    'its name is another': ({ temp }) => genuine(path.join(temp, 'mine')),
    'its folder is a symlink': ({ root, temp }) => {
      fs.symlinkSync(genuine(path.join(root, 'elsewhere')), path.join(temp, 'wif-copy-abc'));
      return path.join(temp, 'wif-copy-abc');
    },
    'its folder is a symlink with a slash behind it': ({ root, temp }) => {
      fs.symlinkSync(genuine(path.join(root, 'elsewhere')), path.join(temp, 'wif-copy-abc'));
      return path.join(temp, 'wif-copy-abc/');
    },
    'its file is a symlink': ({ temp, binary }) => {
      const folder = genuine(path.join(temp, 'wif-copy-abc'));
      fs.unlinkSync(path.join(folder, 'wif'));
      fs.symlinkSync(binary, path.join(folder, 'wif'));
      return folder;
    },
    'others may write to its folder': ({ temp }) => {
      const folder = genuine(path.join(temp, 'wif-copy-abc'));
      fs.chmodSync(folder, 0o777);
      return folder;
    },
    'others may write to its file': ({ temp }) => {
      const folder = genuine(path.join(temp, 'wif-copy-abc'));
      fs.chmodSync(path.join(folder, 'wif'), 0o766);
      return folder;
    },
    'its bytes are not those of the package': ({ temp }) => genuine(path.join(temp, 'wif-copy-abc'), EVIL),
    'it is gone': ({ temp }) => path.join(temp, 'wif-copy-abc'),
    'it is the temporary folder itself': ({ temp }) => temp,
  };
  for (const [title, tamper] of Object.entries(CASES)) {
    for (const stage of ['index', 'post']) {
      it(`${title} (${stage})`, async (t) => {
        const place = job(t, { mode: 0o644 });
        const folder = tamper(place);
        const before = fs.readdirSync(place.temp);
        const env = { VSTS_TASKVARIABLE_WIF_COPY: folder };
        const { code, lines } = await run(place, stage, { pretend: READ_ONLY, env });
        assert.strictEqual(code, 0);
        assert.ok(!lines.includes('evil'));
        const used = path.dirname(after(lines, 'path '));
        assert.notStrictEqual(used, path.resolve(folder));
        assert.strictEqual(path.dirname(used), place.temp);
        const left = stage === 'post' ? before : [...before, path.basename(used)].sort();
        assert.deepStrictEqual(fs.readdirSync(place.temp).sort(), left, 'what is not ours is left alone');
      });
    }
  }

  it('it belongs to another user', async (t) => {
    const place = job(t, { mode: 0o644 });
    const folder = genuine(path.join(place.temp, 'wif-copy-abc'));
    const env = { VSTS_TASKVARIABLE_WIF_COPY: folder };
    const control = await run(place, 'index', { pretend: READ_ONLY, env });
    assert.strictEqual(path.dirname(after(control.lines, 'path ')), folder);
    const pretend = `${READ_ONLY} const { getuid } = process; process.getuid = () => getuid() + 1;`;
    const { lines } = await run(place, 'index', { pretend, env });
    assert.notStrictEqual(path.dirname(after(lines, 'path ')), folder);
  });
});

describe('signals', parallel, () => {
  /** Waits to be told; 99 if it is not, so that a signal that got lost is a failure and no orphan. */
  const patient = (body) => `#!${process.execPath}
    ${body}
    setTimeout(() => process.exit(99), 20000);
    console.log('ready');`;

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    it(`${signal} reaches the binary, and its clean-up and exit code are waited for`, async (t) => {
      const binary = patient(`process.on('${signal}', () => setImmediate(() => {
        console.log('cleaned up'); process.exitCode = 7; process.removeAllListeners(); process.exit(); }));`);
      const result = await run(job(t, { binary }), 'index', { whenReady: (shim) => shim.kill(signal) });
      assert.deepStrictEqual(result, { code: 7, lines: ['ready', 'cleaned up'] });
    });
  }

  it('a second, different one reaches it as well', async (t) => {
    const binary = patient(`
      process.on('SIGINT', () => { console.log('interrupted'); process.kill(process.ppid, 'SIGTERM'); });
      process.on('SIGTERM', () => { console.log('terminated'); process.exit(0); });`);
    const result = await run(job(t, { binary }), 'index', { whenReady: (shim) => shim.kill('SIGINT') });
    assert.deepStrictEqual(result, { code: 0, lines: ['ready', 'interrupted', 'terminated'] });
  });

  it('a post-job stage that is stopped removes its copy', async (t) => {
    const place = job(t, { mode: 0o644, binary: patient("process.on('SIGTERM', () => process.exit(0));") });
    const options = { pretend: READ_ONLY, whenReady: (shim) => shim.kill('SIGTERM') };
    assert.deepStrictEqual(await run(place, 'post', options), { code: 0, lines: ['ready'] });
    assert.deepStrictEqual(fs.readdirSync(place.temp), []);
  });

  it('one that ends a binary without clean-up fails the step and says who asked', async (t) => {
    const result = await run(job(t, { binary: patient('') }), 'index', { whenReady: (shim) => shim.kill('SIGTERM') });
    assertFailed(result, 'WIF4001', /ended by SIGTERM/, /agent asked it to stop/);
  });

  it('a binary that is killed fails the step', async (t) => {
    const result = await run(job(t, { binary: '#!/bin/sh\nkill -KILL $$\n' }), 'index');
    assertFailed(result, 'WIF4001', /ended by SIGKILL/, /memory/);
  });

  it('a binary that aborts fails the step', async (t) => {
    const result = await run(job(t, { binary: '#!/bin/sh\nulimit -c 0\nkill -ABRT $$\n' }), 'index');
    assertFailed(result, 'WIF4001', /ended by SIGABRT/, /issues/);
  });

  it('a binary that is killed in the post-job stage is a warning', async (t) => {
    const result = await run(job(t, { binary: '#!/bin/sh\nkill -KILL $$\n' }), 'post');
    assertWarned(result, 'WIF4001', /ended by SIGKILL/);
  });
});

describe('a binary that cannot be started', parallel, () => {
  const pretendArch = "Object.defineProperty(process, 'arch', { value: 'ppc64' });";

  it('because the package has none for this platform is named with those it has', async (t) => {
    const place = job(t, { platform: 'darwin-arm64' });
    fs.mkdirSync(path.join(place.task, 'bin', 'linux-x64'), { recursive: true });
    const result = await run(place, 'index', { pretend: pretendArch });
    assertFailed(result, 'WIF4002', new RegExp(`${process.platform}-ppc64`), /darwin-arm64, linux-x64/);
  });

  it('is only a warning in the post-job stage', async (t) => {
    assertWarned(await run(job(t), 'post', { pretend: pretendArch }), 'WIF4002', /-ppc64/, new RegExp(PLATFORM));
  });

  it('because nothing was ever packaged says so', async (t) => {
    const place = job(t);
    fs.rmSync(path.join(place.task, 'bin'), { recursive: true });
    assertFailed(await run(place, 'index'), 'WIF4002', /none/, /cargo xtask stage/);
  });

  it('because its loader is missing names ENOENT', async (t) => {
    const result = await run(job(t, { binary: '#!/no/such/loader\n' }), 'index');
    assertFailed(result, 'WIF4001', /ENOENT in spawn/, /loader/);
  });

  // Node throws these at once, unlike EACCES and ENOENT.
  for (const [errno, hint] of Object.entries({
    E2BIG: /variables/, ENOEXEC: /another machine/, ETXTBSY: /writing/, EWHATEVER: /report/,
  })) {
    it(`because of ${errno} is explained`, async (t) => {
      const pretend = `require('child_process').spawn = (file) => {
        throw Object.assign(new Error('spawn ' + file), { code: '${errno}', syscall: 'spawn ' + file }); };`;
      const place = job(t);
      const result = await run(place, 'index', { pretend });
      assertFailed(result, 'WIF4001', new RegExp(`${errno} in spawn`), hint);
      assert.ok(!result.lines.some((line) => line.includes(place.root)), 'no paths in the log');
      assertWarned(await run(place, 'post', { pretend }), 'WIF4001', new RegExp(errno));
    });
  }
});

describe('a file that is no program for this machine is one error, and no shell is tried', parallel, () => {
  /** The head of a program in the system's format; the rest is of no account. */
  const elf = (machine) => {
    const head = Buffer.alloc(4096);
    head.write('\x7fELF\x02\x01\x01', 'latin1');
    head.writeUInt16LE(machine, 18);
    return head;
  };
  const machO = (machine) => {
    const head = Buffer.alloc(4096);
    head.writeUInt32LE(0xfeedfacf, 0);
    head.writeUInt32LE(machine, 4);
    return head;
  };
  const universal = (...machines) => {
    const head = Buffer.alloc(4096);
    head.writeUInt32BE(0xcafebabe, 0);
    head.writeUInt32BE(machines.length, 4);
    machines.forEach((machine, at) => head.writeUInt32BE(machine, 8 + 20 * at));
    return head;
  };
  const pe = (machine) => {
    const head = Buffer.alloc(4096);
    head.write('MZ', 'latin1');
    head.writeUInt32LE(128, 0x3c);
    head.write('PE\0\0', 128, 'latin1');
    head.writeUInt16LE(machine, 132);
    return head;
  };
  const pretended = (platform, arch) => `for (const [name, value] of Object.entries({ platform: '${platform}', arch: '${arch}' })) {
    Object.defineProperty(process, name, { value }); }`;

  const DAMAGED = {
    'an empty file': '',
    'text that a shell would take': 'echo a shell ran it\n',
    'zeros': Buffer.alloc(5000),
    'a few bytes': 'EL',
    'a page of an error': '<html>not found</html>',
    'half the magic number': Buffer.from('\x7fEL', 'latin1'),
    'an old program without a second head': Buffer.concat([Buffer.from('MZ'), Buffer.alloc(100, 0xff)]),
  };
  for (const [title, binary] of Object.entries(DAMAGED)) {
    it(`${title} is not a program`, async (t) => {
      const place = job(t, { binary });
      const result = await run(place, 'index');
      assertFailed(result, 'WIF4001', /not a program/, /Install the extension again/);
      assert.strictEqual(result.lines.length, 2);
      assertWarned(await run(place, 'post'), 'WIF4001', /not a program/);
    });
  }

  const OTHERS = [
    ['linux', 'x64', elf(0xb7), /another machine: ELF 0xb7, where linux-x64 needs ELF 0x3e/],
    ['linux', 'arm64', elf(0x3e), /another machine: ELF 0x3e, where linux-arm64 needs ELF 0xb7/],
    ['linux', 'x64', elf(3), /ELF 0x3,/],
    ['linux', 'x64', pe(0x8664), /PE 0x8664, where linux-x64 needs ELF/],
    ['linux', 'x64', machO(0x01000007), /Mach-O 0x1000007, where linux-x64 needs ELF/],
    ['darwin', 'arm64', machO(0x01000007), /Mach-O 0x1000007, where darwin-arm64 needs Mach-O 0x100000c/],
    ['darwin', 'x64', universal(0x0100000c), /Mach-O 0x100000c, where darwin-x64 needs Mach-O 0x1000007/],
    ['darwin', 'arm64', elf(0xb7), /ELF 0xb7, where darwin-arm64 needs Mach-O/],
    ['win32', 'x64', pe(0xaa64), /PE 0xaa64, where win32-x64 needs PE 0x8664/],
    ['win32', 'x64', elf(0x3e), /ELF 0x3e, where win32-x64 needs PE/],
  ];
  for (const [platform, arch, binary, pattern] of OTHERS) {
    it(`a program for another machine on ${platform}-${arch}: ${pattern.source.slice(0, 30)}`, async (t) => {
      const place = job(t, { binary, platform: `${platform}-${arch}`, file: platform === 'win32' ? 'wif.exe' : 'wif' });
      const pretend = pretended(platform, arch);
      assertFailed(await run(place, 'index', { pretend }), 'WIF4001', pattern, /Install the extension again/);
      assertWarned(await run(place, 'post', { pretend }), 'WIF4001', pattern);
    });
  }

  it('one program among several in a file is enough, which the system then judges', async (t) => {
    const place = job(t, { binary: universal(0x01000007, 0x0100000c), platform: 'darwin-arm64' });
    const start = "require('child_process').spawn = () => { throw Object.assign(new Error(), { code: 'EASKED' }); };";
    const result = await run(place, 'index', { pretend: pretended('darwin', 'arm64') + start });
    assertFailed(result, 'WIF4001', /could not be started: EASKED/);
  });

  it('a folder in its place could not be read', async (t) => {
    const place = job(t);
    fs.unlinkSync(place.binary);
    fs.mkdirSync(place.binary);
    assertFailed(await run(place, 'index'), 'WIF4001', /could not be read: EISDIR/, /Install the extension again/);
  });

  it('a file that is missing in its folder is told by platform, without the own one', async (t) => {
    const place = job(t);
    fs.unlinkSync(place.binary);
    fs.mkdirSync(path.join(place.task, 'bin', 'sunos-x64'));
    assertFailed(await run(place, 'index'), 'WIF4002', new RegExp(`no binary for ${PLATFORM}. It has: sunos-x64\\.`));
  });

  it('Windows for arm64 runs the program for x64, and prefers its own', async (t) => {
    const place = job(t, { platform: 'win32-x64', file: 'wif.exe' });
    const pretend = pretended('win32', 'arm64');
    const { code, lines } = await run(place, 'index', { pretend });
    assert.strictEqual(code, 0);
    assert.strictEqual(after(lines, 'path '), place.binary);
    const own = path.join(place.task, 'bin', 'win32-arm64', 'wif.exe');
    fs.mkdirSync(path.dirname(own));
    fs.copyFileSync(place.binary, own);
    fs.chmodSync(own, 0o755);
    assert.strictEqual(after((await run(place, 'index', { pretend })).lines, 'path '), own);
    fs.writeFileSync(own, pe(0x8664));
    assertFailed(await run(place, 'index', { pretend }), 'WIF4001', /PE 0x8664, where win32-arm64 needs PE 0xaa64/);
  });

  it('no other platform runs a program for x64 instead', async (t) => {
    for (const [platform, arch] of [['linux', 'arm64'], ['darwin', 'arm64'], ['win32', 'ia32']]) {
      const place = job(t, { platform: `${platform}-x64`, file: platform === 'win32' ? 'wif.exe' : 'wif' });
      const result = await run(place, 'index', { pretend: pretended(platform, arch) });
      assertFailed(result, 'WIF4002', new RegExp(`${platform}-${arch}. It has: ${platform}-x64`));
    }
  });

  const linux = { skip: process.platform !== 'linux' && 'the format is that of Linux' };

  it('half of a program is an error of this process, which is not aborted', linux, async (t) => {
    const place = native(job(t), 'echo it ran');
    fs.truncateSync(place.binary, 4096);
    const result = await run(place, 'index');
    assertFailed(result, 'WIF4001', /could not be started|was ended by/);
  });

  it('a program whose loader is missing is an error of this process, which is not aborted', linux, async (t) => {
    const place = native(job(t), 'echo it ran');
    const program = fs.readFileSync(place.binary);
    const loader = program.indexOf('/ld-linux');
    assert.ok(loader > 0);
    program.write('/no', loader);
    fs.writeFileSync(place.binary, program);
    assertFailed(await run(place, 'index'), 'WIF4001', /ENOENT in spawn/, /loader/);
  });
});

const replaced = { concurrency: true, skip: skip || (!REPLACES && 'this Node has no process.execve') };
describe('a Node that can be replaced', replaced, () => {
  const SCRIPT = `
    echo "process $$ of $PPID"
    echo "arguments $0 $*"
    echo "input $INPUT_AZURESUBSCRIPTION"
    [ "$SECRET_THING" = only-the-binary-may-see-this ] && echo "secret arrived"
    echo ready
    exit "\${WISHED_EXIT:-0}"
  `;

  /** Runs a stage, and tells the id of its process, too. */
  async function observed(place, stage, options = {}) {
    let pid = null;
    const result = await run(place, stage, { ...options, whenReady: (shim) => { pid = shim.pid; } });
    return { ...result, pid };
  }

  it('becomes the binary in the main stage, with arguments, environment and standard streams', async (t) => {
    const place = native(job(t), SCRIPT);
    const { code, lines, pid } = await observed(place, 'index', { env: { INPUT_AZURESUBSCRIPTION: 'sc prod' } });
    assert.strictEqual(code, 0);
    const [, ...rest] = lines;
    assert.match(lines[0], new RegExp(`^process ${pid} of `));
    assert.deepStrictEqual(rest, ['arguments task run', 'input sc prod', 'secret arrived', 'ready']);
  });

  it('waits for the binary in the post-job stage', async (t) => {
    const { code, lines, pid } = await observed(native(job(t), SCRIPT), 'post');
    assert.strictEqual(code, 0);
    assert.match(lines[0], new RegExp(` of ${pid}$`));
    assert.strictEqual(lines[1], 'arguments task post');
  });

  it('passes on the exit code', async (t) => {
    const { code } = await observed(native(job(t), SCRIPT), 'index', { env: { WISHED_EXIT: '3' } });
    assert.strictEqual(code, 3);
  });

  it('becomes the private copy where the task folder is read-only, and hands it on first', async (t) => {
    const place = native(job(t), SCRIPT);
    fs.chmodSync(place.binary, 0o644);
    const { lines, pid } = await observed(place, 'index', { pretend: READ_ONLY });
    assert.ok(handedOn(lines).startsWith(place.temp));
    assert.match(lines[1], new RegExp(`^process ${pid} of `));
  });

  it('is gone, so that the agent sees the signal that ends the binary', async (t) => {
    const place = native(job(t), 'echo ready; kill -KILL $$');
    const { lines } = await run(place, 'index', { killed: 'SIGKILL' });
    assert.deepStrictEqual(lines, ['ready']);
  });

  it('gets its signals itself', async (t) => {
    const place = native(job(t), "trap 'echo stopped; exit 5' TERM; echo ready; for i in {1..400}; do sleep 0.05; done");
    const result = await run(place, 'index', { whenReady: (shim) => shim.kill('SIGTERM') });
    assert.deepStrictEqual(result, { code: 5, lines: ['ready', 'stopped'] });
  });

  it('ends of a signal that comes before the binary does, rather than lose it', async (t) => {
    const pretend = `require('child_process').spawnSync = () => {
      process.kill(process.pid, 'SIGTERM');
      return { status: 0 }; };`;
    const { lines } = await run(native(job(t), 'echo ready'), 'index', { pretend, killed: 'SIGTERM' });
    assert.deepStrictEqual(lines, []);
  });

  it('reports a binary that is killed when it is tried, and in its own time', async (t) => {
    const place = native(job(t), 'kill -KILL $$');
    const pretend = "require('child_process').spawnSync = () => ({ status: null, signal: 'SIGKILL' });";
    assertFailed(await run(place, 'index', { pretend }), 'WIF4001', /ended by SIGKILL/);
  });

  it('shows no secret to the binary that is only tried', async (t) => {
    const place = native(job(t), SCRIPT);
    const pretend = `const childProcess = require('child_process'), { spawnSync } = childProcess;
      childProcess.spawnSync = (file, list, options) => {
        require('fs').writeSync(1, JSON.stringify({ list, env: options.env, stdio: options.stdio }) + '\\n');
        return spawnSync(file, list, options); };`;
    const { lines } = await observed(place, 'index', { pretend });
    assert.deepStrictEqual(JSON.parse(lines[0]), { list: ['--version'], env: {}, stdio: 'ignore' });
  });
});

describe('the source of the shim', { concurrency: true }, () => {
  for (const file of ['index.js', 'post.js']) {
    const source = fs.readFileSync(path.join(TASK, file), 'utf8');

    it(`${file} needs no npm package`, () => {
      const required = [...source.matchAll(/require\(\s*'([^']+)'\s*\)/g)].map((match) => match[1]);
      assert.ok(required.length > 0);
      assert.strictEqual(required.length, source.match(/\brequire\s*\(/g).length, 'each of them by a literal name');
      for (const name of required) assert.ok(name === './index.js' || builtinModules.includes(name), name);
      assert.doesNotMatch(source, /\bimport\b\s*[({'"]/);
    });

    it(`${file} needs nothing newer than Node 10`, () => {
      const code = source.replace(/\/\*[^]*?\*\/|\/\/.*|'(?:[^'\\\n]|\\.)*'/g, '');
      assert.doesNotMatch(code, /\?\.[^\d]|\?\?|\|\|=|&&=|\bstatic\b|#\w+\s*[=(;]/, 'syntax');
      assert.doesNotMatch(code, /\brmSync\b|\.(at|flat|replaceAll|matchAll)\(|fs\.promises/, 'library');
      assert.doesNotMatch(source, /'node:/);
    });
  }
});
