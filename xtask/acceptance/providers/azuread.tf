# Signed in by what the sign-in step left: the plan fails unless the provider knows the connection's client, and which
# object of the directory that is, which it reads in a token.
terraform {
  required_providers {
    azuread = { source = "hashicorp/azuread" }
  }
}

provider "azuread" {}

data "azuread_client_config" "current" {}

variable "client_id" {}

output "signed_in" {
  value = true

  precondition {
    condition     = data.azuread_client_config.current.client_id == var.client_id && data.azuread_client_config.current.object_id != ""
    error_message = "azuread is not the connection's client."
  }
}
