//! What a sign-in presented, as far as a person may see it.

use super::{
    compare::Trusted,
    subject::{Issuer, Subject},
};
use crate::{foreign_text::ForeignText, token::claims::Unverified};

/// What a person may see of what was presented.
#[derive(Debug)]
pub enum Presented {
    /// Its claims, and what the connection says that they are.
    IdToken {
        /// What the id token says of itself.
        claims: Box<Unverified>,
        /// What the connection says that is trusted.
        registered: Option<Trusted>,
    },
    /// A client secret.
    ClientSecret {
        /// Its length and the like, never its text.
        properties: String,
    },
    /// An assertion that a certificate signed.
    Certificate {
        /// The certificate's SHA-1 in hexadecimal digits, as Entra shows it.
        thumbprint: String,
    },
}

/// Issuer and subject in parts: the agent masks each as a whole.
#[must_use]
pub fn identity_parts(claims: &Unverified) -> Vec<(&'static str, ForeignText)> {
    let mut parts = Issuer::parse(claims.issuer.raw()).parts();
    parts.extend(Subject::parse(claims.subject.raw()).parts());
    parts
}
