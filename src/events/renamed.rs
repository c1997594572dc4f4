//! Keys of `ebb.toml` by the names that they had in earlier versions.

/// A key that was renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RenamedKey {
    /// The table that holds it.
    pub(crate) table: &'static str,
    /// Its name in earlier versions.
    pub(crate) old: &'static str,
    /// Its name now.
    pub(crate) new: &'static str,
}

/// The renamed keys of the `[events]` table.
pub(crate) const RENAMED_EVENTS_KEYS: [RenamedKey; 1] = [RenamedKey {
    table: "events",
    old: "max_refused_share",
    new: "max_rejected_share",
}];

/// The renamed key that stands in a table of a configuration as `old`; `None` for keys that were never renamed.
pub(crate) fn renamed_key<'k>(
    keys: &'k [RenamedKey],
    table: &str,
    old: &str,
) -> Option<&'k RenamedKey> {
    keys.iter().find(|key| key.table == table && key.old == old)
}

/// What to say of the first key, by table and name, that a configuration has under its old name.
pub(crate) fn describe_renamed(keys: &[RenamedKey], config: &toml::Table) -> Option<String> {
    let tables = config
        .iter()
        .filter_map(|(name, value)| Some((name, value.as_table()?)));
    let mut found = tables.flat_map(|(name, table)| {
        let keys = table.keys().map(move |key| renamed_key(keys, name, key));
        keys.flatten()
    });
    found.next().map(|RenamedKey { table, old, new }| {
        format!("unknown field `{table}.{old}`; it is called `{table}.{new}` now")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::EventsConfig;

    #[test]
    fn old_keys_are_unknown_and_answered_with_new_ones() {
        for RenamedKey { table, old, new } in RENAMED_EVENTS_KEYS {
            let message = |key: &str| {
                let config = format!("[{table}]\n{key} = 0.1");
                describe_renamed(&RENAMED_EVENTS_KEYS, &config.parse().unwrap())
            };
            let expected = format!("unknown field `events.{old}`; it is called `events.{new}` now");
            assert_eq!((message(old), message(new)), (Some(expected), None));
            assert!(toml::from_str::<EventsConfig>(&format!("{old} = 0.1")).is_err());
            assert!(toml::from_str::<EventsConfig>(&format!("{new} = 0.1")).is_ok());
        }
        // A key of the same name in another table was never renamed.
        let other = "[model]\nmax_refused_share = 1".parse().unwrap();
        assert_eq!(describe_renamed(&RENAMED_EVENTS_KEYS, &other), None);
    }
}
