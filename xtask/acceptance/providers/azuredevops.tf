# Signed in by what the sign-in step left: the plan fails unless the organization tells the provider its projects.
terraform {
  required_providers {
    azuredevops = { source = "microsoft/azuredevops" }
  }
}

provider "azuredevops" {
  org_service_url = "https://dev.azure.com/contoso"
}

data "azuredevops_projects" "all" {}

output "signed_in" {
  value = true

  precondition {
    condition     = length(data.azuredevops_projects.all.projects) == 1
    error_message = "azuredevops does not see the organization's project."
  }
}
