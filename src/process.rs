//! What the operating system is told of this process.

/// Forbids core files, and reading this process's memory and environment, to processes of the same user, where the
/// system knows such a rule. What it does not know is left as it is.
pub fn forbid_reading() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        // Lowering a limit is always allowed.
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    }
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        // prctl(2): PR_SET_DUMPABLE fails for no value that this crate can name.
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}
