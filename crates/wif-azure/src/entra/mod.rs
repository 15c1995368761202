//! Microsoft Entra.

pub mod certificate;
pub mod error_response;
pub mod token;
