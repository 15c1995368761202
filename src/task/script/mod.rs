//! A script that is signed in alone: `scriptType`.

mod arguments;
mod command;
