//! How long the program takes to start, and to answer in a later step.

use std::path::Path;

use emulator::Emulator;

use crate::{
    bench::{
        job::Job,
        measure::{Contender, alternate, timed},
        peers::Peers,
        step::Step,
        table::Row,
    },
    process::Result,
};

pub(super) fn rows(task: &Path, program: &Path, peers: &Peers) -> Result<Vec<Row>> {
    let job = Job::new(Emulator::start(), &[])?;
    let step = Step::new(&job, task);
    let (_, left) = step.run()?;
    let az = || {
        let mut command = job.command(&peers.az);
        for name in ["AZURE_CONFIG_DIR", "IDENTITY_ENDPOINT", "IDENTITY_HEADER"] {
            command.env(name, left.variable(name)?);
        }
        Ok::<_, String>(command)
    };
    let mut contenders = [
        Contender::new("wif token arm", || {
            let mut command = job.command(program);
            command.args(["token", "arm"]);
            for name in ["WIF_URL", "WIF_KEY"] {
                command.env(name, left.variable(name)?);
            }
            timed(&mut command).map(|(took, _)| took)
        }),
        Contender::new("az account get-access-token, of the same broker", || {
            timed(az()?.args(["account", "get-access-token", "--query", "expires_on"])).map(|(took, _)| took)
        }),
        Contender::new("wif --version", || {
            timed(job.command(program).arg("--version")).map(|(took, _)| took)
        }),
        Contender::new("az version", || timed(az()?.arg("version")).map(|(took, _)| took)),
    ];
    alternate(&mut contenders)?;
    left.end()?;
    let [token, az_token, version, az_version] = &contenders;
    let row = |ours: &Contender<'_>, theirs: &Contender<'_>| {
        Row::at_most(ours.name, ours.median(), theirs.name, theirs.median(), 1.0 / 10.0, "ms")
    };
    Ok(vec![row(token, az_token), row(version, az_version)])
}
