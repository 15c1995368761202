# Signed in by what the sign-in step left: the plan fails unless Azure Resource Manager tells the provider the connection's subscription,
# and the provider knows which object of the directory it is, which it reads in a token.
terraform {
  required_providers {
    azapi = { source = "Azure/azapi" }
  }
}

provider "azapi" {}

data "azapi_client_config" "current" {}

data "azapi_resource" "subscription" {
  type                   = "Microsoft.Resources/subscriptions@2022-12-01"
  resource_id            = data.azapi_client_config.current.subscription_resource_id
  response_export_values = ["subscriptionId"]
}

output "signed_in" {
  value = true

  precondition {
    condition = (
      data.azapi_resource.subscription.output.subscriptionId == data.azapi_client_config.current.subscription_id
      && data.azapi_client_config.current.object_id != ""
    )
    error_message = "azapi does not see the connection's subscription."
  }
}
