//! The variables that the job has already: which of them keep an export from later steps, or win over it. They are found before the
//! first request.

use std::{collections::BTreeSet, fmt};

use wif_core::{
    code::Code,
    exports::{
        BrokerEndpoint, Family, Value, Variable, YieldingVariable,
        conflict::{self, Conflict, Remedy},
    },
    failure::Failure,
    foreign_text::one_line,
};
use wif_io::env::Env;

use super::{conflicts, plan::Plan};
use crate::agent::{
    inputs::exported_name,
    job_variables::{JobVariables, JobVariablesError},
    sessions,
};

/// What the step does about variables that the job has already.
#[derive(Debug, Default)]
pub(super) struct ExistingVariables {
    job: JobVariables,
    /// Variables of the agent's machine that are emptied for the job.
    pub(super) emptied: Vec<&'static str>,
    /// Variables that this session leaves as they are.
    left_alone: BTreeSet<&'static str>,
    /// What works, and is worth a line in the log.
    pub(super) notes: Vec<String>,
    /// What may not work as it is meant.
    pub(super) warnings: Vec<Warning>,
    /// What is right in most jobs: a line in the log of a step, a warning of a diagnosis.
    pub(super) reminders: Vec<Warning>,
}

/// What may not work as it is meant. Its text is what was found, and then what to do.
#[derive(Debug)]
pub(super) struct Warning {
    code: Code,
    finding: String,
    remedy: &'static str,
}

impl Warning {
    /// The warning as an entry of a report.
    pub(super) fn failure(&self) -> Failure {
        Failure::new(self.code, self.finding.clone(), self.remedy)
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.finding, self.remedy)
    }
}

/// An exported variable would not reach later steps.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExistingVariablesError {
    /// The agent gives no script a variable that was secret once.
    #[error(
        "the job has a secret variable {}, and {} a variable of that name for later steps: the agent keeps a name secret for the whole job, so that their scripts would not find it",
        one_line(secret, MAX_SHOWN),
        exported_by(families)
    )]
    Secret {
        /// The secret variable's name, as it was set.
        secret: String,
        /// The families that export the name; none, where every session does.
        families: Vec<Family>,
    },
    /// Later steps would go to another account.
    #[error("the variable {names} of {by} would win over what the input {input} asks for: {effect}")]
    WouldWin {
        /// The variables.
        names: String,
        /// Who has set them.
        by: &'static str,
        /// The input that asks for the family.
        input: &'static str,
        /// What a tool does with them.
        effect: &'static str,
    },
    #[error(transparent)]
    Unreadable(#[from] JobVariablesError),
}

/// Old values in the log are cut.
const MAX_SHOWN: usize = 80;

impl ExistingVariables {
    /// Looks at everything that the session would export.
    ///
    /// # Errors
    ///
    /// One of the names is that of a secret variable.
    pub(super) fn find(env: &Env, plan: &Plan) -> Result<Self, ExistingVariablesError> {
        let variables = &*plan.expected_exports();
        let mut existing = Self { job: JobVariables::read(env)?, ..Self::default() };
        if plan.script.is_none() {
            existing.check_secrets(plan, variables)?;
        }
        existing.yield_to(env, plan);
        for conflict in conflicts::in_force(env, plan, variables) {
            existing.report_conflict(conflict, plan)?;
        }
        if plan.script.is_some() {
            existing.note_values_replaced_for_script(env, plan, variables);
        } else {
            existing.note_replaced_values(env, plan, variables);
            existing.warn_of_other_spellings(variables);
            existing.remind_of_other_sessions(env, plan);
        }
        Ok(existing)
    }

    /// Whether a variable is set for later steps: not when it has the value already as a public variable, which they get
    /// anyway, and not when it is the pipeline's to say.
    pub(super) fn sets(&self, env: &Env, variable: &Variable) -> bool {
        let (Variable { name, value }, job) = (variable, &self.job);
        let is_public = || job.is_public(name) && job.other_spelling(name).is_none();
        let has_it = match value {
            Value::Plain(text) => is_public() && env.even_empty(name) == Some(text),
            Value::Masked(_) | Value::Secret(_) => false,
        };
        !has_it && !self.left_alone.contains(name.as_str())
    }

