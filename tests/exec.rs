//! `wif exec`: the command is signed in for as long as it runs, and nothing is left of the session then.
#![cfg(unix)]

use std::{
    io::{BufReader, Read as _},
    net::TcpStream,
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
};

use emulator::{Fault, Gate, IssuedKind, Service, directory::SourceIssuer};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{ExecCase, block_until, errors};

fn value<'a>(environment: &'a str, name: &str) -> Option<&'a str> {
    environment.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
}

#[test]
fn the_command_finds_what_later_steps_of_a_job_find() {
    let case = ExecCase::new();
    let found = case.prints("env; echo ACCOUNT; cat \"$AZURE_CONFIG_DIR/azureProfile.json\"");
    let usual = case.emulator.usual();
    for (name, expected) in [
        ("AZURE_CLIENT_ID", usual.client.to_string()),
        ("AZURE_TENANT_ID", usual.tenant.to_string()),
        ("AZURE_SUBSCRIPTION_ID", usual.subscription.to_string()),
        ("AZURE_AUTHORITY_HOST", format!("{}/", case.emulator.entra_url())),
        ("ARM_CLIENT_ID", usual.client.to_string()),
        ("ARM_USE_OIDC", "true".to_owned()),
    ] {
        assert_eq!(value(&found, name), Some(expected.as_str()), "{found}");
    }
    let url = value(&found, "WIF_URL").unwrap();
    assert!(value(&found, "IDENTITY_ENDPOINT").unwrap().starts_with(url), "{found}");
    assert!(value(&found, "ARM_OIDC_REQUEST_URL").unwrap().starts_with(url), "{found}");
    assert!(found.split("ACCOUNT").nth(1).unwrap().contains(&usual.subscription.to_string()), "{found}");
    // Only what is asked for puts a token into an environment.
    assert_eq!(value(&found, "AZURE_ACCESS_TOKEN"), None);
    let mut issued = case.emulator.issued();
    // What the job had before is the job's.
    issued.retain(|secret| secret.kind != IssuedKind::SourceCredential);
    assert_eq!(emulator::leaks(&issued, found.as_bytes()), vec![] as Vec<String>);
}

#[test]
fn tokens_are_to_be_had_while_the_command_runs() {
    let case = ExecCase::new();
    let token = case.prints("wif token keyvault");
    assert!(token.starts_with("eyJ"), "{token}");
    assert_eq!(case.emulator.count(Service::Sources, "GET /github/idtoken"), 1);
    let asked =
        case.option("--access-tokens", "VAULT=keyvault").prints("echo $VAULT; echo $VAULT_EXPIRES_ON");
    assert!(asked.starts_with("eyJ") && asked.trim().ends_with('Z'), "{asked}");
}

#[test]
fn the_exit_code_is_the_commands() {
    let case = ExecCase::new().option("--exports", "none");
    for (script, code) in
        [("exit 0", 0), ("exit 7", 7), ("exit 255", 255), ("kill -TERM $$", 143), ("kill -KILL $$", 137)]
    {
        let output = case.run(&["sh", "-c", script]);
        assert_eq!(output.status.code(), Some(code), "{script}: {}", errors(&output));
    }
}

#[test]
fn a_command_that_is_not_there_is_127_and_one_that_cannot_be_run_126() {
    let case = ExecCase::new().option("--exports", "none");
    let file = case.emulator.ca_file().display().to_string();
    for (command, code, wif_code) in [
        ("no-such-command", 127, "WIF4030"),
        ("/no/such/command", 127, "WIF4030"),
        (&*file, 126, "WIF4031"),
        ("/", 126, "WIF4031"),
    ] {
        let output = case.run(&[command]);
        let said = errors(&output);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(wif_code) && said.contains(command), "{said}");
    }
}

/// Starts a shell that says what it hears, and waits until it listens. It is in a group of its own, so that no terminal is its.
fn listening(case: &ExecCase) -> (Child, BufReader<std::process::ChildStdout>) {
    let script = "for s in TERM HUP QUIT INT USR1 USR2; do trap \"echo heard $s\" $s; done
        trap 'echo heard TERM; exit 3' TERM
        echo ready; while :; do sleep 0.05; done";
    let mut command = case.command(&["sh", "-c", script]);
    let mut child = command.process_group(0).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    assert_eq!(line(&mut out), "ready");
    (child, out)
}

