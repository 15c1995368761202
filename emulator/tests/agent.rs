//! The emulated agent keeps the contract that real tasks rely on.

#[path = "agent/fixture.rs"]
mod fixture;
#[path = "agent/processes.rs"]
mod processes;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use emulator::agent::StepResult::{Failed, Skipped, Succeeded};
use emulator::agent::{Agent, Condition, JobResult, ProxySettings, Stage, Step, pipeline_from_yaml};
use uuid::Uuid;

use fixture::{in_order, message, run, task};

#[test]
fn main_stages_run_in_order_and_post_stages_backwards_even_after_a_failure() {
    let task = task(
        "console.log('##vso[task.settaskvariable variable=my.note]of ' + process.env.INPUT_TEXT);
         if (process.env.INPUT_TEXT == 'b') console.log('##vso[task.complete result=Failed]')",
        "console.log('post ' + process.env.VSTS_TASKVARIABLE_MY_NOTE)",
    );
    let report = run(&[
        Step::task(task.path(), &[("text", "a")]).display_name("A"),
        Step::task(task.path(), &[("text", "b")]).display_name("B"),
        Step::task(task.path(), &[("text", "c")]).display_name("C"),
        Step::script("echo only after a failure").condition(Condition::Failed),
    ]);
    assert_eq!(report.result, JobResult::Failed);
    let results: Vec<_> = report.steps.iter().map(|step| (step.stage, step.result)).collect();
    let main = [Succeeded, Failed, Skipped, Succeeded].map(|result| (Stage::Main, result));
    assert_eq!(results[..4], main);
    assert_eq!(results[4..], [(Stage::Post, Succeeded); 3]);
    in_order(&report.log, &["Starting: A", "Starting: B", "only after", "Post-job: C", "post undefined"]);
    in_order(&report.log, &["Starting: Post-job: B", "post of b", "Starting: Post-job: A", "post of a"]);
    in_order(&report.log, &["Task         : Fixture task", "Version      : 1.2.3", "Author       : wif"]);
}

#[test]
fn a_task_gets_exactly_the_environment_of_the_contract() {
    // In hex, so that the agent finds no secret to mask and no command in it.
    let print = "for (const [k, v] of Object.entries(process.env))
        console.log('ENV ' + k + '=' + Buffer.from(v).toString('hex'))";
    let task = task(print, "");
    let agent = Agent::new()
        .machine_env("MACHINE", "m")
        .ca_file(Path::new("/ca.pem"))
        .skip_certificate_validation()
        .proxy(ProxySettings {
            url: "http://proxy:3128".into(),
            user: Some("u".into()),
            password: Some("p-w".into()),
            bypass: vec!["*\\.corp".into()],
            basic_auth: false,
        });
    let inputs = [("azureSubscription", "sc-prod"), ("extra.one", "$(my.secret) $(none) ")];
    let step = Step::task(task.path(), &inputs)
        .env("MAPPED", " $(MACHINE) ")
        .env("SYSTEM_COLLECTIONURI", "a variable overwrites it");
    let report = agent.run(&message(), &[step]);
    let env: BTreeMap<_, _> = report.steps[0].raw_stdout.lines().filter_map(env_entry).collect();
    let id = Uuid::from_u128(0xA1).to_string();
    for (name, value) in [
        ("INPUT_CONNECTION", id.as_str()),
        ("INPUT_TEXT", "plain"),
        ("INPUT_FLAG", "True"),
        ("INPUT_EXTRA_ONE", "s3cr3t-value $(none)"),
        ("MAPPED", "m"),
        ("MACHINE", "m"),
        ("LANG", "C.UTF-8"),
        ("SYSTEM_COLLECTIONURI", "https://devops.test/contoso/"),
        ("SECRET_MY_SECRET", "s3cr3t-value"),
        (&format!("ENDPOINT_URL_{id}"), "https://management.test/"),
        (&format!("ENDPOINT_AUTH_SCHEME_{id}"), "WorkloadIdentityFederation"),
        (&format!("ENDPOINT_AUTH_PARAMETER_{id}_TENANTID"), "tenant-of-it"),
        (&format!("ENDPOINT_DATA_{id}_ENVIRONMENT"), "https://devops.test/contoso/x"),
        ("ENDPOINT_AUTH_PARAMETER_SYSTEMVSSCONNECTION_ACCESSTOKEN", "job-token-value"),
        ("ENDPOINT_AUTH_SCHEME_SYSTEMVSSCONNECTION", "OAuth"),
        ("AGENT_CAINFO", "/ca.pem"),
        ("AGENT_SKIPCERTVALIDATION", "True"),
        ("AGENT_PROXYURL", "http://proxy:3128"),
        ("AGENT_PROXYBYPASSLIST", r#"["*\\.corp"]"#),
        ("SECRET_AGENT_PROXYPASSWORD", "p-w"),
        ("AGENT_JOBSTATUS", "Succeeded"),
        ("agent.jobstatus", "Succeeded"),
        ("TF_BUILD", "True"),
    ] {
        assert_eq!(env.get(name).map(String::as_str), Some(value), "{name}");
    }
    let other = Uuid::from_u128(0xB2).to_string();
    assert!(!env.keys().any(|name| name.contains(&other)), "the other connection is not this step's");
    for absent in
        ["ENDPOINT_DATA_SYSTEMVSSCONNECTION", "AGENT_PROXYPASSWORD", "MY_SECRET", "CARGO_MANIFEST_DIR"]
    {
        assert!(!env.contains_key(absent), "{absent}");
    }
    assert!(env["VSTS_SECRET_VARIABLES"].contains("my.secret"));
    assert!(
        report.masks.contains(&"client-of-it".to_owned())
            && !report.masks.contains(&"tenant-of-it".to_owned())
    );
}

fn env_entry(line: &str) -> Option<(String, String)> {
    let (name, hex) = line.strip_prefix("ENV ")?.split_once('=')?;
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).ok();
    let bytes: Option<Vec<u8>> = (0..hex.len()).step_by(2).map(byte).collect();
    Some((name.to_owned(), String::from_utf8(bytes?).ok()?))
}