    fn check_secrets(&self, plan: &Plan, variables: &[Variable]) -> Result<(), ExistingVariablesError> {
        let delivered = variables.iter().filter(|variable| !matches!(variable.value, Value::Secret(_)));
        for variable in delivered {
            if let Some(secret) = self.job.secret_called(&variable.name) {
                let families = plan.families_of(&variable.name);
                return Err(ExistingVariablesError::Secret { secret: secret.to_owned(), families });
            }
        }
        Ok(())
    }

    /// Keeps what the pipeline or the machine says of how some tools sign in.
    fn yield_to(&mut self, env: &Env, plan: &Plan) {
        for (YieldingVariable { variable, effect, .. }, value) in conflicts::kept(env, plan) {
            self.left_alone.insert(variable);
            let by = if self.job.is_public(variable) { "the pipeline" } else { place_of_others(plan) };
            self.notes.push(format!("{variable}={} of {by} is kept: {effect}", quoted(value)));
        }
    }

    fn report_conflict(
        &mut self,
        conflict: &'static Conflict,
        plan: &Plan,
    ) -> Result<(), ExistingVariablesError> {
        let Conflict { variables, effect, from_machine, .. } = conflict;
        let names = variables.join(" and ");
        let by_pipeline = variables.iter().any(|name| self.job.is_public(name));
        let asks = |family: &&Family| family.conflicts().iter().any(|own| own.variables == *variables);
        let input = Family::ALL.iter().find(asks).and_then(|family| family.asked_by());
        if *from_machine == Remedy::Fail {
            let by = if by_pipeline { "the pipeline" } else { place_of_others(plan) };
            return Err(ExistingVariablesError::WouldWin {
                names,
                by,
                input: input.unwrap_or_default(),
                effect,
            });
        }
        if by_pipeline {
            self.warnings.push(Warning {
                code: Code::VariableConflicts,
                finding: format!("The pipeline sets {names}: {effect}"),
                remedy: match input {
                    Some(_) => "Remove it from the job, or leave the input empty that asks for this session.",
                    None => "Remove it from the job, or leave the family out of exports.",
                },
            });
        } else if *from_machine == Remedy::Empty {
            let audience = if plan.script.is_some() { "the script" } else { "this job" };
            let place = place_of_others(plan);
            self.notes.push(format!("{names} of {place} is emptied for {audience}: {effect}"));
            self.emptied.extend(*variables);
        } else {
            self.warnings.push(Warning {
                code: Code::MachineConflicts,
                finding: match plan.script {
                    Some(_) => format!("The step's env: or the agent's machine sets {names}: {effect}"),
                    None => format!("The agent's machine sets {names}: {effect}"),
                },
                remedy: match plan.script {
                    Some(_) => "Remove it there.",
                    None => "Remove it from the machine.",
                },
            });
        }
        Ok(())
    }

    /// A value of the pipeline that later steps find no more. What an earlier session has set is no loss.
    fn note_replaced_values(&mut self, env: &Env, plan: &Plan, variables: &[Variable]) {
        if plan.replaces_a_session(env) {
            return;
        }
        let tokens = plan.tokens.iter().map(|(name, _)| (name.as_str(), None));
        let exported = variables.iter().map(|Variable { name, value }| (name.as_str(), Some(value)));
        for (name, value) in exported.chain(tokens) {
            let old = env.get(name).filter(|_| self.job.is_public(name) && !self.left_alone.contains(name));
            let Some(old) = old else { continue };
            // Where a key of ours belongs, the old value may be one too.
            let (old, new) = match value {
                Some(Value::Plain(new)) if new == old => continue,
                Some(Value::Plain(new)) if BrokerEndpoint::is_unknown(new) => {
                    (format!("={}", quoted(old)), String::new())
                }
                Some(Value::Plain(new)) => (format!("={}", quoted(old)), format!(" by {}", quoted(new))),
                Some(Value::Masked(_) | Value::Secret(_)) | None => (String::new(), String::new()),
            };
            let notes = &mut self.notes;
            notes.push(format!(
                "{name}{old} of the pipeline is replaced{new} for later steps; with a name (session:) this session has variables of its own"
            ));
        }
    }

