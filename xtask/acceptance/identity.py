"""One credential of azure-identity, as a later step of a job.

Gets a token, asks ARM with it, and prints what it got as one line of JSON, without the token.
"""

import json
import os
import sys
import time
from importlib.metadata import version

import requests
from azure.identity import AzurePipelinesCredential, DefaultAzureCredential, WorkloadIdentityCredential

SCOPE = "https://management.azure.com/.default"
# The emulator is no cloud that the library knows, and the public one is not to be asked about it. The address itself
# comes from AZURE_AUTHORITY_HOST.
OPTIONS = {"disable_instance_discovery": True}

CREDENTIALS = {
    "AzurePipelinesCredential": lambda: AzurePipelinesCredential(
        tenant_id=os.environ["AZURE_TENANT_ID"],
        client_id=os.environ["AZURE_CLIENT_ID"],
        service_connection_id=os.environ["SERVICE_CONNECTION_ID"],
        system_access_token=os.environ["SYSTEM_ACCESSTOKEN"],
        **OPTIONS,
    ),
    "WorkloadIdentityCredential": lambda: WorkloadIdentityCredential(**OPTIONS),
    "DefaultAzureCredential": lambda: DefaultAzureCredential(**OPTIONS),
}


def main(credential):
    token = CREDENTIALS[credential]().get_token(SCOPE)
    answer = requests.get(
        f"{os.environ['ARM_URL']}/subscriptions/{os.environ['AZURE_SUBSCRIPTION_ID']}",
        params={"api-version": "2022-12-01"},
        headers={"Authorization": f"Bearer {token.token}"},
        timeout=30,
    )
    got = {
        "credential": credential,
        "version": version("azure-identity"),
        "expires_in": round(token.expires_on - time.time()),
        "arm": answer.status_code,
    }
    print(json.dumps(got))


main(sys.argv[1])
