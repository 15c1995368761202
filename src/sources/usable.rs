//! Whether Entra can do anything with an id token: what can be told before it is sent.

use wif_core::{
    secret::Secret,
    token::claims::{Unverified, algorithm},
};

use super::error::{SourceError, shown};

/// The one algorithm that Entra verifies: AADSTS5002738 refuses every other.
const ALGORITHM: &str = "RS256";
/// The audience of a token that Entra itself signs for an exchange.
pub(super) const ENTRA_AUDIENCE: &str = "fb60f99c-7a34-4190-8149-302f77469936";

/// Where a token comes from, and the lines that mend it.
pub(super) struct Origin<'a> {
    /// As a sentence names it: `in the file /x`, `of GitHub Actions`.
    pub(super) place: &'a str,
    /// How the source is told the audience.
    pub(super) audience: String,
    /// How the source is told to sign by RSA.
    pub(super) algorithm: &'a str,
}

/// Reads an id token's claims. A text that is no token, a token for another audience, and one with an algorithm that Entra does not
/// verify are refused.
pub(super) fn check(token: &Secret, audience: &str, origin: &Origin<'_>) -> Result<Unverified, SourceError> {
    let unusable = |reason: String, mend: &str| SourceError::Unusable {
        place: origin.place.to_owned(),
        reason,
        mend: mend.to_owned(),
    };
    let claims = Unverified::read(token).map_err(|error| {
        let reason = format!("it is not a JSON web token ({}): {error}", token.properties());
        unusable(reason, "give the text of the token alone: three parts with dots between them, on one line")
    })?;
    let algorithm = algorithm(token).unwrap_or_else(|| "an unknown algorithm".to_owned());
    if algorithm != ALGORITHM {
        let reason = format!("it is signed by {algorithm}, and Entra verifies {ALGORITHM} (RSA) only");
        return Err(unusable(reason, origin.algorithm));
    }
    let fits = claims.audiences.iter().any(|one| one.raw() == audience || one.raw() == ENTRA_AUDIENCE);
    if !fits {
        let reason =
            format!("it is for the audience {}, and {audience} is asked for", shown(&claims.audiences));
        return Err(unusable(reason, &origin.audience));
    }
    Ok(claims)
}
