//! Metrics, the access log, traces, and the port that shows them.

pub(crate) mod call_record;
pub(crate) mod collectors;
pub(crate) mod histogram;
pub(crate) mod http;
pub(crate) mod metrics;
pub(crate) mod settings;
pub(crate) mod traces;
