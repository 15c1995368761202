#!/usr/bin/env bash
# Terraform with one provider from a file-system mirror, as a later step of a job: `init` from the mirror and nothing else,
# then `plan`, which fails unless the provider is signed in; what it got is one line of JSON.
# provider.sh NAME MIRROR VERSION CREDENTIAL
set -euo pipefail
folder=$AGENT_TEMPDIRECTORY/$1
export TF_CLI_CONFIG_FILE=$folder.rc TF_VAR_client_id=$AZURE_CLIENT_ID
if [ ! -d "$folder" ]; then
  mkdir "$folder"
  cp "$(dirname "$0")/providers/$1.tf" "$folder/main.tf"
  printf 'provider_installation {\n  filesystem_mirror {\n    path = "%s"\n  }\n}\n' "$2" >"$folder.rc"
  terraform -chdir="$folder" init -input=false -no-color
fi
terraform -chdir="$folder" plan -input=false -no-color
printf '{"credential":"%s","version":"%s","plan":"signed in"}\n' "$4" "$3"
