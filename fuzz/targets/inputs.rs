//! The inputs: the first line is `allowedResources`, the second `exports`, the third `session`, the rest `accessTokens`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wif::agent::inputs::Inputs;
use wif_core::azure::{allowed::Allowed, cloud::Cloud, resource::{Audiences, Resource}};
use wif_io::env::Env;

fuzz_target!(|text: &str| {
    let mut rest = text.splitn(4, '\n');
    let mut next = || rest.next().unwrap_or_default().to_owned();
    let given = next();
    let env: Env = [
        ("INPUT_AZURESUBSCRIPTION".to_owned(), "6ba7b810-9dad-11d1-80b4-00c04fd430c8".to_owned()),
        ("INPUT_ALLOWEDRESOURCES".to_owned(), given.clone()),
        ("INPUT_EXPORTS".to_owned(), next()),
        ("INPUT_SESSION".to_owned(), next()),
        ("INPUT_ACCESSTOKENS".to_owned(), next()),
    ]
    .into_iter()
    .collect();
    let audiences = Audiences {
        cloud: Cloud::Public,
        resource_manager: "https://management.azure.com".to_owned(),
        key_vault: None,
        graph: None,
    };
    let inputs = match Inputs::read(&env) {
        Ok(inputs) => inputs,
        Err(error) => return one_line(&error.to_string()),
    };
    match inputs.access_tokens(&audiences) {
        Ok(tokens) => {
            for (variable, resource) in tokens {
                let mut letters = variable.chars();
                assert!(letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_'), "{variable}");
                assert!(letters.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.'), "{variable}");
                assert!(resource.scope().ends_with("/.default"), "{resource}");
                one_line(&resource.to_string());
            }
        }
        Err(error) => one_line(&error.to_string()),
    }
    match inputs.allowed_resources(&audiences) {
        // What the step accepts is what its broker enforces: entry by entry, and each by the text of a tool that asks.
        Ok(Allowed::Only(resources)) => {
            let entries = given.split([',', '\n', '\r']).map(str::trim).filter(|entry| !entry.is_empty());
            // Other clouds and registries are no resources. Their names are compared as hosts are.
            let target = |entry: &str| inputs.allows_target(&entry.trim_end_matches('/').to_ascii_lowercase());
            let entries = entries.filter(|entry| !target(entry)).count();
            assert_eq!(resources.len(), entries, "{given:?}");
            for resource in &resources {
                let asked = Resource::parse(resource.scope(), &audiences).expect("a tool may ask for it");
                assert!(resources.iter().any(|allowed| allowed.covers(&asked, audiences.cloud)), "{resource}");
            }
        }
        Ok(Allowed::Any) => assert!(given.trim().is_empty(), "{given:?}"),
        Err(error) => one_line(&error.to_string()),
    }
});

fn one_line(text: &str) {
    assert!(!text.contains(char::is_control), "{text:?}");
    assert!(text.len() < 2000, "{} bytes", text.len());
}
