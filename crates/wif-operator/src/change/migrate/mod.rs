//! Connections put beside old ones, with identities of their own, and the end of the old ones.
//!
//! [`eligible`] tells which connections are meant, [`gather`] reads what the old one has, and [`steps`] follow from that; [`swap`] gives
//! the new one the name of the old one. [`soak`] tells what has run since, and [`retire`] ends the old one.

pub mod eligible;
pub mod gather;
pub mod names;
pub mod retire;
pub mod soak;
pub mod steps;
pub mod swap;
