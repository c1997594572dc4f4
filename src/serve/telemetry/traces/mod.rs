//! Traces of calls for an OpenTelemetry collector: the feature `otel` and the section `[traces]`.
//!
//! `calls` makes one span of each call, and children of it for waiting in the queue and computing; `delivery` sends them.
//! In a build without the feature `absent` stands in for both: its types are empty and its functions do nothing.

#[cfg(not(feature = "otel"))]
pub(crate) mod absent;
#[cfg(feature = "otel")]
pub(crate) mod calls;
#[cfg(feature = "otel")]
pub(crate) mod delivery;

#[cfg(not(feature = "otel"))]
pub(crate) use absent::{CallSpan, Traces, current, problem};
#[cfg(feature = "otel")]
pub(crate) use calls::{CallSpan, Traces, current, problem};
