# Signed in by what the sign-in step left: the plan fails unless the provider is the connection's client.
terraform {
  required_providers {
    azurerm = { source = "hashicorp/azurerm" }
  }
}

provider "azurerm" {
  features {}
  resource_provider_registrations = "none"
}

data "azurerm_client_config" "current" {}

variable "client_id" {}

output "signed_in" {
  value = true

  precondition {
    condition     = data.azurerm_client_config.current.client_id == var.client_id && data.azurerm_client_config.current.object_id != ""
    error_message = "azurerm is not the connection's client."
  }
}
