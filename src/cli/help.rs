//! What help shows beside the options: the commands in groups, examples, exit codes. A test holds it to the commands.

/// The program's own help.
pub(super) const PROGRAM: &str = "\
{about-with-newline}
{usage-heading} {usage}

In a step after the sign-in, and in a command of wif exec:
  token       Print a fresh access token, or the id token
  status      Show who is signed in, and which tokens are there until when; never a token
  credential  Answer a tool that asks for credentials: aws, docker, git, keyring, kubernetes
  kubeconfig  Print a kubeconfig for an AKS cluster, whose user is this job's session

Anywhere:
  exec        Run a command that is signed in to Azure: in any CI, a container, a script
  trust       Print what another party has to trust

When it does not work:
  doctor      Check a service connection, or what this step finds of its session
  explain     Explain a code, such as WIF2013 or AADSTS700213, without a network

For an organization, by the program wif-operator:
  audit       Audit its service connections
  inventory   List its service connections
  convert     Plan to convert stored secrets to federation
  revert      Plan to convert connections back
  issuer      Plan to move connections to the issuer of Entra
  connection  Make connections as requests ask for, and bring back what drifted
  migrate     Plan to put connections with identities of their own beside old ones
  apply       Apply a plan
  rollback    Plan to take back what was applied
  journal     Read the journal of what was applied
  hand-off    Print what another person has to do
  schema      Print the schema of a file that people write

Options:
{options}{after-help}";

/// Below it.
pub(super) const PROGRAM_EXAMPLES: &str = "\
Examples:
  wif token keyvault          # a token for Key Vault that works now
  wif doctor --try            # what this step finds, and whether its tools work
  wif explain AADSTS700213    # what Entra meant
  wif explain - < job.log     # every code that a log names

Exit codes: 0 it worked, 1 a fault of wif, 2 the arguments or no session, 3 refused, 4 not reached; 10 and 11 of doctor.
`wif help COMMAND` shows more. Pages: https://github.com/wif-azure/wif/tree/main/docs";

pub(super) const TOKEN: &str = "\
Examples:
  token=$(wif token arm)
  wif token https://api.contoso.com/.default --json
  wif token --id-token
  curl --config <(wif token arm --curl) https://management.azure.com/subscriptions?api-version=2022-12-01
  $token = wif token arm      # PowerShell

Exit codes: 0 it worked, 2 the arguments are wrong or there is no session here, 3 refused, 4 not reached.";

pub(super) const STATUS: &str = "\
Examples:
  wif status
  wif status --session hub --json

Exit codes: 0 it worked, 2 there is no session here, 3 refused, 4 not reached.";

pub(super) const DOCTOR: &str = "\
Examples:
  wif doctor --organization contoso --project Platform --connection sc-prod
  wif doctor --try az,terraform
  wif doctor --source github --tenant 11111111-2222-3333-4444-555555555555 --client 66666666-7777-8888-9999-000000000000

Exit codes: 0 nothing is wrong, 2 the arguments, 3 no token to ask Azure DevOps with, 10 something to be warned of, 11 something is wrong.";

pub(super) const EXEC: &str = "\
Examples:
  wif exec -- az group list
  wif exec --source file:/var/run/secrets/azure/token --exports terraform -- terraform plan

Exit codes: the command's, and 128 + n where signal n ended it; 127 it is not there, 126 it cannot be run; 2, 3, 4 it \
was not run, since the options, a service or the network did not let it.";

pub(super) const TRUST: &str = "\
Examples:
  wif trust entra --source github
  wif trust entra --output trust.sh

Exit codes: 0 it worked, 2 the arguments or the source, 3 refused, 4 not reached.";

pub(super) const TRUST_ENTRA: &str = "\
Examples:
  wif trust entra --source github
  wif trust entra --connection 11111111-2222-3333-4444-555555555555 --output trust.sh

Exit codes: 0 it worked, 2 the arguments or the source, 3 refused, 4 not reached.";

pub(super) const TRUST_AWS: &str = "\
Examples:
  wif trust aws --aws-role arn:aws:iam::123456789012:role/deploy

Exit codes: 0 it worked, 2 the arguments or the source, 3 refused, 4 not reached.";

pub(super) const TRUST_GOOGLE: &str = "\
Examples:
  wif trust google --google-service-account deploy@my-project.iam.gserviceaccount.com

Exit codes: 0 it worked, 2 the arguments or the source, 3 refused, 4 not reached.";

pub(super) const TRUST_VAULT: &str = "\
Examples:
  wif trust vault --vault-address https://vault.contoso.com --vault-role deploy

Exit codes: 0 it worked, 2 the arguments or the source, 3 refused, 4 not reached.";

pub(super) const CREDENTIAL: &str = "\
Examples:
  echo contoso.azurecr.io | wif credential docker get
  git config credential.https://dev.azure.com.helper '!wif credential git'

Exit codes: 0 it answered; else as the tool's own protocol has it, or 2, 3, 4 as those of wif token.";

pub(super) const KUBECONFIG: &str = "\
Examples:
  wif kubeconfig /subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg-prod/providers/Microsoft.ContainerService/managedClusters/aks-prod --output aks-prod.yaml

Exit codes: 0 it worked, 2 the arguments or no session, 3 refused, 4 not reached.";

pub(super) const EXPLAIN: &str = "\
Examples:
  wif explain WIF2013
  wif explain 'AADSTS700213: No matching federated identity record found'
  wif explain - < job.log

Exit codes: 0 it is known, 2 it is not.";
