//! A SPIFFE Workload API signs an id token (a JWT-SVID) for the workload that asks it by its Unix socket.
//!
//! The API is one gRPC call of two small messages, over the HTTP/2 that is in the program anyway.
//!
//! Source: spiffe/spiffe, `standards/SPIFFE_Workload_API.md`, `standards/workloadapi.proto`; gRPC over HTTP/2.

use std::{path::PathBuf, time::Duration};

use wif_core::{
    foreign_text::one_line,
    retry::RetryClass,
    secret::Secret,
    token::claims::{ClaimsError, Unverified},
};
use wif_io::{
    clock::{Deadline, Limit, timeout},
    env::Env,
    http::Http,
};

use super::{
    Fetched, IdTokenSource,
    error::SourceError,
    fetched,
    usable::{Origin, check},
};

pub(super) const SOCKET: &str = "SPIFFE_ENDPOINT_SOCKET";
const SIGNER: &str = "the SPIFFE Workload API";
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest path that an error shows, in characters.
const MAX_PATH: usize = 200;
const MEND: &str =
    "mount the Workload API's socket into the container, and set SPIFFE_ENDPOINT_SOCKET to unix:///PATH";

/// The id tokens of this workload.
pub(super) struct Spiffe {
    socket: PathBuf,
}

/// Why a call brought nothing.
enum CallError {
    /// The socket, the connection, or something that is no gRPC.
    Broken(String),
    /// The status of the call, and its message.
    #[cfg_attr(not(unix), expect(dead_code, reason = "the API is asked by a Unix socket"))]
    Status(u32, Option<String>),
}

impl Spiffe {
    pub(super) fn read(env: &Env) -> Result<Self, SourceError> {
        let absent = |missing: String| SourceError::Absent { signer: SIGNER, missing, mend: MEND.to_owned() };
        let text = env.get(SOCKET).ok_or_else(|| absent(format!("{SOCKET} is not set")))?;
        let path = text.strip_prefix("unix://").or_else(|| text.strip_prefix("unix:")).unwrap_or(text);
        if !path.starts_with('/') {
            let shown = one_line(text, MAX_PATH);
            return Err(absent(format!("{SOCKET} is '{shown}', accepted is unix:///PATH")));
        }
        if cfg!(not(unix)) {
            return Err(absent("this system's form of the Workload API is not spoken".to_owned()));
        }
        Ok(Self { socket: path.into() })
    }

    async fn ask(&self, http: &Http, deadline: Deadline, audience: &str) -> Result<Secret, SourceError> {
        let message = &message(audience);
        let attempt = |limit| async move {
            let called = timeout(http.clock(), Limit::Request, limit, call(&self.socket, message)).await;
            let late = || CallError::Broken("it did not answer in time".to_owned());
            let answer =
                called.unwrap_or_else(|| Err(late())).map_err(|error| (self.explain(&error), error))?;
            let unreadable = CallError::Broken("its answer has no token".to_owned());
            token(&answer).ok_or_else(|| (self.explain(&unreadable), unreadable))
        };
        let retry_class = |(_, error): &(SourceError, CallError)| match error {
            // The registration of a workload takes some seconds.
            CallError::Status(PERMISSION_DENIED, _) => RetryClass::MayPass,
            CallError::Status(UNAVAILABLE, _) | CallError::Broken(_) => RetryClass::Unreachable,
            CallError::Status(..) => RetryClass::Refused,
        };
        // A socket that is not there does not come while a command waits for it.
        let deadline =
            if self.socket.exists() { deadline } else { Deadline::after(http.clock(), Duration::ZERO) };
        let token = http
            .retrying(deadline, ATTEMPT_TIMEOUT, retry_class, attempt)
            .await
            .map_err(|(error, _)| error)?;
        let origin = Origin {
            place: "of the SPIFFE Workload API",
            audience: "the server did not take the audience that it was asked for".to_owned(),
            algorithm: "let SPIRE sign by RSA: jwt_key_type = \"rsa-2048\" in the server's configuration",
        };
        if Unverified::read(&token) == Err(ClaimsError::Json) {
            return Err(SourceError::Unusable {
                place: origin.place.to_owned(),
                reason: "it has no issuer".to_owned(),
                mend: "set jwt_issuer in the server's configuration to the public address of its discovery document"
                    .to_owned(),
            });
        }
        check(&token, audience, &origin).map(|_claims| token)
    }

    fn explain(&self, error: &CallError) -> SourceError {
        let path = one_line(&self.socket.to_string_lossy(), MAX_PATH);
        match error {
            CallError::Broken(reason) => SourceError::Absent {
                signer: SIGNER,
                missing: format!("the socket {path} cannot be used: {reason}"),
                mend: MEND.to_owned(),
            },
            CallError::Status(status, said) => SourceError::Refused {
                signer: SIGNER,
                status: u16::try_from(*status).unwrap_or_default(),
                said: said.clone(),
                mend: match *status {
                    PERMISSION_DENIED => {
                        "register the workload: spire-server entry create -parentID … -spiffeID … -selector …"
                    }
                    UNIMPLEMENTED => "use a Workload API with the JWT profile",
                    _ => "look at the log of the SPIRE agent",
                }
                .to_owned(),
            },
        }
    }
}

/// A status of gRPC.
const PERMISSION_DENIED: u32 = 7;
const UNIMPLEMENTED: u32 = 12;
const UNAVAILABLE: u32 = 14;

