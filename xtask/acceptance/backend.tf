# A state in the blob store, opened by what the sign-in step left: nothing here says who asks.
terraform {
  backend "azurerm" {
    use_azuread_auth = true
    key              = "acceptance.tfstate"
  }
}

variable "seconds" {
  description = "How long the first apply takes: it holds the state's lease meanwhile."
  type        = number
  default     = 0
}

resource "terraform_data" "kept" {
  input = "kept by the backend"

  provisioner "local-exec" {
    command = "sleep ${var.seconds}"
  }
}

output "kept" {
  value = terraform_data.kept.output
}
