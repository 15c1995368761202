#!/usr/bin/env bash
# curl with the access token that the sign-in step left, as a later step of a job: asks ARM, and prints what it got as one
# line of JSON. The token comes from standard input, since everybody on the machine can read a command line.
set -euo pipefail
url="$ARM_URL/subscriptions/$AZURE_SUBSCRIPTION_ID?api-version=2022-12-01"
status=$(printf 'header = "Authorization: Bearer %s"\n' "$AZURE_ACCESS_TOKEN" |
  curl --config - --silent --show-error --output /dev/null --write-out '%{http_code}' "$url")
version=$(curl --version | awk 'NR == 1 { print $2 }')
printf '{"credential":"%s","version":"%s","arm":%s}\n' "$1" "$version" "$status"