#[test]
fn later_scripts_see_public_variables_and_only_mapped_secrets() {
    let task = task(
        "console.log('##vso[task.setvariable variable=a.public]hello');
         console.log('##vso[task.setvariable variable=lower;preservecase=true]kept');
         console.log('##vso[task.setvariable variable=TOKEN;issecret=true]t0k3n-value');
         console.log('##vso[task.setvariable variable=out;isoutput=true]42');
         console.log('##vso[task.setvariable variable=trap]43');
         console.log('##vso[task.prependpath]/opt/first');
         console.log('now ' + (process.env.A_PUBLIC || 'unset') + ' t0k3n-value');",
        "",
    );
    let show = "echo \"[$A_PUBLIC|$lower|$TOKEN$SECRET_TOKEN|$MAPPED|$ME_OUT|${PATH%%:*}|$(me.trap)|$trap]\"
                env | grep -c '^SECRET_\\|^INPUT_\\|^ENDPOINT_AUTH' || true";
    let report =
        run(&[Step::task(task.path(), &[]).name("me"), Step::script(show).env("MAPPED", "$(TOKEN)")]);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    let script = &report.steps[1];
    assert_eq!(script.raw_stdout, "[hello|kept||t0k3n-value|42|/opt/first|43|]\n0\n");
    assert!(script.log.contains("[hello|kept||***|42|/opt/first|43|]"));
    assert!(report.log.contains("now unset ***") && !report.log.contains("t0k3n-value"));
    assert!(report.variables["me.out"].read_only && report.variables["TOKEN"].secret);
    assert_eq!((report.variable("OUT"), report.variable("trap")), (None, None));
    assert_eq!(report.path_prepended, ["/opt/first"]);
}

#[test]
fn commands_fail_in_the_ways_of_the_contract() {
    for (line, result, logged) in [
        ("##vso[task.complete result=Cancelled]", Failed, "##[error]Unable to process command"),
        ("##vso[task.nothing]x", Failed, "is not a recognized command"),
        ("##vso[nothing.at all]x", Succeeded, "##[warning]Cannot find command extension"),
        ("##vso[task.setvariable variable=x", Succeeded, "##[warning]'##vso[task.setvariable"),
        ("##vso[task.uploadsummary]/none", Failed, "does not exist"),
        ("##vso[task.setvariable variable=x;issecret=true]a%0Ab", Failed, "a%0Ab"),
        ("##vso[task.logissue type=fatal]x", Failed, "fatal is not an expected"),
        ("##vso[task.setvariable variable=Agent.Name]x", Succeeded, "Overwriting readonly variable"),
        ("a\\r##vso[task.logissue type=error;code=W1]bad", Succeeded, "##[error]bad"),
    ] {
        let task = task(&format!("console.error(\"{line}\")"), "");
        let report = run(&[Step::task(task.path(), &[])]);
        assert_eq!(report.steps[0].result, result, "{line}\n{}", report.log);
        assert!(report.log.contains(logged), "{line}\n{}", report.log);
    }
}

