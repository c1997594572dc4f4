//! How much memory the process may use: the least of what the machine has, the control group allows and the shell's limit is.

use std::path::Path;

use serde::Serialize;

/// Where the control group of a container sees its limit, in version 2 and 1 of control groups.
const CONTROL_GROUP: [&str; 2] = [
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
];
/// What is assumed where nothing says how much there is.
const UNKNOWN: usize = 1 << 30;

/// The memory of the process at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct MemoryUse {
    /// What the process occupies, in bytes; `None` where the system does not say.
    pub(crate) resident_bytes: Option<usize>,
    /// What callers may take together, in bytes: `limits.memory_bytes`.
    pub(crate) budget_bytes: usize,
    /// What of that they have taken, in bytes.
    pub(crate) used_bytes: usize,
}

/// How many bytes the process may use.
pub(crate) fn available() -> usize {
    let read = |path: &str| std::fs::read_to_string(Path::new(path)).unwrap_or_default();
    let groups = CONTROL_GROUP.map(|path| read(path).trim().parse().ok());
    let all = [
        total(&read("/proc/meminfo")),
        address_space(&read("/proc/self/limits")),
    ];
    groups
        .into_iter()
        .chain(all)
        .flatten()
        .min()
        .unwrap_or(UNKNOWN)
}

/// How many bytes the process occupies now; `None` where the system does not say.
pub(crate) fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    kibibytes(&status, "VmRSS:")
}

/// The memory of the machine.
fn total(meminfo: &str) -> Option<usize> {
    kibibytes(meminfo, "MemTotal:")
}

/// The value of a line such as `MemTotal:  16384 kB`, in bytes.
fn kibibytes(text: &str, name: &str) -> Option<usize> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    let count: usize = value.split_whitespace().next()?.parse().ok()?;
    count.checked_mul(1024)
}

/// The soft limit on the address space; `None` when it is unlimited.
fn address_space(limits: &str) -> Option<usize> {
    let value = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max address space"))?;
    value.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_files_are_read() {
        let meminfo = "MemFree:  1 kB\nMemTotal:       16384 kB\n";
        assert_eq!(total(meminfo), Some(16 << 20));
        assert_eq!(total("MemTotal: many"), None);
        let limits =
            |soft: &str| format!("Limit  Soft\nMax address space  {soft}  unlimited  bytes\n");
        assert_eq!(address_space(&limits("1048576")), Some(1 << 20));
        assert_eq!(address_space(&limits("unlimited")), None);
        assert!(available() > 0);
        assert!(resident().is_some_and(|bytes| bytes < available()));
    }
}
