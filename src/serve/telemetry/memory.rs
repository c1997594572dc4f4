//! The memory of the process, and the budget that it is held to.

use serde::Serialize;

/// What a server may take for its callers, and what it has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct BudgetUse {
    /// The budget in bytes.
    pub(crate) budget_bytes: u64,
    /// What of it is in use, in bytes.
    pub(crate) used_bytes: u64,
}

/// The memory of the process at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct MemoryUse {
    /// Resident memory in bytes; `None` where the system does not say.
    pub(crate) resident_bytes: Option<u64>,
    /// The budget and its use; `None` without a budget.
    pub(crate) budget: Option<BudgetUse>,
}

impl MemoryUse {
    /// The process' memory beside this budget.
    pub(crate) fn beside(budget: Option<BudgetUse>) -> Self {
        let status = std::fs::read_to_string("/proc/self/status").ok();
        Self {
            resident_bytes: status.and_then(|status| resident_bytes(&status)),
            budget,
        }
    }
}

/// The row `VmRSS` of `/proc/self/status`. Unlike `/proc/self/statm` it does not count in pages, whose size differs between
/// machines.
fn resident_bytes(status: &str) -> Option<u64> {
    let row = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = row.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_a_row_in_kibibytes() {
        let status = "Name:\tebb\nVmHWM:\t  9000 kB\nVmRSS:\t  1200 kB\nThreads:\t4\n";
        assert_eq!(resident_bytes(status), Some(1_228_800));
        assert_eq!(resident_bytes("Name:\tebb\n"), None);
        assert_eq!(resident_bytes("VmRSS:\t 12 MB\n"), None);
    }

    #[test]
    fn memory_that_is_taken_is_resident() {
        let resident = || MemoryUse::beside(None).resident_bytes.unwrap();
        let before = resident();
        let taken = vec![1_u8; 64 << 20];
        let after = resident();
        assert!(after > before + (32 << 20), "{before} {after}");
        drop(taken);
    }
}
