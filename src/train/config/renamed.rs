//! Keys of earlier versions of `ebb.toml`, and those that took their place.

use toml::de::DeTable;

use super::position::{Position, key_position};

/// A key that has another name now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RenamedKey {
    /// The table that holds the key.
    pub section: &'static str,
    /// Its name in earlier versions.
    pub old: &'static str,
    /// Its name now.
    pub new: &'static str,
}

/// Every key that was renamed.
pub const RENAMED: &[RenamedKey] = &[
    renamed("events", "max_refused_share", "max_rejected_share"),
    renamed("model", "expanded", "nonlinear_terms"),
    renamed("model", "allow_suspect", "allow_leakage"),
];

const fn renamed(section: &'static str, old: &'static str, new: &'static str) -> RenamedKey {
    RenamedKey { section, old, new }
}

/// The first renamed key that a file uses, with its place.
pub(super) fn find(table: &DeTable<'_>, text: &str) -> Option<(RenamedKey, Position)> {
    RENAMED.iter().find_map(|key| {
        let position = key_position(table, text, key.section, key.old)?;
        Some((*key, position))
    })
}
