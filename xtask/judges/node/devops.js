// Microsoft's client of Azure DevOps for Node reads and writes an emulated organization. A row for each check.
'use strict';

const assert = require('node:assert/strict');
const { WebApi, getPersonalAccessTokenHandler } = require('azure-devops-node-api');
const { version } = require('azure-devops-node-api/package.json');
const table = require('./table.js');

const PROJECT = process.env.JUDGE_PROJECT;
const OTHER_PROJECT = process.env.JUDGE_OTHER_PROJECT;
const CONNECTION = process.env.JUDGE_CONNECTION;
const FEDERATION = 'WorkloadIdentityFederation';
const SECRET = 'ServicePrincipal';

const server = new WebApi(
  process.env.JUDGE_ORGANIZATION_URL,
  getPersonalAccessTokenHandler(process.env.JUDGE_PERSONAL_TOKEN),
);

/** A resource for which the client has no methods: it finds the address itself, and sends. */
async function other([area, id, apiVersion], values, body) {
  const found = await server.vsoClient.getVersioningData(apiVersion, area, id, values);
  const options = { acceptHeader: `application/json;api-version=${found.apiVersion}` };
  const send = body ? server.rest.update(found.requestUrl, body, options) : server.rest.get(found.requestUrl, options);
  return (await send).result;
}

const permissions = (change) => other(
  ['pipelinePermissions', 'b5b9a4a4-e6cd-4096-853c-ab7d8b0c4eb2', '7.1-preview.1'],
  { project: PROJECT, resourceType: 'endpoint', resourceId: CONNECTION },
  change,
);

async function connectionData() {
  const { instanceId } = await server.connect();
  assert.match(instanceId, /^[0-9a-f-]{36}$/u);
}

async function projects() {
  const client = await server.getCoreApi();
  const seen = [];
  for (;;) {
    const page = await client.getProjects(undefined, 60, seen.length);
    if (page.length === 0) {
      break;
    }
    seen.push(...page);
  }
  assert.equal(new Set(seen.map((one) => one.id)).size, 250);
  const { id, state } = await client.getProject(seen[7].name);
  assert.deepEqual([id, state], [seen[7].id, seen[7].state]);
}

async function connections() {
  const client = await server.getServiceEndpointApi();
  const all = await client.getServiceEndpoints(PROJECT, undefined, undefined, undefined, undefined, true, true);
  const one = all.find(({ id }) => id === CONNECTION);
  assert.equal(one.authorization.scheme, FEDERATION);
  assert.equal(one.serviceEndpointProjectReferences[0].projectReference.id, PROJECT);
  assert.ok(all.some(({ operationStatus }) => operationStatus.state === 'Failed'));
  const [byName, ...more] = await client.getServiceEndpointsByNames(PROJECT, [one.name]);
  assert.deepEqual([byName.id, more.length], [CONNECTION, 0]);
  const federated = await client.getServiceEndpoints(PROJECT, 'azurerm', [FEDERATION]);
  const schemes = federated.flatMap(({ authorization }) => authorization?.scheme ?? []);
  assert.deepEqual([...new Set(schemes)], [FEDERATION]);
}

