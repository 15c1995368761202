//! Names of variables that no session may set: the agent keeps them, or they change how programs start. `docs/errors.md`
//! lists them under WIF1014; a test holds it to this list.
//!
//! Source: microsoft/azure-pipelines-agent, `Constants.cs` (`Variables.ReadOnlyVariables`) and `Handler.cs` (what it passes
//! to a task); the manuals of ld.so, dyld, bash, git, Node.js, Python, Perl, Ruby, Java and .NET.

/// What the agent makes itself, or passes to tasks: it would not deliver another value, or take it for its own.
pub const KEPT_BY_THE_AGENT: Names = Names {
    families: &["AGENT_", "BUILD_", "ENDPOINT_", "INPUT_", "RELEASE_", "SECUREFILE_", "SYSTEM_", "VSTS_"],
    names: &["COMMON_TESTRESULTSDIRECTORY", "PIPELINE_WORKSPACE", "TF_BUILD"],
};

/// What a program, its loader or its interpreter reads when it starts.
pub const START_OF_PROGRAMS: Names = Names {
    families: &["BASH_FUNC", "COMPLUS_", "CORECLR_", "COR_PROFILER", "DYLD_", "GIT_CONFIG", "GIT_SSH", "LD_"],
    names: &[
        "BASHOPTS",
        "BASH_ENV",
        "CDPATH",
        "COMSPEC",
        "COR_ENABLE_PROFILING",
        "DOTNET_STARTUP_HOOKS",
        "ENV",
        "GCONV_PATH",
        "GIT_ASKPASS",
        "GIT_EXEC_PATH",
        "GIT_TEMPLATE_DIR",
        "GLIBC_TUNABLES",
        "HOME",
        "IFS",
        "JAVA_TOOL_OPTIONS",
        "JDK_JAVA_OPTIONS",
        "NODE_EXTRA_CA_CERTS",
        "NODE_OPTIONS",
        "NODE_PATH",
        "OPENSSL_CONF",
        "PATH",
        "PATHEXT",
        "PERL5LIB",
        "PERL5OPT",
        "PROMPT_COMMAND",
        "PS4",
        "PSMODULEPATH",
        "PYTHONHOME",
        "PYTHONINSPECT",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "RUBYLIB",
        "RUBYOPT",
        "SHELL",
        "SHELLOPTS",
        "SSLKEYLOGFILE",
        "SYSTEMROOT",
        "WINDIR",
        "_JAVA_OPTIONS",
    ],
};

/// The output variables that `task.json` declares. The agent publishes every variable that this task sets by one of these
/// names, a token too, to other jobs, and later steps do not find it (`TaskRunner.cs`, `ExecutionContext.SetVariable`).
pub(crate) const OUTPUT_VARIABLES: [&str; 6] =
    ["clientId", "tenantId", "subscriptionId", "authorityHost", "connectionId", "scheme"];

/// Whole names, and what the names of a family begin with: as they stand in an environment, in upper case.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// What names begin with.
    pub families: &'static [&'static str],
    /// Whole names.
    pub names: &'static [&'static str],
}

impl Names {
    fn contains(self, name: &str) -> bool {
        self.names.contains(&name) || self.families.iter().any(|family| name.starts_with(family))
    }
}

/// Why a variable may not be set, by its name in an environment, in upper case; nothing, where it may.
#[must_use]
pub(crate) fn reason(name: &str) -> Option<&'static str> {
    if KEPT_BY_THE_AGENT.contains(name) {
        Some("the agent keeps this name for itself")
    } else if START_OF_PROGRAMS.contains(name) {
        Some("this name changes how programs start")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_agent_keeps_and_what_changes_how_programs_start_is_refused() {
        for name in
            ["AGENT_TEMPDIRECTORY", "SYSTEM_X", "BUILD_X", "RELEASE_X", "VSTS_X", "TF_BUILD", "INPUT_X"]
        {
            assert_eq!(reason(name), Some("the agent keeps this name for itself"), "{name}");
        }
        for name in [
            "PATH",
            "LD_PRELOAD",
            "DYLD_INSERT_LIBRARIES",
            "NODE_OPTIONS",
            "BASH_ENV",
            "ENV",
            "PYTHONPATH",
            "PYTHONHOME",
            "PYTHONSTARTUP",
            "GIT_CONFIG",
            "GIT_CONFIG_COUNT",
            "GIT_SSH_COMMAND",
            "GIT_EXEC_PATH",
        ] {
            assert_eq!(reason(name), Some("this name changes how programs start"), "{name}");
        }
    }

    #[test]
    fn an_ordinary_name_is_free() {
        for name in
            ["AZURE_ACCESS_TOKEN", "ENVIRONMENT", "TF_VAR_X", "MY_PATH", "GITHUB_TOKEN", "BUILDER", "LDAP"]
        {
            assert_eq!(reason(name), None, "{name}");
        }
    }
}
