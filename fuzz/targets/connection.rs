//! A connection, from lines `NAME=value` of its `ENDPOINT_*` variables; `@` in a name stands for its id.
#![no_main]

use libfuzzer_sys::fuzz_target;
use uuid::Uuid;
use wif::agent::connection::Connection;
use wif_io::env::Env;

const ID: Uuid = uuid::uuid!("6ba7b810-9dad-11d1-80b4-00c04fd430c8");
/// What no error may quote.
const SECRETS: [&str; 2] = ["SERVICEPRINCIPALKEY", "SERVICEPRINCIPALCERTIFICATE"];

fuzz_target!(|text: &str| {
    let id = ID.to_string();
    let variables: Vec<_> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (format!("ENDPOINT_{}", name.replace('@', &id)), value.to_owned()))
        .collect();
    let env: Env = variables.iter().cloned().collect();
    let said = match Connection::read(&env, ID) {
        Ok(connection) => {
            assert!(!connection.tenant.is_nil());
            assert!(connection.identity.authority.as_str().starts_with("https://"));
            format!("{connection:?}")
        }
        Err(error) => {
            let said = error.to_string();
            assert!(!said.contains(char::is_control), "{said}");
            said
        }
    };
    for (name, value) in &variables {
        let secret = SECRETS.iter().any(|secret| *name == format!("ENDPOINT_AUTH_PARAMETER_{id}_{secret}"));
        // No other field has the same value.
        let own = variables.iter().filter(|(_, other)| other.contains(value.as_str())).count() == 1;
        assert!(!(secret && own && value.len() > 20 && said.contains(value.as_str())), "{said}");
    }
});