/// `JWTSVIDRequest { audience: [audience] }`, with gRPC's prefix: not compressed, and the length.
fn message(audience: &str) -> Vec<u8> {
    let mut message = vec![0x0A];
    let mut length = audience.len();
    loop {
        let [low, ..] = length.to_le_bytes();
        length >>= 7;
        if length == 0 {
            message.push(low & 0x7F);
            break;
        }
        message.push(low | 0x80);
    }
    message.extend_from_slice(audience.as_bytes());
    let size = u32::try_from(message.len()).unwrap_or_default().to_be_bytes();
    [&[0], &size[..], &message].concat()
}

/// The token of the first identity: `JWTSVIDResponse { svids: [{ spiffe_id, svid, hint }] }`.
fn token(answer: &[u8]) -> Option<Secret> {
    let (prefix, rest) = answer.split_at_checked(5)?;
    let (compressed, size) = prefix.split_first()?;
    let size = usize::try_from(u32::from_be_bytes(size.try_into().ok()?)).ok()?;
    let message = rest.get(..size).filter(|_| *compressed == 0)?;
    let text = field(field(message, 1)?, 2)?;
    std::str::from_utf8(text).ok().filter(|text| !text.is_empty()).map(|text| Secret::new(text.to_owned()))
}

/// The first field of this number whose content has a length.
fn field(mut message: &[u8], number: u64) -> Option<&[u8]> {
    while !message.is_empty() {
        let tag = varint(&mut message)?;
        let size = match tag & 7 {
            0 => {
                varint(&mut message)?;
                continue;
            }
            1 => 8,
            2 => usize::try_from(varint(&mut message)?).ok()?,
            5 => 4,
            _ => return None,
        };
        let (content, rest) = message.split_at_checked(size)?;
        if tag >> 3 == number && tag & 7 == 2 {
            return Some(content);
        }
        message = rest;
    }
    None
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = message.split_first()?;
        *message = rest;
        value |= u64::from(byte & 0x7F).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(unix)]
async fn call(socket: &std::path::Path, message: &[u8]) -> Result<Vec<u8>, CallError> {
    use bytes::Bytes;
    use http_body_util::{BodyExt as _, Full, Limited};
    use hyper::{Request, client::conn::http2, header::HeaderMap};
    use hyper_util::rt::{TokioExecutor, TokioIo};

    /// The largest answer, in bytes: tokens of several identities.
    const MAX_ANSWER_BYTES: usize = 64 * 1024;

    let broken = |error: &dyn std::fmt::Display| CallError::Broken(one_line(&error.to_string(), MAX_PATH));
    let stream = tokio::net::UnixStream::connect(socket).await.map_err(|error| broken(&error))?;
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| broken(&error))?;
    let connection = tokio::spawn(connection);
    let asked = async {
        let request = Request::post("http://localhost/SpiffeWorkloadAPI/FetchJWTSVID")
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            // Without it the API refuses, so that no caller is led here by another's address.
            .header("workload.spiffe.io", "true")
            .body(Full::new(Bytes::copy_from_slice(message)));
        let answer = sender.send_request(request.map_err(|error| broken(&error))?).await;
        let (head, body) = answer.map_err(|error| broken(&error))?.into_parts();
        let collected =
            Limited::new(body, MAX_ANSWER_BYTES).collect().await.map_err(|error| broken(&error))?;
        let text = |headers: &HeaderMap, name: &str| Some(headers.get(name)?.to_str().ok()?.to_owned());
        // An answer without a body has its status among its headers.
        let last = |name: &str| {
            collected
                .trailers()
                .and_then(|trailers| text(trailers, name))
                .or_else(|| text(&head.headers, name))
        };
        let status = last("grpc-status").and_then(|status| status.parse().ok());
        let said = last("grpc-message").and_then(|said| wif_core::foreign_text::service_message(&said));
        match status {
            Some(0) => Ok(collected.to_bytes().to_vec()),
            Some(status) => Err(CallError::Status(status, said)),
            None => Err(CallError::Broken("what answers is no gRPC".to_owned())),
        }
    };
    let answer = asked.await;
    connection.abort();
    answer
}

#[cfg(not(unix))]
async fn call(_socket: &std::path::Path, _message: &[u8]) -> Result<Vec<u8>, CallError> {
    Err(CallError::Broken("there are no such sockets here".to_owned()))
}

impl IdTokenSource for Spiffe {
    fn signer(&self) -> &'static str {
        SIGNER
    }

    fn fetch<'a>(&'a self, http: &'a Http, deadline: Deadline, audience: &'a str) -> Fetched<'a> {
        fetched(self.ask(http, deadline, audience))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_request_is_spelled_as_protobuf_and_grpc_have_it() {
        assert_eq!(message("ab"), [0, 0, 0, 0, 4, 0x0A, 2, b'a', b'b']);
        let long = message(&"a".repeat(300));
        assert_eq!(long[..8], [0, 0, 0, 1, 0x2F, 0x0A, 0xAC, 0x02]);
    }

    #[test]
    fn the_first_token_of_an_answer_is_read_and_what_is_not_known_is_passed_over() {
        let inner = [&[0x18, 7][..], &[0x0A, 3], b"id1", &[0x12, 5], b"a.b.c"].concat();
        let message = [&[0x0A, u8::try_from(inner.len()).unwrap()][..], &inner].concat();
        let whole = [&[0, 0, 0, 0, u8::try_from(message.len()).unwrap()][..], &message].concat();
        assert_eq!(token(&whole).unwrap().expose(), "a.b.c");
        for cut in 0..whole.len() {
            assert!(token(&whole[..cut]).is_none(), "{cut}");
        }
        let compressed = [&[1][..], &whole[1..]].concat();
        assert!(token(&compressed).is_none());
    }

    proptest! {
        #[test]
        fn no_answer_panics(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = token(&bytes);
        }
    }
}
