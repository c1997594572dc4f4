//! How much memory this process may take.

use std::fs::read_to_string;

/// What is taken for the memory of a machine that does not tell.
const UNKNOWN_BYTES: u64 = 4 << 30;

/// The least of what the machine has and what its limits leave to this process: of the control group, and of the address
/// space.
pub(crate) fn limit_bytes() -> u64 {
    let machine = read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| kilobytes(&text, "MemTotal:"));
    let address_space = read_to_string("/proc/self/limits")
        .ok()
        .and_then(|text| address_space(&text));
    [machine, address_space, control_group()]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(UNKNOWN_BYTES)
}

fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.split_ascii_whitespace().next()?.parse::<u64>().ok()? << 10)
}

/// The soft limit, in bytes; `unlimited` is no number.
fn address_space(text: &str) -> Option<u64> {
    text.lines()
        .find_map(|line| line.strip_prefix("Max address space"))?
        .split_ascii_whitespace()
        .next()?
        .parse()
        .ok()
}

/// The least limit of the process's group and those above it, in both versions of the file system.
fn control_group() -> Option<u64> {
    let groups = read_to_string("/proc/self/cgroup").ok()?;
    let of_line = |line: &str| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => return None,
        };
        let above = std::path::Path::new(path).ancestors();
        let limit = |path: &std::path::Path| {
            read_to_string(format!("{root}{}/{file}", path.display()))
                .ok()?
                .trim()
                .parse::<u64>()
                .ok()
        };
        above.filter_map(limit).min()
    };
    groups.lines().filter_map(of_line).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_as_linux_writes_them() {
        assert_eq!(
            kilobytes("MemTotal:       24689152 kB\nMemFree: 1 kB\n", "MemTotal:"),
            Some(24_689_152 << 10)
        );
        let limits = |soft: &str| {
            format!(
                "Max cpu time unlimited unlimited seconds\nMax address space {soft} unlimited bytes\n"
            )
        };
        assert_eq!(address_space(&limits("1073741824")), Some(1 << 30));
        assert_eq!(address_space(&limits("unlimited")), None);
        assert!(limit_bytes() > 1 << 20);
    }
}
