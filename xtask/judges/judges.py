"""Microsoft's own clients read and write an emulated organization. A line for each check: "NAME: ok", or what was wrong."""

import os
import time
import uuid
from collections import namedtuple

from azure.core.exceptions import HttpResponseError
from azure.devops.connection import Connection
from azure.devops.v7_1.service_endpoint.models import (
    EndpointAuthorization,
    ProjectReference,
    ServiceEndpoint,
    ServiceEndpointProjectReference,
)
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.authorization.models import RoleAssignmentCreateParameters
from azure.mgmt.msi import ManagedServiceIdentityClient
from azure.mgmt.msi.models import FederatedIdentityCredential, Identity
from azure.mgmt.resourcegraph import ResourceGraphClient
from azure.mgmt.resourcegraph.models import QueryRequest, QueryRequestOptions
from msrest.authentication import BasicAuthentication

from table import table

AccessToken = namedtuple("AccessToken", ["token", "expires_on"])
ARM = os.environ["JUDGE_ARM_URL"]
SUBSCRIPTION = os.environ["JUDGE_SUBSCRIPTION"]
CONNECTION = os.environ["JUDGE_CONNECTION"]
PROJECT = os.environ["JUDGE_PROJECT"]
OTHER_PROJECT = os.environ["JUDGE_OTHER_PROJECT"]
GROUP = "rg-app"
BLOB_READER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"


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


def reference(project, name):
    return ServiceEndpointProjectReference(name=name, project_reference=ProjectReference(id=project))


def writes_a_connection():
    client = clients.get_service_endpoint_client()
    known = client.get_service_endpoint_details(PROJECT, CONNECTION)
    names = ("tenantid", "serviceprincipalid")
    made = client.create_service_endpoint(
        ServiceEndpoint(
            name="made-with-python",
            type="azurerm",
            url=known.url,
            authorization=EndpointAuthorization(
                scheme="WorkloadIdentityFederation",
                parameters={name: known.authorization.parameters[name] for name in names},
            ),
            data={**known.data, "creationMode": "Manual"},
            service_endpoint_project_references=[reference(PROJECT, "made-with-python")],
        )
    )

    def read(project=PROJECT):
        return next((one for one in client.get_service_endpoints(project) if one.id == made.id), None)

    assert read().name == made.name == "made-with-python", made
    made.description = "as it is changed"
    client.update_service_endpoint(made, made.id)
    assert read().description == "as it is changed", read()
    client.share_service_endpoint([reference(OTHER_PROJECT, "shared-with-python")], made.id)
    assert read(OTHER_PROJECT).name == "shared-with-python" and read().is_shared
    client.delete_service_endpoint(made.id, [OTHER_PROJECT])
    assert read(OTHER_PROJECT) is None and not read().is_shared
    client.delete_service_endpoint(made.id, [PROJECT])
    assert read() is None


def writes_a_conversion_and_back():
    client = clients.get_service_endpoint_client()
    connection = os.environ["JUDGE_CONNECTION_WITH_SECRET"]
    for scheme in ("WorkloadIdentityFederation", "ServicePrincipal"):
        found = client.get_service_endpoint_details(PROJECT, connection)
        assert found.authorization.scheme != scheme, found.authorization
        found.authorization.scheme = scheme
        client.update_service_endpoint(found, connection, operation="ConvertAuthenticationScheme")
        found = client.get_service_endpoint_details(PROJECT, connection)
        assert found.authorization.scheme == scheme, found.authorization


def authorization_client():
    return AuthorizationManagementClient(Fixed(), SUBSCRIPTION, base_url=ARM, credential_scopes=[ARM + "/.default"])


def identity_client():
    return ManagedServiceIdentityClient(Fixed(), SUBSCRIPTION, base_url=ARM, credential_scopes=[ARM + "/.default"])


def is_gone(read):
    try:
        read()
    except HttpResponseError as error:
        return error.status_code == 404
    return False


def role_assignments():
    found = list(authorization_client().role_assignments.list_for_subscription())
    assert len(found) > 20 and all(one.role_definition_id for one in found), len(found)


def writes_a_role_assignment():
    client = authorization_client().role_assignments
    identity = next(identity_client().user_assigned_identities.list_by_subscription())
    scope, name = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}", str(uuid.uuid4())
    wanted = RoleAssignmentCreateParameters(
        role_definition_id=f"{scope}/providers/Microsoft.Authorization/roleDefinitions/{BLOB_READER}",
        principal_id=identity.principal_id,
        principal_type="ServicePrincipal",
    )
    made = client.create(scope, name, wanted)
    assert (made.name, made.principal_id, made.scope) == (name, identity.principal_id, scope), made
    assert client.get(scope, name).role_definition_id.endswith(BLOB_READER)
    assert name in [one.name for one in client.list_for_scope(scope)]
    try:
        client.create(scope, str(uuid.uuid4()), wanted)
        raise AssertionError("the same role was assigned twice")
    except HttpResponseError as error:
        assert (error.status_code, error.error.code) == (409, "RoleAssignmentExists"), error
    client.delete(scope, name)
    assert is_gone(lambda: client.get(scope, name))


def identities():
    client = identity_client()
    found = list(client.user_assigned_identities.list_by_subscription())
    assert len(found) == 1 and found[0].client_id, found
    credentials = list(client.federated_identity_credentials.list(GROUP, found[0].name))
    assert credentials[0].issuer.startswith("https://login.microsoftonline.com/"), credentials


def writes_an_identity_and_its_credential():
    client = identity_client()
    name = "made-with-python"
    made = client.user_assigned_identities.create_or_update(
        GROUP, name, Identity(location="westeurope", tags={"owner": "a judge"})
    )
    read = client.user_assigned_identities.get(GROUP, name)
    assert (read.client_id, read.tags) == (made.client_id, {"owner": "a judge"}), read
    credentials = client.federated_identity_credentials
    for subject in ("one", "two"):
        wanted = FederatedIdentityCredential(
            issuer="https://issuer.example", subject=subject, audiences=["api://AzureADTokenExchange"]
        )
        credentials.create_or_update(GROUP, name, "for-a-judge", wanted)
        assert credentials.get(GROUP, name, "for-a-judge").subject == subject
    assert [one.name for one in credentials.list(GROUP, name)] == ["for-a-judge"]
    credentials.delete(GROUP, name, "for-a-judge")
    assert is_gone(lambda: credentials.get(GROUP, name, "for-a-judge"))
    client.user_assigned_identities.delete(GROUP, name)
    assert is_gone(lambda: client.user_assigned_identities.get(GROUP, name))


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
    (
        "azure-devops",
        [
            projects,
            connections,
            history,
            pipeline_permissions,
            checks,
            pipelines,
            writes_a_connection,
            writes_a_conversion_and_back,
        ],
    ),
    ("azure-mgmt-authorization", [role_assignments, writes_a_role_assignment]),
    ("azure-mgmt-msi", [identities, writes_an_identity_and_its_credential]),
    ("azure-mgmt-resourcegraph", [resource_graph]),
]


table(CHECKS)
