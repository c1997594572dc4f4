//! The configuration file `ebb.toml`, checked.
//!
//! [`Config::parse`] is the one way to read it: types and names of keys are checked by their structs, ranges by `validate` of
//! each table, and keys of earlier versions are refused with their new names ([`renamed`]). [`mod@reference`] describes every key.

mod position;
pub mod reference;
pub mod renamed;

pub use position::Position;

use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::de::DeTable;

use self::position::setting_position;
use super::settings::{
    ChurnConfig, ConversionConfig, ModelConfig, PrivacyConfig, Release, SegmentConfig, TrainConfig,
    ValueConfig, releases,
};
use crate::card::Thresholds as CheckThresholds;
use crate::configuration::SettingError;
use crate::events::{AttributesConfig, EventsConfig};
use crate::kpi::{CostsConfig, KpiConfig};
use crate::lifecycle::Thresholds;
use crate::model::Bands;
use crate::model::store::sha256_hex;
use renamed::RenamedKey;

/// What can go wrong with a configuration file.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file that could not be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file that is not the TOML it should be.
    #[error("{}: {message}", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// What the parser said, with line and column, and the nearest known key.
        message: String,
    },
    /// A key of an earlier version.
    #[error(
        "{}: {position}: unknown field `{}.{}`; it is called `{}.{}` now",
        path.display(), key.section, key.old, key.section, key.new
    )]
    Renamed {
        /// The file.
        path: PathBuf,
        /// The place of the key.
        position: Position,
        /// The key with its new name.
        key: RenamedKey,
    },
    /// A setting out of range.
    #[error("{}: {}{source}", path.display(), position.map(|p| format!("{p}: ")).unwrap_or_default())]
    Setting {
        /// The file.
        path: PathBuf,
        /// The place of the setting; none where it is left out.
        position: Option<Position>,
        /// The setting and what is legal.
        source: SettingError,
    },
}

/// The checked content of `ebb.toml`.
#[derive(Clone, Debug)]
pub struct Config {
    /// How to read the log.
    pub events: EventsConfig,
    /// How to read what is known of users beside the log; `None` for nothing.
    pub attributes: Option<AttributesConfig>,
    /// Everything that decides a fit.
    pub train: TrainConfig,
    /// What `check` holds a model against.
    pub check: CheckThresholds,
    /// How indicators are defined.
    pub kpi: KpiConfig,
    /// What the acquisition of users cost.
    pub costs: CostsConfig,
    /// The folder that the log's paths are relative to.
    pub folder: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    events: EventsConfig,
    #[serde(default)]
    attributes: Option<AttributesConfig>,
    churn: ChurnConfig,
    #[serde(default)]
    model: ModelConfig,
    #[serde(default)]
    segments: SegmentConfig,
    #[serde(default)]
    risk_bands: Bands,
    #[serde(default)]
    lifecycle: Thresholds,
    #[serde(default)]
    value: Option<ValueConfig>,
    #[serde(default)]
    conversion: Option<ConversionConfig>,
    #[serde(default)]
    privacy: PrivacyConfig,
    #[serde(default, deserialize_with = "releases::list")]
    releases: Vec<Release>,
    #[serde(default)]
    check: CheckThresholds,
    #[serde(default)]
    kpi: KpiConfig,
    #[serde(default)]
    costs: CostsConfig,
}

impl Config {
    /// Reads and checks a configuration file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Io {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text, path)
    }

    /// Checks a configuration file's text; `path` names it in errors and gives the folder of relative paths.
    ///
    /// # Errors
    /// [`ConfigError`] names the file, the key, and its line and column.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let File {
            events,
            attributes,
            churn,
            model,
            segments,
            risk_bands,
            lifecycle,
            value,
            conversion,
            privacy,
            releases,
            check,
            kpi,
            costs,
        } = toml::from_str(text).map_err(|error| refusal(&error, text, path))?;
        let timezone = events.timezone.0.clone();
        let hash = sha256_hex(text.as_bytes());
        let train = TrainConfig {
            churn,
            model,
            segments,
            bands: risk_bands,
            lifecycle,
            value,
            conversion,
            privacy,
            releases,
            timezone,
            hash,
        };
        let horizons = train.churn.horizon_days.clone();
        let checked = train
            .validate()
            .and_then(|()| check.validate(&horizons))
            .and_then(|()| kpi.validate())
            .and_then(|()| costs.validate())
            .and_then(|()| {
                attributes
                    .as_ref()
                    .map_or(Ok(()), AttributesConfig::validate)
            });
        checked.map_err(|source| ConfigError::Setting {
            path: path.to_owned(),
            position: DeTable::parse(text)
                .ok()
                .and_then(|table| setting_position(table.get_ref(), text, &source)),
            source,
        })?;
        let folder = path
            .parent()
            .filter(|p| !p.as_os_str().is_empty())
            .unwrap_or(Path::new("."))
            .to_owned();
        Ok(Self {
            events,
            attributes,
            train,
            check,
            kpi,
            costs,
            folder,
        })
    }

    /// The kind of all events when the log does not say: the only activity kind, if there is just one.
    pub fn default_kind(&self) -> Option<&str> {
        match self.train.churn.activity.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }
}

