"""Stands for az's extension `ml`, which no package registry has: the commands that steps of public repositories use.

The commands are ours, and what they print too. The session, the subscription, the tokens, the defaults and the requests are
those of az itself: each command asks by `send_raw_request`, as `az rest` does. The paths are those of the REST reference of
Azure Machine Learning, resource manager. There `invoke` of a batch endpoint asks a host of the workspace; here it puts a job.
"""

import json

import yaml

from azure.cli.core import AzCommandsLoader
from azure.cli.core.commands import CliCommandType
from azure.cli.core.commands.client_factory import get_subscription_id
from azure.cli.core.util import send_raw_request

API_VERSION = '2024-04-01'
WORKSPACE = '/subscriptions/{}/resourceGroups/{}/providers/Microsoft.MachineLearningServices/workspaces/{}/{}'
FINAL = ('Completed', 'Failed', 'Canceled')

# The functions of each group of commands. A group's name says of which collection its resources are.
COMMANDS = {
    'ml compute': {'show': 'show_compute', 'create': 'create_compute'},
    'ml online-endpoint': {
        'list': 'list_online_endpoints', 'create': 'create_online_endpoint', 'update': 'update_online_endpoint',
    },
    'ml batch-endpoint': {'list': 'list_batch_endpoints', 'invoke': 'invoke_batch_endpoint'},
    'ml online-deployment': {'create': 'create_online_deployment'},
    'ml job': {'create': 'create_job', 'show': 'show_job', 'stream': 'stream_job'},
    'ml data': {'create': 'create_data'},
}

# The options beside `--NAME` of an argument NAME.
OPTIONS = {
    'name': ['--name', '-n'],
    'file': ['--file', '-f'],
    'resource_group_name': ['--resource-group', '-g'],
    'workspace_name': ['--workspace-name', '-w'],
    'endpoint_name': ['--endpoint-name', '--endpoint', '-e'],
    'settings': ['--set'],
    'kind': ['--type', '-t'],
}

MORE = {
    'resource_group_name': {'configured_default': 'group'},
    'workspace_name': {'configured_default': 'workspace'},
    'settings': {'nargs': '+'},
}


def ask(cmd, group, workspace, method, path, properties=None):
    """What the resource manager answers about a path of the workspace, with the fields of `properties` beside the others."""
    url = WORKSPACE.format(get_subscription_id(cmd.cli_ctx), group, workspace, path)
    body = None if properties is None else json.dumps({'properties': properties})
    headers = ['Content-Type=application/json'] if body else None
    answer = send_raw_request(
        cmd.cli_ctx, method, f'{url}?api-version={API_VERSION}', headers=headers, body=body
    ).json()
    several = answer.get('value')
    return flat(answer) if several is None else [flat(one) for one in several]


def flat(resource):
    return {**resource.get('properties', {}), **{name: resource.get(name) for name in ('id', 'name')}}


def read(file):
    with open(file, encoding='utf-8') as text:
        return yaml.safe_load(text) or {}


def pairs(words):
    return dict(word.split('=', 1) for word in words or [])


def show_compute(cmd, resource_group_name, workspace_name, name):
    return ask(cmd, resource_group_name, workspace_name, 'GET', f'computes/{name}')


def create_compute(
    cmd, resource_group_name, workspace_name, name, kind, size=None, min_instances=None, max_instances=None
):
    scale = {'minNodeCount': min_instances, 'maxNodeCount': max_instances}
    properties = {'computeType': kind, 'properties': {'vmSize': size, 'scaleSettings': scale}}
    return ask(cmd, resource_group_name, workspace_name, 'PUT', f'computes/{name}', properties)


def list_online_endpoints(cmd, resource_group_name, workspace_name):
    return ask(cmd, resource_group_name, workspace_name, 'GET', 'onlineEndpoints')


def list_batch_endpoints(cmd, resource_group_name, workspace_name):
    return ask(cmd, resource_group_name, workspace_name, 'GET', 'batchEndpoints')


def create_online_endpoint(cmd, resource_group_name, workspace_name, name, file):
    return ask(cmd, resource_group_name, workspace_name, 'PUT', f'onlineEndpoints/{name}', read(file))


def update_online_endpoint(cmd, resource_group_name, workspace_name, name, traffic):
    path = f'onlineEndpoints/{name}'
    known = ask(cmd, resource_group_name, workspace_name, 'GET', path)
    shares = {deployment: int(share) for deployment, share in pairs(traffic.split()).items()}
    properties = {'authMode': known.get('authMode'), 'traffic': shares}
    return ask(cmd, resource_group_name, workspace_name, 'PUT', path, properties)


# The service asks for the name `input`.
def invoke_batch_endpoint(  # pylint: disable=redefined-builtin
    cmd, resource_group_name, workspace_name, name, deployment_name, input
):
    known = ask(cmd, resource_group_name, workspace_name, 'GET', f'batchEndpoints/{name}')
    properties = {'endpoint': known['id'], 'deployment': deployment_name, 'input': input}
    return ask(cmd, resource_group_name, workspace_name, 'PUT', f'jobs/{name}-{deployment_name}', properties)


def create_online_deployment(cmd, resource_group_name, workspace_name, name, endpoint_name, file):
    path = f'onlineEndpoints/{endpoint_name}/deployments/{name}'
    return ask(cmd, resource_group_name, workspace_name, 'PUT', path, read(file))


def create_job(cmd, resource_group_name, workspace_name, file, settings=None):
    # The extension makes a name up where none is given, which no two runs have in common.
    properties = {**read(file), **pairs(settings)}
    return ask(cmd, resource_group_name, workspace_name, 'PUT', f"jobs/{properties['display_name']}", properties)


def show_job(cmd, resource_group_name, workspace_name, name, web=False):  # pylint: disable=unused-argument
    return ask(cmd, resource_group_name, workspace_name, 'GET', f'jobs/{name}')


def stream_job(cmd, resource_group_name, workspace_name, name):
    for _ in range(10):
        status = show_job(cmd, resource_group_name, workspace_name, name)['status']
        print(f'The job {name} is {status}')
        if status in FINAL:
            return


def create_data(cmd, resource_group_name, workspace_name, name, kind, file):
    properties = {**read(file), 'dataType': kind}
    return ask(cmd, resource_group_name, workspace_name, 'PUT', f'data/{name}/versions/1', properties)


class StandIn(AzCommandsLoader):
    """Tells az of the commands."""

    def __init__(self, cli_ctx=None):
        functions = CliCommandType(operations_tmpl=f'{__name__}#{{}}')
        super().__init__(cli_ctx=cli_ctx, custom_command_type=functions)

    def load_command_table(self, args):
        for group, commands in COMMANDS.items():
            with self.command_group(group) as known:
                for command, function in commands.items():
                    known.custom_command(command, function)
        return self.command_table

    def load_arguments(self, command):
        with self.argument_context('ml') as context:
            for name, options in OPTIONS.items():
                context.argument(name, options_list=options, **MORE.get(name, {}))
            context.argument('web', action='store_true')


COMMAND_LOADER_CLS = StandIn
