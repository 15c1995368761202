'use strict';

// What a task does that signs in by Microsoft's own library for tasks: reads the connection, gets an id token, exchanges it.

// The library takes inputs out of the environment when it is loaded.
const connection = process.env.INPUT_AZURESUBSCRIPTION;
const { AzureRMEndpoint } = require('azure-pipelines-tasks-azure-arm-rest/azure-arm-endpoint');

async function main() {
  const endpoint = await new AzureRMEndpoint(connection).getEndpoint();
  if (!(await endpoint.applicationTokenCredentials.getToken())) throw new Error('no access token');
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
