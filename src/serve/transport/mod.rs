//! Connections: taken by `listener`, served by `connection`, encrypted by `tls`;
//! `credentials` follows what changes on disk, and `metrics_port` answers probes and scrapes.

pub(crate) mod connection;
pub(crate) mod credentials;
pub(crate) mod exchange;
pub(crate) mod listener;
pub(crate) mod metrics_port;
pub(crate) mod model_metrics;
pub(crate) mod outbox;
pub(crate) mod tls;
pub(crate) mod tracker;
