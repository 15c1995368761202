//! What package managers read: winget's manifests and Homebrew's formula, with the sums of the archives.

/// An archive of a release.
pub(super) struct Archive {
    pub(super) file: String,
    /// The platform, in Node's words.
    pub(super) platform: &'static str,
    pub(super) sum: String,
}

/// Where the archives of a release are.
fn url(version: &str, file: &str) -> String {
    format!("https://github.com/wif-azure/wif/releases/download/v{version}/{file}")
}

const ABOUT: &str = "Secret-free sign-in to Azure, by workload identity federation";

/// The three files of winget: names below `manifests/w/wif-azure/wif/VERSION/`, and texts. Windows on arm64 runs the program for x64.
pub(super) fn winget(version: &str, archives: &[Archive]) -> Vec<(String, String)> {
    let Some(windows) = archives.iter().find(|archive| archive.platform == "win32-x64") else {
        return Vec::new();
    };
    let folder = windows.file.trim_end_matches(".zip");
    let head = |kind: &str| {
        format!(
            "# yaml-language-server: $schema=https://aka.ms/winget-manifest.{kind}.1.6.0.schema.json\n\
             PackageIdentifier: wif-azure.wif\nPackageVersion: {version}\n"
        )
    };
    let foot = |kind: &str| format!("ManifestType: {kind}\nManifestVersion: 1.6.0\n");
    let installers: String = ["x64", "arm64"]
        .map(|architecture| {
            format!(
                "  - Architecture: {architecture}\n    InstallerUrl: {}\n    InstallerSha256: {}\n",
                url(version, &windows.file),
                windows.sum.to_uppercase()
            )
        })
        .concat();
    let installer = format!(
        "{}InstallerType: zip\nNestedInstallerType: portable\nNestedInstallerFiles:\n  - RelativeFilePath: {folder}\\wif.exe\n    \
         PortableCommandAlias: wif\n  - RelativeFilePath: {folder}\\wif-operator.exe\n    PortableCommandAlias: wif-operator\nInstallers:\n{installers}{}",
        head("installer"),
        foot("installer")
    );
    let locale = format!(
        "{}PackageLocale: en-US\nPublisher: wif-azure\nPackageName: wif\nPackageUrl: https://github.com/wif-azure/wif\n\
         License: MIT\nLicenseUrl: https://github.com/wif-azure/wif/blob/main/LICENSE\nShortDescription: {ABOUT}\n{}",
        head("defaultLocale"),
        foot("defaultLocale")
    );
    let own = format!("{}DefaultLocale: en-US\n{}", head("version"), foot("version"));
    let name = |kind: &str| format!("wif-azure.wif{kind}.yaml");
    vec![(name(""), own), (name(".installer"), installer), (name(".locale.en-US"), locale)]
}

/// Homebrew's formula, for the systems whose archives are there.
pub(super) fn homebrew(version: &str, archives: &[Archive]) -> String {
    let one = |platform: &str, block: &str| {
        let found = archives.iter().find(|archive| archive.platform == platform);
        found.map_or(String::new(), |archive| {
            format!(
                "    on_{block} do\n      url \"{}\"\n      sha256 \"{}\"\n    end\n",
                url(version, &archive.file),
                archive.sum
            )
        })
    };
    let system = |name: &str, platform: &str| {
        let all = one(&format!("{platform}-arm64"), "arm") + &one(&format!("{platform}-x64"), "intel");
        if all.is_empty() { String::new() } else { format!("  on_{name} do\n{all}  end\n\n") }
    };
    format!(
        "class Wif < Formula\n  desc \"{ABOUT}\"\n  homepage \"https://github.com/wif-azure/wif\"\n  version \"{version}\"\n  license \"MIT\"\n\n\
         {}{}  def install\n    bin.install Dir[\"wif*\"]\n    man1.install Dir[\"man/*.1\"]\n    \
         bash_completion.install \"completions/wif.bash\" => \"wif\", \"completions/wif-operator.bash\" => \"wif-operator\"\n    \
         zsh_completion.install Dir[\"completions/_wif*\"].reject {{ |file| file.end_with? \".ps1\" }}\n    \
         fish_completion.install Dir[\"completions/*.fish\"]\n  end\n\n  test do\n    \
         assert_match version.to_s, shell_output(\"#{{bin}}/wif --version\")\n  end\nend\n",
        system("macos", "darwin"),
        system("linux", "linux")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_has_the_sum_of_its_archive_and_names_no_archive_that_is_not_there() {
        let archive = |platform, file: &str, sum: &str| Archive {
            file: file.to_owned(),
            platform,
            sum: sum.to_owned(),
        };
        let archives =
            [archive("linux-x64", "l.tar.gz", "aa"), archive("win32-x64", "wif-1.2.3-w.zip", "bb")];
        let formula = homebrew("1.2.3", &archives);
        assert!(
            formula.contains("v1.2.3/l.tar.gz\"\n      sha256 \"aa\"") && !formula.contains("on_macos"),
            "{formula}"
        );
        let files = winget("1.2.3", &archives);
        let installer = &files.iter().find(|(name, _)| name.contains("installer")).unwrap().1;
        assert!(installer.contains("v1.2.3/wif-1.2.3-w.zip\n    InstallerSha256: BB\n"), "{installer}");
        assert!(installer.contains("RelativeFilePath: wif-1.2.3-w\\wif.exe"), "{installer}");
        assert!(winget("1.2.3", &archives[..1]).is_empty());
    }
}
