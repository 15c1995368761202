//! The Azure CLI of the agent's machine: where it keeps things, and which version it is, found without starting it.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use wif_core::exports;
use wif_io::{env::Env, program};

/// What its program is called, by the ways it is installed.
pub(super) const PROGRAMS: &[&str] = if cfg!(windows) { &["az.cmd", "az.bat", "az.exe"] } else { &["az"] };
/// Where Microsoft's packages have the libraries of a program that lies in `/usr/bin`.
const PACKAGES: [&str; 2] = ["/opt/az", "/usr/lib64/az"];

/// Where it finds installed extensions, unless a variable or the user's own settings say so already: a private configuration folder would hide
/// those that are in the user's own.
#[must_use]
pub(crate) fn extensions(env: &Env) -> Option<PathBuf> {
    if env.get("AZURE_EXTENSION_DIR").is_some() {
        return None;
    }
    let folder = own_folder(env)?;
    let config = settings(&folder.join(CONFIG)).ok().flatten().unwrap_or_default();
    (!exports::azure_cli_names_extension_folder(&config)).then(|| folder.join("cliextensions"))
}

/// The user's own configuration folder, whether it is there or not.
fn own_folder(env: &Env) -> Option<PathBuf> {
    let own = env.get("AZURE_CONFIG_DIR").map(PathBuf::from);
    let home = ["HOME", "USERPROFILE"].into_iter().find_map(|name| env.get(name));
    own.or_else(|| Some(PathBuf::from(home?).join(".azure")))
}

/// What a user has in the own configuration folder, and a private one would hide.
#[derive(Debug, Default)]
pub(crate) struct OwnFiles {
    /// The text of `config`: defaults, output, extensions' and Bicep's settings.
    pub(crate) config: Option<String>,
    /// The text of `clouds.config`: clouds that were registered.
    pub(crate) clouds: Option<String>,
    /// The folder `bin`, in which az keeps Bicep.
    pub(crate) programs: Option<PathBuf>,
    /// The names of files that are there and could not be used, each with the reason.
    pub(crate) unusable: Vec<String>,
}

/// The user's own settings.
const CONFIG: &str = "config";
/// The largest file of settings that is read, in bytes.
const MAX_SETTINGS_BYTES: u64 = 64 * 1024;

impl OwnFiles {
    /// Finds and reads them.
    #[must_use]
    pub(crate) fn read(env: &Env) -> Self {
        let mut files = Self::default();
        let Some(folder) = own_folder(env) else { return files };
        let mut text = |name: &str| {
            let path = folder.join(name);
            settings(&path).unwrap_or_else(|reason| {
                files.unusable.push(format!("{}: {reason}", path.display()));
                None
            })
        };
        (files.config, files.clouds) = (text(CONFIG), text("clouds.config"));
        files.programs = Some(folder.join("bin")).filter(|bin| bin.is_dir());
        files
    }
}

/// The text of a file of settings; none, where there is no file.
fn settings(path: &Path) -> Result<Option<String>, String> {
    // Looked at before it is opened: a pipe would wait for a writer.
    match fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
        Ok(found) if !found.is_file() => return Err("it is not a file".to_owned()),
        Ok(found) if found.len() > MAX_SETTINGS_BYTES => {
            return Err(format!("it is larger than {} KiB", MAX_SETTINGS_BYTES / 1024));
        }
        Ok(_) => {}
    }
    let mut text = String::new();
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    file.take(MAX_SETTINGS_BYTES).read_to_string(&mut text).map_err(|error| error.to_string())?;
    Ok(Some(text))
}

/// Whether `az` of this version asks another address than `IDENTITY_ENDPOINT` for the tokens of a managed identity.
#[must_use]
pub(crate) fn is_too_old(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or_default());
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default()) < OLDEST_VERSION
}

/// The first version that can be signed in: 2.71 and 2.72 by the setting `core.use_msal_managed_identity`.
const OLDEST_VERSION: (u32, u32) = (2, 71);

/// The version of the first `az` on the `PATH`. Nothing, where it is installed in a way that is not known here.
#[must_use]
pub(crate) fn version(env: &Env) -> Option<String> {
    version_of(&program::find(env, PROGRAMS)?)
}

/// The version of an `az`, by the name of its library's folder (`azure_cli_core-2.91.0.dist-info`).
pub(super) fn version_of(program: &Path) -> Option<String> {
    let real = fs::canonicalize(program).ok();
    // `bin` beside `lib` (pip, Homebrew), or `wbin` beside `Lib` (Windows).
    let prefixes = [Some(program), real.as_deref()].into_iter().flatten();
    let prefixes = prefixes.filter_map(|program| Some(program.parent()?.parent()?.to_owned()));
    let packaged = PACKAGES.iter().filter(|_| program.starts_with("/usr/bin")).map(PathBuf::from);
    packaged.chain(prefixes).find_map(|prefix| installed(&prefix))
}

/// The version of the library that is installed under a prefix.
fn installed(prefix: &Path) -> Option<String> {
    let windows = [prefix.join("Lib").join("site-packages")];
    let unix = [prefix.join("lib"), prefix.join("libexec").join("lib")].into_iter().flat_map(|lib| {
        let pythons = names(&lib).filter(|name| name.starts_with("python3")).collect::<Vec<_>>();
        pythons.into_iter().flat_map(move |python| {
            ["site-packages", "dist-packages"].map(|packages| lib.join(&python).join(packages))
        })
    });
    windows.into_iter().chain(unix).find_map(|packages| names(&packages).find_map(|name| core(&name)))
}

