//! What help shows beside the options: the commands in groups, examples, exit codes. A test holds it to the commands.

/// The program's own help, with the groups of commands that change something, if it has these.
macro_rules! program {
    ($changes:literal) => {
        concat!(
            "\
{about-with-newline}
{usage-heading} {usage}

Read an organization, and change nothing:
  audit       Read a whole organization and judge it; never write to it
  inventory   List the connections without judging them, or show the whole chain of trust of each

",
            $changes,
            "\
Look something up:
  schema      Print the JSON schema of a file that people write
  explain     Explain a rule, such as WIF6101, or an error's code, without a network; alone: list what is known

Options:
{options}{after-help}"
        )
    };
}

#[cfg(feature = "change")]
pub(super) const PROGRAM: &str = program!(
    "\
Plan a change:
  convert     Convert stored secrets and certificates to federation, in place
  revert      Convert connections back, as long as Azure DevOps allows it
  issuer      Move connections from the Azure DevOps issuer to that of Entra, in place
  connection  Make connections as requests ask for, and bring back what drifted
  migrate     Put connections with identities of their own beside old ones, and retire those
  rollback    Plan the inverse of what a journal says was done

Carry out a plan:
  apply       Apply a plan; the only command that changes anything
  journal     Read a journal of wif apply
  hand-off    Print what another person has to do: commands, or lines of Terraform

"
);
#[cfg(not(feature = "change"))]
pub(super) const PROGRAM: &str = program!("");

/// Below it.
pub(super) const PROGRAM_EXAMPLES: &str = "\
Examples:
  wif audit --organization contoso
  wif inventory --organization contoso --format csv --output connections.csv
  wif explain WIF6202

Exit codes: 0 nothing to say, or done; 1 a fault of wif; 2 the arguments or files; 3 refused; 4 not reached; 10 warnings, drift or \
changes that wait; 11 faults, or a change failed; 12 something could not be read; 13 the plan is old or edited, or the world has changed; \
130 interrupted.
`wif help COMMAND` shows more. Pages: https://github.com/wif-azure/wif/tree/main/docs";

pub(super) const AUDIT: &str = "\
Examples:
  wif audit --organization contoso
  wif audit --org contoso --format json --output audit.json --format html --output audit.html
  wif audit --org contoso --baseline audit.json --fail-on new:fault
  wif audit --org contoso --save contoso.snapshot
  wif audit --offline contoso.snapshot --rule WIF6201

Exit codes: 0 nothing to say, 10 warnings, 11 faults, 12 something could not be read and nothing is worse, 2 the arguments or files, \
3 everything was refused, 4 nothing was reached.";

pub(super) const INVENTORY: &str = "\
Examples:
  wif inventory --organization contoso
  wif inventory --org contoso --chain --connection sc-prod
  wif inventory --org contoso --format csv --output connections.csv

Exit codes: 0 everything was read, 12 something could not be, 2 the arguments or files, 3 everything was refused, 4 nothing was reached.";

pub(super) const SCHEMA: &str = "\
Examples:
  wif schema request > request.schema.json

Exit codes: 0 it worked, 2 the arguments.";

pub(super) const EXPLAIN: &str = "\
Examples:
  wif explain WIF6202
  wif explain - < audit.log

Exit codes: 0 it is known, 2 it is not.";

#[cfg(feature = "change")]
pub(super) use of_changes::*;

#[cfg(feature = "change")]
mod of_changes {
    pub(in crate::cli) const CONVERT: &str = "\
Examples:
  wif convert plan --organization contoso --all-eligible --output plan.json
  wif apply plan.json

Exit codes: those of wif convert plan.";

    pub(in crate::cli) const REVERT: &str = "\
Examples:
  wif revert plan --organization contoso --connection sc-prod --output plan.json
  wif apply plan.json

Exit codes: those of wif revert plan.";

    /// Of convert and revert.
    pub(in crate::cli) const PLAN: &str = "\
Examples:
  wif convert plan --organization contoso --connection sc-prod
  wif convert plan --org contoso --from audit.json --rule WIF6101 --output plan.json
  wif revert plan --org contoso --name 'sc-test-*' --output plan.json

Exit codes: 10 the plan has steps, 0 nothing is to be done, 12 what was selected could not be read, 2 the arguments or files, 3 refused, \
4 not reached.";

    pub(in crate::cli) const ISSUER: &str = "\
Examples:
  wif issuer plan --organization contoso --all-eligible --output plan.json
  wif apply plan.json

Exit codes: those of wif issuer plan.";

