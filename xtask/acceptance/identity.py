"""One credential of azure-identity, as a later step of a job.

Gets a token, asks ARM with it, and prints what it got as one line of JSON, without the token; ROUNDS times in this one
process, PAUSE seconds apart.
"""

import json
import os
import sys
import time
from importlib.metadata import version

import requests
from azure.identity import AzurePipelinesCredential, DefaultAzureCredential, WorkloadIdentityCredential

SCOPE = "https://management.azure.com/.default"

# All of them find Entra by AZURE_AUTHORITY_HOST.
CREDENTIALS = {
    "AzurePipelinesCredential": lambda: AzurePipelinesCredential(
        tenant_id=os.environ["AZURE_TENANT_ID"],
        client_id=os.environ["AZURE_CLIENT_ID"],
        service_connection_id=os.environ["SERVICE_CONNECTION_ID"],
        system_access_token=os.environ["SYSTEM_ACCESSTOKEN"],
    ),
    "WorkloadIdentityCredential": WorkloadIdentityCredential,
    "DefaultAzureCredential": DefaultAzureCredential,
}


def main(name):
    credential = CREDENTIALS[name]()
    for number in range(int(os.environ["ROUNDS"])):
        if number > 0:
            time.sleep(int(os.environ["PAUSE"]))
        token = credential.get_token(SCOPE)
        answer = requests.get(
            f"{os.environ['ARM_URL']}/subscriptions/{os.environ['AZURE_SUBSCRIPTION_ID']}",
            params={"api-version": "2022-12-01"},
            headers={"Authorization": f"Bearer {token.token}"},
            timeout=30,
        )
        got = {
            "credential": name,
            "version": version("azure-identity"),
            "expires_on": token.expires_on,
            "expires_in": round(token.expires_on - time.time()),
            "arm": answer.status_code,
        }
        print(json.dumps(got), flush=True)


main(sys.argv[1])
