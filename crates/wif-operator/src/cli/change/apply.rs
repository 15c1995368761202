//! `wif apply`: the only command that changes anything.

use std::{
    cell::Cell,
    io::{self, BufRead as _, IsTerminal as _, Read as _},
    path::Path,
};

use wif_core::{code::Code, failure::Failure};
use wif_io::endpoint::Endpoint;

use super::{
    arguments::ApplyArguments,
    files::{plan_of, print, unusable},
    services::{needed, services},
};
use crate::{
    change::{
        apply::{Applied, Engine, Options, Outcome},
        journal::{self, Journal},
        plan::{Action, Item, Plan, Step},
        service::Services,
        show,
        vend::asked::Asked,
    },
    cli::{
        connect::{connect, interrupt},
        files::argument,
        screen::{Host, INTERRUPTED},
    },
    moment::Moment,
    read,
    tokens::Needs,
};

/// Applies a plan.
///
/// # Errors
///
/// It is refused: nothing was done.
pub(in crate::cli) async fn apply(arguments: &ApplyArguments, host: &mut Host<'_>) -> Result<u8, Failure> {
    let plan = plan_of(&arguments.plan)?;
    let path = journal::path_of(&arguments.plan);
    let now = arguments.ask.now.unwrap_or_else(|| Moment::new(host.clock.now()));
    let is_there = path.exists();
    if is_there && !arguments.resume {
        // The lock tells whether another process is at it.
        return Err(Journal::begin(&path, &plan, now).err().map_or_else(
            || argument("the journal was removed meanwhile", "try again"),
            |error| unusable(&path, error),
        ));
    }
    let is_resumed = is_there && arguments.resume;
    if is_resumed && is_done(&path, &plan)? {
        let applied =
            Applied { outcomes: vec![Outcome::Done; plan.items.len()], has_changed: false, broken: None };
        print(host, &summary(&plan, &applied, &arguments.plan), false)?;
        return Ok(0);
    }
    if !is_resumed && now >= plan.valid_until {
        let error =
            format!("the plan was made {}, and could be applied until {}", plan.made, plan.valid_until);
        return Err(Failure::new(Code::PlanChanged, error, "make the plan again"));
    }
    let changes = plan.items.len();
    if let Some(most) = arguments.max_changes.filter(|most| changes > *most) {
        let error = format!("the plan changes {changes} connections, and --max-changes is {most}");
        return Err(argument(error, "select fewer connections, or allow more"));
    }
    if !confirmed(arguments, &plan, host)? {
        return Ok(0);
    }
    let address = read::address_of(arguments.ask.organization.as_deref(), &plan.organization.url)?;
    if !address.name.eq_ignore_ascii_case(&plan.organization.name) {
        let error =
            format!("the plan is for {}, and --organization is {}", plan.organization.name, address.name);
        return Err(argument(error, "leave --organization out"));
    }
    let services = services_of(&plan, address.base, arguments, host).await?;
    let (journal, before) = if is_resumed {
        let (journal, before) = resumed(&path, &plan, now)?;
        (journal, Some(before))
    } else {
        (Journal::begin(&path, &plan, now).map_err(|error| unusable(&path, error))?, None)
    };
    let talk = host.talk;
    let options =
        Options { jobs: arguments.jobs.into(), prove_within: arguments.prove_within, now: arguments.ask.now };
    let stopped = Cell::new(false);
    let engine = Engine::new(
        (&plan, &services),
        (&journal, before.as_ref()),
        (&**host.clock, talk),
        options,
        &stopped,
    );
    let stop = async {
        loop {
            interrupt().await;
            stopped.set(true);
            talk.say("stopping: what is under way ends first; go on later with --resume");
        }
    };
    let applied = tokio::select! {
        applied = engine.run() => applied,
        () = stop => return Ok(INTERRUPTED),
    };
    talk.end();
    if let Some(error) = &applied.broken {
        talk.say(&format!(
            "{}: the journal cannot be written any more, so nothing more was sent: {error}; make room, then go on with --resume",
            Code::JournalUnusable
        ));
        return Ok(11);
    }
    print(host, &summary(&plan, &applied, &arguments.plan), false)?;
    Ok(match exit_code(&applied, stopped.get()) {
        0 if plan.items.iter().any(Item::waits) => 10,
        code => code,
    })
}

/// Refuses services without a token for what some items read or change.
///
/// # Errors
///
/// There is none for one of them.
pub(in crate::cli) fn check_tokens<'i>(
    services: &Services,
    mut items: impl Iterator<Item = &'i Item> + Clone,
) -> Result<(), Failure> {
    if items.clone().any(needs_graph) {
        needed(services.graph.as_ref(), "Microsoft Graph")?;
    }
    if items.any(needs_arm) {
        needed(services.arm.as_ref(), "Azure Resource Manager")?;
    }
    Ok(())
}

fn is_managed(asked: &Asked) -> bool {
    asked.resource().is_some()
}

/// Whether an item reads or changes applications.
fn needs_graph(item: &Item) -> bool {
    let of_new = item.asked.as_deref().is_some_and(|asked| !is_managed(asked));
    // In a migration, what was read is the old connection's.
    let of_read = item.facts.identity.resource.is_none() && (item.asked.is_none() || item.is_migration());
    of_new || of_read
}

/// Whether an item reads or changes managed identities or roles.
fn needs_arm(item: &Item) -> bool {
    let is_of_role = |step: &Step| match &step.action {
        Action::Follow(change) | Action::TakeBack { done: change } => change.role().is_some(),
        _ => false,
    };
    item.facts.identity.resource.is_some()
        || item.asked.as_deref().is_some_and(is_managed)
        || item.steps.iter().any(is_of_role)
}

