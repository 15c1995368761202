use proptest::prelude::*;

use super::*;

const CONNECTION: &str = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";

fn read(inputs: &[(&str, &str)]) -> Result<Inputs, InputError> {
    let connection = ("INPUT_AZURESUBSCRIPTION", CONNECTION);
    let env = std::iter::once(&connection)
        .chain(inputs)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Inputs::read(&env)
}

#[test]
fn a_bad_value_is_named_with_its_input_and_what_is_accepted() {
    for (variable, value, input, accepted) in [
        ("INPUT_AZURESUBSCRIPTION", "", "azureSubscription", "service connection"),
        ("INPUT_AZURESUBSCRIPTION", "sc-prod", "azureSubscription", "service connection"),
        ("INPUT_AZURESUBSCRIPTION", "00000000-0000-0000-0000-000000000000", "azureSubscription", "id"),
        ("INPUT_EXPORTS", "terraform,pulumi", "exports", "azure-sdk"),
        ("INPUT_EXPORTS", "none,terraform", "exports", "none alone"),
        ("INPUT_ACCESSTOKENS", "arm", "accessTokens", "VARIABLE=resource"),
        ("INPUT_ACCESSTOKENS", "1A=arm", "accessTokens", "VARIABLE=resource"),
        ("INPUT_ACCESSTOKENS", "A-B=arm", "accessTokens", "VARIABLE=resource"),
        ("INPUT_ACCESSTOKENS", "A=", "accessTokens", "VARIABLE=resource"),
        ("INPUT_ACCESSTOKENS", "A.B=arm\na_b=graph", "accessTokens", "once"),
        ("INPUT_REFRESH", "yes", "refresh", "true or false"),
        ("INPUT_REFRESH", "", "refresh", "true or false"),
        ("INPUT_DIAGNOSE", "1", "diagnose", "true or false"),
        ("INPUT_SESSION", "a-b", "session", "letters"),
        ("INPUT_SESSION", "1a", "session", "letters"),
        ("INPUT_SESSION", "$(name)", "session", "accepted: letters"),
        ("INPUT_REFRESH", "$(name)", "refresh", "true or false"),
        ("INPUT_ALLOWEDTENANTS", " , ", "allowedTenants", "GUIDs"),
        ("INPUT_ALLOWEDTENANTS", "contoso.com", "allowedTenants", "GUIDs"),
        ("INPUT_ALLOWEDSUBSCRIPTIONS", "x", "allowedSubscriptions", "GUIDs"),
        ("INPUT_ALLOWEDAUTHORITIES", ", ,", "allowedAuthorities", "hosts"),
        ("INPUT_ALLOWEDAUTHORITIES", "https://login.example", "allowedAuthorities", "hosts"),
        ("INPUT_SESSION", "SYSTEM", "session", "the agent keeps"),
        ("INPUT_SESSION", "input", "session", "the agent keeps"),
        ("INPUT_SESSION", "endpoint_url", "session", "the agent keeps"),
        ("INPUT_SESSION", "vsts_taskvariable", "session", "the agent keeps"),
        ("INPUT_SESSION", "git_config", "session", "how programs start"),
    ] {
        let error = read(&[(variable, value)]).unwrap_err().to_string();
        assert!(error.contains(input) && error.contains(accepted), "{value}: {error}");
        let last = value.split([',', '\n']).next_back().unwrap();
        assert!(error.contains(last.trim()) || value.contains("none"), "{value}: {error}");
    }
}

#[test]
fn defaults_come_from_the_manifest() {
    let inputs = read(&[]).unwrap();
    assert_eq!(inputs.access_tokens, [("AZURE_ACCESS_TOKEN".to_owned(), "arm".to_owned())]);
    assert!(inputs.refresh && !inputs.require_federation && !inputs.diagnose);
    assert!(inputs.exports.is_none() && inputs.session.is_none());
}

#[test]
fn an_empty_input_is_not_its_default() {
    assert!(read(&[("INPUT_ACCESSTOKENS", "")]).unwrap().access_tokens.is_empty());
}

#[test]
fn lists_take_commas_and_line_ends_in_any_case() {
    let inputs = read(&[
        ("INPUT_EXPORTS", "Terraform,\r\n azure-sdk\n"),
        ("INPUT_ALLOWEDTENANTS", &CONNECTION.to_uppercase()),
        ("INPUT_REFRESH", "False"),
        ("INPUT_SESSION", "hub"),
    ])
    .unwrap();
    assert_eq!(inputs.exports.unwrap(), BTreeSet::from([Family::Terraform, Family::AzureSdk]));
    assert_eq!(inputs.allowed_tenants, Allowed::Only(vec![inputs.connection]));
    assert!(!inputs.refresh);
    assert_eq!(inputs.session.unwrap().prefixed("Arm_token"), "HUB_ARM_TOKEN");
}

#[test]
fn none_is_no_family() {
    assert_eq!(read(&[("INPUT_EXPORTS", "none")]).unwrap().exports, Some(BTreeSet::new()));
}

proptest! {
    #[test]
    fn no_input_panics(text in ".{0,80}") {
        for variable in ["INPUT_AZURESUBSCRIPTION", "INPUT_EXPORTS", "INPUT_ACCESSTOKENS", "INPUT_SESSION"] {
            if let Err(error) = read(&[(variable, &text)]) {
                prop_assert!(!error.to_string().contains(['\n', '\r']));
            }
        }
    }
}
