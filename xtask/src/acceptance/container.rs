//! Where the steps of a job run: on the machine itself, or in a container of one kind or another.

mod namespaces;
mod podman;

use std::path::Path;

use crate::process::Result;
use namespaces::Namespaces;
use podman::{Network, Podman};
pub(super) use podman::{image, required, run_line, starts, version_of};

/// Where the steps of a job run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// All of them on the agent's machine.
    Machine,
    /// All of them in namespaces of their own, without a container engine.
    Namespaces,
    /// All of them in a container with a network of its own, as in a container job.
    ContainerJob,
    /// The sign-in on the agent's machine, the client in a container that shares the machine's network.
    SharedNetwork,
    /// The sign-in on the agent's machine, the client by a `podman run` of the step's own, with the variables that
    /// `docs/containers.md` names.
    Run,
}

/// A container, whose processes end with it.
pub(super) enum Container {
    /// Without an engine.
    Namespaces(Namespaces),
    /// By podman.
    Podman(Podman),
}

impl Container {
    /// Starts what the place asks for, with these folders and files, and these ports of the machine's loopback on its own.
    pub(super) fn start(place: Place, paths: &[&Path], ports: &[u16]) -> Result<Option<Self>> {
        Ok(match place {
            Place::Machine | Place::Run => None,
            Place::Namespaces => Some(Self::Namespaces(Namespaces::start()?)),
            Place::ContainerJob => Some(Self::Podman(Podman::start(Network::Bridge(ports), paths)?)),
            Place::SharedNetwork => Some(Self::Podman(Podman::start(Network::Host, paths)?)),
        })
    }

    /// What goes in front of a command line that is to be run inside.
    pub(super) fn enter(&self) -> Vec<String> {
        match self {
            Self::Namespaces(namespaces) => namespaces.enter().map(str::to_owned).to_vec(),
            Self::Podman(podman) => podman.enter(),
        }
    }
}