/// The services of a plan, with every token that its items need.
async fn services_of(
    plan: &Plan,
    base: Endpoint,
    arguments: &ApplyArguments,
    host: &mut Host<'_>,
) -> Result<Services, Failure> {
    let needs = Needs { identities: true };
    let connected = connect(host, plan.cloud, arguments.ask.session.as_deref(), needs).await?;
    let services = services(connected, plan.cloud, (&plan.organization.name, base), host.talk)?;
    check_tokens(&services, plan.items.iter())?;
    Ok(services)
}

/// The journal of an earlier apply of the same plan, to go on with.
fn resumed(path: &Path, plan: &Plan, now: Moment) -> Result<(Journal, journal::Read), Failure> {
    let (journal, before) = Journal::resume(path, now).map_err(|error| unusable(path, error))?;
    check_plan(path, plan, &before)?;
    Ok((journal, before))
}

fn check_plan(path: &Path, plan: &Plan, before: &journal::Read) -> Result<(), Failure> {
    if before.plan == *plan {
        return Ok(());
    }
    let error = format!("{} is the journal of another plan", path.display());
    Err(Failure::new(Code::JournalUnusable, error, "use the plan that it belongs to"))
}

/// Whether a journal says of every connection that it is done: then nothing is asked for.
fn is_done(path: &Path, plan: &Plan) -> Result<bool, Failure> {
    // What cannot be read is told where the journal is taken over.
    let Ok(before) = journal::read(path) else { return Ok(false) };
    check_plan(path, plan, &before)?;
    Ok(plan.items.iter().all(|item| before.state_of(item.connection).is_done))
}

/// Asks on a terminal; elsewhere --yes must be given.
fn confirmed(arguments: &ApplyArguments, plan: &Plan, host: &mut Host<'_>) -> Result<bool, Failure> {
    if arguments.yes {
        return Ok(true);
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        let hint = "look at the plan, then give --yes";
        return Err(argument("there is no terminal to ask on, and --yes is not given", hint));
    }
    print(host, &show::text(plan), false)?;
    host.talk.say("Apply this plan? Only yes is taken as one:");
    let mut line = String::new();
    let is_read = io::stdin().lock().take(100).read_line(&mut line).is_ok();
    let is_yes = is_read && line.trim().eq_ignore_ascii_case("yes");
    if !is_yes {
        host.talk.say("nothing was done");
    }
    Ok(is_yes)
}

fn summary(plan: &Plan, applied: &Applied, path: &Path) -> String {
    let mut lines = Vec::new();
    for (item, outcome) in plan.items.iter().zip(&applied.outcomes) {
        let end = match outcome {
            Outcome::Done => "done".to_owned(),
            Outcome::Stale(text) => format!("not begun ({}): {text}", Code::WorldChanged),
            Outcome::Failed { code, text, is_put_back } => {
                let end = if *is_put_back { "as it was before" } else { "not put back" };
                format!("failed ({code}), {end}: {text}")
            }
            Outcome::Waits(text) => text.clone(),
            Outcome::Interrupted => "interrupted".to_owned(),
            Outcome::NotStarted => "not begun".to_owned(),
        };
        lines.push(format!("{} in {}: {end}", item.name, item.project.name));
    }
    let count = |is: fn(&Outcome) -> bool| applied.outcomes.iter().filter(|outcome| is(outcome)).count();
    let waiting = count(|one| matches!(one, Outcome::Waits(_)));
    let waits = if waiting > 0 { format!("{waiting} waiting, ") } else { String::new() };
    lines.push(format!(
        "{} done, {waits}{} failed, {} stale, {} not begun",
        count(|one| *one == Outcome::Done),
        count(|one| matches!(one, Outcome::Failed { .. })),
        count(|one| matches!(one, Outcome::Stale(_))),
        count(|one| matches!(one, Outcome::NotStarted | Outcome::Interrupted)),
    ));
    if waiting > 0 {
        lines.push(format!("Go on, after that, with: wif apply {} --resume", path.display()));
    }
    let journal = journal::path_of(path);
    lines.push(format!("What was done and how it was found out: wif journal show {}", journal.display()));
    let is_refused = |one: &Outcome| matches!(one, Outcome::Failed { code: Code::ChangeRefused, .. });
    if applied.outcomes.iter().any(is_refused) {
        lines
            .push(format!("For who has the rights: wif hand-off {} --to entra|azure|devops", path.display()));
    }
    lines.join("\n") + "\n"
}

fn exit_code(applied: &Applied, is_stopped: bool) -> u8 {
    let has = |is: fn(&Outcome) -> bool| applied.outcomes.iter().any(is);
    if is_stopped && has(|one| matches!(one, Outcome::Interrupted | Outcome::NotStarted)) {
        return INTERRUPTED;
    }
    let is_refused = |one: &Outcome| matches!(one, Outcome::Failed { code: Code::ChangeRefused, .. });
    let is_unanswered = |one: &Outcome| matches!(one, Outcome::Failed { code: Code::ChangeUnanswered, .. });
    let has_failed = has(|one| matches!(one, Outcome::Failed { .. }));
    let is_done = has(|one| *one == Outcome::Done);
    if has_failed && !applied.has_changed && !is_done {
        if applied.outcomes.iter().any(is_refused) {
            return 3;
        }
        if applied.outcomes.iter().any(is_unanswered) {
            return 4;
        }
    }
    if has_failed {
        11
    } else if has(|one| matches!(one, Outcome::Stale(_))) {
        13
    } else if has(|one| matches!(one, Outcome::Waits(_))) {
        10
    } else {
        0
    }
}
