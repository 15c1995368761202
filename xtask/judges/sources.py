"""Clients of the issuers of id tokens that `wif exec` knows. A line for each check: "NAME: ok", or what was wrong.

Each of them asks the emulator, so that the emulator's protocol is not our reading alone; or it stands on the other side of
`wif exec`, so that `wif` is judged itself.
"""

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import boto3
import grpc
import id as ambient
import jwt
from spiffe import WorkloadApiClient
from spiffe._proto import workload_pb2, workload_pb2_grpc

from table import table

AUDIENCE = "api://AzureADTokenExchange"
SPIFFE_ID = "spiffe://contoso.example/ns/shop/sa/orders"


def claims(token):
    return jwt.decode(token, options={"verify_signature": False})


def variables(source):
    """What the source's job, pod or machine finds: NAME=VALUE, one a line."""
    lines = os.environ[f"JUDGE_{source.upper()}"].splitlines()
    return dict(line.split("=", 1) for line in lines)


def wif_exec(source, environment, *command):
    """What the command prints under `wif exec`."""
    options = os.environ["JUDGE_OPTIONS"].split()
    own = {name: os.environ[name] for name in ("PATH", "SSL_CERT_FILE")}
    with tempfile.TemporaryDirectory() as temp:
        ran = subprocess.run(
            [os.environ["JUDGE_WIF"], "exec", "--source", source, *options, "--", *command],
            env={**own, **environment, "TMPDIR": temp},
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert ran.returncode == 0, f"exit code {ran.returncode}: {ran.stderr}"
    return ran.stdout.strip()


def github_by_hand():
    os.environ.update(variables("github"))
    token = ambient.detect_credential(AUDIENCE)
    assert claims(token)["sub"].startswith("repo:"), claims(token)


def github_by_the_broker():
    """The broker's own endpoint is that of GitHub Actions."""
    script = (
        "import os, id; os.environ.update(GITHUB_ACTIONS='true',"
        " ACTIONS_ID_TOKEN_REQUEST_URL=os.environ['ARM_OIDC_REQUEST_URL'],"
        " ACTIONS_ID_TOKEN_REQUEST_TOKEN=os.environ['ARM_OIDC_REQUEST_TOKEN']);"
        f" print(id.detect_credential('{AUDIENCE}'))"
    )
    token = wif_exec("github", variables("github"), sys.executable, "-c", script)
    assert claims(token)["aud"] == AUDIENCE, claims(token)


def google_metadata():
    # Its client reads the variables when it is imported.
    script = (
        "from google.auth.compute_engine import _metadata; from google.auth.transport.requests import Request;"
        " print(_metadata.get(Request(), 'instance/service-accounts/default/identity',"
        f" params={{'audience': '{AUDIENCE}', 'format': 'full'}}))"
    )
    found = variables("google")
    environment = {**os.environ, **found}
    asked = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60)
    assert asked.returncode == 0, asked.stderr
    assert claims(asked.stdout.strip())["aud"] == AUDIENCE, asked.stdout
    assert wif_exec("google", found, "wif", "token", "--id-token").count(".") == 2


def aws_signature():
    found = variables("aws")
    sts = boto3.client(
        "sts",
        region_name=found["AWS_REGION"],
        endpoint_url=found["AWS_ENDPOINT_URL_STS"],
        aws_access_key_id=found["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=found["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=found["AWS_SESSION_TOKEN"],
        verify=os.environ["SSL_CERT_FILE"],
    )
    answer = sts.get_web_identity_token(Audience=[AUDIENCE], SigningAlgorithm="RS256")
    assert claims(answer["WebIdentityToken"])["aud"] == AUDIENCE, answer
    # The same service accepts what `wif` signs.
    assert wif_exec("aws", found, "wif", "token", "--id-token").count(".") == 2


class WorkloadApi(workload_pb2_grpc.SpiffeWorkloadAPIServicer):
    """The Workload API as its own library has it, with one identity."""

    def __init__(self):
        self.asked = []

    def FetchJWTSVID(self, request, context):
        metadata = dict(context.invocation_metadata())
        if metadata.get("workload.spiffe.io") != "true":
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "security header missing from request")
        self.asked.append(list(request.audience))
        if list(request.audience) != [AUDIENCE]:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "no identity issued")
        svid = workload_pb2.JWTSVID(spiffe_id=SPIFFE_ID, svid=os.environ["JUDGE_SVID"])
        return workload_pb2.JWTSVIDResponse(svids=[svid])


def spiffe_workload_api():
    api = WorkloadApi()
    with tempfile.TemporaryDirectory() as folder:
        server = grpc.server(ThreadPoolExecutor(max_workers=2))
        workload_pb2_grpc.add_SpiffeWorkloadAPIServicer_to_server(api, server)
        address = f"unix://{folder}/agent.sock"
        assert server.add_insecure_port(f"unix:{folder}/agent.sock")
        server.start()
        try:
            with WorkloadApiClient(address) as client:
                assert str(client.fetch_jwt_svid([AUDIENCE]).spiffe_id) == SPIFFE_ID
            environment = {"SPIFFE_ENDPOINT_SOCKET": address}
            token = wif_exec("spiffe", environment, "wif", "token", "--id-token")
            assert claims(token)["sub"] == SPIFFE_ID, claims(token)
        finally:
            server.stop(None)
    assert api.asked == [[AUDIENCE]] * 2, api.asked


CHECKS = [
    ("id", [github_by_hand, github_by_the_broker]),
    ("google-auth", [google_metadata]),
    ("boto3", [aws_signature]),
    ("spiffe and grpcio", [spiffe_workload_api]),
]


table(CHECKS)
