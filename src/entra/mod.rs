//! Microsoft Entra.

pub mod certificate;
pub mod machine;
pub mod refusal;
pub mod token;
