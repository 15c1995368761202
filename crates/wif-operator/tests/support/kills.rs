//! Commands that are killed at one of their requests.

use std::process::{Command, Stdio};

use emulator::{Emulator, Fault, Gate, Service};

use crate::support::Fixture;

/// The n-th request to a service, from 1.
pub(crate) type Moment = (Service, usize);

/// The moments of a command: each of its requests.
pub(crate) fn moments(fixture: &Fixture, run: impl FnOnce()) -> Vec<Moment> {
    let services = [Service::DevOps, Service::Graph, Service::Arm];
    let counts = || services.map(|service| fixture.calls(service, ""));
    let before = counts();
    run();
    let after = counts();
    let of = services.into_iter().zip(before).zip(after);
    of.flat_map(|((service, before), after)| (1..=after - before).map(move |number| (service, number)))
        .collect()
}

/// Starts a command, and kills it with SIGKILL when one of its requests is held.
pub(crate) fn kill_at(
    emulator: &Emulator,
    hold: fn(Fault, &Gate) -> Fault,
    (service, number): Moment,
    command: &mut Command,
) {
    kill_when(emulator, hold, Fault::on(service, "*", "").nth(number), command);
}

/// The same, when a request that the fault hits is held.
pub(crate) fn kill_when(
    emulator: &Emulator,
    hold: fn(Fault, &Gate) -> Fault,
    fault: Fault,
    command: &mut Command,
) {
    let gate = Gate::new();
    emulator.fault(hold(fault, &gate));
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    gate.wait_until_reached(1);
    child.kill().unwrap();
    child.wait().unwrap();
    emulator.mend();
}
