//! Whether a client did what it is here for: by its own words, and by what the services were asked.

use emulator::{
    Entry, Service,
    blob::{ACCOUNT, CONTAINER, Storage},
};
use serde_json::Value;

use super::{
    broker,
    journal::{assertion, is_by},
    scheme::Scheme,
    tools::{Client, Mode, Proof, Tool},
};

/// What `backend.tf` keeps.
const KEPT: &str = "kept by the backend";
/// What `azcopy.sh` says when the file that came back is the one that was sent.
const COPIED: &str = "copied up and down";

/// Each line of JSON of the client says that its tokens were taken, and that this was the version which was meant; there is
/// one for each time that it was to ask.
pub(super) fn printed(stdout: &str, version: &str, client: &Client) -> Result<(), String> {
    let lines = stdout.lines().filter(|line| line.starts_with('{'));
    let read =
        |line| serde_json::from_str(line).map_err(|error| format!("the client's JSON: {line}: {error}"));
    let lines = lines.map(read).collect::<Result<Vec<Value>, String>>()?;
    for got in &lines {
        let taken = match client.proof {
            Proof::Arm => got["arm"] == 200 && got["expires_in"].as_i64().is_some_and(|seconds| seconds > 0),
            Proof::State => got["state"] == KEPT,
            Proof::Files => got["files"] == COPIED,
            Proof::Plan => got["plan"] == "signed in",
        };
        if !taken || got["version"] != version || got["credential"] != client.credential {
            return Err(format!("not what was meant: {got}"));
        }
    }
    match client.mode {
        Mode::Snapshot => {}
        Mode::Broker | Mode::Exec(_) => broker::renewed(&lines, client)?,
    }
    let meant = lines_of(client);
    if lines.len() == meant {
        return Ok(());
    }
    Err(format!("the client printed {} lines of JSON where {meant} were meant", lines.len()))
}

/// A client that exchanges the broker's id tokens by hand does it in two dialects.
fn lines_of(client: &Client) -> usize {
    match client.proof {
        Proof::Arm if client.rounds > 1 => *client.calls.end(),
        Proof::Arm | Proof::State | Proof::Files | Proof::Plan => client.steps * client.rounds,
    }
}

/// What does not fit in the blob store: the client's state must be there, and no lease may be on it.
pub(super) fn stored(storage: &Storage, client: &Client) -> Option<String> {
    let kept = storage.blob(ACCOUNT, CONTAINER, "acceptance.tfstate").is_some_and(|blob| {
        let state: Option<Value> = serde_json::from_slice(&blob.content).ok();
        state.is_some_and(|state| state["outputs"]["kept"]["value"] == KEPT) && blob.lease.is_none()
    });
    (kept != (client.proof == Proof::State)).then(|| format!("state in the blob store: {kept}"))
}

