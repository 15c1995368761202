//! Secret text: wiped on drop, redacted in `Debug`, readable only through `expose`.

use std::{fmt, sync::Arc};

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// A job token, id token, access token or password: wiped when its last owner drops it, silent under `Debug`, without
/// `Display`. A clone is one more owner, and no copy of the text.
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// Takes the text over; the caller's copy is gone.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Arc::new(Zeroizing::new(text)))
    }

    /// The one way to read it. `grep -rn 'expose()' src crates` is the security review.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether a text is this secret, in the same time wherever two texts of one length differ.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        self.0.as_bytes().ct_eq(text.as_bytes()).into()
    }

    /// The text as JSON has it, in quotes.
    #[must_use]
    pub fn to_json(&self) -> Self {
        // Room for the longest escapes, so that no half of it is left where it grew.
        let mut json = Zeroizing::new(Vec::with_capacity(self.0.len() * r"\u0000".len() + 2));
        // A text in memory cannot fail to be written, and JSON is UTF-8.
        let _ = serde_json::to_writer(&mut *json, self.expose());
        Self::new(str::from_utf8(&json).unwrap_or_default().to_owned())
    }

    /// What may be said of a bad secret: its length in bytes and whether white space surrounds it, the usual
    /// cause.
    #[must_use]
    pub fn properties(&self) -> String {
        let space = if self.0.trim().len() == self.0.len() { "" } else { ", with white space around it" };
        format!("{} characters{space}", self.0.len())
    }
}

impl PartialEq for Secret {
    /// As [`Secret::is`].
    fn eq(&self, other: &Self) -> bool {
        self.is(other.expose())
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_says_nothing() {
        assert_eq!(format!("{:?}", Secret::new("hunter2".to_owned())), "Secret");
    }

    #[test]
    fn equality_is_by_value() {
        let secret = Secret::new("hunter2".to_owned());
        assert_eq!(secret, Secret::new("hunter2".to_owned()));
        assert_ne!(secret, Secret::new("hunter3".to_owned()));
        assert_ne!(secret, Secret::new("hunter".to_owned()));
        assert!(secret.is("hunter2") && !secret.is("hunter3") && !secret.is("hunter"));
    }

    #[test]
    fn properties_name_the_usual_cause_and_not_the_secret() {
        let text = Secret::new("hunter2\n".to_owned()).properties();
        assert_eq!(text, "8 characters, with white space around it");
        assert!(!text.contains("hunter"));
    }
}
