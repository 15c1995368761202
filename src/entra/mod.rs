//! Microsoft Entra.

pub mod token;
