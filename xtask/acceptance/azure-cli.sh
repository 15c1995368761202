#!/usr/bin/env bash
# az, signed in by the folder that the sign-in step left, as a later step of a job, and what it got as one line of JSON,
# without a token. By AZURE_CONFIG_DIR it names its account, gets tokens, asks ARM, and does the same in another
# subscription of the identity's. By "az deployment group" it deploys a template, which takes longer than its tokens live.
set -euo pipefail
az=$1

# life FILE: what is left of the token that ends when the file says.
life() {
  expires_on=$(cat "$1")
  expires_in=$((expires_on - $(date +%s)))
}

test "$("$az" account show --query id --output tsv)" = "$AZURE_SUBSCRIPTION_ID"
case $2 in
AZURE_CONFIG_DIR)
  "$az" account get-access-token --resource https://vault.azure.net --query tokenType --output tsv
  # Four at once.
  for number in 1 2 3 4; do
    "$az" account get-access-token --query expires_on --output tsv >"$AGENT_TEMPDIRECTORY/az-$number" &
  done
  for job in $(jobs -p); do wait "$job"; done
  life "$AGENT_TEMPDIRECTORY/az-1"
  groups=$("$az" group list --query 'length(@)' --output tsv)
  test "$groups" -gt 0
  "$az" rest --method get --url "$ARM_URL/subscriptions/$AZURE_SUBSCRIPTION_ID?api-version=2022-12-01" \
    --resource https://management.azure.com/ --query displayName --output tsv
  # The other subscription that the identity sees: by name of the option, and as the default one.
  test "$("$az" account list --query 'length(@)' --output tsv)" = 2
  "$az" group list --subscription "$OTHERSUBSCRIPTION" --query '[0].id' --output tsv | grep --quiet "$OTHERSUBSCRIPTION"
  "$az" account set --subscription "$OTHERSUBSCRIPTION"
  "$az" group list --query '[0].id' --output tsv | grep --quiet "$OTHERSUBSCRIPTION"
  "$az" account set --subscription "$AZURE_SUBSCRIPTION_ID"
  ;;
'az deployment group')
  "$az" account get-access-token --query expires_on --output tsv >"$AGENT_TEMPDIRECTORY/az-1"
  life "$AGENT_TEMPDIRECTORY/az-1"
  what=(--resource-group rg-app --name acceptance --template-file "$(dirname "$0")/template.json")
  "$az" deployment group what-if "${what[@]}" --no-pretty-print --query 'changes[].changeType' --output tsv
  state=$("$az" deployment group create "${what[@]}" --query properties.provisioningState --output tsv)
  test "$state" = Succeeded
  # Nothing is left to do.
  changes=$("$az" deployment group what-if "${what[@]}" --no-pretty-print --query 'changes[].changeType' --output tsv)
  test "$changes" = NoChange
  ;;
esac
version=$("$az" version --query '"azure-cli"' --output tsv)
printf '{"credential":"%s","version":"%s","expires_on":%s,"expires_in":%s,"arm":200}\n' \
  "$2" "$version" "$expires_on" "$expires_in"
