#!/usr/bin/env bash
# az, signed in by the folder that the sign-in step left, as a later step of a job: names its account, gets tokens, asks ARM
# twice, and prints what it got as one line of JSON, without a token.
set -euo pipefail
az=$1
test "$("$az" account show --query id --output tsv)" = "$AZURE_SUBSCRIPTION_ID"
"$az" account get-access-token --resource https://vault.azure.net --query tokenType --output tsv
# Four at once.
for number in 1 2 3 4; do
  "$az" account get-access-token --query expires_on --output tsv >"$AGENT_TEMPDIRECTORY/az-$number" &
done
for job in $(jobs -p); do wait "$job"; done
expires_on=$(cat "$AGENT_TEMPDIRECTORY/az-1")
expires_in=$((expires_on - $(date +%s)))
groups=$("$az" group list --query 'length(@)' --output tsv)
test "$groups" -gt 0
"$az" rest --method get --url "$ARM_URL/subscriptions/$AZURE_SUBSCRIPTION_ID?api-version=2022-12-01" \
  --resource https://management.azure.com/ --query displayName --output tsv
version=$("$az" version --query '"azure-cli"' --output tsv)
printf '{"credential":"%s","version":"%s","expires_on":%s,"expires_in":%s,"arm":200}\n' \
  "$2" "$version" "$expires_on" "$expires_in"