    /// A value that the script would have found: of the pipeline, of the step's own `env:`, or of the machine.
    fn note_values_replaced_for_script(&mut self, env: &Env, plan: &Plan, variables: &[Variable]) {
        if plan.replaces_a_session(env) {
            return;
        }
        let tokens = plan.tokens.iter().map(|(name, _)| (name.as_str(), None));
        let exported = variables.iter().map(|Variable { name, value }| match value {
            Value::Plain(new) => (name.as_str(), Some(new.as_str())),
            Value::Masked(_) | Value::Secret(_) => (name.as_str(), None),
        });
        for (name, new) in exported.chain(tokens) {
            let old = env.get(&exported_name(name));
            let old = old.filter(|old| Some(*old) != new && !self.left_alone.contains(name));
            let Some(old) = old else { continue };
            let is_secret = self.job.secret_called(name).is_some() || is_secret(env, old);
            let (shown, by) = match new {
                _ if is_secret => (", which is a secret of the job,".to_owned(), String::new()),
                // Where a key of ours belongs, the old value may be one too.
                None => (String::new(), String::new()),
                Some(new) if BrokerEndpoint::is_unknown(new) => (format!("={}", quoted(old)), String::new()),
                Some(new) => (format!("={}", quoted(old)), format!(" by {}", quoted(new))),
            };
            self.notes.push(format!("{name}{shown} is replaced{by} for the script"));
        }
    }

    fn warn_of_other_spellings(&mut self, variables: &[Variable]) {
        for Variable { name, .. } in variables {
            if let Some(other) = self.job.other_spelling(name) {
                self.warnings.push(Warning {
                    code: Code::VariableConflicts,
                    finding: format!(
                        "The job has a variable {} beside {name}: both are {name} in an environment, and which of them a later step finds is not sure.",
                        quoted(other)
                    ),
                    remedy: "Rename it.",
                });
            }
        }
    }

    /// A step's `env:` loses against a variable of the job that has the same name, without a word.
    fn remind_of_other_sessions(&mut self, env: &Env, plan: &Plan) {
        let sessions = sessions::prefixes(env);
        let other = sessions.iter().any(|prefix| prefix.is_empty() == plan.is_named());
        if plan.refresh && other {
            // No warning: two sessions are fine if each step uses the names of its own.
            self.reminders.push(Warning {
                code: Code::SessionsMixed,
                finding: conflict::SESSIONS_MIXED.to_owned(),
                remedy: conflict::NAME_EACH_SESSION,
            });
        }
    }
}

/// Where a variable comes from that is none of the job's. What a step has by its own `env:` is found by its script alone, and
/// nothing tells it from what the machine has.
const fn place_of_others(plan: &Plan) -> &'static str {
    if plan.script.is_some() { "the step's env: or the agent's machine" } else { "the agent's machine" }
}

/// Whether a text is the value of a secret variable of the job, which a step may have mapped.
fn is_secret(env: &Env, text: &str) -> bool {
    env.iter().any(|(name, value)| name.starts_with("SECRET_") && value.trim() == text.trim())
}

fn exported_by(families: &[Family]) -> String {
    if families.is_empty() {
        return "every session exports".to_owned();
    }
    if let Some(input) = families.iter().find_map(|family| family.asked_by()) {
        return format!("the input {input} sets");
    }
    let names: Vec<_> = families.iter().map(|family| family.as_str()).collect();
    format!("{} of the input exports {}", names.join(" and "), if names.len() == 1 { "sets" } else { "set" })
}

fn quoted(text: &str) -> String {
    format!("'{}'", one_line(text, MAX_SHOWN))
}
