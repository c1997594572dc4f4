//! The `[attributes]` table of `ebb.toml`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::AttributesError;
use crate::configuration::{SettingError, one_or_many};
use crate::events::config::{Decimal, Delimiter, Escape, EventsConfig, Format};
use crate::events::input::fingerprint::{FingerprintError, LogFingerprint};
use crate::events::input::log_files::LogFiles;
use crate::history::AttributeKind;
use crate::phases::Phases;

/// The most columns of attributes.
const MOST_COLUMNS: usize = 64;

/// What a setting without `from` is refused with.
const SNAPSHOT: &str = "a snapshot of today cannot describe the past: give attributes.from, or name columns that never change in attributes.static";

/// The `[attributes]` table of `ebb.toml`: a table of what is known of users beside events, and what its columns mean.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AttributesConfig {
    /// Paths, folders or glob patterns, relative to the folder of the configuration file.
    #[serde(deserialize_with = "one_or_many::list")]
    pub paths: Vec<String>,
    /// The column with the user's id, as in the log.
    pub user: String,
    /// The column with the day from which on a row's values hold; `None` for a table of columns that never change.
    #[serde(default)]
    pub from: Option<String>,
    /// How these days or times are written, as [`EventsConfig::time_format`]; without it ISO 8601.
    #[serde(default)]
    pub from_format: Option<String>,
    /// The columns with attributes, and whether they are categories or numbers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, ColumnKind>,
    /// Columns whose values never change, and hold always; categories where `columns` does not say otherwise.
    #[serde(default, rename = "static", deserialize_with = "one_or_many::list")]
    pub static_columns: Vec<String>,
    /// How fractions are written in numbers; without it plain numbers with a point.
    #[serde(default)]
    pub decimal: Option<Decimal>,
    /// The format of the files, `csv` or `parquet`; without it, by their names and contents.
    #[serde(default)]
    pub format: Option<Format>,
    /// What separates the columns of a text file; without it a comma, or a tab in `.tsv` files.
    #[serde(default)]
    pub delimiter: Option<Delimiter>,
    /// What makes a quote inside of a quoted text part of it; without it, by the beginning of each file.
    #[serde(default)]
    pub escape: Option<Escape>,
}

/// Whether a column holds categories or numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnKind {
    /// Names without an order.
    Category,
    /// Finite numbers.
    Number,
}

impl From<ColumnKind> for AttributeKind {
    fn from(kind: ColumnKind) -> Self {
        match kind {
            ColumnKind::Category => Self::Category,
            ColumnKind::Number => Self::Number,
        }
    }
}

/// A column of the table, as it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ColumnRole {
    pub(crate) name: String,
    pub(crate) kind: AttributeKind,
    /// Whether its values hold always.
    pub(crate) is_static: bool,
}

impl AttributesConfig {
    /// All columns of attributes, in order of their names.
    pub(crate) fn roles(&self) -> Vec<ColumnRole> {
        let mut kinds: BTreeMap<&String, AttributeKind> = self
            .static_columns
            .iter()
            .map(|name| (name, AttributeKind::Category))
            .collect();
        kinds.extend(
            self.columns
                .iter()
                .map(|(name, kind)| (name, (*kind).into())),
        );
        let role = |(name, kind): (&String, AttributeKind)| ColumnRole {
            name: name.clone(),
            kind,
            is_static: self.static_columns.contains(name),
        };
        kinds.into_iter().map(role).collect()
    }

    /// How the files are found and cut into records: as those of a log.
    pub(crate) fn as_events(&self) -> EventsConfig {
        EventsConfig {
            paths: self.paths.clone(),
            format: self.format,
            delimiter: self.delimiter,
            escape: self.escape,
            ..EventsConfig::default()
        }
    }

    /// The files of the table, before they are read.
    ///
    /// # Errors
    /// [`AttributesError`] where there are none.
    pub fn files(&self, base_dir: &Path) -> Result<LogFiles, AttributesError> {
        Ok(LogFiles::find(&self.as_events(), base_dir, &[])?)
    }

