//! A registry of others behind this one: it has the content, and checks the tokens itself.

use std::net::Ipv4Addr;

use axum::extract::Request;
use axum::response::Response;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::services::answer::{answer_of_type, set_header};
use crate::services::request;

/// The largest layer that is passed on, in bytes.
const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;
/// What is passed on to the registry.
const ASKED: [&str; 4] = ["authorization", "accept", "content-type", "content-range"];
/// What is passed on to the client.
const ANSWERED: [&str; 6] = [
    "www-authenticate",
    "location",
    "docker-content-digest",
    "docker-distribution-api-version",
    "docker-upload-uuid",
    "range",
];

/// The answer of the registry at this port of loopback.
pub(super) async fn ask(port: u16, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, MAX_BODY_BYTES).await.unwrap_or_default();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    // By HTTP/1.0 the answer ends with the connection. The registry makes addresses of the host and the scheme.
    let mut head = format!(
        "{} {path} HTTP/1.0\r\nhost: {}\r\nx-forwarded-proto: https\r\ncontent-length: {}\r\n",
        parts.method,
        request::authority(&parts),
        body.len()
    );
    for name in ASKED {
        for value in parts.headers.get_all(name).iter().filter_map(|value| value.to_str().ok()) {
            head.extend([name, ": ", value, "\r\n"]);
        }
    }
    let asked = [head.as_bytes(), b"\r\n", &body].concat();
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.expect("the registry listens");
    let mut answer = Vec::new();
    stream.write_all(&asked).await.expect("the registry reads");
    stream.read_to_end(&mut answer).await.expect("the registry answers");
    answered(&answer).expect("the registry speaks HTTP")
}

fn answered(bytes: &[u8]) -> Option<Response> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<_> = lines.filter_map(|line| line.split_once(": ")).collect();
    let of = |wanted: &str| headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
    let kind = of("content-type").map_or("application/octet-stream", |(_, kind)| kind);
    let mut answer = answer_of_type(status, kind, bytes[end + 4..].to_vec());
    for (name, value) in ANSWERED.into_iter().filter_map(|name| Some((name, of(name)?.1))) {
        set_header(answer.headers_mut(), name, value);
    }
    // A client that asks for the head alone wants to know how long the rest is.
    if let Some((_, length)) = of("content-length").filter(|_| bytes.len() == end + 4) {
        set_header(answer.headers_mut(), "content-length", length);
    }
    Some(answer)
}
