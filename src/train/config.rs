//! The configuration file `ebb.toml`, checked.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::data::labels::ChurnConfig;
use super::estimators::segments::SegmentConfig;
use super::settings::{ModelConfig, TrainConfig};
use crate::events::EventsConfig;
use crate::lifecycle::Thresholds;
use crate::model::Bands;
use crate::model::store::sha256_hex;

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
    /// A setting out of range.
    #[error("{}: {message}", path.display())]
    Setting {
        /// The file.
        path: PathBuf,
        /// The setting and its range.
        message: String,
    },
}

/// The checked content of `ebb.toml`.
#[derive(Clone, Debug)]
pub struct Config {
    /// How to read the log.
    pub events: EventsConfig,
    /// Everything that decides a fit.
    pub train: TrainConfig,
    /// The folder that the log's paths are relative to.
    pub folder: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    events: EventsConfig,
    churn: ChurnConfig,
    #[serde(default)]
    model: ModelConfig,
    #[serde(default)]
    segments: SegmentConfig,
    #[serde(default)]
    risk_bands: Bands,
    #[serde(default)]
    lifecycle: Thresholds,
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
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let File {
            events,
            churn,
            model,
            segments,
            risk_bands,
            lifecycle,
        } = toml::from_str(text).map_err(|error| ConfigError::Toml {
            path: path.to_owned(),
            message: with_nearest(&error.to_string()),
        })?;
        let timezone = events.timezone.0.clone();
        let hash = sha256_hex(text.as_bytes());
        let train = TrainConfig {
            churn,
            model,
            segments,
            bands: risk_bands,
            lifecycle,
            timezone,
            hash,
        };
        train.check().map_err(|error| ConfigError::Setting {
            path: path.to_owned(),
            message: error.to_string(),
        })?;
        let folder = path
            .parent()
            .filter(|p| !p.as_os_str().is_empty())
            .unwrap_or(Path::new("."))
            .to_owned();
        Ok(Self {
            events,
            train,
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
    use super::*;

    const GOOD: &str = r#"
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
