//! The scripts of the pages, run as they stand there: in a job, at a terminal, and where each source of id tokens is. What is not
//! run is marked on its page.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

use emulator::{
    Emulator, Proxy, Service, USUAL,
    agent::{Agent, JobReport, JobResult, Step},
    directory::SourceIssuer,
};

use super::{MARK, blocks, pages, read};
use crate::support::{EMULATOR, ExecCase, errors, spire, task_folder};

/// The pages whose scripts are run, and by which test: all of them, in their order.
const RUN: [(&str, &str); 20] = [
    ("docs/change.md", "the_commands_of_the_page_leave_no_secret_in_their_order"),
    ("docs/containers.md", "the_scripts_on_containers_hand_a_session_or_one_token_on"),
    ("docs/diagnosis.md", "the_commands_of_the_page_check_a_connection_from_a_terminal"),
    ("docs/exec.md", "the_commands_of_each_source_sign_in_and_print_what_is_to_be_trusted"),
    ("docs/move-issuer.md", "the_commands_of_the_page_do_what_it_says_in_their_order"),
    (
        "docs/side-by-side.md",
        "the_commands_of_the_page_put_a_connection_beside_the_old_one_and_end_that_one_in_their_order",
    ),
    ("docs/sources/aws.md", SOURCES),
    ("docs/sources/azure-pipelines.md", "the_command_of_azure_pipelines_prints_what_is_to_be_trusted"),
    ("docs/sources/buildkite.md", SOURCES),
    ("docs/sources/file.md", SOURCES),
    ("docs/sources/github.md", SOURCES),
    ("docs/sources/gitlab.md", SOURCES),
    ("docs/sources/google.md", SOURCES),
    ("docs/sources/managed-identity.md", SOURCES),
    ("docs/sources/spiffe.md", SOURCES),
    ("docs/sources/variable.md", SOURCES),
    ("docs/sources/kubernetes.md", SOURCES),
    (AZURE_CLI, "the_script_that_brings_the_account_back_signs_az_in_again"),
    ("docs/vend.md", "the_request_and_the_commands_of_the_page_make_what_it_asks_for"),
    ("docs/errors.md", "each_command_of_a_finding_is_taken"),
];
const SOURCES: &str = "the_commands_of_each_source_sign_in_and_print_what_is_to_be_trusted";

const AZURE_CLI: &str = "docs/tools/azure-cli.md";

const AUDIENCE: &str = "api://AzureADTokenExchange";

/// The scripts of a page.
fn scripts(page: &str) -> Vec<String> {
    let found = blocks(&read(page)).into_iter().filter(|(language, _)| language == "sh");
    found.map(|(_, script)| script).collect()
}

/// A page by its headings: each with the text below it, after that of the chapter (`##`) that it is in.
fn sections(page: &str) -> Vec<(String, String)> {
    let (mut found, mut chapter) = (vec![(String::new(), String::new())], String::new());
    let (mut inside, mut level) = (false, 0);
    for line in page.lines() {
        inside ^= line.trim_start().starts_with("```");
        if !inside && line.starts_with('#') {
            level = line.bytes().take_while(|byte| *byte == b'#').count();
            let before = if level > 2 { chapter.clone() } else { String::new() };
            chapter = if level > 2 { chapter } else { String::new() };
            found.push((line.trim_matches(['#', ' ']).to_owned(), before));
            continue;
        }
        found.last_mut().unwrap().1.extend([line, "\n"]);
        // A script of the chapter is no script of its sections.
        if level <= 2 && !inside && !line.starts_with("```") {
            chapter.extend([line, "\n"]);
        }
    }
    found
}

