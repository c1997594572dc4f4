//! Connections: taken by `listener`, served by `connection`, encrypted by `tls`; `credentials` follows what changes on
//! disk, of which `credential_files` reads keys and certificates. `metrics_port` answers people with `status_page` and
//! `status`, scrapes with `model_metrics` and `process_metrics`, and probes; `http_connections` keeps it open for all of
//! them. `http` answers JSON and gRPC-Web on a port of their own.

pub(crate) mod connection;
mod credential_files;
pub(crate) mod credentials;
pub(crate) mod exchange;
pub(crate) mod http;
pub(crate) mod http_connections;
pub(crate) mod listener;
pub(crate) mod metrics_port;
pub(crate) mod model_metrics;
pub(crate) mod process_metrics;
pub(crate) mod status;
pub(crate) mod status_page;
pub(crate) mod tls;
pub(crate) mod tracker;
