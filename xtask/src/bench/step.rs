//! The step, from Node's start to its end and the end of its output.

use std::{
    path::{Path, PathBuf},
    process::Output,
};

use emulator::Emulator;

use crate::{
    bench::{
        job::Job,
        measure::{Contender, alternate, timed},
        peers::Peers,
        requests::Requests,
        table::Row,
    },
    process::Result,
};

/// The step in a job.
pub(super) struct Step<'a> {
    pub(super) job: &'a Job,
    task: PathBuf,
}

/// A session that a step left.
pub(super) struct Left<'a> {
    step: &'a Step<'a>,
    output: String,
}

impl<'a> Step<'a> {
    pub(super) fn new(job: &'a Job, task: &Path) -> Self {
        Self { job, task: task.to_owned() }
    }

    /// Runs the main stage: how long it took, in milliseconds, and what it left.
    pub(super) fn run(&self) -> Result<(f64, Left<'_>)> {
        let (took, Output { stdout, .. }) = timed(self.job.command("node").arg(self.task.join("index.js")))?;
        let output = String::from_utf8_lossy(&stdout).into_owned();
        if output.contains("task.complete result=Succeeded") {
            return Ok((took, Left { step: self, output }));
        }
        Err(output)
    }
}

impl Left<'_> {
    /// The value that a command of the step gave to a variable.
    pub(super) fn variable(&self, name: &str) -> Result<&str> {
        let named = format!("variable={name}");
        let line = self.output.lines().find_map(|line| {
            let (command, value) = line.split_once(']')?;
            command.split([' ', ';']).any(|property| property == named).then_some(value)
        });
        line.ok_or_else(|| format!("the step set no {name}"))
    }

    /// Runs the post-job stage.
    pub(super) fn end(&self) -> Result<()> {
        let mut command = self.step.job.command("node");
        command.arg(self.step.task.join("post.js"));
        for name in ["WIF_SESSION_FOLDER", "WIF_BROKER_URL", "WIF_BROKER_KEY"] {
            command.env(format!("VSTS_TASKVARIABLE_{name}"), self.variable(name)?);
        }
        timed(&mut command).map(|_| ())
    }
}

/// The step in both forms, without and with the list of subscriptions for az, beside the least that anything could do,
/// and beside what Microsoft's own do.
pub(super) fn rows(task: &Path, peers: &Peers) -> Result<Vec<Row>> {
    let job = Job::new(Emulator::start(), &[("exports", "terraform, azure-sdk")])?;
    let with_az = Job::new(Emulator::start(), &[])?;
    let public = Job::public()?;
    let (step, step_with_az) = (Step::new(&job, task), Step::new(&with_az, task));
    let requests = Requests::new(&job)?;
    let mut contenders = [
        Contender::new("wif", || {
            let (took, left) = step.run()?;
            left.end()?;
            Ok(took)
        }),
        Contender::new("wif, and the list of subscriptions", || {
            let (took, left) = step_with_az.run()?;
            left.end()?;
            Ok(took)
        }),
        Contender::new("`node -e 0`, then curl with the same two requests", || {
            let (node, _) = timed(job.command("node").args(["-e", "0"]))?;
            let (curl, _) = timed(&mut requests.curl(&job))?;
            Ok(node + curl)
        }),
        Contender::new("azure-pipelines-tasks-azure-arm-rest: id token and exchange", || {
            timed(&mut peers.arm_rest(&public)).map(|(took, _)| took)
        }),
        Contender::new("the five az of AzureCLI@2", || peers.five_az(&job)),
    ];
    alternate(&mut contenders)?;
    let [ours, with_az, rest @ ..] = &contenders;
    let aims = [1.2, 1.0 / 3.0, 1.0 / 50.0];
    let mut rows = Vec::new();
    let without = ("a step with refresh: true, exports: terraform, azure-sdk", ours);
    let with = ("a step with refresh: true, which lists the subscriptions for az", with_az);
    for (at, (peer, aim)) in rest.iter().zip(aims).enumerate() {
        // curl's two requests are one fewer than the step's with az.
        let forms = if at == 0 { &[without][..] } else { &[without, with] };
        rows.extend(
            forms
                .iter()
                .map(|(what, form)| Row::at_most(what, form.median(), peer.name, peer.median(), aim, "ms")),
        );
    }
    Ok(rows)
}