/// What does not fit in the journal of a job: the client's own requests must be there, and none refused.
pub(super) fn asked(journal: &[Entry], tool: &Tool, client: &Client, scheme: Scheme) -> Vec<String> {
    let mut complaints = Vec::new();
    let posts = |service: Service, agent: &'static str| {
        journal
            .iter()
            .filter(move |entry| entry.service == service && entry.method == "POST" && is_by(entry, agent))
    };
    // MSAL for Node asks twice before its first exchange, so only whether it asked counts.
    let id_tokens = posts(Service::DevOps, tool.asks_as).count();
    if (id_tokens > 0) != client.asks_id_token {
        complaints.push(format!("the client asked for {id_tokens} id tokens"));
    }
    let exchanges: Vec<_> = posts(Service::Entra, tool.asks_as).collect();
    if !client.exchanges.contains(&exchanges.len()) {
        complaints.push(format!("the client asked for {} access tokens", exchanges.len()));
    }
    let sign_in = posts(Service::Entra, "wif/").next();
    for exchange in exchanges {
        let exported = sign_in.is_some_and(|one| assertion(one) == assertion(exchange));
        // The broker's first id token is that of the sign-in, and the later ones are others.
        let meant = client.mode.has_broker() || exported != client.asks_id_token;
        let theirs =
            is_of(exchange, client, scheme) || client.two_sessions && is_of(exchange, client, scheme.other());
        if !theirs || !meant {
            complaints.push("the client exchanged another id token than was meant".to_owned());
        }
    }
    let to = match client.proof {
        Proof::Arm | Proof::Plan => Service::Arm,
        // The files are in azurite, and so are the requests: here there are none.
        Proof::State | Proof::Files => Service::Blob,
    };
    let is_call = |entry: &&Entry| {
        entry.service == to
            && is_by(entry, tool.calls_as)
            && entry.header("authorization") == Some("<bearer access token>")
    };
    let calls = journal.iter().filter(is_call).count();
    if !client.calls.contains(&calls) {
        complaints.push(format!("the client called {to:?} {calls} times with an access token"));
    }

    let others = journal.iter().filter(|entry| !is_by(entry, "wif/"));
    for entry in others {
        let known = is_by(entry, tool.asks_as) || is_by(entry, tool.calls_as);
        // Terraform looks for a state before it makes one.
        let looks = entry.service == Service::Blob && entry.status == Some(404) && entry.method != "PUT";
        if !known || !looks && entry.status.is_none_or(|status| status >= 400) {
            let status = entry.status.map_or("no answer".to_owned(), |status| status.to_string());
            let agent = entry.header("user-agent").unwrap_or_default();
            complaints.push(format!(
                "{:?}: {} {} by {agent:?} got {status}",
                entry.service, entry.method, entry.path
            ));
        }
    }
    complaints
}

/// For the connection's client, with an assertion of the connection's issuer, or of the source's.
fn is_of(exchange: &Entry, client: &Client, scheme: Scheme) -> bool {
    let of_source = match client.mode {
        Mode::Exec(source) => source.signer(),
        Mode::Snapshot | Mode::Broker => None,
    };
    let of_connection = match scheme {
        Scheme::DevOps => "https://vstoken.dev.azure.com/",
        Scheme::Entra => "https://login.microsoftonline.com/",
        Scheme::Secret | Scheme::Certificate | Scheme::Machine => return false,
    };
    let signer = of_source.unwrap_or(of_connection);
    let claims = assertion(exchange);
    let by = claims.as_ref().and_then(|claims| claims["iss"].as_str());
    exchange.form("client_id") == Some(&scheme.client().to_string())
        && by.is_some_and(|by| by.starts_with(signer))
}

#[cfg(test)]
mod tests {
    use super::{super::tools::TOOLS, *};

    #[test]
    fn a_client_that_asked_no_service_is_not_accepted() {
        for tool in TOOLS {
            // What azurite was asked is in its own log, and a plan may need a token of the broker only.
            let asks = |client: &&Client| matches!(client.proof, Proof::Arm | Proof::State);
            for client in tool.clients.iter().filter(asks) {
                let complaints = asked(&[], tool, client, Scheme::DevOps);
                assert!(complaints.iter().any(|text| text.contains(" 0 times")));
            }
        }
    }

    #[test]
    fn a_state_is_where_one_is_meant_and_nowhere_else() {
        for client in TOOLS.iter().flat_map(|tool| tool.clients) {
            let complaint = stored(&Storage::default(), client);
            assert_eq!(complaint.is_some(), client.proof == Proof::State, "{}", client.credential);
        }
    }

    #[test]
    fn a_refusal_another_version_and_silence_are_not_what_was_meant() {
        let client = &TOOLS[0].clients[1];
        assert_eq!((client.mode, client.credential), (Mode::Snapshot, "WorkloadIdentityCredential"));
        let line = |version: &str, arm: u16| {
            let credential = client.credential;
            format!(r#"{{"credential":"{credential}","version":"{version}","expires_in":3599,"arm":{arm}}}"#)
        };
        assert_eq!(printed(&line("1.0", 200), "1.0", client), Ok(()));
        for stdout in [line("1.0", 403), line("1.1", 200), String::new(), "{".to_owned()] {
            assert!(printed(&stdout, "1.0", client).is_err(), "{stdout}");
        }
    }
}
