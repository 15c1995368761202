//! What a user reads of a failure of a step: code and hint.

use wif_core::{code::Code, failure::Failure};

use super::{existing_variables::ExistingVariablesError, export::ValueError};

impl From<ExistingVariablesError> for Failure {
    fn from(error: ExistingVariablesError) -> Self {
        let families = match error {
            ExistingVariablesError::Unreadable(error) => return error.into(),
            ExistingVariablesError::WouldWin { by: "the pipeline", .. } => {
                return Self::new(
                    Code::VariableConflicts,
                    error,
                    "remove the variable from the job, or leave the input empty",
                );
            }
            ExistingVariablesError::WouldWin { .. } => {
                return Self::new(
                    Code::MachineConflicts,
                    error,
                    "remove the variable from the machine, or leave the input empty",
                );
            }
            ExistingVariablesError::Secret { ref families, .. } => families,
        };
        let names: Vec<_> = families
            .iter()
            .filter(|family| family.asked_by().is_none())
            .map(|family| family.as_str())
            .collect();
        let leave_out = if names.is_empty() {
            String::new()
        } else {
            format!("leave {} out of exports, or ", names.join(" and "))
        };
        let hint = format!(
            "{leave_out}rename the secret variable, or give the sign-in a name (session: azure), so that its variables have names of their own"
        );
        Self::new(Code::NameIsSecret, error, hint)
    }
}

impl From<ValueError> for Failure {
    fn from(error: ValueError) -> Self {
        Self::new(
            Code::ValueNotExportable,
            error,
            "give the agent a work folder without such characters in its path",
        )
    }
}
