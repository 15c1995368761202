'use strict';

// An organization of Azure DevOps with one project, as far as a program that is made with Microsoft's Go library asks: which
// resources there are, that every area of them has this address, and the projects. It looks at an access token's audience,
// application and end, and not at its signature. What it was asked is printed as an access log.
// node organization.js CERTIFICATE KEY CLIENT

const { readFileSync } = require('node:fs');
const { createServer } = require('node:https');

const [cert, key, client] = process.argv.slice(2);
const AUDIENCE = '499b84ac-1321-427f-aa17-267ca6975798';

// Ids and routes as the service itself gives them.
const RESOURCES = [
  { id: 'e81700f7-3be2-46de-8624-2eb35882fcaa', area: 'Location', resourceName: 'ResourceAreas', routeTemplate: '_apis/{resource}/{areaId}' },
  { id: '603fe2ac-9723-48b9-88ad-09305aa6c6e1', area: 'core', resourceName: 'projects', routeTemplate: '_apis/{resource}/{*projectId}' },
].map((resource) => ({ ...resource, resourceVersion: 4, minVersion: '1.0', maxVersion: '7.2', releasedVersion: '7.1' }));
const PROJECT = { id: '5b1c8a52-3f0e-4d0b-9d2e-6a7f8c9b0a1d', name: 'acceptance', state: 'wellFormed', visibility: 'private' };

const ANSWERS = {
  'OPTIONS /contoso/_apis': RESOURCES,
  // Without areas a client stays with the address that it has, as on a server of one's own.
  'GET /contoso/_apis/ResourceAreas': [],
  'GET /contoso/_apis/projects': [PROJECT],
};

function isSignedIn(header) {
  try {
    const claims = JSON.parse(Buffer.from(header.replace(/^Bearer /, '').split('.')[1], 'base64url'));
    const application = claims.appid ?? claims.azp;
    return claims.aud === AUDIENCE && application === client && claims.exp > Date.now() / 1000;
  } catch {
    return false;
  }
}

function answer(request) {
  const value = ANSWERS[`${request.method} ${request.url.split('?')[0].replace(/\/$/, '')}`];
  if (!isSignedIn(request.headers.authorization ?? '')) return [401, { message: 'not signed in' }];
  if (value === undefined) return [404, { message: 'there is no such resource' }];
  return [200, { count: value.length, value }];
}

const server = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (request, response) => {
  const [status, body] = answer(request);
  console.log(`${request.headers['user-agent']} "${request.method} ${request.url} HTTP/1.1" ${status} -`);
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
});
server.listen(0, '127.0.0.1', () => console.log(`listens on https://127.0.0.1:${server.address().port}`));
