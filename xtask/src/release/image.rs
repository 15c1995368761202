//! A container image from scratch with the program and its licenses, as an archive in the layout of OCI. No container engine is needed
//! to make it. Sources: opencontainers/image-spec, image-layout.md, manifest.md, config.md.

use serde_json::{Value, json};

use super::archive::{Entry, gzip, sum, tar};
use crate::process::Result;

/// The program for one architecture.
pub(super) struct Architecture {
    /// As Go spells it.
    pub(super) name: &'static str,
    /// What the image's root folder has.
    pub(super) files: Vec<Entry>,
}

/// The image's name where it is loaded.
pub(super) const NAME: &str = "ghcr.io/wif-azure/wif";

/// The archive, for all architectures.
pub(super) fn image(version: &str, commit: &str, all: &[Architecture]) -> Result<Vec<u8>> {
    let mut blobs = Vec::new();
    let mut manifests = Vec::new();
    for Architecture { name, files } in all {
        let layer = tar(files)?;
        let packed = gzip(&layer)?;
        let config = json!({
            "architecture": name,
            "os": "linux",
            "config": {
                "Entrypoint": ["/wif"],
                "Labels": {
                    "org.opencontainers.image.title": "wif",
                    "org.opencontainers.image.description": "Secret-free sign-in to Azure",
                    "org.opencontainers.image.licenses": "MIT",
                    "org.opencontainers.image.source": "https://github.com/wif-azure/wif",
                    "org.opencontainers.image.version": version,
                    "org.opencontainers.image.revision": commit,
                },
            },
            "rootfs": { "type": "layers", "diff_ids": [digest(&layer)] },
        });
        let config =
            blob(&mut blobs, "application/vnd.oci.image.config.v1+json", config.to_string().into_bytes());
        let layer = blob(&mut blobs, "application/vnd.oci.image.layer.v1.tar+gzip", packed);
        let kind = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({ "schemaVersion": 2, "mediaType": kind, "config": config, "layers": [layer] });
        let mut manifest = blob(&mut blobs, kind, manifest.to_string().into_bytes());
        if let Some(fields) = manifest.as_object_mut() {
            fields.insert("platform".to_owned(), json!({ "architecture": name, "os": "linux" }));
        }
        manifests.push(manifest);
    }
    let kind = "application/vnd.oci.image.index.v1+json";
    let list = json!({ "schemaVersion": 2, "mediaType": kind, "manifests": manifests });
    let mut list = blob(&mut blobs, kind, list.to_string().into_bytes());
    if let Some(fields) = list.as_object_mut() {
        let names = json!({ "org.opencontainers.image.ref.name": format!("{NAME}:{version}") });
        fields.insert("annotations".to_owned(), names);
    }
    let index = json!({ "schemaVersion": 2, "mediaType": kind, "manifests": [list] });
    let file = |name: &str, content: &Value| Entry {
        name: name.to_owned(),
        content: content.to_string().into_bytes(),
        is_program: false,
    };
    let mut entries =
        vec![file("oci-layout", &json!({ "imageLayoutVersion": "1.0.0" })), file("index.json", &index)];
    entries.extend(blobs);
    tar(&entries)
}

/// Keeps the content under its sum, and describes it.
fn blob(blobs: &mut Vec<Entry>, kind: &str, content: Vec<u8>) -> Value {
    let described = json!({ "mediaType": kind, "digest": digest(&content), "size": content.len() });
    blobs.push(Entry { name: format!("blobs/sha256/{}", sum(&content)), content, is_program: false });
    described
}

fn digest(content: &[u8]) -> String {
    format!("sha256:{}", sum(content))
}