    pub(in crate::cli) const ISSUER_PLAN: &str = "\
Examples:
  wif issuer plan --organization contoso --connection sc-prod
  wif issuer plan --org contoso --project Platform --all-eligible --output plan.json

Exit codes: 10 the plan has steps, 0 nothing is to be done, 12 what was selected could not be read, 2 the arguments or files, 3 refused, \
4 not reached.";

    pub(in crate::cli) const CONNECTION: &str = "\
Examples:
  wif connection drift requests/sc-platform-prod.yaml --organization contoso
  wif connection plan requests/sc-platform-prod.yaml --organization contoso --output plan.json

Exit codes: those of its commands.";

    pub(in crate::cli) const DRIFT: &str = "\
Examples:
  wif connection drift requests/sc-platform-prod.yaml --organization contoso
  wif connection drift requests/sc-platform-prod.yaml --org contoso --format json

Exit codes: 0 all is as requested, 10 something is not, or a connection does not exist, 12 something could not be read, 2 the arguments \
or files, 3 refused, 4 not reached.";

    pub(in crate::cli) const CONNECTION_PLAN: &str = "\
Examples:
  wif connection plan requests/sc-platform-prod.yaml --organization contoso
  wif connection plan requests/sc-platform-prod.yaml --org contoso --output plan.json

Exit codes: 10 the plan has steps, 0 all is as requested, 12 something could not be read, 2 the arguments or files, 3 refused, \
4 not reached.";

    pub(in crate::cli) const MIGRATE: &str = "\
Examples:
  wif migrate plan --organization contoso --connection sc-prod --output plan.json
  wif apply plan.json
  wif migrate status plan.json.journal --organization contoso
  wif migrate retire plan plan.json.journal --organization contoso --output retire.json

Exit codes: those of its commands.";

    pub(in crate::cli) const MIGRATE_PLAN: &str = "\
Examples:
  wif migrate plan --organization contoso --connection sc-prod --output plan.json
  wif migrate plan --org contoso --all-eligible --to managedIdentity --resource-group rg-identities --subscription 11111111-2222-3333-4444-555555555555

Exit codes: 10 the plan has steps, 0 nothing is to be done, 12 what was selected could not be read, 2 the arguments or files, 3 refused, \
4 not reached.";

    pub(in crate::cli) const MIGRATE_STATUS: &str = "\
Examples:
  wif migrate status plan.json.journal --organization contoso

Exit codes: 0 all can be retired, or are; 10 some cannot yet; 12 something could not be read; 2 the arguments or files; 3 refused; \
4 not reached.";

    pub(in crate::cli) const RETIRE: &str = "\
Examples:
  wif migrate retire plan plan.json.journal --organization contoso --output retire.json
  wif apply retire.json

Exit codes: those of wif migrate retire plan.";

    pub(in crate::cli) const RETIRE_PLAN: &str = "\
Examples:
  wif migrate retire plan plan.json.journal --organization contoso --output retire.json

Exit codes: 10 the plan has steps, 0 nothing is to be done, or not yet, 12 something could not be read, 2 the arguments or files, \
3 refused, 4 not reached.";

    pub(in crate::cli) const APPLY: &str = "\
Examples:
  wif apply plan.json
  wif apply plan.json --yes --max-changes 10
  wif apply plan.json --resume

Exit codes: 0 done, 10 something waits for a person or a run, 11 a change failed, 13 the plan is old or edited, or the world has \
changed, 2 the arguments or files, 3 everything was refused, 4 nothing was reached, 130 interrupted.";

    pub(in crate::cli) const ROLLBACK: &str = "\
Examples:
  wif rollback plan.json.journal --output back.json
  wif apply back.json

Exit codes: 10 the plan has steps, 0 nothing is to be done, 12 what was selected could not be read, 2 the arguments or files, 3 refused, \
4 not reached.";

    pub(in crate::cli) const JOURNAL: &str = "\
Examples:
  wif journal show plan.json.journal
  wif journal show plan.json.journal --format markdown

Exit codes: 0 it was told, 2 the arguments, 13 the journal cannot be used.";

    pub(in crate::cli) const HAND_OFF: &str = "\
Examples:
  wif hand-off plan.json --to entra
  wif hand-off plan.json --to terraform

Exit codes: 0 it was printed, 2 the arguments or files, 13 the plan is edited.";
}
