//! Which certificate authorities are trusted.

use std::{
    collections::HashSet,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use reqwest::Certificate;
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use wif_core::{foreign_text::one_line, pem};
use wif_io::env::Env;

use super::{
    file::read_file,
    remarks::{MAX_SHOWN, NetworkError, Remarks},
};

/// A folder of certificates has fewer files than this.
const MAX_FILES: usize = 2000;

/// Variables by which other programs are told of a CA: Node, and Python's requests.
pub(super) const OF_OTHERS: [&str; 3] = ["NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"];
pub(super) const AGENT_FILE: &str = "AGENT_CAINFO";
pub(super) const FILE: &str = "SSL_CERT_FILE";
pub(super) const FOLDERS: &str = "SSL_CERT_DIR";
/// Whether the system's store is files. Elsewhere the system itself judges, and these variables only add to it.
const STORE_IS_FILES: bool = cfg!(all(unix, not(target_vendor = "apple")));

/// The certificates to trust.
pub(super) struct Roots {
    pub(super) certificates: Vec<Certificate>,
    /// Whether nothing but these is trusted: the system's store is among them.
    pub(super) complete: bool,
}

/// Certificates of one or more files, without those that cannot be read.
#[derive(Default)]
struct Bundle {
    usable: Vec<CertificateDer<'static>>,
    /// Which cannot be read, counted from 1.
    damaged: Vec<usize>,
}

/// The agent's CAs, and those of the store: that of `SSL_CERT_FILE` and `SSL_CERT_DIR`, else the system's.
///
/// The store is read here, and not by the TLS library: that one takes the two variables from the environment of the
/// process. They may name a file that is not there, and a broker has neither.
pub(super) fn read(env: &Env, remarks: &mut Remarks) -> Result<Roots, NetworkError> {
    let mut roots = of_agent(env, remarks)?;
    let mut store = named_store(env, remarks);
    if STORE_IS_FILES && store.is_empty() {
        store = system_store(env);
    }
    roots.append(&mut store);
    let mut known = HashSet::new();
    let certificates = roots
        .iter()
        .filter(|der| known.insert(*der))
        .filter_map(|der| Certificate::from_der(der).ok())
        .collect();
    Ok(Roots { certificates, complete: STORE_IS_FILES })
}

/// The variables that name a CA for other programs, where they are set.
pub(super) fn named_for_others(env: &Env) -> Vec<&'static str> {
    OF_OTHERS.into_iter().filter(|name| env.get(name).is_some()).collect()
}

/// The CA file is a path of the host: in a container it may not be there, and may not be needed.
fn of_agent(env: &Env, remarks: &mut Remarks) -> Result<Vec<CertificateDer<'static>>, NetworkError> {
    let (variable, Some(path)) = (AGENT_FILE, env.get(AGENT_FILE)) else { return Ok(Vec::new()) };
    let pem = match read_file(path) {
        Ok(pem) => pem,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            remarks.warnings.push(format!(
                "The agent's CA file is not there ({}); only the system's CAs are trusted. In a container, mount it at the same path.",
                one_line(path, MAX_SHOWN)
            ));
            return Ok(Vec::new());
        }
        Err(source) => return Err(NetworkError::Unreadable { variable, source }),
    };
    let bundle = Bundle::read(&pem);
    if bundle.usable.is_empty() {
        let path = one_line(path, MAX_SHOWN);
        return Err(NetworkError::NoCertificate { variable, path });
    }
    bundle.remark(variable, path, remarks);
    Ok(bundle.usable)
}

/// The store that the machine's variables name in place of the system's. One that has no certificate for us is passed
/// over, as OpenSSL does, but aloud.
fn named_store(env: &Env, remarks: &mut Remarks) -> Vec<CertificateDer<'static>> {
    let (file, folders) = (env.get(FILE), env.get(FOLDERS));
    let mut store = Vec::new();
    let mut passed_over = Vec::new();
    if let Some(path) = file {
        let bundle = read_file(path).map(|pem| Bundle::read(&pem));
        match bundle {
            Ok(bundle) if !bundle.usable.is_empty() => {
                bundle.remark(FILE, path, remarks);
                store = bundle.usable;
            }
            Ok(_) => passed_over.push((FILE, path, "has no usable certificate in PEM".to_owned())),
            Err(error) => passed_over.push((FILE, path, format!("cannot be read: {error}"))),
        }
    }
    if let Some(paths) = folders {
        let of_folders = of_files(files_in(std::env::split_paths(paths)));
        // A file may be enough, as in OpenSSL.
        if of_folders.is_empty() && store.is_empty() {
            passed_over.push((FOLDERS, paths, "has no usable certificate in PEM".to_owned()));
        }
        store.extend(of_folders);
    }
    let instead =
        if store.is_empty() { "the system's CAs are trusted" } else { "the CAs of SSL_CERT_DIR are trusted" };
    remarks.warnings.extend(passed_over.into_iter().map(|(variable, path, why)| {
        format!("What {variable} names ({}) {why}; it was passed over, and {instead}. In a container, mount it at the same path.", one_line(path, MAX_SHOWN))
    }));
    store
}

/// The system's own store, whatever the variables say.
fn system_store(env: &Env) -> Vec<CertificateDer<'static>> {
    let (file, folders) = system_places();
    // The search takes the file of the variable for the system's.
    let file = file.filter(|file| env.get(FILE).is_none_or(|named| Path::new(named) != file));
    of_files(file.into_iter().chain(files_in(folders)))
}

