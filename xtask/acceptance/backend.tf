# A state in the blob store, opened by what the sign-in step left: nothing here says who asks.
terraform {
  backend "azurerm" {
    use_azuread_auth = true
    key              = "acceptance.tfstate"
  }
}

resource "terraform_data" "kept" {
  input = "kept by the backend"
}

output "kept" {
  value = terraform_data.kept.output
}
