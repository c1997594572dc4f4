//! A proposal put into a configuration, whose comments and order stay as they are.

use toml_edit::{DocumentMut, Item, Table, Value};

use super::{Change, Proposal, SettingValue};

/// Why a proposal cannot be put into a configuration.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// The configuration has changed since.
    #[error(
        "the proposal was made for a configuration with the hash {proposed}, and this one has {found}: it has changed since; run \
         `ebb-train propose` again"
    )]
    Stale {
        /// The hash in the proposal.
        proposed: String,
        /// The hash of the configuration.
        found: String,
    },
    /// The configuration is no TOML.
    #[error("the configuration cannot be edited: {0}")]
    Toml(#[from] toml_edit::TomlError),
    /// A section that is not a table of its own.
    #[error("the configuration cannot be edited: [{0}] is not a table")]
    NotATable(String),
    /// A setting that is in no section.
    #[error("the proposal changes {0:?}, which is no setting of a section")]
    NoSetting(String),
}

/// The text of a configuration with the changes of a proposal. `hash` is that of the text.
///
/// # Errors
/// [`AcceptError`], where the proposal was made for another text.
pub fn edited(text: &str, hash: &str, proposal: &Proposal) -> Result<String, AcceptError> {
    if proposal.config_hash != hash {
        return Err(AcceptError::Stale {
            proposed: proposal.config_hash.clone(),
            found: hash.to_owned(),
        });
    }
    let mut document: DocumentMut = text.parse()?;
    for change in &proposal.changes {
        set(&mut document, change)?;
    }
    Ok(document.to_string())
}

/// Sets one key, with the comment behind its old value.
fn set(document: &mut DocumentMut, change: &Change) -> Result<(), AcceptError> {
    let (section, key) = change
        .setting
        .split_once('.')
        .ok_or_else(|| AcceptError::NoSetting(change.setting.clone()))?;
    let table = document
        .entry(section)
        .or_insert_with(|| Item::Table(Table::new()))
        .as_table_like_mut()
        .ok_or_else(|| AcceptError::NotATable(section.to_owned()))?;
    let mut value = match change.new {
        SettingValue::Days(days) => Value::from(i64::from(days)),
        SettingValue::Day(day) => Value::from(day.to_string()),
    };
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) => {
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        None => {
            table.insert(key, Item::Value(value));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::train::proposals::Trigger;

    fn proposal(hash: &str, changes: &[(&str, u32, u32)]) -> Proposal {
        let change = |(setting, old, new): &(&str, u32, u32)| Change {
            setting: (*setting).to_owned(),
            old: Some(SettingValue::Days(*old)),
            new: SettingValue::Days(*new),
        };
        Proposal {
            ebb_version: "0.0.0".to_owned(),
            as_of: "2026-03-01".parse().unwrap(),
            config_hash: hash.to_owned(),
            model: "abc".to_owned(),
            trigger: Trigger::Cycle,
            reason: "users come more often".to_owned(),
            changes: changes.iter().map(change).collect(),
            evidence: None,
            expires: None,
            users_moved: BTreeMap::new(),
        }
    }

    const TEXT: &str = "# ours\n[lifecycle] # stages\nexploration_days = 56   # eight weeks\nacquisition_days= 28\n\n[check]\n";

    #[test]
    fn comments_and_order_stay() {
        let changes = [
            ("lifecycle.exploration_days", 56, 42),
            ("lifecycle.acquisition_days", 28, 21),
            ("lifecycle.exploration_from_days", 14, 7),
        ];
        let after = edited(TEXT, "h", &proposal("h", &changes)).unwrap();
        let expected = "# ours\n[lifecycle] # stages\nexploration_days = 42   # eight weeks\nacquisition_days= 21\nexploration_from_days = 7\n\n[check]\n";
        assert_eq!(after, expected);
    }

    #[test]
    fn a_section_is_added_or_kept_inline() {
        let change = [("lifecycle.exploration_days", 56, 42)];
        let after = edited("[churn]\na = 1\n", "h", &proposal("h", &change)).unwrap();
        assert_eq!(
            after,
            "[churn]\na = 1\n\n[lifecycle]\nexploration_days = 42\n"
        );
        let after = edited(
            "lifecycle = { exploration_days = 56 }\n",
            "h",
            &proposal("h", &change),
        );
        assert_eq!(after.unwrap(), "lifecycle = { exploration_days = 42 }\n");
    }

    #[test]
    fn a_day_is_written_where_there_was_none() {
        let mut release = proposal("h", &[]);
        release.changes.push(Change {
            setting: "model.dates_from".to_owned(),
            old: None,
            new: SettingValue::Day("2026-03-01".parse().unwrap()),
        });
        let after = edited(TEXT, "h", &release).unwrap();
        assert_eq!(
            after,
            format!("{TEXT}\n[model]\ndates_from = \"2026-03-01\"\n")
        );
        let json = serde_json::to_string(&release).unwrap();
        assert_eq!(serde_json::from_str::<Proposal>(&json).unwrap(), release);
        assert!(
            json.contains(r#"{"setting":"model.dates_from","new":"2026-03-01"}"#),
            "{json}"
        );
    }

    #[test]
    fn what_cannot_be_edited_is_said() {
        let change = [("lifecycle.exploration_days", 56, 42)];
        let error = |text: &str, hash: &str, changes: &[(&str, u32, u32)]| {
            edited(text, hash, &proposal("h", changes))
                .unwrap_err()
                .to_string()
        };
        assert!(error(TEXT, "other", &change).contains("has changed since"));
        assert!(error("lifecycle = 3", "h", &change).contains("[lifecycle] is not a table"));
        assert!(error("[lifecycle", "h", &change).contains("cannot be edited"));
        assert!(error(TEXT, "h", &[("days", 1, 2)]).contains("no setting of a section"));
    }
}
