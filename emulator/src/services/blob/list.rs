//! The blobs of a container, in XML: "List Blobs" of the REST API, on one page.

use std::fmt::Write as _;

use crate::services::blob::lease;
use crate::world::clock::http_date;
use crate::world::storage::Container;

/// The blobs whose name begins with `prefix`, in the order of their names.
pub(super) fn list(container: &Container, endpoint: &str, name: &str, prefix: &str, now: i64) -> String {
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ServiceEndpoint=\"{}\" \
         ContainerName=\"{}\"><Prefix>{}</Prefix><Blobs>",
        escaped(endpoint),
        escaped(name),
        escaped(prefix),
    );
    for (name, blob) in container.blobs.iter().filter(|(name, _)| name.starts_with(prefix)) {
        let state = lease::state(blob.lease.as_ref(), now);
        let _ = write!(
            xml,
            "<Blob><Name>{}</Name><Properties><Last-Modified>{}</Last-Modified><Etag>{}</Etag>\
             <Content-Length>{}</Content-Length><Content-Type>{}</Content-Type><BlobType>BlockBlob</BlobType>\
             <LeaseStatus>{}</LeaseStatus><LeaseState>{state}</LeaseState></Properties></Blob>",
            escaped(name),
            http_date(blob.modified),
            escaped(&blob.etag()),
            blob.content.len(),
            escaped(&blob.content_type),
            if state == "leased" { "locked" } else { "unlocked" },
        );
    }
    xml + "</Blobs><NextMarker /></EnumerationResults>"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_end_its_element() {
        assert_eq!(escaped("a</Name>&\""), "a&lt;/Name&gt;&amp;&quot;");
    }
}
