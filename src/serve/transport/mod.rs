//! Connections: taken by `listener`, served by `connection`, encrypted by `tls`; `codec` makes messages of bytes,
//! `credentials` follows what changes on disk, of which `credential_files` reads keys and certificates, and `metrics_port` answers probes and scrapes.

pub mod codec;
pub(crate) mod connection;
mod credential_files;
pub(crate) mod credentials;
pub(crate) mod field_limits;
pub(crate) mod listener;
pub(crate) mod metrics_port;
pub(crate) mod model_metrics;
pub(crate) mod tls;
pub(crate) mod tracker;
