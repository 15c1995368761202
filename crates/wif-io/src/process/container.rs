//! Whether this process runs in a container.

/// Whether the container engine has left its marks: Docker's file, Podman's file, or its name in the control group of the
/// first process. Without a mark, the answer may be wrong, so that it is good for a hint only.
#[must_use]
pub fn is_in_container() -> bool {
    let has = |path: &str| std::path::Path::new(path).exists();
    has("/.dockerenv")
        || has("/run/.containerenv")
        || std::fs::read_to_string("/proc/1/cgroup").is_ok_and(|groups| names_engine(&groups))
}

fn names_engine(groups: &str) -> bool {
    ["docker", "containerd", "kubepods", "libpod", "lxc"].iter().any(|engine| groups.contains(engine))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_group_of_a_container_names_its_engine() {
        assert!(names_engine("12:memory:/docker/0123456789ab\n"));
        assert!(names_engine("0::/kubepods.slice/kubepods-burstable.slice/cri-containerd-01.scope\n"));
        assert!(!names_engine("0::/init.scope\n") && !names_engine("0::/\n"));
    }
}
