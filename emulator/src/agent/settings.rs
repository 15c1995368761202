//! The agent's configuration, and the variables that pass it to tasks.

use std::path::PathBuf;

use super::message::Variable;

/// The agent's proxy (`config.sh --proxyurl …`, and `.proxybypass`).
#[derive(Clone, Debug, Default)]
pub struct ProxySettings {
    /// The absolute URL, without credentials.
    pub url: String,
    /// The user.
    pub user: Option<String>,
    /// The password.
    pub password: Option<String>,
    /// Regular expressions of what goes around the proxy; invalid ones are passed on as they are.
    pub bypass: Vec<String>,
    /// `--proxyusebasicauth`.
    pub basic_auth: bool,
}

/// The settings that become variables.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub(super) proxy: Option<ProxySettings>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) client_certificate: Option<(PathBuf, PathBuf, Option<String>)>,
    pub(super) skip_certificate_validation: bool,
    pub(super) debug: bool,
}

impl Settings {
    /// The variables that they become (`ExecutionContext.InitializeJob`).
    pub(super) fn variables(&self) -> Vec<Variable> {
        let mut all = Vec::new();
        let mut add = |name: &str, value: String, secret| {
            all.push(Variable { name: name.to_owned(), value, secret });
        };
        if self.debug {
            add("System.Debug", "true".to_owned(), false);
        }
        if self.skip_certificate_validation {
            add("Agent.SkipCertValidation", "True".to_owned(), false);
        }
        if let Some(path) = &self.ca_file {
            add("Agent.CAInfo", path.display().to_string(), false);
        }
        if let Some((certificate, key, password)) = &self.client_certificate {
            add("Agent.ClientCert", certificate.display().to_string(), false);
            add("Agent.ClientCertKey", key.display().to_string(), false);
            if let Some(password) = password {
                add("Agent.ClientCertPassword", password.clone(), true);
            }
        }
        if let Some(proxy) = &self.proxy {
            add("Agent.ProxyUrl", proxy.url.clone(), false);
            add("Agent.UseBasicAuthForProxy", dotnet_bool(proxy.basic_auth), false);
            if let Some(user) = &proxy.user {
                add("Agent.ProxyUsername", user.clone(), false);
            }
            if let Some(password) = &proxy.password {
                add("Agent.ProxyPassword", password.clone(), true);
            }
            if !proxy.bypass.is_empty() {
                let list = serde_json::to_string(&proxy.bypass).expect("a list of texts is JSON");
                add("Agent.ProxyBypassList", list, false);
            }
        }
        all
    }
}

/// .NET's spelling of a boolean.
fn dotnet_bool(flag: bool) -> String {
    if flag { "True" } else { "False" }.to_owned()
}
