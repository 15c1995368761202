//! Why `wif token` and `wif status` reach no session, as far as the environment shows it, and what to do.

use wif_core::foreign_text::one_line;
use wif_io::env::Env;

use crate::agent::sessions;

/// How many sessions of the job are named.
const MAX_SESSIONS: usize = 10;
/// The longest name of a session, in characters.
const MAX_NAME: usize = 60;

/// The likely cause, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Explanation {
    pub(super) cause: String,
    pub(super) fix: String,
}

impl Explanation {
    fn new(cause: &str, fix: &str) -> Self {
        Self { cause: cause.to_owned(), fix: fix.to_owned() }
    }
}

/// What signs in where no job of Azure Pipelines is.
const ELSEWHERE: &str = "Outside of Azure Pipelines: wif exec -- COMMAND signs in (docs/exec.md)";

/// Why the variables of a session are not there.
pub(super) fn not_set(env: &Env, prefix: &str, in_container: bool) -> Explanation {
    let others = others(env, prefix);
    if !others.is_empty() {
        let fix = format!("choose a session of this job: {}", others.join(", "));
        let cause = if prefix.is_empty() {
            "the sessions of this job have names"
        } else {
            "the job has sessions, and none of this name"
        };
        return Explanation::new(cause, &fix);
    }
    // The agent sets it for every step, so that the rest of the environment arrived, too.
    if env.is_true("TF_BUILD") {
        return Explanation::new(
            "no earlier step of this job has left a session that is kept alive",
            "run it in a step after AzureWorkloadIdentity@1 with refresh: true, in the same job",
        );
    }
    if env.get("SUDO_USER").is_some() {
        return Explanation::new(
            "sudo has removed the variables of the step",
            &format!(
                "pass them on: sudo --preserve-env={prefix}WIF_URL,{prefix}WIF_KEY \"$(command -v wif)\" token arm, or all of them with sudo -E"
            ),
        );
    }
    if env.get("SSH_CONNECTION").is_some() {
        return Explanation::new(
            "ssh passes on no variable, and the broker listens on the agent's machine only",
            "call wif token in the step, and send the token through standard input: wif token arm | ssh HOST COMMAND",
        );
    }
    if in_container {
        return Explanation::new(
            "it seems to run in a container that the step has started, and that got no variable of the step",
            &format!(
                "on Linux, docker run --network host -e {prefix}IDENTITY_ENDPOINT -e {prefix}IDENTITY_HEADER (for wif itself -e {prefix}WIF_URL -e {prefix}WIF_KEY); else call wif token in the step, and pass the token on. More ways: docs/containers.md. {ELSEWHERE}"
            ),
        );
    }
    Explanation::new(
        "no variable of the step has arrived here: su - and env -i remove them, and a service or a terminal never had them",
        &format!(
            "run it in a step after AzureWorkloadIdentity@1, and leave {prefix}WIF_URL and {prefix}WIF_KEY in place: su without -, or env -u NAME for each variable that should go. More ways: docs/containers.md. {ELSEWHERE}"
        ),
    )
}

/// Why nothing listens at the address of the session's broker.
pub(super) fn not_reached(env: &Env, in_container: bool) -> Explanation {
    if env.get("SSH_CONNECTION").is_some() && !env.is_true("TF_BUILD") {
        return Explanation::new(
            "ssh has led to another machine",
            "call wif token in the step, and send the token through standard input: wif token arm | ssh HOST COMMAND",
        );
    }
    if in_container {
        return Explanation::new(
            "this runs in a container, and the sign-in probably did not: each container has a 127.0.0.1 of its own",
            "sign in a second time in a step with the same target, and give that sign-in a session; with docker run on Linux, use --network host. See docs/containers.md",
        );
    }
    Explanation::new(
        "the broker has ended, or the sign-in ran in a container (container:, target:) and this step does not",
        "run it in the same job as the sign-in and where the sign-in ran, or sign in a second time here with a session. See docs/containers.md",
    )
}

/// How the other sessions of the job are chosen.
fn others(env: &Env, own: &str) -> Vec<String> {
    let others = sessions::prefixes(env).into_iter().filter(|prefix| prefix != own);
    let chosen = |prefix: String| match prefix.strip_suffix('_') {
        Some(session) => format!("--session {}", one_line(&session.to_lowercase(), MAX_NAME)),
        None => "none (leave --session out)".to_owned(),
    };
    others.take(MAX_SESSIONS).map(chosen).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(names: &[&str]) -> Env {
        names.iter().map(|name| ((*name).to_owned(), "true".to_owned())).collect()
    }

    fn texts(explanation: &Explanation) -> String {
        format!("{}. {}", explanation.cause, explanation.fix)
    }

    #[test]
    fn what_has_removed_the_variables_is_named_with_the_way_to_pass_them_on() {
        for (names, in_container, expected) in [
            (
                &["SUDO_USER"][..],
                true,
                &["sudo has removed", "sudo --preserve-env=WIF_URL,WIF_KEY", "sudo -E"][..],
            ),
            (&["SSH_CONNECTION"], false, &["ssh passes on no variable", "standard input"]),
            (
                &[],
                true,
                &[
                    "in a container",
                    "--network host -e IDENTITY_ENDPOINT -e IDENTITY_HEADER",
                    "wif exec -- COMMAND",
                ],
            ),
            (&[], false, &["su -", "env -i", "service", "env -u NAME", "wif exec -- COMMAND"]),
            // An agent that was itself started by sudo, by ssh or in a container: the step's environment is whole.
            (&["TF_BUILD", "SUDO_USER", "SSH_CONNECTION"], true, &["no earlier step", "refresh: true"]),
        ] {
            let text = texts(&not_set(&env(names), "", in_container));
            for part in expected {
                assert!(text.contains(part), "{names:?}: not '{part}': {text}");
            }
            assert!(!text.contains("host.docker.internal"), "{text}");
        }
    }

    #[test]
    fn a_named_session_is_passed_on_by_its_own_names() {
        let text = texts(&not_set(&env(&["SUDO_USER"]), "HUB_", false));
        assert!(text.contains("--preserve-env=HUB_WIF_URL,HUB_WIF_KEY"), "{text}");
    }

    #[test]
    fn the_sessions_that_are_there_are_named() {
        let text = texts(&not_set(
            &env(&["TF_BUILD", "HUB_WIF_URL", "HUB_WIF_KEY", "SPOKE_WIF_URL", "SPOKE_WIF_KEY"]),
            "",
            false,
        ));
        assert!(text.contains("--session hub, --session spoke"), "{text}");
        let text = texts(&not_set(&env(&["WIF_URL", "WIF_KEY"]), "HUB_", false));
        assert!(text.contains("none of this name") && text.contains("leave --session out"), "{text}");
    }

    #[test]
    fn a_broker_that_is_not_reached_is_looked_for_on_the_other_side_of_the_wall() {
        let text = texts(&not_reached(&env(&["TF_BUILD"]), true));
        assert!(text.contains("127.0.0.1 of its own") && text.contains("same target"), "{text}");
        assert!(text.contains("session") && text.contains("--network host"), "{text}");
        let text = texts(&not_reached(&env(&["TF_BUILD"]), false));
        assert!(text.contains("the sign-in ran in a container") && text.contains("session"), "{text}");
        let text = texts(&not_reached(&env(&["SSH_CONNECTION"]), false));
        assert!(text.contains("another machine") && text.contains("standard input"), "{text}");
    }
}
