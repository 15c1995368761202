'use strict';

// What is left of AzureCLI@2 where a plain `az login` was before it: the step's script, started by bash, with the variables of
// addSpnToEnvironment, and the end that its exit code makes.

const { spawnSync } = require('node:child_process');
const { unlinkSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');

const input = (name) => process.env[`INPUT_${name.toUpperCase()}`] ?? '';
const parameter = (name) => process.env[`ENDPOINT_AUTH_PARAMETER_${input('azureSubscription')}_${name}`] ?? '';

const file = join(process.env.AGENT_TEMPDIRECTORY, 'azure-cli-2.sh');
writeFileSync(file, input('inlineScript'));
const identity = { servicePrincipalId: parameter('SERVICEPRINCIPALID'), tenantId: parameter('TENANTID') };
const added = input('addSpnToEnvironment').toLowerCase() === 'true' ? identity : {};
const { status, error } = spawnSync('bash', [file], {
  cwd: input('workingDirectory') || process.cwd(),
  env: { ...process.env, ...added },
  stdio: 'inherit',
});
unlinkSync(file);
if (error) {
  console.error(String(error));
}
const result = status === 0 ? 'Succeeded' : 'Failed';
console.log(`##vso[task.complete result=${result}]Script ended with exit code ${status}`);
