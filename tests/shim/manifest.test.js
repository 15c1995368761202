'use strict';

// task.json and vss-extension.json: what the server, the agent and `tfx` refuse or silently ignore is found here first.

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { describe, it } = require('node:test');

const ROOT = path.join(__dirname, '..', '..');
const TASK = path.join(ROOT, 'task');
const read = (...parts) => fs.readFileSync(path.join(ROOT, ...parts), 'utf8');
const task = JSON.parse(read('task', 'task.json'));
const extension = JSON.parse(read('vss-extension.json'));

/** The public promise: name, type and default of every input. A change here is a new major version. */
const INPUTS = [
  ['azureSubscription', 'connectedService:AzureRM', undefined],
  ['exports', 'string', ''],
  ['accessTokens', 'multiLine', 'AZURE_ACCESS_TOKEN=arm'],
  ['refresh', 'boolean', 'true'],
  ['allowedResources', 'string', ''],
  ['session', 'string', ''],
  ['requireFederation', 'boolean', 'false'],
  ['diagnose', 'boolean', 'false'],
  ['allowedTenants', 'string', ''],
  ['allowedSubscriptions', 'string', ''],
  ['allowedAuthorities', 'string', ''],
  ['awsRole', 'string', ''],
  ['awsRegion', 'string', ''],
  ['awsSessionDuration', 'string', '3600'],
  ['googleProvider', 'string', ''],
  ['googleServiceAccount', 'string', ''],
  ['googleProject', 'string', ''],
  ['vaultAddress', 'string', ''],
  ['vaultRole', 'string', ''],
  ['vaultMount', 'string', 'jwt'],
  ['vaultNamespace', 'string', ''],
  ['registries', 'multiLine', ''],
  ['feeds', 'multiLine', ''],
  ['assertion', 'string', 'connection'],
  ['scriptType', 'pickList', ''],
  ['scriptLocation', 'pickList', 'scriptPath'],
  ['inlineScript', 'multiLine', ''],
  ['scriptPath', 'filePath', ''],
  ['arguments', 'string', ''],
  ['workingDirectory', 'filePath', ''],
  ['failOnStandardError', 'boolean', 'false'],
  ['powerShellErrorActionPreference', 'pickList', 'stop'],
  ['powerShellIgnoreLASTEXITCODE', 'boolean', 'false'],
  ['addSpnToEnvironment', 'boolean', 'false'],
  ['useGlobalConfig', 'boolean', 'false'],
  ['visibleAzLogin', 'boolean', 'true'],
  ['keepAzSessionActive', 'boolean', 'false'],
  ['allowNoSubscriptions', 'boolean', 'false'],
];
/** The same for the task that audits. */
const AUDIT_INPUTS = [
  ['azureSubscription', 'connectedService:AzureRM', undefined],
  ['organization', 'string', ''],
  ['projects', 'multiLine', ''],
  ['failOn', 'pickList', 'warning'],
  ['waivers', 'string', ''],
  ['baseline', 'string', ''],
  ['formats', 'string', 'json, sarif, html'],
  ['outputFolder', 'string', ''],
];
/** The other names of inputs, by which `AzureCLI@2` knows them. */
const ALIASES = { azureSubscription: 'connectedServiceNameARM', arguments: 'scriptArguments', workingDirectory: 'cwd' };
const STAGES = { execution: 'index.js', postjobexecution: 'post.js' };

function assertKeys(object, known, where) {
  const unknown = Object.keys(object).filter((key) => !known.includes(key));
  assert.deepStrictEqual(unknown, [], `${where} has keys that nothing reads`);
}

function assertPng(file, accepts) {
  const bytes = fs.readFileSync(path.join(ROOT, file));
  assert.strictEqual(bytes.toString('latin1', 1, 4), 'PNG', file);
  const [width, height] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
  assert.ok(accepts(width, height), `${file} is ${width}×${height}`);
  assert.ok(bytes.length < 20 * 1024, `${file} has ${bytes.length} bytes`);
}