#[cfg(all(unix, not(target_vendor = "apple")))]
fn system_places() -> (Option<PathBuf>, Vec<PathBuf>) {
    (openssl_probe::probe().cert_file, openssl_probe::candidate_cert_dirs().map(Path::to_owned).collect())
}

#[cfg(not(all(unix, not(target_vendor = "apple"))))]
fn system_places() -> (Option<PathBuf>, Vec<PathBuf>) {
    (None, Vec::new())
}

fn files_in(folders: impl IntoIterator<Item = PathBuf>) -> impl Iterator<Item = PathBuf> {
    let entries = |folder| fs::read_dir(folder).into_iter().flatten().flatten().take(MAX_FILES);
    folders.into_iter().flat_map(entries).map(|entry| entry.path())
}

/// The certificates of all these files. Other content is passed over in silence, as OpenSSL does.
fn of_files(paths: impl Iterator<Item = PathBuf>) -> Vec<CertificateDer<'static>> {
    // Most files have a second name, by which OpenSSL finds them, and most certificates are in a bundle too.
    let (mut known_paths, mut known) = (HashSet::new(), HashSet::new());
    paths
        .filter_map(|path| fs::canonicalize(path).ok())
        .filter(|path| known_paths.insert(path.clone()))
        .filter_map(|path| read_file(path).ok())
        .flat_map(|text| certificates(&text).flatten().collect::<Vec<_>>())
        .filter(|der| known.insert(der.clone()))
        .filter(is_usable)
        .collect()
}

/// The certificates of a text; nothing in the place of one that is not whole PEM.
fn certificates(text: &[u8]) -> impl Iterator<Item = Option<CertificateDer<'static>>> {
    let sections = pem::sections(text).filter(|section| section.starts_with(b"-----BEGIN CERTIFICATE-----"));
    sections.map(|section| CertificateDer::from_pem_slice(section).ok())
}

impl Bundle {
    fn read(text: &[u8]) -> Self {
        let mut bundle = Self::default();
        for (certificate, number) in certificates(text).zip(1..) {
            match certificate.filter(is_usable) {
                Some(der) => bundle.usable.push(der),
                None => bundle.damaged.push(number),
            }
        }
        bundle
    }

    /// Names the certificates that were passed over.
    fn remark(&self, variable: &str, path: &str, remarks: &mut Remarks) {
        if !self.damaged.is_empty() {
            let (path, count) = (one_line(path, MAX_SHOWN), self.damaged.len() + self.usable.len());
            let Self { damaged, .. } = self;
            remarks.warnings.push(format!(
                "In the file that {variable} names ({path}), {} of {count} cannot be read and was passed over",
                Numbers(damaged)
            ));
        }
    }
}

/// `certificate 2`, `certificates 2, 3`, and no more than a few.
struct Numbers<'a>(&'a [usize]);

impl fmt::Display for Numbers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MAX_NUMBERS: usize = 10;
        let Self(numbers) = self;
        let shown: Vec<_> = numbers.iter().take(MAX_NUMBERS).map(ToString::to_string).collect();
        write!(f, "certificate{} {}", if numbers.len() == 1 { "" } else { "s" }, shown.join(", "))?;
        if numbers.len() > MAX_NUMBERS { f.write_str(", …") } else { Ok(()) }
    }
}

/// Whether the TLS library can read a certificate as that of an authority.
fn is_usable(der: &CertificateDer<'static>) -> bool {
    RootCertStore::empty().add(der.clone()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(variables: &[(&str, &str)]) -> Env {
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn count(variables: &[(&str, &str)]) -> (usize, Remarks) {
        let mut remarks = Remarks::default();
        let roots = read(&env(variables), &mut remarks).unwrap();
        assert_eq!(roots.complete, STORE_IS_FILES);
        (roots.certificates.len(), remarks)
    }

    #[test]
    fn what_the_variables_name_takes_the_place_of_the_systems_store_or_leaves_it_whole() {
        let authority = emulator::Emulator::start();
        let own = authority.ca_file().to_str().unwrap();
        let (system, remarks) = count(&[]);
        assert_eq!(remarks, Remarks::default());
        let store = if STORE_IS_FILES { 0 } else { system };
        assert_eq!(count(&[(FILE, own)]), (store + 1, Remarks::default()));
        let temp = tempfile::tempdir().unwrap();
        fs::copy(own, temp.path().join("a.pem")).unwrap();
        fs::write(temp.path().join("README"), "certificates").unwrap();
        let folder = temp.path().to_str().unwrap();
        for variables in [&[(FOLDERS, folder)][..], &[(FOLDERS, folder), (FILE, own)]] {
            assert_eq!(count(variables), (store + 1, Remarks::default()));
        }
        for (variables, warnings) in [
            (&[(FILE, "/nonexistent/ca.pem")][..], 1),
            (&[(FILE, "Cargo.toml")], 1),
            (&[(FILE, "src")], 1),
            (&[(FOLDERS, "/nonexistent")], 1),
            (&[(FOLDERS, "src"), (FILE, "/nonexistent/ca.pem")], 2),
        ] {
            let (found, remarks) = count(variables);
            assert_eq!((found, remarks.warnings.len()), (system, warnings), "{variables:?} {remarks:?}");
            for (warning, (name, value)) in remarks.warnings.iter().zip(variables.iter().rev()) {
                assert!(warning.contains(name) && warning.contains(value), "{warning}");
            }
        }
        let (found, remarks) = count(&[(FILE, "/nonexistent/ca.pem"), (FOLDERS, folder)]);
        assert_eq!((found, remarks.warnings.len()), (store + 1, 1));
    }
}
