//! The emulator's own CA, and the certificates that it signs: one for the servers and one for a client.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, PublicKeyData, SignatureAlgorithm, SigningKey,
};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};

/// Public host names in the servers' certificate, which a CONNECT proxy may lead here.
pub(crate) const PUBLIC_NAMES: [&str; 13] = [
    "dev.azure.com",
    "vssps.dev.azure.com",
    "login.microsoftonline.com",
    "management.azure.com",
    "login.microsoftonline.us",
    "management.usgovcloudapi.net",
    "login.chinacloudapi.cn",
    "graph.microsoft.com",
    "management.chinacloudapi.cn",
    "*.blob.core.windows.net",
    "sts.eu-central-1.amazonaws.com",
    "sts.googleapis.com",
    "iamcredentials.googleapis.com",
];

const LOOPBACK_NAMES: [&str; 3] = ["127.0.0.1", "::1", "localhost"];

/// The files of the CA and the configuration of the listeners.
pub(crate) struct Trust {
    folder: TempDir,
    pub(crate) server: Arc<ServerConfig>,
}

impl Trust {
    pub(crate) fn new(now: OffsetDateTime, require_client: bool, http1_only: bool) -> Self {
        let ca = CertifiedIssuer::self_signed(ca_params(now), CaKey(new_key())).expect("the CA signs itself");
        let key = new_key();
        let names: Vec<String> =
            LOOPBACK_NAMES.iter().chain(PUBLIC_NAMES.iter()).map(ToString::to_string).collect();
        let leaf = leaf_params(names, "emulator", ExtendedKeyUsagePurpose::ServerAuth, now)
            .signed_by(&key, &ca)
            .expect("the CA signs the servers' certificate");

        let client_key = new_key();
        let client = leaf_params(vec![], "emulated client", ExtendedKeyUsagePurpose::ClientAuth, now)
            .signed_by(&client_key, &ca)
            .expect("the CA signs the client's certificate");

        let folder = tempfile::Builder::new().prefix("emulator-").tempdir().expect("a private folder");
        let write = |name: &str, text: String| {
            std::fs::write(folder.path().join(name), text).expect("the folder can be written");
        };
        write(CA_FILE, ca.pem());
        write(CLIENT_FILE, client.pem());
        write(CLIENT_KEY_FILE, client_key.serialize_pem());
        write(SERVER_FILE, leaf.pem());
        write(SERVER_KEY_FILE, key.serialize_pem());

        let chain = vec![leaf.der().clone(), ca.der().clone()];
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let server = server_config(ca.der(), chain, key, require_client, http1_only);
        Self { folder, server: Arc::new(server) }
    }

    pub(crate) fn ca_file(&self) -> PathBuf {
        self.file(CA_FILE)
    }

    pub(crate) fn client_identity(&self) -> (PathBuf, PathBuf) {
        (self.file(CLIENT_FILE), self.file(CLIENT_KEY_FILE))
    }

    pub(crate) fn server_identity(&self) -> (PathBuf, PathBuf) {
        (self.file(SERVER_FILE), self.file(SERVER_KEY_FILE))
    }

    fn file(&self, name: &str) -> PathBuf {
        Path::join(self.folder.path(), name)
    }
}

fn server_config(
    ca: &CertificateDer<'static>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    require_client: bool,
    http1_only: bool,
) -> ServerConfig {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS 1.2 and 1.3");
    let builder = if require_client {
        let mut roots = RootCertStore::empty();
        roots.add(ca.clone()).expect("the CA is a CA");
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .expect("one root is enough");
        builder.with_client_cert_verifier(verifier)
    } else {
        builder.with_no_client_auth()
    };
    let mut config = builder.with_single_cert(chain, key).expect("the key belongs to the certificate");
    config.alpn_protocols =
        if http1_only { vec![b"http/1.1".to_vec()] } else { vec![b"h2".to_vec(), b"http/1.1".to_vec()] };
    config
}

fn ca_params(now: OffsetDateTime) -> CertificateParams {
    let mut params = params(vec![], "emulator CA", now);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn leaf_params(
    names: Vec<String>,
    common_name: &str,
    purpose: ExtendedKeyUsagePurpose,
    now: OffsetDateTime,
) -> CertificateParams {
    let mut params = params(names, common_name, now);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![purpose];
    // Python's strict mode refuses a certificate that does not name its issuer's key.
    params.use_authority_key_identifier_extension = true;
    params
}

fn params(names: Vec<String>, common_name: &str, now: OffsetDateTime) -> CertificateParams {
    let mut params = CertificateParams::new(names).expect("the names are host names or addresses");
    params.distinguished_name.push(DnType::CommonName, common_name);
    // The verifiers of some platforms refuse longer lifetimes.
    params.not_before = now - Duration::days(1);
    params.not_after = now + Duration::days(90);
    params
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("an elliptic curve key can be made")
}

/// Signs again until both numbers of the signature have full length: one in 128 has a shorter one, which Wine 8 cannot
/// verify.
struct CaKey(KeyPair);

impl SigningKey for CaKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        loop {
            let signature = self.0.sign(message)?;
            // A sequence and two integers, each a tag, a length and the content (RFC 3279, 2.2.3).
            if let [_, _, _, first, rest @ ..] = signature.as_slice()
                && *first >= 32
                && rest.get(usize::from(*first) + 1).is_some_and(|second| *second >= 32)
            {
                return Ok(signature);
            }
        }
    }
}

impl PublicKeyData for CaKey {
    fn der_bytes(&self) -> &[u8] {
        self.0.der_bytes()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.0.algorithm()
    }
}

const CA_FILE: &str = "ca.pem";
const CLIENT_FILE: &str = "client.pem";
const CLIENT_KEY_FILE: &str = "client-key.pem";
const SERVER_FILE: &str = "server.pem";
const SERVER_KEY_FILE: &str = "server-key.pem";
