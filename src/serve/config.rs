//! The server's settings, from a TOML file and the command line.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tonic::Code;

use super::errors::ServeError;
use super::limits::Limits;
use super::telemetry::traces;
use super::transport::tls::TlsFiles;

/// The settings of a server; each is a key of the configuration file. Paths are relative to the file.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The bundle's directory of the model that answers: required.
    pub model: Option<PathBuf>,
    /// Another one, for whoever asks for "canary".
    pub canary: Option<PathBuf>,
    /// Another one, whose answers are only compared.
    pub shadow: Option<PathBuf>,
    /// The folder from which more models may be loaded while the server runs.
    pub models: Option<PathBuf>,
    /// A daily roll-up whose users can be scored by id.
    pub rollup: Option<PathBuf>,
    /// Where to listen.
    pub listen: Option<SocketAddr>,
    /// Whether an address that others can reach may be listened on without encryption.
    pub insecure: bool,
    /// Encryption.
    pub tls: Option<TlsFiles>,
    /// The file of the keys that callers need.
    pub keys: Option<PathBuf>,
    /// The metrics.
    pub metrics: MetricsPort,
    /// The log.
    pub log: LogSettings,
    /// Traces; none without the section. They take a build with the feature `otel`.
    pub traces: Option<TraceSettings>,
    /// What is taken from clients at most.
    pub limits: Limits,
}

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
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// How lines look.
    pub format: LogFormat,
    /// Which calls have a line.
    pub calls: CallLog,
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

/// Which calls have a line in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallLog {
    /// None.
    None,
    /// Those that failed by the server's fault.
    #[default]
    Faults,
    /// Those that failed.
    Failed,
    /// All.
    All,
}

impl CallLog {
    /// Whether a call that ended so has a line.
    pub(crate) fn wants(self, code: Code) -> bool {
        match self {
            Self::None => false,
            Self::Faults => matches!(code, Code::Internal | Code::Unknown | Code::DataLoss),
            Self::Failed => code != Code::Ok,
            Self::All => true,
        }
    }
}

/// Where the server listens when nothing is said.
const LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 50_051);

impl Config {
    /// Reads a file. Relative paths in it start at its own folder.
    pub fn read(path: &Path) -> Result<Self, ServeError> {
        let fault = |problem: String| ServeError::Setting(format!("{}: {problem}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| fault(error.to_string()))?;
        let mut config: Self = toml::from_str(&text).map_err(|error| fault(error.to_string()))?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        for own in config.paths_mut() {
            *own = folder.join(&*own);
        }
        Ok(config)
    }

    fn paths_mut(&mut self) -> Vec<&mut PathBuf> {
        let Self {
            model,
            canary,
            shadow,
            models,
            rollup,
            tls,
            keys,
            ..
        } = self;
        let mut all: Vec<&mut PathBuf> = [model, canary, shadow, models, rollup, keys]
            .into_iter()
            .flatten()
            .collect();
        if let Some(TlsFiles {
            certificate,
            key,
            client_ca,
        }) = tls
        {
            all.extend(
                [Some(certificate), Some(key), client_ca.as_mut()]
                    .into_iter()
                    .flatten(),
            );
        }
        all
    }

    /// Where to listen.
    pub fn address(&self) -> SocketAddr {
        self.listen.unwrap_or(LISTEN)
    }

    /// What is wrong with the settings, before any file that they name is looked at; `None` when they are in order.
    pub fn problem(&self) -> Option<String> {
        if self.model.is_none() {
            return Some("no model is given: --model DIR, or `model` in the configuration".into());
        }
        let address = self.address();
        if !address.ip().is_loopback() && self.tls.is_none() && !self.insecure {
            return Some(format!(
                "--listen {address}: other machines can reach this address and the connection is not encrypted; set \
                 [tls], or add --insecure if that is what you want"
            ));
        }
        if let Some(address) = self
            .metrics
            .listen
            .filter(|a| !a.ip().is_loopback() && !self.metrics.public)
        {
            return Some(format!(
                "metrics.listen {address}: other machines can reach this address; set metrics.public = true if that is \
                 what you want"
            ));
        }
        if self.metrics.listen == Some(address) && address.port() != 0 {
            return Some(format!(
                "metrics.listen is {address}, where calls are listened for: choose another port"
            ));
        }
        self.traces
            .as_ref()
            .and_then(traces::problem)
            .or_else(|| self.limits.problem())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> Option<String> {
        toml::from_str::<Config>(text).unwrap().problem()
    }

    #[test]
    fn what_others_can_reach_must_be_meant() {
        assert_eq!(problem("model = 'm'"), None);
        assert!(problem("").unwrap().contains("--model DIR"));
        let open = problem("model = 'm'\nlisten = '0.0.0.0:1'").unwrap();
        assert!(
            open.contains("not encrypted") && open.contains("--insecure"),
            "{open}"
        );
        assert_eq!(
            problem("model = 'm'\nlisten = '0.0.0.0:1'\ninsecure = true"),
            None
        );
        assert_eq!(
            problem("model = 'm'\nlisten = '0.0.0.0:1'\n[tls]\ncertificate = 'c'\nkey = 'k'"),
            None
        );
        assert!(
            problem("model = 'm'\n[metrics]\nlisten = '0.0.0.0:1'")
                .unwrap()
                .contains("metrics.public")
        );
        assert_eq!(
            problem("model = 'm'\n[metrics]\nlisten = '0.0.0.0:1'\npublic = true"),
            None
        );
        assert!(
            problem("model = 'm'\n[limits]\ncalls = 0")
                .unwrap()
                .contains("limits.calls is 0")
        );
    }

    #[test]
    fn traces_take_a_build_with_them() {
        let problem = problem("model = 'm'\n[traces]");
        if cfg!(feature = "otel") {
            assert_eq!(problem, None);
        } else {
            assert!(
                problem
                    .unwrap()
                    .contains("`cargo build --release --features otel`")
            );
        }
    }

    #[test]
    fn paths_start_at_the_file_and_unknown_keys_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ebb-serve.toml");
        std::fs::write(
            &file,
            "model = 'models/shop'\nkeys = '/etc/keys'\n[tls]\ncertificate = 'c'\nkey = 'k'",
        )
        .unwrap();
        let config = Config::read(&file).unwrap();
        assert_eq!(config.model, Some(dir.path().join("models/shop")));
        assert_eq!(config.keys, Some("/etc/keys".into()));
        assert_eq!(config.tls.unwrap().key, dir.path().join("k"));
        std::fs::write(&file, "[limits]\nmesage_bytes = 3").unwrap();
        let problem = Config::read(&file).unwrap_err().to_string();
        assert!(
            problem.contains("mesage_bytes") && problem.contains("line 2"),
            "{problem}"
        );
    }
}
