//! What the tests share: a world that leads to the emulator, a clock in the test's hand, the task folder.

mod clock;
#[cfg(unix)]
mod exec;
mod imports;
mod sources;
#[cfg(unix)]
pub(crate) mod spire;
mod staged;
mod virtual_clock;
mod wait;
mod world;

pub(crate) use clock::Manual;
#[cfg(unix)]
pub(crate) use exec::{ExecCase, errors};
pub(crate) use imports::{Imports, circles};
pub(crate) use sources::{SHIPPED, sources};
pub(crate) use staged::{EMULATOR, node24, task_folder};
pub(crate) use virtual_clock::{Virtual, Wire};
pub(crate) use wait::{REAL_LIMIT, block_until, idle, run, timeout, wait_for};
pub(crate) use world::{Case, Run};
