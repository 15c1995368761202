//! `wif exec` and script mode: one command, signed in, from its start to its end.

use std::{path::Path, process::Command};

use emulator::Emulator;

use crate::{
    bench::{
        job::Job,
        measure::{Contender, alternate, median, timed},
        peers::Peers,
        requests::Requests,
        step::Step,
        table::Row,
    },
    process::Result,
};

/// Resident memory that `wif exec` may have while its command runs, in kilobytes.
const MOST_KILOBYTES: f64 = 10_000.0;

/// `wif exec -- true`, beside `true` and the two requests that any sign-in needs.
pub(super) fn rows(program: &Path) -> Result<Vec<Row>> {
    let job = Job::new(Emulator::start(), &[])?;
    let requests = Requests::new(&job)?;
    let mut memory = Vec::new();
    let mut contenders = [
        Contender::new("wif exec", || timed(exec(&job, program)?.arg("true")).map(|(took, _)| took)),
        Contender::new("curl with the same two requests, then `true`", || {
            let (curl, _) = timed(&mut requests.curl(&job))?;
            let (own, _) = timed(&mut job.command("true"))?;
            Ok(curl + own)
        }),
        Contender::new("wif exec, its memory", || {
            let look = ["sh", "-c", "cat /proc/$PPID/status"];
            let (took, output) = timed(exec(&job, program)?.args(look))?;
            let status = String::from_utf8_lossy(&output.stdout).into_owned();
            let kilobytes = status.lines().find_map(|line| {
                line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok()
            });
            memory.push(kilobytes.ok_or("the system does not tell how much memory `wif` has")?);
            Ok(took)
        }),
    ];
    alternate(&mut contenders)?;
    let [ours, floor, _] = contenders.each_ref().map(Contender::median);
    let peer = contenders[1].name;
    drop(contenders);
    let memory = median(&memory);
    Ok(vec![
        Row::at_most("`wif exec -- true`", ours, peer, floor, 1.5, "ms"),
        Row::limited(
            "resident memory of `wif exec` while its command runs",
            format!("{:.1} MB", memory / 1000.0),
            &format!("at most {:.1} MB", MOST_KILOBYTES / 1000.0),
            memory <= MOST_KILOBYTES,
        ),
    ])
}

fn exec(job: &Job, program: &Path) -> Result<Command> {
    let usual = job.emulator.usual();
    let token = job.variable("ENDPOINT_AUTH_PARAMETER_SYSTEMVSSCONNECTION_ACCESSTOKEN")?;
    let mut command = job.command(program);
    command.env("SYSTEM_ACCESSTOKEN", token).args(["exec", "--source", "azure-pipelines"]);
    for (option, value) in [
        ("--connection", usual.connection.to_string()),
        ("--tenant", usual.tenant.to_string()),
        ("--client", usual.client.to_string()),
        ("--subscription", usual.subscription.to_string()),
        ("--authority", job.emulator.entra_url()),
        ("--resource-manager", job.emulator.arm_url()),
        ("--allowed-authorities", "127.0.0.1".to_owned()),
        // Without az, whose list of subscriptions is a third request.
        ("--exports", "terraform,azure-sdk".to_owned()),
    ] {
        command.args([option, &value]);
    }
    command.arg("--");
    Ok(command)
}

/// A step with a script that does nothing, beside the calls of az that `AzureCLI@2` makes around it.
pub(super) fn script_rows(task: &Path, peers: &Peers) -> Result<Vec<Row>> {
    let inputs = [("scriptType", "bash"), ("scriptLocation", "inlineScript"), ("inlineScript", "true")];
    let job = Job::new(Emulator::start(), &inputs)?;
    let step = Step::new(&job, task);
    let mut contenders = [
        Contender::new("wif", || step.run().map(|(took, _)| took)),
        Contender::new("the five az of AzureCLI@2", || peers.five_az(&job)),
    ];
    alternate(&mut contenders)?;
    let [ours, theirs] = &contenders;
    let what = "a step with scriptType: bash, whose script does nothing";
    Ok(vec![Row::at_most(what, ours.median(), theirs.name, theirs.median(), 1.0 / 10.0, "ms")])
}
