//! Connections made as requests ask for them, and brought back to that.
//!
//! [`asked`] is what a plan holds of a request; [`facts`] is what decides whether the plan still holds. [`steps`] follow from what was compared; [`work`] is each of them: how to see that
//! it is done, and the call that does it, or its inverse. `calls` are the calls.
//! `copies` are the steps that copy what another connection has, `names` those that give its name to the new one, and `ends` those
//! that end it.

pub mod asked;
mod beyond;
mod calls;
pub mod checks;
mod copies;
mod ends;
pub mod facts;
pub(super) mod guards;
pub mod known;
pub mod look;
pub mod making;
pub mod names;
mod send;
pub mod steps;
pub mod work;
