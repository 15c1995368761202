//! Changes: a plan of steps, its application with a journal, and the way back.
//!
//! [`convert`], [`revert`], [`issuer`] and [`migrate`] make a [`plan`] of what [`observe`] has read; [`apply`] does its steps by the calls of
//! [`service`], and writes each into the [`journal`] before it is sent. Only what was read back counts. [`prove`] reads what
//! `TestConnection` says.

pub mod apply;
pub mod call_error;
pub mod candidate;
pub mod convert;
pub mod digest;
pub mod hand_off;
pub mod ids;
pub mod issuer;
pub mod journal;
pub mod migrate;
pub mod observe;
pub mod parameters;
pub mod plan;
pub mod project;
pub mod prove;
pub mod revert;
pub mod rights;
pub mod select;
pub mod service;
pub mod show;
pub mod side;
pub mod standing;
pub mod steps;
pub mod vend;