/// A folder of programs that are scripts of bash.
fn programs(all: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, script) in all {
        let path = folder.path().join(name);
        fs::write(&path, format!("#!/usr/bin/env bash\nset -euo pipefail\n{script}")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    folder
}

#[test]
fn every_script_on_a_page_is_run_or_is_a_chore_or_is_marked() {
    for page in pages() {
        let is_run = RUN.iter().any(|(known, _)| *known == page);
        assert!(!is_run || !scripts(&page).is_empty(), "{page} has no script any more");
        for (title, text) in sections(&read(&page)) {
            let words = text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
            for (_, script) in blocks(&text).into_iter().filter(|(language, _)| language == "sh") {
                let is_chore = script.lines().all(|line| line.starts_with("cargo xtask "));
                assert!(
                    is_run && !is_of_others(&page, &script) || is_chore || words.contains(MARK),
                    "{page}: {title}: no test runs this, and nothing says '{MARK}':\n{script}"
                );
            }
        }
    }
    let tests = [
        "tests/pages/scripts.rs",
        "crates/wif-operator/tests/audit.rs",
        "crates/wif-operator/tests/change.rs",
        "crates/wif-operator/tests/issuer.rs",
        "crates/wif-operator/tests/retire.rs",
        "crates/wif-operator/tests/vend.rs",
    ];
    let tests: String = tests.map(read).concat();
    for (page, test) in RUN {
        assert!(tests.contains(&format!("fn {test}(")), "{page}: {test}");
    }
}

/// Whether a script has commands of other tools only, which need the real service.
fn is_of_others(page: &str, script: &str) -> bool {
    let others = ["kubectl ", "az ", "#", "  "];
    page != AZURE_CLI && script.lines().all(|line| others.iter().any(|other| line.starts_with(other)))
}

/// Runs scripts as one step after the sign-in, with these programs in the place of the real ones.
fn in_job(emulator: &Emulator, programs: &Path, scripts: &[String]) -> JobReport {
    let inputs =
        [("azureSubscription", USUAL.connection_name), ("exports", "azure-cli, azure-sdk"), EMULATOR];
    let sign_in = Step::task(task_folder(), &inputs);
    // The folder of `wif` is on the PATH behind these programs.
    let scripts = scripts.iter().map(|script| format!("set -euo pipefail\n{script}"));
    let steps = scripts.map(|script| Step::bash(script).display_name("Page"));
    let steps: Vec<_> = std::iter::once(sign_in).chain(steps).collect();
    let message = emulator.job(emulator.usual().connection);
    let report = Agent::new().ca_file(emulator.ca_file()).path(programs).run(&message, &steps);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    report
}

/// Sees what the real one would hand to a container or a build.
const DOCKER: &str = r#"
hands_on() { [ -n "${!1:-}" ] || exit 1; echo "docker hands on $1"; }
case $1 in run | build) ;; *) exit 2 ;; esac
shift
while [ $# -gt 0 ]; do
  case $1 in
    -e) hands_on "$2"; shift 2 ;;
    -v) folder=${2%%:*}; shift 2 ;;
    --network) shift 2 ;;
    --secret)
      case $2 in
        id=token,env=*) hands_on "${2##*env=}" ;;
        id=token,src=*) [[ $(cat "${2##*src=}") == ey* ]]; echo "docker reads a token" ;;
        *) exit 3 ;;
      esac
      shift 2 ;;
    IMAGE | .) shift; break ;;
    *) exit 4 ;;
  esac
done
if [ $# -gt 0 ]; then
  [[ $("$folder/${1#/wif/}" "${@:2}") == ey* ]]
  echo "the command in the container has a token"
fi
"#;

/// Drops the variables that it is not told to keep, and looks for programs in a place of its own.
const SUDO: &str = r#"
case $1 in
  -E) shift; PATH=/usr/sbin:/usr/bin:/sbin:/bin exec "$@" ;;
  --preserve-env=*)
    for name in $(compgen -e); do
      [[ ,${1#*=}, == *,$name,* ]] || unset "$name"
    done
    shift
    PATH=/usr/sbin:/usr/bin:/sbin:/bin exec "$@" ;;
  *) exit 2 ;;
esac
"#;

#[test]
fn the_scripts_on_containers_hand_a_session_or_one_token_on() {
    let emulator = Emulator::start();
    let programs = programs(&[
        ("docker", DOCKER),
        ("sudo", SUDO),
        (
            "ssh",
            "[ \"$1 ${2%%;*}\" = 'deploy@host read -r token' ]; read -r token; [[ $token == ey* ]]; echo 'ssh hands on a token'",
        ),
        ("az", "[ -n \"$AZURE_CONFIG_DIR\" ]; echo \"az runs $*\""),
    ]);
    let scripts = scripts("docs/containers.md");
    // A token that a script prints is masked by what the sign-in said of it.
    let report = in_job(&emulator, programs.path(), &scripts);
    let expected = [
        &["docker hands on IDENTITY_ENDPOINT", "docker hands on IDENTITY_HEADER"][..],
        &["docker hands on WIF_URL", "docker hands on WIF_KEY", "the command in the container has a token"],
        &["docker hands on TOKEN"],
        &["docker hands on TOKEN", "docker reads a token"],
        &["***", "az runs group list"],
        &["ssh hands on a token"],
    ];
    let steps: Vec<_> = report.steps.iter().filter(|step| step.display_name == "Page").collect();
    assert_eq!((scripts.len(), steps.len()), (expected.len(), expected.len()));
    for (step, words) in steps.iter().zip(expected) {
        for word in words {
            assert!(step.log.contains(word), "{word}: {}", step.log);
        }
    }
    assert_eq!(emulator::leaks(&emulator.issued(), report.log.as_bytes()), Vec::<String>::new());
}

/// The account is a file, which `az login --identity` writes anew; a real az does this in the acceptance.
#[test]
fn the_script_that_brings_the_account_back_signs_az_in_again() {
    let emulator = Emulator::start();
    let az = r#"
account=$AZURE_CONFIG_DIR/azureProfile.json
case "$1 $2" in
  "login --identity")
    [ "$3 $4 $5 $6 $7" = "--client-id $AZURE_CLIENT_ID --allow-no-subscriptions --output none" ]
    [ ! -e "$account" ]
    wif token arm > /dev/null
    echo '{}' > "$account" ;;
  "account set") [ -e "$account" ]; [ "$3 $4" = "--subscription $AZURE_SUBSCRIPTION_ID" ]; echo "az is signed in again" ;;
  *) exit 2 ;;