/// Why a text is no configuration: a key of an earlier version, or what the parser found.
fn refusal(error: &toml::de::Error, text: &str, path: &Path) -> ConfigError {
    let path = path.to_owned();
    let table = DeTable::parse(text).ok();
    match table.and_then(|table| renamed::find(table.get_ref(), text)) {
        Some((key, position)) => ConfigError::Renamed {
            path,
            position,
            key,
        },
        None => ConfigError::Toml {
            path,
            message: with_nearest(&error.to_string()),
        },
    }
}

/// Adds the nearest known key to serde's "unknown field `x`, expected one of `a`, `b`".
fn with_nearest(message: &str) -> String {
    let Some((_, rest)) = message.split_once("unknown field `") else {
        return message.to_owned();
    };
    let mut quoted = rest.split('`').step_by(2);
    let unknown = quoted.next().unwrap_or_default();
    let nearest = quoted.max_by(|a, b| {
        strsim::jaro_winkler(a, unknown).total_cmp(&strsim::jaro_winkler(b, unknown))
    });
    match nearest {
        Some(known) => format!("{}\ndid you mean `{known}`?", message.trim_end()),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::renamed::RENAMED;
    use super::*;
    use crate::configuration::reference::DefaultValue;

    pub(super) const GOOD: &str = r#"
        [events]
        paths = ["log.csv"]
        user = "user"
        time = "time"
        [churn]
        activity = ["purchase"]
        horizon_days = [30]
        active_within_days = 90
    "#;

    fn error(from: &str, to: &str) -> String {
        Config::parse(&GOOD.replace(from, to), Path::new("shop/ebb.toml"))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_small_file_is_enough() {
        let config = Config::parse(GOOD, Path::new("shop/ebb.toml")).unwrap();
        assert_eq!(config.folder, Path::new("shop"));
        assert_eq!(config.default_kind(), Some("purchase"));
        assert_eq!(config.train.timezone, "UTC");
        assert_eq!(
            config.train.hash,
            sha256_hex(GOOD.as_bytes()),
            "as `sha256sum` prints it of the file"
        );
    }

    #[test]
    fn an_unknown_key_names_the_nearest_known_one_and_its_line() {
        let message = error("horizon_days", "horizon_day");
        assert!(
            message.contains("did you mean `horizon_days`?") && message.contains("line 8"),
            "{message}"
        );
        assert!(error("[churn]", "[model]\nl3 = 1\n[churn]").contains("did you mean `l2`?"));
    }

    #[test]
    fn every_renamed_key_is_refused_with_its_new_name_which_is_accepted() {
        for key in RENAMED {
            let RenamedKey { section, old, new } = key;
            let line = |name: &str| {
                let value = example(section, new);
                let header = format!("[{section}]\n");
                let with_key = format!("{header}{name} = {value}\n");
                if GOOD.contains(&format!("[{section}]")) {
                    GOOD.replace(&format!("[{section}]\n"), &with_key)
                } else {
                    GOOD.to_owned() + &with_key
                }
            };
            let refused = Config::parse(&line(old), Path::new("ebb.toml")).unwrap_err();
            let expected =
                format!("unknown field `{section}.{old}`; it is called `{section}.{new}` now");
            assert!(refused.to_string().ends_with(&expected), "{refused}");
            assert!(
                matches!(&refused, ConfigError::Renamed { key: found, .. } if found == key),
                "{refused}"
            );
            Config::parse(&line(new), Path::new("ebb.toml")).unwrap();
        }
    }

    /// A legal value of a key: its default, or one that its range gives.
    fn example(section: &str, key: &str) -> String {
        let setting = reference::find(section, key).unwrap();
        match setting.default {
            DefaultValue::Value(value) => value.to_owned(),
            _ if setting.value == "boolean" => "true".to_owned(),
            _ => setting.range.examples().0.remove(0),
        }
    }

    #[test]
    fn an_error_names_the_line_of_its_key() {
        let position = |message: &str| message.contains("shop/ebb.toml: line 9, column 9: churn.");
        let message = error("active_within_days = 90", "active_within_days = 0");
        assert!(position(&message), "{message}");
        // The key that is at fault only with the default of another one.
        let message = error("[churn]", "[segments]\nk_max = 2\n[churn]");
        assert!(
            message.contains("line 7, column 1: segments: k_min = 3"),
            "{message}"
        );
        let message = error("[churn]", "[model]\nexpanded = true\n[churn]");
        insta::assert_snapshot!(message, @"shop/ebb.toml: line 7, column 1: unknown field `model.expanded`; it is called `model.nonlinear_terms` now");
    }

    #[test]
    fn settings_out_of_range_are_named() {
        assert!(
            error("active_within_days = 90", "active_within_days = 0")
                .contains("churn.active_within_days")
        );
        assert!(error("[churn]", "[segments]\nk_min = 1\n[churn]").contains("k_min"));
        assert!(
            error("[churn]", "[lifecycle]\ndrop_share = 2.0\n[churn]")
                .contains("lifecycle.drop_share")
        );
        assert!(error("[\"purchase\"]", "[]").contains("churn.activity"));
        assert!(error("[30]", "[\"x\"]").contains("horizon_days"));
    }
}
