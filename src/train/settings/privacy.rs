//! What may be published about groups of users: the `[privacy]` table of the configuration.

use serde::{Deserialize, Serialize};

use crate::configuration::SettingError;

/// The fewest and the most users that [`PrivacyConfig::min_users`] may ask for.
const MIN_USERS: std::ops::RangeInclusive<u32> = 2..=1_000_000;

/// What may be published about groups of users: the `[privacy]` table of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PrivacyConfig {
    /// The fewest users that a published cell may count, 2 to 1,000,000.
    pub min_users: u32,
}

impl Default for PrivacyConfig {
    fn default() -> Self {
        Self { min_users: 10 }
    }
}

impl PrivacyConfig {
    /// Checks every key of `[privacy]` against its range.
    ///
    /// # Errors
    /// [`SettingError`] names the key at fault.
    pub fn validate(&self) -> Result<(), SettingError> {
        let Self { min_users } = self;
        if MIN_USERS.contains(min_users) {
            return Ok(());
        }
        let (least, most) = (MIN_USERS.start(), MIN_USERS.end());
        Err(SettingError::illegal(
            "privacy",
            "min_users",
            min_users,
            format_args!("lie between {least} and {most}"),
        ))
    }
}
