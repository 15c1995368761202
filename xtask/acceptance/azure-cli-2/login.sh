# `az login` with an id token of the connection, as AzureCLI@2 does it; the job token is mapped.
set -euo pipefail
id_token=$(
  printf 'header = "Authorization: Bearer %s"\n' "$SYSTEM_ACCESSTOKEN" |
    curl --config - --fail --silent --show-error --data '' \
      "$SYSTEM_OIDCREQUESTURI?api-version=7.1&serviceConnectionId=$SERVICECONNECTIONID" |
    sed -n 's/.*"oidcToken": *"\([^"]*\)".*/\1/p'
)
az login --service-principal --username "$CLIENT" --tenant "$TENANT" --allow-no-subscriptions \
  --federated-token "$id_token" --output none
az account set --subscription "$SUBSCRIPTION"
