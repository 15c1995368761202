#!/usr/bin/env bash
# curl with a token of the sign-in step or of its broker, as a later step of a job: asks ARM, and prints what it got as one
# line of JSON; ROUNDS times, PAUSE seconds apart. Secrets come from standard input, since everybody on the machine can
# read a command line.
set -euo pipefail
credential=$1
arm="$ARM_URL/subscriptions/$AZURE_SUBSCRIPTION_ID?api-version=2022-12-01"
version=$(curl --version | awk 'NR == 1 { print $2 }')

# fetch CONFIG [ARGUMENT…]: what the URL answers.
fetch() {
  printf '%s\n' "$1" | curl --config - --silent --show-error --fail-with-body "${@:2}"
}

# field NAME JSON: a text or a number.
field() {
  printf '%s' "$2" | sed -n 's/.*"'"$1"'": *"\{0,1\}\([^",}]*\).*/\1/p'
}

# ask TOKEN EXPIRES_ON
ask() {
  local status
  status=$(fetch "header = \"Authorization: Bearer $1\"" --output /dev/null --write-out '%{http_code}' "$arm")
  printf '{"credential":"%s","version":"%s","expires_on":%s,"expires_in":%s,"arm":%s}\n' \
    "$credential" "$version" "$2" "$(($2 - $(date +%s)))" "$status"
}

# exchange ID_TOKEN
exchange() {
  local answer
  answer=$(fetch "data-urlencode = \"client_assertion=$1\"" \
    --data-urlencode grant_type=client_credentials --data-urlencode "client_id=$AZURE_CLIENT_ID" \
    --data-urlencode client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer \
    --data-urlencode scope=https://management.azure.com/.default \
    "${AZURE_AUTHORITY_HOST%/}/$AZURE_TENANT_ID/oauth2/v2.0/token")
  ask "$(field access_token "$answer")" "$(($(date +%s) + $(field expires_in "$answer")))"
}

for number in $(seq "$ROUNDS"); do
  if [ "$number" -gt 1 ]; then sleep "$PAUSE"; fi
  case $credential in
  AZURE_ACCESS_TOKEN)
    ask "$AZURE_ACCESS_TOKEN" "$(date --date "$AZURE_ACCESS_TOKEN_EXPIRES_ON" +%s)"
    ;;
  IDENTITY_ENDPOINT)
    answer=$(fetch "header = \"X-IDENTITY-HEADER: $IDENTITY_HEADER\"" \
      "$IDENTITY_ENDPOINT?resource=https://management.azure.com/&api-version=2019-08-01&client_id=$AZURE_CLIENT_ID")
    ask "$(field access_token "$answer")" "$(field expires_on "$answer")"
    ;;
  ARM_MSI_ENDPOINT)
    answer=$(fetch "url = \"$ARM_MSI_ENDPOINT?resource=https://management.azure.com/&api-version=2018-02-01\"" \
      --header 'Metadata: true')
    ask "$(field access_token "$answer")" "$(field expires_on "$answer")"
    ;;
  AZURE_FEDERATED_TOKEN_FILE)
    exchange "$(cat "$AZURE_FEDERATED_TOKEN_FILE")"
    ;;
  AZD_AUTH_ENDPOINT)
    answer=$(fetch "header = \"Authorization: Bearer $AZD_AUTH_KEY\"" --header 'Content-Type: application/json' \
      --data '{"scopes":["https://management.azure.com//.default"]}' \
      "$AZD_AUTH_ENDPOINT/token?api-version=2023-07-12-preview")
    ask "$(field token "$answer")" "$(date --date "$(field expiresOn "$answer")" +%s)"
    ;;
  'wif token')
    token=$(wif token arm)
    claims=$(printf '%s' "$token" | cut -d. -f2 | tr -- '-_' '+/')
    while [ $((${#claims} % 4)) -ne 0 ]; do claims="$claims="; done
    ask "$token" "$(field exp "$(printf '%s' "$claims" | base64 --decode)")"
    ;;
  ARM_OIDC_REQUEST_URL)
    key="header = \"Authorization: Bearer $ARM_OIDC_REQUEST_TOKEN\""
    exchange "$(field value "$(fetch "$key" "$ARM_OIDC_REQUEST_URL&audience=api://AzureADTokenExchange")")"
    exchange "$(field oidcToken "$(fetch "$key" --request POST --data '' "$ARM_OIDC_REQUEST_URL")")"
    ;;
  esac
done
