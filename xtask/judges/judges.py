"""Microsoft's own clients read an emulated organization. A line for each check: "NAME: ok", or what was wrong."""

import os
import sys
import time
from collections import namedtuple

from azure.devops.connection import Connection
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.msi import ManagedServiceIdentityClient
from azure.mgmt.resourcegraph import ResourceGraphClient
from azure.mgmt.resourcegraph.models import QueryRequest, QueryRequestOptions
from msrest.authentication import BasicAuthentication

AccessToken = namedtuple("AccessToken", ["token", "expires_on"])
ARM = os.environ["JUDGE_ARM_URL"]
SUBSCRIPTION = os.environ["JUDGE_SUBSCRIPTION"]
CONNECTION = os.environ["JUDGE_CONNECTION"]
PROJECT = os.environ["JUDGE_PROJECT"]


class Fixed:
    """A credential that has its token already."""

    def get_token(self, *scopes, **options):
        return AccessToken(os.environ["JUDGE_ARM_TOKEN"], int(time.time()) + 3000)


clients = Connection(
    base_url=os.environ["JUDGE_ORGANIZATION_URL"],
    creds=BasicAuthentication("", os.environ["JUDGE_PERSONAL_TOKEN"]),
).clients_v7_1


def projects():
    seen = []
    while True:
        page = clients.get_core_client().get_projects(skip=len(seen))
        seen += page
        if not page:
            break
    assert len(seen) == 250, len(seen)
    assert {project.visibility for project in seen} >= {"private"}


def connections():
    found = clients.get_service_endpoint_client().get_service_endpoints(PROJECT, include_failed=True)
    one = next(one for one in found if one.id == CONNECTION)
    assert one.authorization.scheme == "WorkloadIdentityFederation", one.authorization
    assert one.service_endpoint_project_references[0].project_reference.id == PROJECT
    assert any(one.operation_status["state"] == "Failed" for one in found)


def history():
    client = clients.get_service_endpoint_client()
    records = client.get_service_endpoint_execution_records(PROJECT, CONNECTION, top=1)
    assert records[0].data.result == "succeeded", records[0].data


def pipeline_permissions():
    client = clients.get_pipeline_permissions_client()
    found = client.get_pipeline_permissions_for_resource(PROJECT, "endpoint", CONNECTION)
    assert [one.id for one in found.pipelines] == [1] and not found.all_pipelines


def checks():
    client = clients.get_pipelines_checks_client()
    asked = [{"type": "endpoint", "id": CONNECTION}]
    found = client.query_check_configurations_on_resources(asked, PROJECT, expand="settings")
    assert len(found) == 2, found


def pipelines():
    found = clients.get_build_client().get_definitions(PROJECT)
    assert [one.id for one in found] == [1, 2, 3]


def role_assignments():
    client = AuthorizationManagementClient(Fixed(), SUBSCRIPTION, base_url=ARM, credential_scopes=[ARM + "/.default"])
    found = list(client.role_assignments.list_for_subscription())
    assert len(found) > 20 and all(one.role_definition_id for one in found), len(found)


def identities():
    client = ManagedServiceIdentityClient(Fixed(), SUBSCRIPTION, base_url=ARM, credential_scopes=[ARM + "/.default"])
    found = list(client.user_assigned_identities.list_by_subscription())
    assert len(found) == 1 and found[0].client_id, found
    credentials = list(client.federated_identity_credentials.list("rg-app", found[0].name))
    assert credentials[0].issuer.startswith("https://login.microsoftonline.com/"), credentials


def resource_graph():
    client = ResourceGraphClient(Fixed(), base_url=ARM, credential_scopes=[ARM + "/.default"])
    query = (
        "authorizationresources | where type =~ 'microsoft.authorization/roleassignments'"
        " | order by id asc | project id, principalId, scope, roleName"
    )
    rows, skip = [], None
    while True:
        options = QueryRequestOptions(top=10, skip_token=skip, result_format="objectArray")
        answer = client.resources(QueryRequest(query=query, options=options))
        rows += answer.data
        skip = answer.skip_token
        if not skip:
            break
    assert len(rows) == answer.total_records > 20, (len(rows), answer.total_records)


CHECKS = [
    ("azure-devops", [projects, connections, history, pipeline_permissions, checks, pipelines]),
    ("azure-mgmt-authorization", [role_assignments]),
    ("azure-mgmt-msi", [identities]),
    ("azure-mgmt-resourcegraph", [resource_graph]),
]


def main():
    failed = False
    for package, checks_of_package in CHECKS:
        for check in checks_of_package:
            try:
                check()
                print(f"{package} | {check.__name__.replace('_', ' ')} | ok")
            except Exception as error:  # each is a row of the table
                failed = True
                text = " ".join(f"{type(error).__name__}: {error}".split())
                print(f"{package} | {check.__name__.replace('_', ' ')} | FAILED: {text[:300]}")
    sys.exit(1 if failed else 0)


main()