    /// What the files of the table hold.
    ///
    /// # Errors
    /// [`FingerprintError`] where there are none, or one cannot be read.
    pub fn fingerprint(
        &self,
        base_dir: &Path,
        phases: Phases<'_>,
    ) -> Result<LogFingerprint, FingerprintError> {
        LogFingerprint::of(&self.as_events(), base_dir, &[], phases)
    }

    /// Checks every key of `[attributes]`.
    ///
    /// # Errors
    /// [`SettingError`] names the first key at fault.
    pub fn validate(&self) -> Result<(), SettingError> {
        let fault = |key, problem: String| Err(SettingError::new("attributes", key, problem));
        if self.paths.is_empty() || self.paths.iter().any(|path| path == "-") {
            return fault(
                "paths",
                "attributes.paths must name at least one file, folder or pattern, and not standard input".to_owned(),
            );
        }
        if self.user.is_empty() {
            return fault(
                "user",
                "attributes.user is empty: it must name a column".to_owned(),
            );
        }
        let roles = self.roles();
        if roles.is_empty() {
            return fault(
                "columns",
                "attributes.columns and attributes.static name no column".to_owned(),
            );
        }
        if roles.len() > MOST_COLUMNS {
            let found = roles.len();
            return fault(
                "columns",
                format!(
                    "attributes.columns and attributes.static name {found} columns: at most {MOST_COLUMNS} can be used"
                ),
            );
        }
        if self.from.is_none() && roles.iter().any(|role| !role.is_static) {
            return fault("from", SNAPSHOT.to_owned());
        }
        let taken =
            |role: &&ColumnRole| role.name == self.user || Some(&role.name) == self.from.as_ref();
        if let Some(role) = roles.iter().find(taken) {
            let key = if self.columns.contains_key(&role.name) {
                "columns"
            } else {
                "static"
            };
            return fault(
                key,
                format!(
                    "attributes.{key} names `{}`, which is attributes.user or attributes.from",
                    role.name
                ),
            );
        }
        if let Some(role) = roles.iter().find(|role| role.name.trim().is_empty()) {
            return fault(
                "columns",
                format!(
                    "attributes.columns names the column {:?}: it must have a name",
                    role.name
                ),
            );
        }
        match self.format {
            Some(format @ (Format::Jsonl | Format::Rollup)) => fault(
                "format",
                format!("attributes.format is \"{format}\": it must be \"csv\" or \"parquet\""),
            ),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Result<AttributesConfig, String> {
        let config: AttributesConfig =
            toml::from_str(&format!("paths = \"a.csv\"\nuser = \"id\"\n{text}"))
                .map_err(|error| error.to_string())?;
        config.validate().map_err(|error| error.to_string())?;
        Ok(config)
    }

    #[test]
    fn columns_are_sorted_and_static_ones_are_categories_unless_said_otherwise() {
        let config = config(
            "from = \"since\"\ncolumns = { plan = \"category\", born = \"number\" }\nstatic = [\"country\", \"born\"]",
        )
        .unwrap();
        let roles: Vec<(String, &str, bool)> = config
            .roles()
            .into_iter()
            .map(|role| (role.name, role.kind.name(), role.is_static))
            .collect();
        assert_eq!(
            roles,
            [
                ("born".to_owned(), "number", true),
                ("country".to_owned(), "category", true),
                ("plan".to_owned(), "category", false),
            ]
        );
    }

    #[test]
    fn a_snapshot_of_today_is_refused_unless_nothing_in_it_changes() {
        assert_eq!(
            config("columns = { plan = \"category\" }\nstatic = \"country\"").unwrap_err(),
            SNAPSHOT
        );
        assert!(config("static = \"country\"").is_ok());
        assert!(config("columns = { born = \"number\" }\nstatic = \"born\"").is_ok());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, expected) in [
            ("", "name no column"),
            ("static = \"id\"", "attributes.static names `id`"),
            (
                "from = \"d\"\ncolumns = { d = \"number\" }",
                "attributes.columns names `d`",
            ),
            (
                "static = \"c\"\nformat = \"jsonl\"",
                "attributes.format is \"jsonl\"",
            ),
            ("columns = { plan = \"text\" }", "unknown variant `text`"),
            ("static = \"\"", "it must have a name"),
        ] {
            let error = config(text).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
