#!/usr/bin/env bash
# Terraform with the built-in azurerm backend, as a later step of a job: keeps a state, reads it back in another process, and
# prints what it got as one line of JSON. A second step finds the folder of the first, and applies again.
set -euo pipefail
folder=$AGENT_TEMPDIRECTORY/terraform
if [ ! -d "$folder" ]; then
  mkdir "$folder"
  cp "$1" "$folder/main.tf"
  cd "$folder"
  terraform init -input=false -no-color -backend-config="storage_account_name=$STORAGEACCOUNT" \
    -backend-config="container_name=$STORAGECONTAINER"
fi
cd "$folder"
terraform apply -input=false -auto-approve -no-color
state=$(terraform output -raw kept)
version=$(terraform version | awk 'NR == 1 { sub("^v", "", $2); print $2 }')
printf '{"credential":"%s","version":"%s","state":"%s"}\n' "$2" "$version" "$state"
