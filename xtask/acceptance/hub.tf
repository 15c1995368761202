# Beside backend.tf: the hub's state, read in the same run as the client of another connection, whose session is "hub".
variable "hub_client_id" {}
variable "hub_tenant_id" {}
variable "hub_oidc_request_url" {}
variable "hub_oidc_request_token" {
  sensitive = true
}
variable "storage_account" {}
variable "storage_container" {}

data "terraform_remote_state" "hub" {
  backend = "azurerm"
  # It is read after the wait, when every token of the start has ended.
  depends_on = [terraform_data.kept]

  config = {
    use_azuread_auth     = true
    use_oidc             = true
    client_id            = var.hub_client_id
    tenant_id            = var.hub_tenant_id
    oidc_request_url     = var.hub_oidc_request_url
    oidc_request_token   = var.hub_oidc_request_token
    storage_account_name = var.storage_account
    container_name       = var.storage_container
    key                  = "hub.tfstate"
  }
}

output "hub" {
  value = data.terraform_remote_state.hub.outputs.kept
}
