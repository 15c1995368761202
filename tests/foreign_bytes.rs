//! Laws of what reads and writes foreign bytes, tried at random. `cargo xtask fuzz` tries them for longer.

use emulator::agent::Command;
use proptest::prelude::*;
use uuid::{Uuid, uuid};
use wif::agent::{
    commands::{Commands, Visibility},
    connection::Connection,
};
use wif_io::env::Env;

const ID: Uuid = uuid!("6ba7b810-9dad-11d1-80b4-00c04fd430c8");
const SECRET: &str = "kX8~correct.horse-battery_staple8Q";
/// The parts of a connection that a value can be found in.
const NAMES: [&str; 12] = [
    "URL_@",
    "AUTH_SCHEME_@",
    "AUTH_PARAMETER_@_TENANTID",
    "AUTH_PARAMETER_@_SERVICEPRINCIPALID",
    "AUTH_PARAMETER_@_AUTHENTICATIONTYPE",
    "AUTH_PARAMETER_@_WORKLOADIDENTITYFEDERATIONISSUER",
    "DATA_@_SUBSCRIPTIONID",
    "DATA_@_SCOPELEVEL",
    "DATA_@_ENVIRONMENT",
    "DATA_@_ACTIVEDIRECTORYAUTHORITY",
    "DATA_@_ENVIRONMENTAUTHORITYURL",
    "DATA_@_MSICLIENTID",
];

/// A value that works somewhere, or anything.
fn any_value() -> impl Strategy<Value = String> {
    let works = prop::sample::select(vec![
        "WorkloadIdentityFederation",
        "ServicePrincipal",
        "ManagedServiceIdentity",
        "11111111-1111-1111-1111-111111111111",
        "https://management.azure.com/",
        "AzureCloud",
        "spnKey",
        "Subscription",
    ]);
    prop_oneof![3 => works.prop_map(str::to_owned), 1 => "(?s).{0,150}"]
}

proptest! {
    #[test]
    fn whatever_a_connection_holds_is_told_in_one_line_without_its_secret(
        values in prop::collection::vec(prop::option::weighted(0.8, any_value()), NAMES.len()),
    ) {
        let id = ID.to_string();
        let variable = |name: &str, value: &str| (format!("ENDPOINT_{}", name.replace('@', &id)), value.to_owned());
        let given = NAMES.iter().zip(&values).filter_map(|(name, value)| Some(variable(name, value.as_deref()?)));
        let secret = variable("AUTH_PARAMETER_@_SERVICEPRINCIPALKEY", SECRET);
        let env: Env = given.chain([secret]).collect();
        let said = match Connection::read(&env, ID) {
            Ok(connection) => {
                prop_assert!(connection.identity.authority.as_str().starts_with("https://"));
                format!("{connection:?}")
            }
            Err(error) => {
                let said = error.to_string();
                prop_assert!(!said.contains(char::is_control), "{said:?}");
                said
            }
        };
        prop_assert!(!said.contains(SECRET), "{said}");
    }

    #[test]
    fn the_agents_own_reader_finds_what_was_written_and_no_command_in_foreign_text(
        name in "(?s)[;\\]%=#A-Z\r\n ]{1,20}", value in "(?s)(##vso\\[a\\.b\\]|%AZP25|%3B|[;\\]%#\r\n]|.){0,40}",
    ) {
        let mut out = Vec::new();
        let mut commands = Commands::new(&mut out, &Env::default());
        commands.set_variable(&name, &value, Visibility::Secret).unwrap();
        commands.line(&value).unwrap();
        let out = String::from_utf8(out).unwrap();
        let mut lines = out.split('\n').map(|line| Command::parse(line, true));
        let read = lines.next().unwrap().unwrap();
        prop_assert!(read.is("task", "setvariable"));
        prop_assert_eq!((read.property("variable"), &*read.data), (Some(&*name), &*value));
        prop_assert_eq!(read.property("issecret"), Some("true"));
        prop_assert!(lines.all(|line| line.is_none()), "{out}");
    }
}
