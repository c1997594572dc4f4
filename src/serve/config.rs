//! The server's settings, from a TOML file and the command line.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::errors::ServeError;
use super::limits::Limits;
use super::telemetry::settings::{LogSettings, MetricsPort, TraceSettings};

/// The settings of a server; each is a key of the configuration file. Paths are relative to the file.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The bundle's directory of the model that answers: required.
    pub model: Option<PathBuf>,
    /// Another one, for callers that ask for "canary".
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
    /// The file of the API keys that callers need.
    pub api_keys_file: Option<PathBuf>,
    /// JSON over HTTP, and gRPC-Web.
    pub http: HttpPort,
    /// The metrics.
    pub metrics: MetricsPort,
    /// The log.
    pub log: LogSettings,
    /// Traces; none without the section. They take a build with the feature `otel`.
    pub traces: Option<TraceSettings>,
    /// What may be published about groups of users.
    pub privacy: PrivacySettings,
    /// What is taken from clients at most.
    pub limits: Limits,
}

/// Where the server listens when nothing is said.
const LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 50_051);

impl Config {
    /// Reads a file. Relative paths in it start at its own folder.
    pub fn read(path: &Path) -> Result<Self, ServeError> {
        let fault = |problem: String| ServeError::Setting(format!("{}: {problem}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| fault(error.to_string()))?;
        let mut config = Self::parse(&text).map_err(fault)?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        for own in config.paths_mut() {
            *own = folder.join(&*own);
        }
        Ok(config)
    }

    /// The settings of a configuration's text; an error says what is wrong with it.
    fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| renamed_key(text).unwrap_or_else(|| error.to_string()))
    }

    fn paths_mut(&mut self) -> Vec<&mut PathBuf> {
        let Self {
            model,
            canary,
            shadow,
            models,
            rollup,
            tls,
            api_keys_file,
            ..
        } = self;
        let mut all: Vec<&mut PathBuf> = [model, canary, shadow, models, rollup, api_keys_file]
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

    /// Refuses settings that cannot be meant, before any file that they name is looked at.
    pub fn validate(&self) -> Result<(), ServeError> {
        let fault = |problem: String| Err(ServeError::Setting(problem));
        if self.model.is_none() {
            return fault("no model is given: --model DIR, or `model` in the configuration".into());
        }
        let address = self.address();
        if !address.ip().is_loopback() && self.tls.is_none() && !self.insecure {
            return fault(format!(
                "--listen {address}: other machines can reach this address and the connection is not encrypted; set \
                 [tls], or add --insecure if that is what you want"
            ));
        }
        self.validate_http()?;
        if let Some(address) = self.metrics.listen {
            if !address.ip().is_loopback() && !self.metrics.public {
                return fault(format!(
                    "metrics.listen {address}: other machines can reach this address; set metrics.public = true if \
                     that is what you want"
                ));
            }
            // Port 0 stands for a free one, of which there is more than one.
            if address == self.address() && address.port() != 0 {
                return fault(format!(
                    "metrics.listen is {address}, where calls are listened for: choose another port"
                ));
            }
            if Some(address) == self.http.listen && address.port() != 0 {
                return fault(format!(
                    "metrics.listen is {address}, where HTTP is listened for: choose another port"
                ));
            }
        }
        self.log.validate()?;
        if let Some(traces) = &self.traces {
            traces.validate()?;
        }
        self.privacy.validate()?;
        self.limits.validate()
    }
}

impl Config {
    /// Whether calls can come from this machine only, on every port.
    pub(crate) fn is_loopback(&self) -> bool {
        let addresses = [Some(self.address()), self.http.listen];
        let mut addresses = addresses.into_iter().flatten();
        addresses.all(|address| address.ip().is_loopback())
    }

