'use strict';

// One credential of @azure/identity, as a later step of a job: gets a token, asks ARM with it, and prints what it got as
// one line of JSON, without the token; ROUNDS times in this one process, PAUSE seconds apart.

const { setTimeout: sleep } = require('node:timers/promises');

const identity = require('@azure/identity');
const { version } = require('./node_modules/@azure/identity/package.json');

const SCOPE = 'https://management.azure.com/.default';
// The emulator is no cloud that the library knows, and the public one is not to be asked about it. The address itself
// comes from AZURE_AUTHORITY_HOST.
const OPTIONS = { disableInstanceDiscovery: true };

const CREDENTIALS = {
  AzurePipelinesCredential: () =>
    new identity.AzurePipelinesCredential(
      process.env.AZURE_TENANT_ID,
      process.env.AZURE_CLIENT_ID,
      process.env.SERVICE_CONNECTION_ID,
      process.env.SYSTEM_ACCESSTOKEN,
      OPTIONS,
    ),
  WorkloadIdentityCredential: () => new identity.WorkloadIdentityCredential(OPTIONS),
  DefaultAzureCredential: () => new identity.DefaultAzureCredential(OPTIONS),
};

async function main(name) {
  const credential = CREDENTIALS[name]();
  const url = `${process.env.ARM_URL}/subscriptions/${process.env.AZURE_SUBSCRIPTION_ID}?api-version=2022-12-01`;
  for (let number = 0; number < Number(process.env.ROUNDS); number += 1) {
    if (number > 0) await sleep(Number(process.env.PAUSE) * 1000);
    const { token, expiresOnTimestamp } = await credential.getToken(SCOPE);
    const answer = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
    const got = {
      credential: name,
      version,
      expires_on: Math.round(expiresOnTimestamp / 1000),
      expires_in: Math.round((expiresOnTimestamp - Date.now()) / 1000),
      arm: answer.status,
    };
    console.log(JSON.stringify(got));
  }
}

main(process.argv[2]).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
