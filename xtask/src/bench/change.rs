//! `wif convert`: an organization's stored secrets become federation, beside the steps that are published for it.

use std::{path::Path, process::Command, time::Duration};

use emulator::{
    Emulator, Proxy, Service,
    organization::{MadeOrganization, OrganizationPlan},
};

use crate::{
    bench::{
        measure::{count, timed, timed_to},
        peers::{azure_cli, published_steps},
        table::Row,
    },
    conversion, operator,
    process::{Result, cargo, run, target},
};

/// How far away the services are.
const ROUND_TRIP: Duration = Duration::from_millis(25);
/// As many as a team was published to have moved by hand.
const CONNECTIONS: usize = 43;
const PROJECTS: usize = 18;
/// The most of the time of the published steps, which prove nothing and can take nothing back.
const MAX_TIME: f64 = 0.5;

/// The steps that are published for it, with `az rest`: the list of projects, the connections of each, and for each connection the
/// call that converts it. They look at nothing afterwards.
const STEPS: &str = r#"set -eu
api=https://dev.azure.com/fabrikam
call() { "$AZ" rest --skip-authorization-header --headers "Authorization=$AUTHORIZATION" Content-Type=application/json "$@"; }
for project in $(call --url "$api/_apis/projects?api-version=7.1" --query "value[].id" --output tsv); do
  call --url "$api/$project/_apis/serviceendpoint/endpoints?api-version=7.1" --output json > list.json
  python3 - <<'END'
import json
for one in json.load(open('list.json'))['value']:
    one['authorization']['scheme'] = 'WorkloadIdentityFederation'
    json.dump(one, open(one['id'] + '.json', 'w'))
END
  for file in ????????-*.json; do
    [ -e "$file" ] || continue
    call --method put --url "$api/_apis/serviceendpoint/endpoints/${file%.json}?operation=ConvertAuthenticationScheme&api-version=7.1" --body "@$file" > /dev/null
    rm "$file"
    echo converted
  done
done
"#;

pub(super) fn rows() -> Result<Vec<Row>> {
    let az = azure_cli()?;
    run(&mut cargo(&["build", "--release", "--locked", "--package", "wif-operator"]))?;
    let program = target()?.join("release").join(format!("wif-operator{}", std::env::consts::EXE_SUFFIX));
    println!("  the published steps for {CONNECTIONS} connections in {PROJECTS} projects");
    let (theirs, their_calls) = by_hand(&az)?;
    println!("  wif convert plan, and wif apply with its proofs");
    let (ours, calls) = converted(&program)?;
    let what = format!("change, {CONNECTIONS} conversions in {PROJECTS} projects");
    Ok(vec![
        Row::at_most(
            &format!("{what}, planned, proven: time"),
            ours,
            "published steps with `az`",
            theirs,
            MAX_TIME,
            "ms",
        ),
        Row::beside(
            &format!("{what}, planned, proven: calls"),
            count(calls),
            "published steps, neither planned nor proven",
            count(their_calls),
            "calls",
        ),
    ])
}

/// An organization whose connections store a secret each.
fn organization() -> (Emulator, MadeOrganization, Proxy) {
    let emulator = Emulator::builder().round_trip(ROUND_TRIP).start();
    let plan = OrganizationPlan::new("fabrikam").projects(PROJECTS).connections(CONNECTIONS);
    let made = emulator.add_organization(&plan);
    conversion::store_secrets(&emulator, &made);
    let proxy = Proxy::start(Proxy::leading_to(&emulator));
    (emulator, made, proxy)
}

/// How long the published steps take, in milliseconds, and how many calls.
fn by_hand(az: &Path) -> Result<(f64, usize)> {
    let (emulator, made, proxy) = organization();
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let client = emulator.add_operator(made.subscription);
    let mut command = published_steps(az, STEPS, folder.path(), (&emulator, &proxy, client));
    let (took, output) = timed(&mut command)?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let converted = printed.lines().filter(|line| *line == "converted").count();
    if converted == CONNECTIONS {
        return Ok((took, emulator.journal().len()));
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("the published steps converted {converted}: {said}\n{}", emulator.journal_text()))
}

/// How long plan and apply take, in milliseconds, and how many calls.
fn converted(program: &Path) -> Result<(f64, usize)> {
    let (emulator, made, proxy) = organization();
    let client = emulator.add_operator(made.subscription);
    let variables = operator::variables(&emulator, &proxy, &made, client);
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let plan = [
        "convert",
        "plan",
        "--organization",
        "fabrikam",
        "--all-eligible",
        "--managed-by",
        "none",
        "--output",
        "plan.json",
    ];
    let mut all = 0.0;
    for (arguments, expected) in [(&plan[..], 10), (&["apply", "plan.json", "--yes"][..], 0)] {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(folder.path()).env_clear();
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        all += timed_to(&mut command, expected)?.0;
    }
    let journal = emulator.journal();
    let conversions =
        journal.iter().filter(|entry| entry.service == Service::DevOps && entry.method == "PUT");
    match conversions.count() {
        CONNECTIONS => Ok((all, journal.len())),
        other => Err(format!("{other} conversions were done")),
    }
}
