//! The Azure CLI of the agent's machine: where it keeps things, and which version it is, found without starting it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::env::Env;

/// What its program is called, by the ways it is installed.
const PROGRAMS: &[&str] = if cfg!(windows) { &["az.cmd", "az.bat", "az.exe"] } else { &["az"] };
/// Where Microsoft's packages have the libraries of a program that lies in `/usr/bin`.
const PACKAGES: [&str; 2] = ["/opt/az", "/usr/lib64/az"];

/// Where it finds installed extensions, unless a variable says so already: a private configuration folder would hide
/// those that are in the user's own.
#[must_use]
pub fn extensions(env: &Env) -> Option<PathBuf> {
    if env.get("AZURE_EXTENSION_DIR").is_some() {
        return None;
    }
    let own = env.get("AZURE_CONFIG_DIR").map(PathBuf::from);
    let home = ["HOME", "USERPROFILE"].into_iter().find_map(|name| env.get(name));
    own.or_else(|| Some(PathBuf::from(home?).join(".azure"))).map(|folder| folder.join("cliextensions"))
}

/// The version of the first `az` on the `PATH`, by the name of its library's folder (`azure_cli_core-2.91.0.dist-info`).
/// Nothing, where it is installed in a way that is not known here.
#[must_use]
pub fn version(env: &Env) -> Option<String> {
    let path = std::env::split_paths(env.get("PATH")?).collect::<Vec<_>>();
    let program = path
        .iter()
        .flat_map(|folder| PROGRAMS.iter().map(|name| folder.join(name)))
        .find(|program| program.is_file())?;
    let real = fs::canonicalize(&program).ok();
    // `bin` beside `lib` (pip, Homebrew), or `wbin` beside `Lib` (Windows).
    let prefixes = [Some(program.as_path()), real.as_deref()].into_iter().flatten();
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
    }

    #[test]
    fn the_version_is_read_beside_the_first_az_on_the_path() {
        let temp = tempfile::tempdir().unwrap();
        let install = |name: &str, packages: &str, core: &str| {
            let prefix = temp.path().join(name);
            fs::create_dir_all(prefix.join(packages).join(core)).unwrap();
            fs::create_dir_all(prefix.join("bin")).unwrap();
            fs::write(prefix.join("bin").join(PROGRAMS[0]), "").unwrap();
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
