//! The user's own files of AWS: a default profile in them wins over the session in every SDK.
//!
//! Source: botocore, `configloader.py` and `credentials.py`; aws-sdk-go-v2, `config/shared_config.go`.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use wif_core::{code::Code, failure::Failure, foreign_text::one_line};
use wif_io::env::Env;

/// The variable that names a file, and where the file is without it.
const FILES: [(&str, &str); 2] =
    [("AWS_SHARED_CREDENTIALS_FILE", "credentials"), ("AWS_CONFIG_FILE", "config")];
/// What signs in; a region, a format of output and the like do not.
const KEYS: [&str; 9] = [
    "aws_access_key_id",
    "credential_process",
    "credential_source",
    "role_arn",
    "source_profile",
    "sso_account_id",
    "sso_session",
    "sso_start_url",
    "web_identity_token_file",
];
/// A file of this kind is smaller than this, in bytes.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// The longest path that an error shows, in characters.
const MAX_PATH: usize = 200;

/// Looks for a default profile that signs in.
///
/// # Errors
///
/// There is one: later steps would be signed in by it.
pub(crate) fn check_files(env: &Env) -> Result<(), Failure> {
    let home = env.get("HOME").or(env.get("USERPROFILE")).map(PathBuf::from);
    for (variable, name) in FILES {
        let usual = || home.as_ref().map(|home| home.join(".aws").join(name));
        let Some(path) = env.get(variable).map(PathBuf::from).or_else(usual) else { continue };
        if let Some(key) = read(&path).as_deref().and_then(default_key) {
            let text = format!(
                "the file {} has a profile [default] with {key}: AWS SDKs sign in by it before they ask the session of the input awsRole",
                one_line(&path.to_string_lossy(), MAX_PATH)
            );
            let hint = "remove the profile from the agent's machine, or point AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE at files without it";
            return Err(Failure::new(Code::MachineConflicts, text, hint));
        }
    }
    Ok(())
}

/// A file that is not there or cannot be read signs no step in, since steps run as the same user.
fn read(path: &Path) -> Option<String> {
    let is_file = std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    let mut bytes = zeroize::Zeroizing::new(Vec::new());
    File::open(path).ok().filter(|_| is_file)?.take(MAX_FILE_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The key of the default profile that signs in.
fn default_key(text: &str) -> Option<&'static str> {
    let mut is_default = false;
    for line in text.lines() {
        // A line that is indented belongs to the key above it.
        let is_nested = line.starts_with([' ', '\t']);
        let line = line.trim();
        if let Some(section) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            let section = section.trim();
            is_default = section == "default"
                || section.strip_prefix("profile ").is_some_and(|name| name.trim() == "default");
        } else if let Some((key, _)) = line.split_once('=').filter(|_| is_default && !is_nested) {
            let key = key.trim();
            if let Some(known) = KEYS.into_iter().find(|known| known.eq_ignore_ascii_case(key)) {
                return Some(known);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_profile_counts_where_it_signs_in() {
        for (text, expected) in [
            ("[default]\naws_access_key_id = AKIA\naws_secret_access_key = x\n", Some("aws_access_key_id")),
            ("[profile default]\nrole_arn=arn\n", Some("role_arn")),
            (
                "# x\n[other]\naws_access_key_id = A\n[ default ]\nregion = x\ncredential_process = y",
                Some("credential_process"),
            ),
            ("[default]\r\nSSO_SESSION = x\r\n", Some("sso_session")),
            ("[default]\nregion = eu-central-1\noutput = json\n", None),
            ("[default]\ns3 =\n  role_arn = x\n", None),
            ("[work]\naws_access_key_id = A\n", None),
            ("[default-2]\naws_access_key_id = A\n", None),
            ("aws_access_key_id = A\n", None),
            ("", None),
        ] {
            assert_eq!(default_key(text), expected, "{text}");
        }
    }
}
