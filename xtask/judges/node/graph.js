// Microsoft's client of Graph for Node reads and writes an emulated tenant. A row for each check.
'use strict';

const assert = require('node:assert/strict');
const { BatchRequestContent, BatchResponseContent, Client, PageIterator } = require('@microsoft/microsoft-graph-client');
const { version } = require('@microsoft/microsoft-graph-client/package.json');
const table = require('./table.js');

const APPLICATION = process.env.JUDGE_APPLICATION;
const AUDIENCE = 'api://AzureADTokenExchange';

const url = new URL(process.env.JUDGE_GRAPH_URL);
const client = Client.initWithMiddleware({
  authProvider: { getAccessToken: async () => process.env.JUDGE_GRAPH_TOKEN },
  baseUrl: `${url.origin}/`,
  // The token is sent nowhere else.
  customHosts: new Set([url.hostname]),
});

const application = async () => (await client.api('/applications').filter(`appId eq '${APPLICATION}'`).get()).value[0];

async function applicationsByFilter() {
  const found = await application();
  assert.equal(found.appId, APPLICATION);
  const { displayName } = await client.api(`/applications(appId='${APPLICATION}')`).select('id,displayName').get();
  assert.equal(displayName, found.displayName);
  const byName = await client.api('/applications').filter(`startsWith(displayName,'${displayName}')`).get();
  assert.ok(byName.value.some(({ appId }) => appId === APPLICATION));
}

async function applicationsByTheirTrust() {
  const asked = () => client
    .api('/applications')
    .filter("federatedIdentityCredentials/any(f:startsWith(f/issuer,'https://login.microsoftonline.com/'))")
    .expand('federatedIdentityCredentials')
    .count();
  const { value, '@odata.count': count } = await asked().header('ConsistencyLevel', 'eventual').get();
  assert.ok(count >= value.length && value.length > 0);
  assert.ok(value.every(({ federatedIdentityCredentials: all }) => all.length > 0));
  await assert.rejects(asked().get(), { statusCode: 400, code: 'Request_UnsupportedQuery' });
}

async function applicationsPageByPage() {
  const first = await client.api('/applications').top(7).get();
  assert.equal(first.value.length, 7);
  const seen = new Set();
  const pages = new PageIterator(client, first, ({ id }) => seen.add(id));
  await pages.iterate();
  assert.ok(pages.isComplete());
  const { '@odata.count': count } = await client
    .api('/applications').count().header('ConsistencyLevel', 'eventual').get();
  assert.equal(seen.size, count);
}

async function servicePrincipals() {
  const { value } = await client.api('/servicePrincipals').filter(`appId eq '${APPLICATION}'`).get();
  assert.deepEqual([value.length, value[0].servicePrincipalType], [1, 'Application']);
  const { id } = await client.api(`/servicePrincipals/${value[0].id}`).get();
  assert.equal(id, value[0].id);
}

async function batch() {
  // Node makes no request without a host; of this address the client sends what comes after the host, and no version belongs there.
  const request = (path) => new Request(`${url.origin}${path}`);
  const { id } = await application();
  const content = new BatchRequestContent([
    { id: 'application', request: request(`/applications/${id}`) },
    { id: 'credentials', request: request(`/applications/${id}/federatedIdentityCredentials`) },
    { id: 'nobody', request: request('/applications/00000000-0000-4000-8000-000000000000') },
  ]);
  const answer = await client.api('/$batch').post(await content.getContent());
  const responses = new BatchResponseContent(answer);
  assert.equal((await responses.getResponseById('application').json()).appId, APPLICATION);
  assert.equal((await responses.getResponseById('credentials').json()).value.length, 1);
  const nobody = responses.getResponseById('nobody');
  assert.deepEqual([nobody.status, (await nobody.json()).error.code], [404, 'Request_ResourceNotFound']);
}

async function writesAFederatedCredential() {
  const { id } = await application();
  const path = `/applications/${id}/federatedIdentityCredentials`;
  const names = async () => (await client.api(path).get()).value.map(({ name }) => name);
  const before = await names();
  const credential = { name: 'made-with-node', issuer: 'https://issuer.example', subject: 'one', audiences: [AUDIENCE] };
  const made = await client.api(path).post(credential);
  assert.deepEqual({ ...made, ...credential }, made);
  assert.deepEqual(await names(), [...before, 'made-with-node']);
  await assert.rejects(client.api(path).post(credential), {
    statusCode: 409,
    code: 'Request_MultipleObjectsWithSameKeyValue',
  });
  await client.api(`${path}(name='made-with-node')`).header('Prefer', 'create-if-missing').patch({ ...credential, subject: 'two' });
  const read = await client.api(path).get();
  assert.equal(read.value.find(({ name }) => name === 'made-with-node').subject, 'two');
  await client.api(`${path}/${made.id}`).delete();
  assert.deepEqual(await names(), before);
}

async function writesAnApplication() {
  const path = "/applications(uniqueName='made-with-node')";
  const wanted = { displayName: 'made with Node', signInAudience: 'AzureADMyOrg' };
  const made = await client.api(path).header('Prefer', 'create-if-missing').patch(wanted);
  const principal = await client.api('/servicePrincipals').post({ appId: made.appId });
  assert.equal(principal.appId, made.appId);
  assert.equal((await client.api(path).get()).id, made.id);
  await client.api(`/applications/${made.id}`).delete();
  await assert.rejects(client.api(path).get(), { statusCode: 404, code: 'Request_ResourceNotFound' });
  const binned = await client.api(`/directory/deletedItems/${made.id}/restore`).post({});
  assert.equal(binned.id, made.id);
  await client.api(`/applications/${made.id}`).delete();
}

table(`@microsoft/microsoft-graph-client ${version}`, [
  applicationsByFilter,
  applicationsByTheirTrust,
  applicationsPageByPage,
  servicePrincipals,
  batch,
  writesAFederatedCredential,
  writesAnApplication,
]);