async function connectionDetails() {
  const client = await server.getServiceEndpointApi();
  const one = await client.getServiceEndpointDetails(PROJECT, CONNECTION);
  assert.equal(one.authorization.parameters.tenantid, process.env.JUDGE_TENANT);
  assert.match(one.authorization.parameters.workloadIdentityFederationSubject, /\/sc\//u);
  assert.ok(one.creationDate instanceof Date && !Number.isNaN(one.creationDate.valueOf()));
  assert.equal(await client.getServiceEndpointDetails(PROJECT, '00000000-0000-4000-8000-000000000000'), null);
}

async function historyPageByPage() {
  const client = await server.getServiceEndpointApi();
  const seen = [];
  let next;
  do {
    const page = await client.getServiceEndpointExecutionRecords(PROJECT, CONNECTION, 2, next);
    seen.push(...page);
    next = page.continuationToken;
  } while (next);
  assert.deepEqual(seen.map(({ data }) => data.id), [3, 2, 1]);
  assert.ok(seen.every(({ data }) => data.finishTime > data.startTime));
}

async function pipelines() {
  const client = await server.getBuildApi();
  assert.deepEqual((await client.getDefinitions(PROJECT)).map(({ id }) => id), [1, 2, 3]);
}

async function roles() {
  const client = await server.getSecurityRolesApi();
  const found = await client.getRoleAssignments('distributedtask.serviceendpointrole', `${PROJECT}_${CONNECTION}`);
  assert.deepEqual(found.map(({ role }) => role.name), ['Administrator']);
}

async function checks() {
  const resource = { type: 'endpoint', id: CONNECTION };
  const found = await server.vsoClient.getVersioningData(
    '7.1-preview.1',
    'PipelinesChecks',
    '5f3d0e64-f943-4584-8811-77eb495e831e',
    { project: PROJECT },
    { $expand: 'settings' },
  );
  const options = { acceptHeader: `application/json;api-version=${found.apiVersion}` };
  const { result } = await server.rest.create(found.requestUrl, [resource], options);
  assert.equal(result.count, 2);
}

async function writesPipelinePermissions() {
  const ids = ({ pipelines: all }) => all.map(({ id }) => id);
  assert.deepEqual(ids(await permissions()), [1]);
  await permissions({ pipelines: [{ id: 3, authorized: true }] });
  assert.deepEqual(ids(await permissions()), [1, 3]);
  await permissions({ pipelines: [{ id: 3, authorized: false }] });
  assert.deepEqual(ids(await permissions()), [1]);
}

async function writesAConnection() {
  const client = await server.getServiceEndpointApi();
  const { data, url, authorization } = await client.getServiceEndpointDetails(PROJECT, CONNECTION);
  const { tenantid, serviceprincipalid } = authorization.parameters;
  const reference = (id, name) => ({ projectReference: { id }, name, description: '' });
  const made = await client.createServiceEndpoint({
    name: 'made-with-node',
    type: 'azurerm',
    url,
    description: 'as it is made',
    authorization: { scheme: FEDERATION, parameters: { tenantid, serviceprincipalid } },
    data: { ...data, creationMode: 'Manual' },
    serviceEndpointProjectReferences: [reference(PROJECT, 'made-with-node')],
  });
  assert.deepEqual([made.name, made.isReady], ['made-with-node', true]);
  const read = (project = PROJECT) => client.getServiceEndpointDetails(project, made.id);
  assert.deepEqual(await read(), made);

  await client.updateServiceEndpoint({ ...made, description: 'as it is changed' }, made.id);
  assert.equal((await read()).description, 'as it is changed');

  await client.shareServiceEndpoint([reference(OTHER_PROJECT, 'shared-with-node')], made.id);
  const { name, isShared } = await read(OTHER_PROJECT);
  assert.deepEqual([name, isShared], ['shared-with-node', true]);
  await client.deleteServiceEndpoint(made.id, [OTHER_PROJECT]);
  assert.equal(await read(OTHER_PROJECT), null);
  assert.equal((await read()).isShared, false);

  await client.deleteServiceEndpoint(made.id, [PROJECT]);
  assert.equal(await read(), null);
}

async function writesAConversionAndBack() {
  const client = await server.getServiceEndpointApi();
  const id = process.env.JUDGE_CONNECTION_WITH_SECRET;
  for (const scheme of [FEDERATION, SECRET]) {
    const before = await client.getServiceEndpointDetails(PROJECT, id);
    assert.notEqual(before.authorization.scheme, scheme);
    const wanted = { ...before, authorization: { ...before.authorization, scheme } };
    await client.updateServiceEndpoint(wanted, id, 'ConvertAuthenticationScheme');
    assert.equal((await client.getServiceEndpointDetails(PROJECT, id)).authorization.scheme, scheme);
  }
}

async function refusesWhatIsTrusted() {
  const client = await server.getServiceEndpointApi();
  await assert.rejects(client.deleteServiceEndpoint(CONNECTION, [PROJECT]), (error) => {
    assert.deepEqual([error.statusCode, error.result?.typeKey], [400, 'ServiceEndpointException']);
    assert.match(error.message, /^Cannot delete this service connection while federated credentials for app/u);
    return true;
  });
}

table(`azure-devops-node-api ${version}`, [
  connectionData,
  projects,
  connections,
  connectionDetails,
  historyPageByPage,
  pipelines,
  roles,
  checks,
  writesPipelinePermissions,
  writesAConnection,
  writesAConversionAndBack,
  refusesWhatIsTrusted,
]);
