'use strict';

// What is left of AzureCLI@2 where a plain `az login` was before it: the step's script, started by bash, with the variables of
// addSpnToEnvironment, and the end that its exit code makes.

const { spawnSync } = require('node:child_process');
const { unlinkSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');

const input = (name) => process.env[`INPUT_${name.toUpperCase()}`] ?? '';
const connection = input('azureSubscription');
const parameter = (name) => process.env[`ENDPOINT_AUTH_PARAMETER_${connection}_${name}`] ?? '';

// An id token of the connection, asked for as login.sh does.
function idToken() {
  const header = `Authorization: Bearer ${process.env.ENDPOINT_AUTH_PARAMETER_SYSTEMVSSCONNECTION_ACCESSTOKEN}`;
  const url = `${process.env.SYSTEM_OIDCREQUESTURI}?api-version=7.1&serviceConnectionId=${connection}`;
  const curl = ['--config', '-', '--fail', '--silent', '--show-error', '--data', '', url];
  const { stdout } = spawnSync('curl', curl, { input: `header = "${header}"\n`, encoding: 'utf8' });
  return JSON.parse(stdout).oidcToken;
}

const client = parameter('SERVICEPRINCIPALID');
const tenant = parameter('TENANTID');
// For the Azure SDKs, in every step.
const added = {
  AZURESUBSCRIPTION_CLIENT_ID: client,
  AZURESUBSCRIPTION_TENANT_ID: tenant,
  AZURESUBSCRIPTION_SERVICE_CONNECTION_ID: connection,
};
if (input('addSpnToEnvironment').toLowerCase() === 'true') {
  Object.assign(added, { servicePrincipalId: client, tenantId: tenant, idToken: idToken() });
}
// The library of tasks takes these out of the environment before the script starts.
const taken = /^(INPUT|ENDPOINT_AUTH|SECRET|SECUREFILE_TICKET|VSTS_TASKVARIABLE|VSTS_(PUBLIC|SECRET)_VARIABLES)/;
const kept = Object.entries(process.env).filter(([name]) => !taken.test(name));

const file = join(process.env.AGENT_TEMPDIRECTORY, 'azure-cli-2.sh');
writeFileSync(file, input('inlineScript'));
const { status, error } = spawnSync('bash', [file], {
  cwd: input('workingDirectory') || process.cwd(),
  env: { ...Object.fromEntries(kept), ...added },
  stdio: 'inherit',
});
unlinkSync(file);
if (error) {
  console.error(String(error));
}
const result = status === 0 ? 'Succeeded' : 'Failed';
// The script may have left its last line open.
console.log(`\n##vso[task.complete result=${result}]Script ended with exit code ${status}`);
