//! Metrics, traces and the pages that show them.

pub(crate) mod http;
pub(crate) mod metrics;
pub(crate) mod traces;