fn line(out: &mut impl std::io::BufRead) -> String {
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

#[test]
fn signals_reach_the_command_and_its_answer_counts() {
    let case = ExecCase::new();
    let (mut child, mut out) = listening(&case);
    for (signal, name) in [
        (Signal::HUP, "HUP"),
        (Signal::INT, "INT"),
        (Signal::QUIT, "QUIT"),
        (Signal::USR1, "USR1"),
        (Signal::USR2, "USR2"),
        (Signal::TERM, "TERM"),
    ] {
        send(&child, signal);
        assert_eq!(line(&mut out), format!("heard {name}"));
    }
    assert_eq!(child.wait().unwrap().code(), Some(3));
    assert_eq!(case.temp.path().read_dir().unwrap().count(), 0);
}

/// A text as one word of a shell.
#[cfg(target_os = "linux")]
fn word(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Linux tells each process's group and that of its terminal's foreground (`proc_pid_stat(5)`); `script` of util-linux gives a
/// terminal.
#[cfg(target_os = "linux")]
#[test]
fn the_terminal_and_its_group_stay_as_they_are_and_ctrl_c_arrives_once() {
    let case = ExecCase::new().option("--exports", "none");
    let inner = r#"n=0; trap 'n=$((n+1)); echo "heard $n"' INT
        set -- $(cat /proc/$$/stat); echo "groups $5 $8"
        set -- $(cat /proc/$4/stat); echo "groups $5 $8"
        test -t 0 && test -t 1 && test -t 2 && echo "modes $(stty -g)"
        echo ready
        m=0; until read -r line && test -n "$line"; do m=$((m+1)); test $m -gt 99 && exit 9; done
        echo "heard $n in all"; exit 7"#;
    let command = case.command(&["sh", "-c", inner]);
    let words = [command.get_program()].into_iter().chain(command.get_args());
    let line: Vec<_> = words.map(|one| word(one.to_str().unwrap())).collect();
    let around = format!(
        "trap : INT; echo \"modes $(stty -g)\"; {}; echo \"code $?\"; echo \"modes $(stty -g)\"",
        line.join(" ")
    );
    let mut terminal = Command::new("script");
    let variables = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
    terminal.env_clear().envs(variables).env("SHELL", "/bin/sh").args(["-qc", &around, "/dev/null"]);
    let started = terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut terminal) = started else { return not_tested("this machine has no script of util-linux") };
    let (mut keyboard, mut screen) =
        (terminal.stdin.take().unwrap(), BufReader::new(terminal.stdout.take().unwrap()));
    let mut shown = Vec::new();
    let mut wait_for = |last: &str| loop {
        let text = line_of(&mut screen, &shown);
        shown.push(text);
        if shown.last().unwrap().ends_with(last) {
            return shown.clone();
        }
    };
    wait_for("ready");
    // Two signals that come before the shell is asked are one to it: of ten times, one would show.
    for number in 1..=10 {
        std::io::Write::write_all(&mut keyboard, b"\x03").unwrap();
        wait_for(&format!("heard {number}"));
    }
    std::io::Write::write_all(&mut keyboard, b"go on\n").unwrap();
    wait_for("heard 10 in all");
    let shown = wait_for("code 7");
    let mut rest = String::new();
    screen.read_to_string(&mut rest).unwrap();
    terminal.wait().unwrap();
    let of = |lines: &[String], name: &str| -> Vec<_> {
        lines.iter().filter_map(|line| Some(line.split_once(name)?.1.trim().to_owned())).collect()
    };
    let groups = of(&shown, "groups ");
    let [command, wif] = &groups[..] else { panic!("{shown:?}") };
    let (own, foreground) = command.split_once(' ').unwrap();
    assert_eq!((own, command), (foreground, wif), "one group, in the foreground: {shown:?}");
    let all: Vec<_> = shown.into_iter().chain(rest.lines().map(str::to_owned)).collect();
    let modes = of(&all, "modes ");
    assert_eq!(modes.len(), 3, "{all:?}");
    assert!(modes.iter().all(|one| *one == modes[0]), "{modes:?}");
}

/// The next line of a terminal's screen; the end of it is a failure.
#[cfg(target_os = "linux")]
fn line_of(screen: &mut impl std::io::BufRead, shown: &[String]) -> String {
    let mut text = String::new();
    assert_ne!(screen.read_line(&mut text).unwrap(), 0, "the terminal ended: {shown:?}");
    text.trim_end().to_owned()
}

#[test]
fn a_signal_before_the_command_ends_the_sign_in_and_leaves_nothing() {
    let case = ExecCase::new();
    let gate = Gate::new();
    case.emulator.fault(Fault::on(Service::Entra, "POST", "/token").always().gate(&gate));
    let mut child = case.command(&["true"]).process_group(0).spawn().unwrap();
    gate.wait_until_reached(1);
    send(&child, Signal::TERM);
    block_until("the end of the sign-in", || "", || child.try_wait().unwrap().is_some());
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert_eq!(case.temp.path().read_dir().unwrap().count(), 0);
}

#[test]
fn what_a_process_was_started_to_ignore_the_command_ignores_too() {
    let case = ExecCase::new().option("--exports", "none");
    let inner = case.command(&["sh", "-c", "grep SigIgn /proc/self/status"]);
    let mut nohup = Command::new("sh");
    nohup.args(["-c", "trap '' HUP; exec \"$@\"", "sh"]).arg(inner.get_program()).args(inner.get_args());
    let variables = inner.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let output = nohup.env_clear().envs(variables).output().unwrap();
    let ignored = String::from_utf8(output.stdout).unwrap();
    assert!(ignored.trim().ends_with('1'), "{ignored}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_session_ends_with_the_command_even_for_what_it_leaves_behind() {
    let case = ExecCase::new();
    let found = case.prints("echo $WIF_URL; (sleep 5 >/dev/null 2>&1 &)");
    let address = found.trim().strip_prefix("http://").unwrap();
    assert!(TcpStream::connect(address).is_err(), "{address} still listens");
}

#[test]
fn what_would_win_over_the_session_does_not_reach_the_command() {
    let case = ExecCase::new()
        .set("AZURE_CLIENT_SECRET", "hunter2")
        .set("ARM_CLIENT_SECRET", "hunter2")
        .set("ARM_CLIENT_SECRET_FILE_PATH", "/run/hunter2")
        .set("ARM_ADO_PIPELINE_SERVICE_CONNECTION_ID", "hunter2")
        .set("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID", "hunter2")
        .set("AZURE_POD_IDENTITY_AUTHORITY_HOST", "");
    let output = case.run(&["env"]);
    let (found, said) = (String::from_utf8_lossy(&output.stdout).into_owned(), errors(&output));
    assert!(!found.contains("hunter2"), "{found}");
    assert!(said.contains("AZURE_CLIENT_SECRET is not passed on") && !said.contains("hunter2"), "{said}");
}

#[test]
fn a_run_inside_of_a_run_has_a_session_of_its_own() {
    let case = ExecCase::new();
    let (program, inner) = (
        env!("CARGO_BIN_EXE_wif"),
        case.command(&["sh", "-c", "echo $WIF_URL; wif token graph >/dev/null && echo ok"]),
    );
    let arguments: Vec<_> = inner.get_args().map(|one| one.to_str().unwrap()).collect();
    let mut command =
        vec!["sh", "-c", "echo $WIF_URL; \"$@\"; wif token storage >/dev/null && echo ok", "sh", program];
    command.extend(arguments);
    let output = case.run(&command);
    let found = String::from_utf8(output.stdout.clone()).unwrap();
    let lines: Vec<_> = found.lines().collect();
    let [outer, inner, "ok", "ok"] = *lines.as_slice() else { panic!("{found}{}", errors(&output)) };
    assert_ne!(outer, inner);
}

#[test]
fn a_session_with_a_name_has_names_of_its_own() {
    let case = ExecCase::new().option("--session", "hub").option("--exports", "azure-sdk");
    let found = case.prints("env; wif token arm --session hub >/dev/null && echo ok");
    assert!(
        value(&found, "HUB_IDENTITY_ENDPOINT").is_some() && value(&found, "IDENTITY_ENDPOINT").is_none(),
        "{found}"
    );
    assert!(found.ends_with("ok\n"), "{found}");
}

#[test]
fn runs_beside_each_other_do_not_meet() {
    let case = ExecCase::new();
    let start = || {
        case.command(&["sh", "-c", "wif token arm >/dev/null && echo $WIF_URL"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let runs: Vec<_> = (0..3).map(|_| start()).collect();
    let mut urls: Vec<_> = runs
        .into_iter()
        .map(|mut run| {
            let mut text = String::new();
            run.stdout.take().unwrap().read_to_string(&mut text).unwrap();
            assert!(run.wait().unwrap().success());
            text
        })
        .collect();
    urls.sort();
    urls.dedup();
    assert_eq!(urls.len(), 3, "{urls:?}");
    assert_eq!(case.temp.path().read_dir().unwrap().count(), 0);
}

#[test]
fn limited_resources_are_limited_for_the_command_too() {
    let case = ExecCase::new().option("--allowed-resources", "arm,graph").option("--exports", "azure-sdk");
    let found = case.prints("wif token arm >/dev/null && echo arm; wif token keyvault 2>/dev/null || echo refused; wif token --id-token 2>/dev/null || echo refused");
    assert_eq!(found, "arm\nrefused\nrefused\n");
}

/// The guard bounds what the session gives. What the job itself was given is the job's, and a run inside needs it.
#[test]
fn limited_resources_do_not_take_the_jobs_own_variables_away_and_the_page_says_how_to() {
    let case = ExecCase::new().option("--allowed-resources", "arm").option("--exports", "azure-sdk");
    let left = "env | grep -c ^ACTIONS_ID_TOKEN_REQUEST";
    assert_eq!(case.prints(left), "2\n");
    let page = include_str!("../docs/exec.md");
    let line = command_lines(page).into_iter().find(|line| line.contains(&"env".to_owned()));
    let line = line.expect("a command line with env -u");
    let after = line.iter().position(|word| word == "--").unwrap() + 1;
    let taken_out = line[after..].iter().map(String::as_str).take_while(|word| *word != "terraform");
    let command: Vec<_> =
        taken_out.chain(["sh", "-c", "env | grep ^ACTIONS_ID_TOKEN; wif token arm"]).collect();
    let output = case.run(&command);
    let found = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(found.starts_with("eyJ"), "{found}{}", errors(&output));
}

#[test]
fn the_other_guards_hold_for_a_command_too() {
    let usual = ExecCase::new().emulator.usual();
    let own = usual.subscription.to_string();
    let elsewhere = "11111111-1111-1111-1111-111111111111";
    let allowed =
        ExecCase::new().option("--allowed-subscriptions", &own).option("--require-federation", "true");
    assert_eq!(allowed.prints("echo it ran"), "it ran\n");
    let own_identity = ExecCase::of(SourceIssuer::GitHub, "managed-identity").without("--client");
    for (case, words) in [
        (ExecCase::new().option("--allowed-subscriptions", elsewhere), "allowedSubscriptions"),
        (
            ExecCase::new().option("--allowed-subscriptions", &own).without("--subscription"),
            "has no subscription, and the input allowedSubscriptions",
        ),
        (own_identity.option("--require-federation", "true"), "requireFederation"),
    ] {
        let (code, said) = case.refuses();
        assert_eq!(code, 2, "{said}");
        assert!(said.contains(words), "{said}");
        assert!(case.emulator.journal().is_empty(), "{}", case.emulator.journal_text());
    }
}

#[test]
fn a_mistake_in_an_option_is_mended_in_the_option_and_in_no_pipeline() {
    let case = ExecCase::new().option("--allowed-tenants", "foo");
    let (code, said) = case.refuses();
    assert_eq!(code, 2, "{said}");
    assert!(
        said.contains("WIF1003") && said.contains("--allowed-tenants") && !said.contains("pipeline"),
        "{said}"
    );
    let (_, said) = case.set("TF_BUILD", "True").refuses();
    assert!(said.contains("correct the input in the pipeline"), "{said}");
}

#[test]
fn what_is_worth_a_line_of_a_steps_log_is_said_with_verbose() {
    let case = ExecCase::new().without("--subscription");
    let said = |verbose: &str| {
        let mut command = case.command(&[]);
        let arguments: Vec<_> = command.get_args().map(std::ffi::OsStr::to_owned).collect();
        let variables = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
        let mut verbosely = Command::new(env!("CARGO_BIN_EXE_wif"));
        verbosely.env_clear().envs(variables).args(&arguments[..arguments.len() - 1]);
        verbosely.args([verbose].into_iter().filter(|option| !option.is_empty())).args(["--", "true"]);
        command = verbosely;
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", errors(&output));
        errors(&output)
    };
    assert!(said("--verbose").contains("ARM_SUBSCRIPTION_ID are not exported"), "{}", said("--verbose"));
    assert_eq!(said(""), "");
}

#[test]
fn no_tenant_no_client_and_a_foreign_authority_are_refused_before_any_request() {
    let cases: [(ExecCase, &str); 5] = [
        (ExecCase::new().without("--tenant"), "--tenant"),
        (ExecCase::new().without("--client"), "--client"),
        (ExecCase::new().without("--allowed-authorities"), "allowedAuthorities"),
        (
            ExecCase::new().option("--allowed-tenants", "11111111-1111-1111-1111-111111111111"),
            "allowedTenants",
        ),
        (ExecCase::new().option("--exports", "pulumi"), "exports"),
    ];
    for (case, words) in cases {
        let (code, said) = case.refuses();
        assert_eq!(code, 2, "{said}");
        assert!(said.contains(words), "{said}");
        assert!(case.emulator.journal().is_empty(), "{}", case.emulator.journal_text());
    }
}

#[test]
fn process_1_reaps_what_is_left_to_it() {
    let case = ExecCase::new().option("--exports", "none");
    // The orphan's parent becomes process 1; a process that is not reaped can still be signaled.
    let script = "sh -c 'sleep 0.1 & echo $!' > $TMPDIR/orphan; id=$(cat $TMPDIR/orphan); rm $TMPDIR/orphan
        n=0; while kill -0 $id 2>/dev/null; do n=$((n+1)); [ $n -gt 200 ] && exit 9; sleep 0.05; done; echo reaped";
    let inner = case.command(&["sh", "-c", script]);
    let mut unshare = Command::new("unshare");
    unshare.args(["--pid", "--fork"]).arg(inner.get_program()).args(inner.get_args());
    let variables = inner.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let output = unshare.env_clear().envs(variables).output().unwrap();
    if errors(&output).contains("unshare failed") {
        return not_tested("this user may not make a namespace of processes");
    }
    assert_eq!(String::from_utf8_lossy(&output.stdout), "reaped\n", "{}", errors(&output));
    assert_eq!(output.status.code(), Some(0));
}

#[expect(clippy::print_stdout, reason = "a test that proves nothing says so")]
fn not_tested(why: &str) {
    println!("NOT TESTED: {why}");
}

/// The words of each `wif …` line in the blocks of a page, as a shell would read them.
fn command_lines(page: &str) -> Vec<Vec<String>> {
    let joined = page.replace("\\\n", " ");
    let blocks = joined.split("```").skip(1).step_by(2);
    let lines = blocks.flat_map(str::lines).filter_map(|line| {
        // An image's entry point gets its command later.
        if line.starts_with("ENTRYPOINT") {
            return None;
        }
        // A list of YAML is read word by word too.
        let line = line.replace("\", \"", " ").replace(['[', ']', '"'], "");
        let at = line.find("wif exec").or_else(|| line.find("wif trust"))?;
        Some(line[at..].split_whitespace().map(str::to_owned).collect())
    });
    lines.collect()
}

#[test]
fn the_command_lines_of_the_pages_are_accepted() {
    let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let below = std::fs::read_dir(docs.join("sources")).unwrap().map(|entry| entry.unwrap().path());
    let pages: Vec<_> = below.chain([docs.join("exec.md")]).collect();
    assert!(pages.len() > 10, "{pages:?}");
    let lines: Vec<_> =
        pages.iter().flat_map(|page| command_lines(&std::fs::read_to_string(page).unwrap())).collect();
    assert!(lines.len() > 6, "{lines:?}");
    for line in lines {
        let parsed = wif::cli::parse::<wif::cli::Arguments>(line.iter().map(Into::into));
        assert!(parsed.is_ok(), "{line:?}: {}", parsed.unwrap_err().text);
    }
}