describe('task.json', () => {
  it('has every input of the interface, in order, with its type and default', () => {
    const found = task.inputs.map(({ name, type, defaultValue }) => [name, type, defaultValue]);
    assert.deepStrictEqual(found, INPUTS);
  });

  it('requires the connection and nothing else', () => {
    const required = task.inputs.filter((input) => input.required).map((input) => input.name);
    assert.deepStrictEqual(required, ['azureSubscription']);
  });

  it('explains every input, with an example', () => {
    for (const { name, label, helpMarkDown } of task.inputs) {
      assert.match(label, /^[A-Z][^.]*$/, name);
      assert.match(helpMarkDown, /Example:/, name);
    }
  });

  it('gives inputs the other names that AzureCLI@2 has, and hides only what is for a script', () => {
    const aliases = task.inputs.filter((input) => input.aliases).map((input) => [input.name, ...input.aliases]);
    assert.deepStrictEqual(aliases, Object.entries(ALIASES));
    const rules = task.inputs.filter((input) => input.visibleRule);
    assert.ok(rules.every((input) => input.groupName === 'script'));
    for (const { visibleRule } of rules) {
      for (const part of visibleRule.split(' || ')) {
        const [name, value] = part.split(' = ');
        const named = task.inputs.find((input) => input.name === name);
        assert.ok(Object.keys(named.options).includes(value), visibleRule);
      }
    }
    for (const input of task.inputs) {
      const known = ['name', 'type', 'label', 'defaultValue', 'required', 'groupName', 'helpMarkDown', 'properties',
        'aliases', 'options', 'visibleRule'];
      assertKeys(input, known, input.name);
      assert.strictEqual(input.type === 'pickList', 'options' in input, input.name);
      assert.match(input.name, /^[A-Za-z][A-Za-z0-9]*$/);
      assert.ok(['string', 'undefined'].includes(typeof input.defaultValue), 'the agent passes on text');
      assertKeys(input.properties ?? {}, ['rows'], input.name);
    }
  });

  it('puts every input into a group that exists, and fills every group', () => {
    const groups = task.groups.map((group) => group.name);
    assert.strictEqual(new Set(groups).size, groups.length);
    assert.deepStrictEqual(new Set(task.inputs.map((input) => input.groupName)), new Set(groups));
    for (const group of task.groups) assertKeys(group, ['name', 'displayName', 'isExpanded'], group.name);
  });

  it('has no key that the schema refuses', () => {
    assertKeys(task, ['$schema', 'id', 'name', 'friendlyName', 'description', 'helpUrl', 'helpMarkDown', 'category', 'visibility',
      'runsOn', 'author', 'version', 'minimumAgentVersion', 'instanceNameFormat', 'showEnvironmentVariables', 'groups',
      'inputs', 'outputVariables', 'execution', 'postjobexecution', 'releaseNotes'], 'task.json');
  });

  it('declares output variables by names that no export and no input has', () => {
    // The agent sets a variable of a declared name as <step>.<name> only: a later step would not find an export of that name.
    for (const output of task.outputVariables) {
      assertKeys(output, ['name', 'description'], output.name);
      assert.match(output.name, /^[a-z][A-Za-z0-9]*$/, 'exports have capital letters and underscores');
      assert.ok(!task.inputs.some((input) => input.name.toLowerCase() === output.name.toLowerCase()), output.name);
    }
  });

  it('declares no restrictions, which would drop commands of its own', () => assert.ok(!('restrictions' in task)));

  it('identifies itself as tfx wants it', () => {
    assert.match(task.id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.strictEqual(task.name, 'AzureWorkloadIdentity');
    assert.ok(task.friendlyName.length >= 1 && task.friendlyName.length <= 40, task.friendlyName);
    assert.strictEqual(task.author, 'wif');
    assert.strictEqual(task.helpUrl, 'https://github.com/wif-azure/wif');
    assert.ok(['Build', 'Deploy', 'Package', 'Utility', 'Test'].includes(task.category));
    assert.deepStrictEqual(task.visibility, ['Build', 'Release']);
    assert.deepStrictEqual(task.runsOn, ['Agent', 'DeploymentGroup']);
  });

  it('names a step after its connection', () => {
    const inputs = [...task.instanceNameFormat.matchAll(/\$\((\w+)\)/g)].map((match) => match[1]);
    assert.deepStrictEqual(inputs, ['azureSubscription']);
  });

  it('is major version 1, in numbers', () => {
    assert.deepStrictEqual(Object.keys(task.version), ['Major', 'Minor', 'Patch']);
    for (const part of Object.values(task.version)) assert.ok(Number.isInteger(part));
    assert.strictEqual(task.version.Major, 1);
  });

  it('asks for an agent that knows Node20_1 and preservecase', () => {
    assert.match(task.minimumAgentVersion, /^\d+\.\d+(\.\d+)?$/);
    const [major, minor] = task.minimumAgentVersion.split('.').map(Number);
    assert.ok(major > 3 || (major === 3 && minor >= 234), task.minimumAgentVersion);
  });

  for (const [stage, target] of Object.entries(STAGES)) {
    it(`runs ${target} in ${stage} with Node 20 and Node 24`, () => {
      assert.deepStrictEqual(task[stage], { Node20_1: { target }, Node24: { target } });
      assert.ok(fs.statSync(path.join(TASK, target)).isFile());
    });
  }

  it('comes with an icon of 32×32', () => assertPng('task/icon.png', (width, height) => width === 32 && height === 32));
});

describe('audit-task/task.json', () => {
  const audit = JSON.parse(read('audit-task', 'task.json'));

  it('has every input of the interface, in order, with its type and default', () => {
    const found = audit.inputs.map(({ name, type, defaultValue }) => [name, type, defaultValue]);
    assert.deepStrictEqual(found, AUDIT_INPUTS);
    assert.deepStrictEqual(audit.inputs.filter((input) => input.required).map(({ name }) => name), ['azureSubscription']);
  });

  it('explains every input, with an example, and puts it into a group that exists', () => {
    const groups = audit.groups.map((group) => group.name);
    for (const input of audit.inputs) {
      assert.match(input.label, /^[A-Z][^.]*$/, input.name);
      assert.match(input.helpMarkDown, /Example:/, input.name);
      assert.ok(groups.includes(input.groupName), input.name);
      assertKeys(input, ['name', 'type', 'label', 'defaultValue', 'required', 'groupName', 'helpMarkDown', 'properties', 'aliases',
        'options'], input.name);
      assert.strictEqual(input.type === 'pickList', 'options' in input, input.name);
    }
    assert.deepStrictEqual(new Set(audit.inputs.map((input) => input.groupName)), new Set(groups));
  });

  it('offers every level that fails the step, and lets a variable stand there', () => {
    const { options, properties } = audit.inputs.find((input) => input.name === 'failOn');
    const levels = ['note', 'warning', 'fault'];
    assert.deepStrictEqual(Object.keys(options), [...levels, 'none', ...levels.map((level) => `new:${level}`)]);
    assert.deepStrictEqual(properties, { EditableOptions: 'True' });
  });

  it('says with the first task what is new, and links to it', () => {
    for (const { releaseNotes, version } of [task, audit]) {
      assert.ok(releaseNotes.startsWith(`${version.Major}.${version.Minor}: `), releaseNotes);
      assert.match(releaseNotes, /\]\(https:\/\/github\.com\/wif-azure\/wif\/blob\/main\/docs\/[a-z]+\.md\)$/);
    }
  });

  it('has no key that the schema refuses, and no stage after the job', () => {
    assertKeys(audit, ['$schema', 'id', 'name', 'friendlyName', 'description', 'helpUrl', 'helpMarkDown', 'category', 'visibility',
      'runsOn', 'author', 'version', 'minimumAgentVersion', 'instanceNameFormat', 'showEnvironmentVariables', 'groups',
      'inputs', 'execution', 'releaseNotes'], 'audit-task/task.json');
  });

  it('is another task than the first one, of the same version and for the same agents', () => {
    assert.match(audit.id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.notStrictEqual(audit.id, task.id);
    assert.strictEqual(audit.name, 'AuditServiceConnections');
    assert.ok(audit.friendlyName.length >= 1 && audit.friendlyName.length <= 40, audit.friendlyName);
    for (const same of ['version', 'minimumAgentVersion', 'author', 'helpUrl', 'visibility', 'runsOn']) {
      assert.deepStrictEqual(audit[same], task[same], same);
    }
  });

  it('runs audit.js with Node 20 and Node 24, which starts another program by the same shim', () => {
    assert.deepStrictEqual(audit.execution, { Node20_1: { target: 'audit.js' }, Node24: { target: 'audit.js' } });
    assert.match(read('audit-task', 'audit.js'), /require\('\.\/index\.js'\)\.run\('run', 'wif-operator'\)/);
    assert.ok(!fs.existsSync(path.join(ROOT, 'audit-task', 'index.js')), 'the shim is there once; packing copies it');
  });

  it('comes with an icon of 32×32', () => assertPng('audit-task/icon.png', (width, height) => width === 32 && height === 32));

  it('has a page that lists every input', () => {
    const page = read('docs', 'audit.md');
    for (const [name] of AUDIT_INPUTS) assert.ok(page.includes(`| \`${name}\` |`), name);
  });
});

describe('vss-extension.json', () => {
  const version = Object.values(task.version).join('.');

  it('has the version of the task', () => assert.strictEqual(extension.version, version));

  it('identifies itself as the Marketplace wants it', () => {
    assert.strictEqual(extension.manifestVersion, 1);
    assert.match(extension.id, /^[a-z0-9-]+$/);
    assert.strictEqual(extension.publisher, 'wif-azure');
    assert.ok(extension.name.length <= 200);
    assert.ok(extension.description.length <= 200);
    assert.deepStrictEqual(extension.categories, ['Azure Pipelines']);
    assert.deepStrictEqual(extension.targets, [{ id: 'Microsoft.VisualStudio.Services' }]);
    assert.ok(!('scopes' in extension), 'a task asks for no permissions');
  });

  it('contributes the folders of both tasks, and nothing else', () => {
    assert.deepStrictEqual(extension.contributions.map(({ properties }) => properties.name), ['task', 'audit-task']);
    assert.strictEqual(new Set(extension.contributions.map(({ id }) => id)).size, 2);
    for (const { type, targets, properties } of extension.contributions) {
      assert.strictEqual(type, 'ms.vss-distributed-task.task');
      assert.deepStrictEqual(targets, ['ms.vss-distributed-task.tasks']);
      assert.ok(extension.files.some((file) => file.path === properties.name));
    }
  });

  it('names files that exist, in words that a package can hold', () => {
    const { files, icons, content } = extension;
    for (const file of [...files.map((entry) => entry.path), icons.default, content.details.path]) {
      assert.ok(fs.existsSync(path.join(ROOT, file)), file);
      assert.doesNotMatch(file, /[ #^[\]<>?]|\.$/);
    }
  });

  it('comes with an icon of 128×128 or more', () => {
    assertPng(extension.icons.default, (width, height) => width === height && width >= 128);
  });
});

describe('overview.md', () => {
  const overview = read('overview.md');

  it('lists every input', () => {
    for (const [name] of INPUTS) assert.ok(overview.includes(`| \`${name}\` |`), name);
  });

  it('names the task as a pipeline does', () => {
    assert.ok(overview.includes(`task: ${task.name}@${task.version.Major}`));
  });

  it('names the oldest agent that will do', () => assert.ok(overview.includes(task.minimumAgentVersion)));
});