#[test]
fn restricted_steps_lose_uploads_and_unlisted_variables_with_a_warning() {
    let task = task(
        "require('fs').writeFileSync(process.env.AGENT_TEMPDIRECTORY + '/s.md', '# s');
         console.log('##vso[task.uploadsummary]' + process.env.AGENT_TEMPDIRECTORY + '/s.md');
         console.log('##vso[task.setvariable variable=ARM_X]1');
         console.log('##vso[task.setvariable variable=OTHER;issecret=true]masked-all-the-same');
         console.log('masked-all-the-same')",
        "",
    );
    let free = run(&[Step::task(task.path(), &[])]);
    assert_eq!(free.summaries[0].content.as_deref(), Some("# s"));
    assert_eq!(free.left_in_temp.len(), 1);
    let step = Step::task(task.path(), &[]).restricted_commands().settable_variables(&["arm_*"]);
    let bound = run(&[step, Step::script(":")]);
    assert_eq!(bound.result, JobResult::Succeeded);
    assert!(bound.summaries.is_empty());
    assert_eq!((bound.variable("ARM_X"), bound.variable("OTHER")), (Some("1"), None));
    assert_eq!(bound.steps[0].warnings().len(), 2);
    assert!(!bound.log.contains("masked-all-the-same"));
}

#[test]
fn installed_tasks_have_no_execute_bits() {
    let task = task(
        "const m = require('fs').statSync(__filename).mode & 0o777; console.log(m.toString(8), __dirname)",
        "",
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(task.path().join("main.js"), mode).expect("a mode");
    }
    for (agent, mode) in [(Agent::new().install_tasks(), "644"), (Agent::new().read_only_tasks(), "444")] {
        let report = agent.run(&message(), &[Step::task(task.path(), &[])]);
        let folder = agent.tasks_folder().canonicalize().expect("a folder");
        let folder = folder.join("Fixture_11111111-2222-3333-4444-555555555555").join("1.2.3");
        assert_eq!(report.steps[0].raw_stdout.trim(), format!("{mode} {}", folder.display()));
    }
}

#[test]
fn failed_steps_are_tried_again_or_forgiven() {
    let task = task(
        "const f = process.env.AGENT_TEMPDIRECTORY + '/tries'; const fs = require('fs');
         fs.appendFileSync(f, 'x'); process.exit(fs.readFileSync(f).length < 3 ? 1 : 0)",
        "",
    );
    let steps = [
        Step::task(task.path(), &[]).retries(2),
        Step::script("exit 3").continue_on_error(),
        Step::script("echo on"),
    ];
    let report = Agent::new().retry_unit(Duration::from_millis(1)).run(&message(), &steps);
    assert_eq!(report.result, JobResult::SucceededWithIssues);
    assert_eq!(report.steps[0].result, Succeeded);
    assert_eq!(report.steps[1].exit_code, Some(3));
    assert!(report.steps[0].log.contains("Exit code 1 returned from process"));
    assert!(report.log.contains("##[error]Bash exited with code '3'."));
}

#[test]
fn every_stage_and_script_of_a_container_job_is_started_inside() {
    let say = "console.log('inside: ' + process.env.INSIDE)";
    let task = task(say, say);
    let steps = [Step::task(task.path(), &[]), Step::bash("echo \"inside: $INSIDE\"")];
    let report = Agent::new().container(&["env", "INSIDE=yes"]).run(&message(), &steps);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    let said = report.steps.iter().filter(|step| step.raw_stdout == "inside: yes\n");
    assert_eq!(said.count(), 3, "main, script, post: {}", report.log);
}

#[test]
fn a_pipeline_is_read_from_yaml() {
    let task = task("console.log('in ' + process.env.INPUT_TEXT)", "");
    let text = r"
variables:
  greeting: hello
jobs:
- job: one
  steps:
  - checkout: none
  - task: Fixture@1
    name: fixture
    inputs:
      azureSubscription: sc-prod
      text: $(greeting) you
  - script: |
      echo $(greeting) $WHO
    displayName: Say it
    condition: succeededOrFailed()
    env:
      WHO: me
";
    let find = |name: &str| (name == "Fixture@1").then(|| task.path().to_owned());
    let pipeline = pipeline_from_yaml(text, &find).expect("a pipeline");
    let mut message = message();
    pipeline.add_variables(&mut message);
    let report = Agent::new().run(&message, &pipeline.steps);
    assert_eq!(report.step("fixture").raw_stdout, "in hello you\n");
    assert_eq!(report.step("Say it").raw_stdout, "hello me\n");
    assert!(pipeline_from_yaml("steps:\n- task: Other@1", &find).unwrap_err().contains("Other@1"));
    assert!(pipeline_from_yaml("steps:\n- script: x\n  condition: eq(1, 2)", &find).is_err());
}
