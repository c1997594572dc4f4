//! A proposal put into a configuration, whose comments and order stay as they are.

use toml_edit::{DocumentMut, Item, Table, Value};

use super::{Change, Proposal};

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
    let mut value = Value::from(i64::from(change.new));
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
