//! What is logged and traced, and where metrics are read: sections of the server's configuration.

use std::net::SocketAddr;

use serde::Deserialize;
use tonic::Code;

use crate::serve::errors::ServeError;

/// The section `[metrics]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsPort {
    /// Where metrics can be read over HTTP; nowhere when absent.
    pub listen: Option<SocketAddr>,
    /// Whether that may be an address that others can reach.
    pub public: bool,
}

/// The section `[log]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// How lines look.
    pub format: LogFormat,
    /// Which calls have a line.
    pub access_log: AccessLog,
    /// How many lines of each kind are written in a second: of more, only the count.
    pub max_lines_per_second: u32,
}

/// The most lines a second that a setting may allow.
pub(crate) const LINES_PER_SECOND_MOST: u32 = 1_000_000;

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            format: LogFormat::default(),
            access_log: AccessLog::default(),
            // At a few hundred bytes a line, one kind fills no more than some gigabytes a day.
            max_lines_per_second: 100,
        }
    }
}

impl LogSettings {
    /// Refuses a limit that is not legal.
    pub(crate) fn validate(&self) -> Result<(), ServeError> {
        let max_lines = self.max_lines_per_second;
        if (1..=LINES_PER_SECOND_MOST).contains(&max_lines) {
            return Ok(());
        }
        Err(ServeError::Setting(format!(
            "log.max_lines_per_second is {max_lines}: it must be from 1 to {LINES_PER_SECOND_MOST}"
        )))
    }
}

/// How the lines of the log look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// One JSON object in each.
    #[default]
    Json,
    /// For people.
    Text,
}

/// Which calls have a line in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessLog {
    /// None.
    None,
    /// Those that failed by the server's fault.
    #[default]
    ServerErrors,
    /// Those that failed.
    Failed,
    /// All.
    All,
}

impl AccessLog {
    /// Whether a call that ended so has a line.
    pub(crate) fn includes(self, code: Code) -> bool {
        match self {
            Self::None => false,
            Self::ServerErrors => matches!(code, Code::Internal | Code::Unknown | Code::DataLoss),
            Self::Failed => code != Code::Ok,
            Self::All => true,
        }
    }
}

/// The section `[traces]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TraceSettings {
    /// Where a collector takes OTLP over gRPC: `http://HOST:PORT`.
    pub endpoint: String,
    /// The share of calls that are traced, from 0 to 1. It holds for calls that come with no decision of their caller's.
    pub sample_ratio: f64,
}

impl Default for TraceSettings {
    fn default() -> Self {
        Self {
            endpoint: "http://127.0.0.1:4317".into(),
            sample_ratio: 0.01,
        }
    }
}

impl TraceSettings {
    /// Refuses an address that is no collector's and a share that is none. In a build without the feature `otel` every
    /// setting is refused: it would have no effect.
    pub(crate) fn validate(&self) -> Result<(), ServeError> {
        let Self {
            endpoint,
            sample_ratio,
        } = self;
        let fault = |problem: String| Err(ServeError::Setting(problem));
        if !cfg!(feature = "otel") {
            return fault(
                "[traces]: this program was built without traces; build it with `cargo build --release --features \
                 otel`, or leave the section out"
                    .into(),
            );
        }
        let is_plain = |uri: http::Uri| {
            uri.scheme_str() == Some("http") && uri.authority().is_some() && uri.path() == "/"
        };
        if !endpoint.parse().is_ok_and(is_plain) {
            return fault(format!(
                "traces.endpoint is {endpoint}: it must be http://HOST:PORT, where a collector takes OTLP over gRPC \
                 unencrypted"
            ));
        }
        if !(0.0..=1.0).contains(sample_ratio) {
            return fault(format!(
                "traces.sample_ratio is {sample_ratio}: it must be from 0 to 1"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "otel")]
    #[test]
    fn settings_out_of_range_are_named() {
        let of = |endpoint: &str, sample_ratio| {
            let settings = TraceSettings {
                endpoint: endpoint.into(),
                sample_ratio,
            };
            settings.validate().err().map(|error| error.to_string())
        };
        assert!(TraceSettings::default().validate().is_ok());
        assert_eq!(of("http://collector:4317/", 1.0), None);
        for endpoint in [
            "",
            "collector:4317",
            "/x",
            "https://collector:4317",
            "http://collector:4317/v1/traces",
        ] {
            assert!(
                of(endpoint, 0.5).unwrap().contains("traces.endpoint"),
                "{endpoint}"
            );
        }
        for ratio in [-0.1, 1.1, f64::NAN] {
            assert!(
                of("http://[::1]:4317", ratio)
                    .unwrap()
                    .contains("traces.sample_ratio"),
                "{ratio}"
            );
        }
    }

    #[cfg(not(feature = "otel"))]
    #[test]
    fn without_the_feature_every_setting_is_refused() {
        let problem = TraceSettings::default().validate().unwrap_err().to_string();
        assert!(problem.contains("--features otel"), "{problem}");
    }

    #[test]
    fn a_log_without_lines_is_no_setting() {
        let refused = LogSettings {
            max_lines_per_second: 0,
            ..LogSettings::default()
        };
        assert_eq!(
            refused.validate().unwrap_err().to_string(),
            "log.max_lines_per_second is 0: it must be from 1 to 1000000"
        );
        assert!(LogSettings::default().validate().is_ok());
    }

    #[test]
    fn each_level_of_the_access_log_includes_the_one_before() {
        let levels = [
            AccessLog::None,
            AccessLog::ServerErrors,
            AccessLog::Failed,
            AccessLog::All,
        ];
        let logged = |code| levels.map(|level| level.includes(code));
        assert_eq!(logged(Code::Internal), [false, true, true, true]);
        assert_eq!(logged(Code::NotFound), [false, false, true, true]);
        assert_eq!(logged(Code::Ok), [false, false, false, true]);
    }
}
