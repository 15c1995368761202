//! The clients of AWS and Google Cloud for Node, past the end of what they were given first, where they are installed; elsewhere
//! nothing is proved.

use emulator::directory::clouds::{AWS_ROLE, GOOGLE_PROVIDER};

use super::{LIFE, REGION, exec, exec_with_google};
use crate::support::ExecCase;

/// Node finds packages by this variable, where it has any.
#[expect(clippy::disallowed_methods, reason = "the packages are found where this test is run")]
fn with_packages(case: ExecCase) -> ExecCase {
    let packages = std::env::var("NODE_PATH").unwrap_or_default();
    let ca = case.emulator.ca_file().display().to_string();
    case.set("NODE_PATH", &packages).set("NODE_EXTRA_CA_CERTS", &ca).set("HOME", "/nonexistent")
}

/// Runs a script of Node that needs a package, and gives what it printed; nothing, where the package or Node is missing.
fn run(case: &ExecCase, package: &str, script: &str) -> Option<String> {
    let look = format!("node -e 'require.resolve(\"{package}\")' 2> /dev/null || {{ echo absent; exit; }}");
    let found = case.prints(&format!("{look}\nnode - <<'END'\n{script}\nEND"));
    (found.trim() != "absent").then_some(found)
}

#[test]
fn awss_client_for_node_signs_with_new_credentials_when_the_first_have_ended() {
    let case = exec("sts.amazonaws.com");
    case.emulator.directory().clouds.longest_life = Some(LIFE);
    let url = case.emulator.clouds_url();
    let case = with_packages(case)
        .set("AWS_ENDPOINT_URL_STS", &url)
        .set("AWS_ENDPOINT_URL_ECR", &url)
        .option("--aws-role", AWS_ROLE)
        .option("--aws-region", REGION);
    let script = "
        const { ECRClient, GetAuthorizationTokenCommand } = require('@aws-sdk/client-ecr');
        (async () => {
            const client = new ECRClient({});
            for (let turn = 0; turn < 2; turn++) {
                // The emulator's registry checks the signature, and that the session lives.
                await client.send(new GetAuthorizationTokenCommand({}));
                const { accessKeyId, expiration } = await client.config.credentials();
                console.log(await client.config.region(), accessKeyId);
                while (Date.now() <= expiration.getTime()) await new Promise((next) => setTimeout(next, 50));
            }
        })();";
    let Some(found) = run(&case, "@aws-sdk/client-ecr", script) else {
        println!("NOT TESTED: no @aws-sdk/client-ecr for Node");
        return;
    };
    let lines: Vec<_> = found.lines().collect();
    let [first, second] = lines[..] else { panic!("{found}") };
    assert!(first != second && lines.iter().all(|line| line.starts_with(REGION)), "{found}");
    let directory = case.emulator.directory();
    let is_of_a_session =
        |line: &str| directory.clouds.aws.sessions.iter().any(|session| line.ends_with(&session.key[0]));
    assert!(lines.iter().all(|line| is_of_a_session(line)), "{found}");
    assert_eq!(directory.clouds.aws.registry_passwords.len(), 2, "{}", case.emulator.journal_text());
}

#[test]
fn googles_client_for_node_gets_new_tokens_when_the_first_have_ended() {
    let (case, proxy) = exec_with_google();
    case.emulator.directory().clouds.longest_life = Some(LIFE);
    case.emulator.directory().sources.lifetime = LIFE;
    let case = with_packages(case)
        .set("HTTPS_PROXY", &proxy.url())
        .set("NO_PROXY", "127.0.0.1")
        .option("--google-provider", GOOGLE_PROVIDER)
        .option("--google-project", "my-project");
    let script = "
        const { GoogleAuth } = require('google-auth-library');
        (async () => {
            const auth = new GoogleAuth({ scopes: 'https://www.googleapis.com/auth/cloud-platform' });
            const client = await auth.getClient();
            console.log(await auth.getProjectId());
            for (let turn = 0; turn < 2; turn++) {
                const { token } = await client.getAccessToken();
                const end = client.credentials.expiry_date;
                console.log(token);
                while (Date.now() <= end) await new Promise((next) => setTimeout(next, 50));
            }
        })();";
    let Some(found) = run(&case, "google-auth-library", script) else {
        println!("NOT TESTED: no google-auth-library for Node");
        return;
    };
    have_two_tokens(&case, &found);
    // The same where the broker makes the exchange, and the id token stays inside.
    let case = case.option("--allowed-resources", "google");
    let found = run(&case, "google-auth-library", script).unwrap();
    have_two_tokens(&case, &found);
}

fn have_two_tokens(case: &ExecCase, found: &str) {
    let lines: Vec<_> = found.lines().collect();
    let ["my-project", first, second] = lines[..] else { panic!("{found}") };
    let directory = case.emulator.directory();
    let is_given = |token: &str| directory.clouds.google.federated.iter().any(|(text, _)| text == token);
    assert!(first != second && is_given(first) && is_given(second), "{found}");
}
