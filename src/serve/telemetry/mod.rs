//! Metrics, the log and traces.

pub(crate) mod call_record;
pub(crate) mod histogram;
pub(crate) mod log;
pub(crate) mod metrics;
pub(crate) mod settings;
pub(crate) mod traces;