fn core(name: &str) -> Option<String> {
    let (version, _) = name.strip_prefix("azure_cli_core-")?.split_once('-')?;
    let version = version.trim_end_matches(".dist").trim_end_matches(".egg");
    let plain =
        version.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    plain.then(|| version.to_owned())
}

fn names(folder: &Path) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(variables: &[(&str, &Path)]) -> Env {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        variables.iter().map(|(name, value)| ((*name).to_owned(), text(value))).collect()
    }

    #[test]
    fn extensions_are_in_the_users_own_folder_unless_a_variable_says_more() {
        let (home, own) = (Path::new("/home/vsts"), Path::new("/own"));
        let usual = home.join(".azure").join("cliextensions");
        assert_eq!(extensions(&env(&[("HOME", home)])), Some(usual));
        let both = [("HOME", home), ("AZURE_CONFIG_DIR", own)];
        assert_eq!(extensions(&env(&both)), Some(own.join("cliextensions")));
        assert_eq!(extensions(&env(&[("HOME", home), ("AZURE_EXTENSION_DIR", own)])), None);
        assert_eq!(extensions(&env(&[])), None);
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join("config"), "[extension]\ndir = /opt/extensions\n").unwrap();
        assert_eq!(extensions(&env(&[("HOME", home), ("AZURE_CONFIG_DIR", temp.path())])), None);
    }

    #[test]
    fn only_files_of_settings_are_read_and_what_cannot_be_is_named() {
        let temp = tempfile::tempdir().unwrap();
        let read = || OwnFiles::read(&env(&[("AZURE_CONFIG_DIR", temp.path())]));
        assert!(read().config.is_none() && read().unusable.is_empty() && read().programs.is_none());
        fs::write(temp.path().join("config"), "[core]\n").unwrap();
        fs::create_dir(temp.path().join("clouds.config")).unwrap();
        fs::create_dir(temp.path().join("bin")).unwrap();
        let files = read();
        assert_eq!(files.config.as_deref(), Some("[core]\n"));
        assert_eq!(files.programs, Some(temp.path().join("bin")));
        let [one] = &files.unusable[..] else { panic!("{:?}", files.unusable) };
        assert!(one.contains("clouds.config") && one.ends_with("it is not a file"), "{one}");
        fs::write(temp.path().join("config"), vec![b'#'; 64 * 1024 + 1]).unwrap();
        assert!(read().config.is_none() && read().unusable[0].contains("64 KiB"), "{:?}", read().unusable);
        fs::write(temp.path().join("config"), [0xFF, 0xFE]).unwrap();
        assert!(read().config.is_none() && read().unusable.len() == 2, "{:?}", read().unusable);
    }

    #[test]
    fn versions_before_2_71_are_too_old() {
        for (version, old) in [
            ("2.70.0", true),
            ("2.9.1", true),
            ("1.99", true),
            ("2.71.0", false),
            ("2.100.0", false),
            ("3.0.0", false),
        ] {
            assert_eq!(is_too_old(version), old, "{version}");
        }
    }

    #[test]
    fn the_version_is_read_beside_the_first_az_on_the_path() {
        let temp = tempfile::tempdir().unwrap();
        let install = |name: &str, packages: &str, core: &str| {
            let prefix = temp.path().join(name);
            fs::create_dir_all(prefix.join(packages).join(core)).unwrap();
            fs::create_dir_all(prefix.join("bin")).unwrap();
            let program = prefix.join("bin").join(PROGRAMS[0]);
            fs::write(&program, "").unwrap();
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt as _;
                fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
            }
            prefix.join("bin")
        };
        let pip = install("pip", "lib/python3.11/site-packages", "azure_cli_core-2.91.0.dist-info");
        let brew = install("brew", "libexec/lib/python3.13/site-packages", "azure_cli_core-2.90.1.dist-info");
        let egg = install("egg", "Lib/site-packages", "azure_cli_core-2.45.0.egg-info");
        let other = install("other", "lib/python3.11/site-packages", "azure_cli_telemetry-1.1.0.dist-info");
        let odd = install("odd", "lib/python3.11/site-packages", "azure_cli_core-2.x.dist-info");
        let of = |folders: &[&Path]| {
            let path = std::env::join_paths(folders).unwrap();
            version(&env(&[("PATH", Path::new(&path))]))
        };
        assert_eq!(of(&[temp.path(), &pip, &brew]).as_deref(), Some("2.91.0"));
        assert_eq!(of(&[&brew, &pip]).as_deref(), Some("2.90.1"));
        assert_eq!(of(&[&egg]).as_deref(), Some("2.45.0"));
        for none in [&other, &odd, &temp.path().to_owned()] {
            assert_eq!(of(&[none]), None, "{none:?}");
        }
        #[cfg(unix)]
        {
            let link = temp.path().join("link");
            fs::create_dir(&link).unwrap();
            std::os::unix::fs::symlink(brew.join("az"), link.join("az")).unwrap();
            assert_eq!(of(&[&link]).as_deref(), Some("2.90.1"), "Homebrew links its programs");
        }
    }
}
