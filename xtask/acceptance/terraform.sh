#!/usr/bin/env bash
# Terraform with the built-in azurerm backend, as a later step of a job: keeps a state, reads it back in another process, and
# prints what it got as one line of JSON. A second step finds the folder of the first, and applies again.
# Where a session "hub" is beside it, its client keeps a state too, and the same run reads that one by the hub's variables.
set -euo pipefail
folder=$AGENT_TEMPDIRECTORY/terraform

init() {
  terraform init -input=false -no-color -backend-config="storage_account_name=$STORAGEACCOUNT" \
    -backend-config="container_name=$STORAGECONTAINER" "$@"
}

if [ ! -d "$folder" ]; then
  mkdir "$folder"
  cp "$1" "$folder/main.tf"
  if [ -n "${HUB_ARM_CLIENT_ID-}" ]; then
    cp -r "$folder" "$folder-hub"
    (
      cd "$folder-hub"
      export ARM_CLIENT_ID=$HUB_ARM_CLIENT_ID ARM_TENANT_ID=$HUB_ARM_TENANT_ID
      export ARM_OIDC_REQUEST_URL=$HUB_ARM_OIDC_REQUEST_URL ARM_OIDC_REQUEST_TOKEN=$HUB_ARM_OIDC_REQUEST_TOKEN
      init -backend-config=key=hub.tfstate
      TF_VAR_seconds=0 terraform apply -input=false -auto-approve -no-color
    )
    cp "$(dirname "$1")/hub.tf" "$folder/hub.tf"
  fi
  cd "$folder"
  init
fi
cd "$folder"
if [ -f hub.tf ]; then
  export TF_VAR_hub_client_id=$HUB_ARM_CLIENT_ID TF_VAR_hub_tenant_id=$HUB_ARM_TENANT_ID
  export TF_VAR_hub_oidc_request_url=$HUB_ARM_OIDC_REQUEST_URL
  export TF_VAR_hub_oidc_request_token=$HUB_ARM_OIDC_REQUEST_TOKEN
  export TF_VAR_storage_account=$STORAGEACCOUNT TF_VAR_storage_container=$STORAGECONTAINER
fi
terraform apply -input=false -auto-approve -no-color
state=$(terraform output -raw kept)
if [ -f hub.tf ]; then test "$(terraform output -raw hub)" = "$state"; fi
version=$(terraform version | awk 'NR == 1 { sub("^v", "", $2); print $2 }')
printf '{"credential":"%s","version":"%s","state":"%s"}\n' "$2" "$version" "$state"