esac
"#;
    let scripts = scripts(AZURE_CLI);
    let [script] = scripts.as_slice() else { panic!("{scripts:?}") };
    let script = format!("rm \"$AZURE_CONFIG_DIR/azureProfile.json\"\n{script}");
    let report = in_job(&emulator, programs(&[("az", az)]).path(), &[script]);
    assert!(report.step("Page").log.contains("az is signed in again"), "{}", report.log);
}

#[test]
fn the_command_of_azure_pipelines_prints_what_is_to_be_trusted() {
    let emulator = Emulator::start();
    let scripts = scripts("docs/sources/azure-pipelines.md");
    let [script] = scripts.as_slice() else { panic!("{scripts:?}") };
    let script =
        format!("{} --authority {} --allowed-authorities 127.0.0.1", script.trim(), emulator.entra_url());
    let step = Step::bash(script).env("SYSTEM_ACCESSTOKEN", "$(System.AccessToken)").display_name("Page");
    let sign_in = Step::task(task_folder(), &[("azureSubscription", USUAL.connection_name), EMULATOR]);
    let message = emulator.job(emulator.usual().connection);
    let report = Agent::new().ca_file(emulator.ca_file()).run(&message, &[sign_in, step]);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    let log = &report.step("Page").log;
    assert!(log.contains("subject organization") && log.contains("contoso"), "{log}");
}

#[test]
fn the_commands_of_the_page_check_a_connection_from_a_terminal() {
    let emulator = Emulator::start();
    emulator.directory().public_names = true;
    let proxy = Proxy::start(Proxy::leading_to(&emulator));
    let token = |resource| emulator.access_token(USUAL.client, resource);
    let (devops, graph, arm) = (
        token("499b84ac-1321-427f-aa17-267ca6975798"),
        token("https://graph.microsoft.com"),
        token("https://management.azure.com"),
    );
    let folder = tempfile::tempdir().unwrap();
    let is_signed_in = folder.path().join("signed-in").display().to_string();
    let az = format!(
        r#"
[ "$1" = login ] && {{ touch '{is_signed_in}'; exit; }}
[ -e '{is_signed_in}' ] && [ "$1 $2 $3 $4 $5" = 'account get-access-token -o json --scope' ]
case $6 in
  499b84ac-*) t='{devops}' ;;
  https://graph.*) t='{graph}' ;;
  https://management.*) t='{arm}' ;;
  *) exit 2 ;;
esac
echo "{{\"accessToken\": \"$t\", \"expires_on\": 4102444800, \"tokenType\": \"Bearer\"}}"
"#
    );
    let scripts = scripts("docs/diagnosis.md");
    let [script] = scripts.as_slice() else { panic!("{scripts:?}") };
    let output = bash(script, programs(&[("az", &az)]).path())
        .env("HTTPS_PROXY", proxy.url())
        .env("SSL_CERT_FILE", emulator.ca_file())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(matches!(output.status.code(), Some(0 | 10)), "{said}{}", errors(&output));
    assert!(said.contains("service connection") && said.contains("federated credentials"), "{said}");
    assert_eq!(emulator::leaks(&emulator.issued(), &output.stdout), Vec::<String>::new());
}

