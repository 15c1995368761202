//! The user's own files of AWS: a default profile in them wins over the session in every SDK.
//!
//! Source: botocore, `configloader.py` and `credentials.py`; aws-sdk-go-v2, `config/shared_config.go`.

use std::{
    io,
    path::{Path, PathBuf},
};

use wif_core::{code::Code, failure::Failure, foreign_text::one_line, secret::Secret};
use wif_io::env::Env;

use crate::agent::network::read_file;

/// The variable that names a file, and where the file is without it.
const FILES: [(&str, &str); 2] =
    [("AWS_SHARED_CREDENTIALS_FILE", "credentials"), ("AWS_CONFIG_FILE", "config")];
/// What signs in; a region, a format of output and the like do not.
const KEYS: [&str; 10] = [
    "aws_access_key_id",
    "credential_process",
    "credential_source",
    "login_session",
    "role_arn",
    "source_profile",
    "sso_account_id",
    "sso_session",
    "sso_start_url",
    "web_identity_token_file",
];
const HINT: &str = "remove the profile from the agent's machine, or point AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE at files without it";
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
        let Some(path) = env.get(variable).map(|text| expanded(text, home.as_deref())).or_else(usual) else {
            continue;
        };
        if let Some(key) = key_of(&path)? {
            let text = format!(
                "the file {} has a profile [default] with {key}: AWS SDKs sign in by it before they ask the session of the input awsRole",
                one_line(&path.to_string_lossy(), MAX_PATH)
            );
            return Err(Failure::new(Code::MachineConflicts, text, HINT));
        }
    }
    Ok(())
}

/// The path as AWS' clients take it: with the user's folder for `~` and `$HOME`.
fn expanded(text: &str, home: Option<&Path>) -> PathBuf {
    let below =
        ["~", "$HOME", "${HOME}", "%USERPROFILE%"].into_iter().find_map(|name| text.strip_prefix(name));
    let below = below.and_then(|rest| rest.strip_prefix(['/', '\\']));
    home.zip(below).map_or_else(|| PathBuf::from(text), |(home, below)| home.join(below))
}

/// The key of a file's default profile that signs in. A file that is not there or cannot be read signs no step in, since steps run
/// as the same user. Pipes and devices (`/dev/null`) are not opened.
fn key_of(path: &Path) -> Result<Option<&'static str>, Failure> {
    match read_file(path) {
        Ok(bytes) => Ok(default_key(&Secret::new(String::from_utf8_lossy(&bytes).into_owned()))),
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            let path = one_line(&path.to_string_lossy(), MAX_PATH);
            let text = format!(
                "the file {path} is too large to look for a profile [default], by which AWS SDKs would sign in before they ask the session of the input awsRole"
            );
            Err(Failure::new(Code::MachineConflicts, text, HINT))
        }
        Err(_) => Ok(None),
    }
}

/// The key of the default profile that signs in.
fn default_key(text: &Secret) -> Option<&'static str> {
    let mut is_default = false;
    // How far the last key is indented: a line that is indented further belongs to it.
    let mut last_key = None;
    for whole in text.expose().trim_start_matches('\u{feff}').lines() {
        let line = whole.trim_start();
        let indent = whole.len() - line.len();
        if line.is_empty() || line.starts_with(['#', ';']) || last_key.is_some_and(|last| indent > last) {
            continue;
        }
        if let Some((section, _)) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            let section = section.trim();
            let profile = section.strip_prefix("profile").filter(|rest| rest.starts_with([' ', '\t']));
            is_default = profile.unwrap_or(section).trim().trim_matches(['"', '\'']).trim() == "default";
            last_key = None;
            continue;
        }
        last_key = Some(indent);
        let key = line.split(['=', ':']).next().unwrap_or_default().trim();
        if let Some(known) = KEYS.into_iter().find(|known| is_default && known.eq_ignore_ascii_case(key)) {
            return Some(known);
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
            ("[default]\nlogin_session = arn:aws:iam::123456789012:user/me\n", Some("login_session")),
            ("[default]\nregion = eu-central-1\noutput = json\n", None),
            ("[default]\nrole_arn: arn\n", Some("role_arn")),
            ("[default]\n  role_arn = arn\n", Some("role_arn")),
            ("[default]\n  region = x\n\n  # x\n  role_arn = arn\n", Some("role_arn")),
            ("[profile \"default\"]\nrole_arn = arn\n", Some("role_arn")),
            ("[profile\t'default']\nrole_arn = arn\n", Some("role_arn")),
            ("\u{feff}[default]\nrole_arn = arn\n", Some("role_arn")),
            ("[default]\n# role_arn = arn\n;role_arn = arn\n", None),
            ("[profiledefault]\nrole_arn = arn\n", None),
            ("[default]\ns3 =\n  role_arn = x\n", None),
            ("[default]\n  s3 =\n    role_arn = x\n", None),
            ("[work]\naws_access_key_id = A\n", None),
            ("[default-2]\naws_access_key_id = A\n", None),
            ("aws_access_key_id = A\n", None),
            ("", None),
        ] {
            assert_eq!(default_key(&Secret::new(text.to_owned())), expected, "{text}");
        }
    }

    #[test]
    fn a_path_begins_at_home_where_awss_clients_let_it() {
        let at = |text| expanded(text, Some(Path::new("/home/me")));
        for text in ["~/aws/x", "$HOME/aws/x", "${HOME}/aws/x", "/home/me/aws/x"] {
            assert_eq!(at(text), Path::new("/home/me/aws/x"), "{text}");
        }
        for text in ["~other/x", "$HOMES/x", "x/~/y"] {
            assert_eq!(at(text), Path::new(text));
        }
        assert_eq!(expanded("~/x", None), Path::new("~/x"));
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_not_waited_for_and_a_file_that_is_too_large_is_not_passed_over() {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        let folder = tempfile::tempdir().unwrap();
        let [pipe, large] = ["pipe", "large"].map(|name| folder.path().join(name));
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        std::fs::write(&large, format!("{}[default]\nrole_arn = x\n", "#\n".repeat(3 * 1024 * 1024)))
            .unwrap();
        let check = |variable: &str, path: &str| {
            check_files(&[(variable.to_owned(), path.to_owned())].into_iter().collect())
        };
        for variable in ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"] {
            for path in [&*pipe.to_string_lossy(), "/dev/null", "/no/such/file"] {
                assert!(check(variable, path).is_ok(), "{path}");
            }
            let failure = check(variable, &large.to_string_lossy()).unwrap_err();
            assert!(failure.story().contains("too large"), "{failure}");
        }
    }
}
