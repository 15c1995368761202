//! `wif kubeconfig`: a kubeconfig for an AKS cluster, whose user is `wif credential kubernetes`.

use std::{path::PathBuf, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::Args;
use reqwest::Method;
use serde_json::Value;
use wif_azure::{management::ManagementError, resource_manager::ResourceManager};
use wif_broker::paths;
use wif_core::{
    azure::cloud::Cloud, code::Code, fact::Fact, failure::Failure, foreign_text::one_line, secret::Secret,
};
use wif_io::{
    clock::{Clock, Deadline},
    endpoint::Endpoint,
    env::Env,
    http::Http,
    private_folder::replace_file,
};

use super::{
    Screen,
    ask::{address, failure_of},
    screen::unwritable,
};
use crate::agent::{network, sessions::prefix};

/// What `wif kubeconfig` is asked for.
#[derive(Debug, Args)]
pub struct KubeconfigArguments {
    /// The cluster's resource id: /subscriptions/…/resourceGroups/…/providers/Microsoft.ContainerService/managedClusters/NAME
    #[arg(value_name = "RESOURCE-ID")]
    cluster: String,
    /// Write to this file, which only you can read; it is replaced if it is there
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The session's name, when the job signed in to several connections
    #[arg(long, value_name = "NAME")]
    session: Option<String>,
    /// The address of Azure Resource Manager, where it is not that of the session: one of a known cloud
    #[arg(long, value_name = "URL")]
    resource_manager: Option<String>,
}

/// How long all of it may take.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(60);
/// The longest text that an error shows, in characters.
const MAX_SHOWN: usize = 200;

/// Asks Azure for the cluster's address and certificate authority, and writes the kubeconfig.
///
/// # Errors
///
/// There is no session or no such cluster, the identity may not use it, or it does not take tokens of Entra.
pub async fn kubeconfig(
    arguments: &KubeconfigArguments,
    env: &Env,
    clock: Arc<dyn Clock>,
    out: &mut Screen<'_>,
) -> Result<(), Failure> {
    let KubeconfigArguments { cluster, output, session, resource_manager } = arguments;
    let name = name(cluster).ok_or_else(|| {
        let text = format!("'{}' is not the resource id of an AKS cluster", one_line(cluster, MAX_SHOWN));
        let hint = "accepted is /subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.ContainerService/managedClusters/NAME: az aks show --query id";
        Failure::new(Code::InputInvalid, text, hint).by_caller()
    })?;
    let broker = address(env, &prefix(session.as_deref()))?;
    let status = broker.ask(&*clock, Method::GET, paths::STATUS, &[]).await;
    let status = status.map_err(|error| failure_of(error, env))?;
    let own = status.get("resourceManager").and_then(Value::as_str);
    let base = base(resource_manager.as_deref(), own)?;
    let query = [("resource", "arm"), ("api-version", "2019-08-01")];
    let answer = broker.ask(&*clock, Method::GET, paths::IDENTITY, &query).await;
    let answer = answer.map_err(|error| failure_of(error, env))?;
    let token = answer.get("access_token").and_then(Value::as_str).unwrap_or_default();
    let token = Secret::new(token.to_owned());
    let (settings, _remarks) = network::settings(env)?;
    let http = Http::new(settings, clock)?;
    let deadline = Deadline::after(http.clock(), TIMEOUT);
    let asked = ResourceManager { http: &http, deadline, base: &base, token: &token };
    let answer = asked.cluster_user_credential(cluster).await.map_err(|error| match error {
        // Not a fault of the way to Azure: the id is wrong, or the identity may not see the cluster.
        ManagementError::Refused { status: 404, .. } => {
            let hint = "check the cluster's resource id (az aks show --query id), and the identity's role at the cluster";
            Failure::new(Code::RoleMissing, error, hint).with_details([Fact::new("cluster", one_line(cluster, MAX_SHOWN))])
        }
        other => other.into(),
    })?;
    let encoded = answer.pointer("/kubeconfigs/0/value").and_then(Value::as_str).unwrap_or_default();
    let text = STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let text = Secret::new(text.unwrap_or_default());
    let kubeconfig = rewritten(text.expose(), name, session.as_deref())?;
    match output {
        Some(path) => replace_file(path, &Secret::new(kubeconfig)).map_err(|error| {
            let hint = "name an ordinary file, or none yet, in a folder that can be written";
            Failure::new(Code::OutputUnwritable, error, hint)
        }),
        None => out.text(kubeconfig.trim_end()).map_err(unwritable),
    }
}

/// The cluster's name, where a text is the id of one: nothing in it leads to another path.
fn name(id: &str) -> Option<&str> {
    let parts: Vec<_> = id.trim_matches('/').split('/').collect();
    let [subscriptions, subscription, groups, group, providers, provider, clusters, name] = parts[..] else {
        return None;
    };
    let words = [
        (subscriptions, "subscriptions"),
        (groups, "resourceGroups"),
        (providers, "providers"),
        (provider, "Microsoft.ContainerService"),
        (clusters, "managedClusters"),
    ];
    let is_name = |text: &str| {
        let is_allowed = |c: char| c.is_alphanumeric() || "-_.()".contains(c);
        !text.is_empty() && text != "." && text != ".." && text.chars().all(is_allowed)
    };
    let is_id = words.iter().all(|(word, known)| word.eq_ignore_ascii_case(known))
        && uuid::Uuid::try_parse(subscription).is_ok();
    (is_id && is_name(group) && is_name(name)).then_some(name)
}

/// Azure Resource Manager of the session, or another one that is named: that of a known cloud. No other host gets a token.
fn base(named: Option<&str>, own: Option<&str>) -> Result<Endpoint, Failure> {
    let refused = |text: String| {
        let hint = "sign in to a connection of that cloud, with its host in allowedAuthorities, and leave --resource-manager out";
        Failure::new(Code::InputInvalid, text, hint).by_caller()
    };
    let url = named
        .or(own)
        .ok_or_else(|| refused("the session does not know where Azure Resource Manager is".to_owned()))?;
    let endpoint = Endpoint::parse(url)
        .map_err(|error| refused(format!("the address of Azure Resource Manager is not known: {error}")))?;
    let own = own.and_then(|own| Endpoint::parse(own).ok());
    let is_own = own.is_some_and(|own| own.bare() == endpoint.bare());
    let is_known =
        Cloud::ALL.into_iter().any(|cloud| endpoint.bare() == cloud.resource_manager().trim_end_matches('/'));
    if is_own || is_known {
        return Ok(endpoint);
    }
    Err(refused(format!(
        "{} is neither the session's Azure Resource Manager nor that of a known cloud",
        endpoint.bare()
    )))
}

/// The cluster's address and certificate authority, with this program for the user. A field is looked for by its line: Azure
/// writes one kubeconfig after one template.
fn rewritten(text: &str, name: &str, session: Option<&str>) -> Result<String, Failure> {
    let field = |key: &str| {
        let lines = text.lines().map(|line| line.trim().trim_start_matches("- "));
        let mut values = lines.filter_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        values.next().map(|value| value.trim().trim_matches('"'))
    };
    let is_base64 =
        |text: &&str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
    let server = field("server").filter(|server| Endpoint::parse(server).is_ok());
    let authority = field("certificate-authority-data").filter(is_base64);
    let (Some(server), Some(authority)) = (server, authority) else {
        let text = "what Azure gave for the cluster is not a kubeconfig with an https:// address and a certificate authority";
        return Err(Failure::new(
            Code::AnswerUnusable,
            text,
            "look at the state of the cluster: az aks show",
        ));
    };
    if field("client-key-data").is_some() {
        let text = format!("the cluster {name} gives its users certificates, and takes no token of Entra");
        let hint = "integrate it with Entra: az aks update --enable-aad";
        return Err(Failure::new(Code::RoleMissing, text, hint));
    }
    let quoted = |text: &str| Value::from(text).to_string();
    let (server, name) = (quoted(server), quoted(name));
    let mut arguments = vec![quoted("credential"), quoted("kubernetes")];
    arguments.extend(session.into_iter().flat_map(|session| [quoted("--session"), quoted(session)]));
    let arguments = arguments.join(", ");
    Ok(format!(
        "apiVersion: v1
kind: Config
clusters:
- name: {name}
  cluster:
    server: {server}
    certificate-authority-data: {authority}
contexts:
- name: {name}
  context:
    cluster: {name}
    user: \"wif\"
current-context: {name}
users:
- name: \"wif\"
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: \"wif\"
      args: [{arguments}]
      interactiveMode: Never
"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/prod";

    #[test]
    fn only_the_id_of_a_cluster_is_taken_for_one() {
        assert_eq!(name(ID), Some("prod"));
        assert_eq!(name(&ID.to_lowercase()), Some("prod"));
        for bad in [
            "prod".to_owned(),
            ID.replace("managedClusters", "other"),
            ID.replace("/rg/", "/../"),
            ID.replace("/rg/", "/a?b/"),
            format!("{ID}/x"),
            ID.replace("11111111-1111", "x"),
        ] {
            assert_eq!(name(&bad), None, "{bad}");
        }
    }

    #[test]
    fn a_kubeconfig_with_a_users_certificate_is_of_a_cluster_without_entra() {
        let text = "clusters:\n- cluster:\n    certificate-authority-data: QQ==\n    server: https://prod.example:443\n  name: prod\n";
        let made = rewritten(text, "prod", Some("hub")).unwrap();
        assert!(made.contains("server: \"https://prod.example:443\"") && made.contains("QQ=="), "{made}");
        assert!(made.contains(r#"args: ["credential", "kubernetes", "--session", "hub"]"#), "{made}");
        let failure = rewritten(&format!("{text}    client-key-data: QQ==\n"), "prod", None).unwrap_err();
        assert_eq!(failure.code, Code::RoleMissing);
        for broken in
            ["", "server: https://a", &text.replace("https:", "http:"), &text.replace("QQ==", "Q Q")]
        {
            assert_eq!(rewritten(broken, "prod", None).unwrap_err().code, Code::AnswerUnusable);
        }
    }
}