/// A source where its page says that it is, and what its page calls it.
fn source(page: &str, folder: &Path) -> ExecCase {
    let of = |issuer| ExecCase::of(issuer, "auto");
    let token = |case: &ExecCase, issuer| case.emulator.source_id_token(issuer, AUDIENCE, 300);
    let with_token = |issuer, variable: &str| {
        let case = of(issuer);
        let token = token(&case, issuer);
        case.set(variable, &token)
    };
    match page {
        "docs/exec.md" => of(SourceIssuer::GitHub)
            .set("AZURE_TENANT_ID", &USUAL.tenant.to_string())
            .set("AZURE_CLIENT_ID", &USUAL.client.to_string()),
        "docs/sources/github.md" => of(SourceIssuer::GitHub),
        "docs/sources/buildkite.md" => of(SourceIssuer::Buildkite),
        "docs/sources/google.md" => of(SourceIssuer::Google),
        "docs/sources/aws.md" => of(SourceIssuer::Aws),
        "docs/sources/gitlab.md" => with_token(SourceIssuer::GitLab, "AZURE_ID_TOKEN"),
        "docs/sources/variable.md" => with_token(SourceIssuer::GitLab, "BITBUCKET_STEP_OIDC_TOKEN"),
        "docs/sources/file.md" | "docs/sources/kubernetes.md" => {
            let case = of(SourceIssuer::Kubernetes);
            let file = folder.join("token");
            fs::write(&file, token(&case, SourceIssuer::Kubernetes)).unwrap();
            case.set("AZURE_FEDERATED_TOKEN_FILE", &file.display().to_string())
        }
        "docs/sources/spiffe.md" => {
            let case = of(SourceIssuer::Spiffe);
            let socket = folder.join("agent.sock");
            // It goes on answering.
            let _asked = spire::serve(&socket, Ok(token(&case, SourceIssuer::Spiffe)));
            case.set("SPIFFE_ENDPOINT_SOCKET", &format!("unix://{}", socket.display()))
        }
        "docs/sources/managed-identity.md" => {
            let case = of(SourceIssuer::GitHub);
            case.emulator.directory().machine.identities = vec![USUAL.entra_client];
            let machine = case.emulator.machine_url();
            case.set("AZURE_POD_IDENTITY_AUTHORITY_HOST", &machine)
        }
        _ => panic!("{page} is the page of no source"),
    }
}

#[test]
fn the_commands_of_each_source_sign_in_and_print_what_is_to_be_trusted() {
    let mut ran = 0;
    for (page, _) in RUN.into_iter().filter(|(_, test)| *test == SOURCES) {
        let folder = tempfile::tempdir().unwrap();
        let case = source(page, folder.path());
        let (authority, arm) = (case.emulator.entra_url(), case.emulator.arm_url());
        let program = env!("CARGO_BIN_EXE_wif");
        // What it adds is where the services are.
        let wif = format!(
            r#"
case $1 in
  exec) shift; exec {program} exec --authority {authority} --resource-manager {arm} --allowed-authorities 127.0.0.1 "$@" ;;
  trust) exec {program} "$@" --authority {authority} --allowed-authorities 127.0.0.1 ;;
  *) exec {program} "$@" ;;
esac
"#
        );
        let tool = "wif token arm > /dev/null\necho \"$(basename \"$0\") ${1:-} is signed in${VAULT:+, and has a token}\"\necho \"source ${ACTIONS_ID_TOKEN_REQUEST_URL:-none}\"";
        let programs = programs(&[("wif", &wif), ("terraform", tool), ("deploy.sh", tool)]);
        for script in scripts(page).into_iter().filter(|script| !is_of_others(page, script)) {
            let own = folder.path().join("token").display().to_string();
            let script = script.replace("/var/run/secrets/azure/token", &own);
            let before = case.emulator.count(Service::Entra, "POST");
            let mut bash = bash(&script, programs.path());
            let variables = case.variables().iter().filter(|(name, _)| *name != "PATH");
            let output = bash.envs(variables).current_dir(programs.path()).output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{page}: {script}\n{said}{}", errors(&output));
            if script.starts_with("wif trust entra ") {
                assert!(said.starts_with("issuer ") && said.contains("https:"), "{page}: {said}");
                assert!(said.contains("az ad app federated-credential create --id"), "{page}: {said}");
                assert_eq!(
                    case.emulator.count(Service::Entra, "POST"),
                    before,
                    "{page}: nothing is exchanged"
                );
            } else {
                assert!(said.contains(" is signed in"), "{page}: {script}\n{said}{}", errors(&output));
                assert_eq!(
                    said.contains("and has a token"),
                    script.contains("VAULT=keyvault"),
                    "{page}: {said}"
                );
                assert_eq!(said.contains("source none"), !said.contains("source http"), "{page}: {said}");
                if script.contains("env -u ACTIONS_ID_TOKEN_REQUEST_URL") {
                    assert!(said.contains("source none"), "{page}: {said}");
                }
            }
            ran += 1;
        }
    }
    assert!(ran > 12, "{ran}");
}

/// Bash that runs a script, and finds these programs before `wif` and before its own.
fn bash(script: &str, programs: &Path) -> Command {
    let own = Path::new(env!("CARGO_BIN_EXE_wif")).parent().unwrap();
    let path = format!("{}:{}:/usr/local/bin:/usr/bin:/bin", programs.display(), own.display());
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", script]).env_clear().env("PATH", path);
    command
}
