//! A secret has a type, one door, and no voice.

use std::fmt;

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// A job token, id token, access token or password: wiped on drop, silent under `Debug`, without `Display`.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text over; the caller's copy is gone.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The one door. `grep -rn 'expose()' src` is the security review.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
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
    /// Takes the same time wherever two secrets of one length differ.
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
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
    }

    #[test]
    fn properties_name_the_usual_cause_and_not_the_secret() {
        let text = Secret::new("hunter2\n".to_owned()).properties();
        assert_eq!(text, "8 characters, with white space around it");
        assert!(!text.contains("hunter"));
    }
}