    fn validate_http(&self) -> Result<(), ServeError> {
        let fault = |problem: String| Err(ServeError::Setting(problem));
        let HttpPort {
            listen,
            allow_origins,
        } = &self.http;
        if let Some(origin) = allow_origins.iter().find(|origin| !is_origin(origin)) {
            return fault(format!(
                "http.allow_origins has {origin:?}: an origin is written as https://HOST or https://HOST:PORT, without a \
                 path, and \"*\" stands for all"
            ));
        }
        let Some(address) = listen else {
            return match allow_origins.is_empty() {
                true => Ok(()),
                false => fault("http.allow_origins has no effect without http.listen".into()),
            };
        };
        if !address.ip().is_loopback() && self.tls.is_none() && !self.insecure {
            return fault(format!(
                "http.listen {address}: other machines can reach this address and the connection is not encrypted; set \
                 [tls], or add --insecure if that is what you want"
            ));
        }
        if *address == self.address() && address.port() != 0 {
            return fault(format!(
                "http.listen is {address}, where gRPC is listened for: choose another port"
            ));
        }
        Ok(())
    }
}

/// Whether a text is an origin as browsers write it.
fn is_origin(text: &str) -> bool {
    let is_plain = |uri: &http::Uri| {
        let scheme = uri.scheme_str();
        let authority = uri.authority().map(|authority| authority.as_str());
        matches!(scheme, Some("http" | "https"))
            && authority.is_some_and(|authority| {
                // A browser writes host names in lower case, and no user.
                !authority.contains('@')
                    && format!("{}://{authority}", scheme.unwrap_or_default()) == text
                    && !authority.chars().any(|letter| letter.is_ascii_uppercase())
            })
    };
    text == "*" || text.parse::<http::Uri>().is_ok_and(|uri| is_plain(&uri))
}

/// The section `[http]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpPort {
    /// Where to answer JSON over HTTP and gRPC-Web; nowhere when absent.
    pub listen: Option<SocketAddr>,
    /// The origins whose pages may ask.
    pub allow_origins: Vec<String>,
}

/// The fewest and the most users that [`PrivacySettings::min_users`] may ask for.
pub(crate) const MIN_USERS: std::ops::RangeInclusive<u32> = 10..=1_000_000;

/// The section `[privacy]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PrivacySettings {
    /// The fewest users that a figure of `GetKpis` may count, 10 to 1,000,000.
    pub min_users: u32,
}

impl Default for PrivacySettings {
    fn default() -> Self {
        Self {
            min_users: *MIN_USERS.start(),
        }
    }
}

impl PrivacySettings {
    fn validate(self) -> Result<(), ServeError> {
        let Self { min_users } = self;
        if MIN_USERS.contains(&min_users) {
            return Ok(());
        }
        let (least, most) = (MIN_USERS.start(), MIN_USERS.end());
        Err(ServeError::Setting(format!(
            "privacy.min_users is {min_users}: it must lie between {least} and {most}"
        )))
    }
}

/// Keys of earlier versions with those that took their place.
const RENAMED: [(&str, &str); 14] = [
    ("keys", "api_keys_file"),
    ("log.calls", "log.access_log"),
    ("limits.message_bytes", "limits.max_message_bytes"),
    ("limits.batch_subjects", "limits.max_batch_size"),
    ("limits.history_entries", "limits.max_history_entries"),
    ("limits.receiving_bytes", "limits.memory_bytes"),
    ("limits.max_inflight_bytes", "limits.memory_bytes"),
    ("limits.calls", "limits.max_concurrent_calls"),
    ("limits.streams", "limits.max_streams"),
    (
        "limits.open_calls",
        "limits.unauthenticated_calls_per_connection",
    ),
    (
        "limits.max_unauthenticated_calls",
        "limits.unauthenticated_calls_per_connection",
    ),
    ("limits.watches", "limits.max_health_watches"),
    ("limits.call_seconds", "limits.call_timeout_seconds"),
    ("limits.queue_wait_ms", "limits.max_queue_wait_ms"),
];

/// What is wrong with a text that has a key of an earlier version.
fn renamed_key(text: &str) -> Option<String> {
    let table: toml::Table = text.parse().ok()?;
    let has = |key: &str| match key.split_once('.') {
        None => table.contains_key(key),
        Some((section, key)) => table
            .get(section)
            .and_then(toml::Value::as_table)
            .is_some_and(|section| section.contains_key(key)),
    };
    let (old, new) = RENAMED.iter().find(|(old, _)| has(old))?;
    Some(format!("unknown field `{old}`; it is called `{new}` now"))
}

/// The files of the section `[tls]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// The server's certificate and those that lead to its authority, as PEM.
    pub certificate: PathBuf,
    /// Its private key, as PEM.
    pub key: PathBuf,
    /// The authorities of client certificates, as PEM; clients must then have one.
    pub client_ca: Option<PathBuf>,
}

#[cfg(test)]
mod tests;
