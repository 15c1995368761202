//! A folder with providers of Terraform, in the layout of its file-system mirror, as `terraform providers mirror` makes it.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use crate::process::Result;

/// The variable that names the folder.
pub(super) const VARIABLE: &str = "WIF_PROVIDER_MIRROR";

/// The folder that is given.
#[expect(clippy::disallowed_methods, reason = "the caller of this chore says where the providers are")]
pub(super) fn folder() -> Option<PathBuf> {
    env::var_os(VARIABLE).filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

/// This machine's platform, in Terraform's words: `linux_amd64`.
pub(super) fn platform() -> String {
    let system = if cfg!(target_os = "macos") { "darwin" } else { env::consts::OS };
    let machine = match env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("{system}_{machine}")
}

/// The newest version of a provider that the mirror has for a platform. The error names the file that is missing.
pub(super) fn version(mirror: &Path, namespace: &str, name: &str, platform: &str) -> Result<String> {
    let folder = mirror.join("registry.terraform.io").join(namespace).join(name);
    let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
    let newest = entries.filter_map(|entry| {
        let file = entry.file_name().to_string_lossy().into_owned();
        let version = match packed(&file, name, platform) {
            Some(version) if entry.path().is_file() => version,
            _ if entry.path().join(platform).is_dir() => &file,
            _ => return None,
        };
        let numbers: Option<Vec<u32>> = version.split('.').map(|part| part.parse().ok()).collect();
        Some((numbers?, version.to_owned()))
    });
    let missing = || {
        let file = format!("terraform-provider-{name}_VERSION_{platform}.zip");
        format!(
            "{VARIABLE} lacks the provider {namespace}/{name}: there is neither {} nor the folder VERSION/{platform} beside it",
            folder.join(file).display()
        )
    };
    newest.max().map(|(_numbers, version)| version).ok_or_else(missing)
}

/// The version in the name of a packed provider, `terraform-provider-NAME_VERSION_PLATFORM.zip`.
fn packed<'a>(file: &'a str, name: &str, platform: &str) -> Option<&'a str> {
    let rest = file.strip_prefix("terraform-provider-")?.strip_prefix(name)?.strip_prefix('_')?;
    rest.strip_suffix(".zip")?.strip_suffix(platform)?.strip_suffix('_')
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLATFORM: &str = "linux_amd64";

    /// A mirror with these files.
    fn mirror(files: &[&str]) -> tempfile::TempDir {
        let mirror = tempfile::tempdir().unwrap();
        for file in files {
            let file = mirror.path().join("registry.terraform.io").join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        }
        mirror
    }

    #[test]
    fn a_mirror_gives_the_newest_version_packed_or_unpacked() {
        let packed = "Azure/azapi/terraform-provider-azapi_10.2.0_linux_amd64.zip";
        let unpacked = "Azure/azapi/9.0.0/linux_amd64/terraform-provider-azapi_v9.0.0";
        let index = "Azure/azapi/index.json";
        for (files, version) in [(&[packed, unpacked, index][..], "10.2.0"), (&[unpacked, index], "9.0.0")] {
            let mirror = mirror(files);
            assert_eq!(super::version(mirror.path(), "Azure", "azapi", PLATFORM).as_deref(), Ok(version));
        }
    }

    #[test]
    fn a_mirror_without_the_provider_is_an_error_that_names_the_missing_file() {
        for files in [
            &[][..],
            // Another provider, another platform packed and unpacked, a name that only begins alike, and no version.
            &["hashicorp/azurerm/terraform-provider-azurerm_5.0.0_linux_amd64.zip"],
            &["Azure/azapi/terraform-provider-azapi_2.0.0_darwin_arm64.zip"],
            &["Azure/azapi/2.0.0/darwin_arm64/terraform-provider-azapi_v2.0.0"],
            &["Azure/azapi/terraform-provider-azapix_2.0.0_linux_amd64.zip"],
            &["Azure/azapi/terraform-provider-azapi_latest_linux_amd64.zip"],
        ] {
            let mirror = mirror(files);
            let error = version(mirror.path(), "Azure", "azapi", PLATFORM).unwrap_err();
            let file = "registry.terraform.io/Azure/azapi/terraform-provider-azapi_VERSION_linux_amd64.zip";
            assert!(error.contains(&mirror.path().join(file).display().to_string()), "{error}");
        }
    }
}
