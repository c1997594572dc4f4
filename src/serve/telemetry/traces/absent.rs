//! What a build without traces has in their place.

use std::time::Instant;

use http::{HeaderMap, HeaderValue};
use prometheus_client::registry::Registry;
use tonic::Code;

use crate::serve::errors::ServeError;
use crate::serve::methods::Rpc;
use crate::serve::telemetry::settings::TraceSettings;

/// No traces.
pub(crate) struct Traces;

impl Traces {
    /// Refuses settings, which would have no effect.
    pub(crate) fn start(settings: Option<&TraceSettings>) -> Result<Self, ServeError> {
        settings.map_or(Ok(()), TraceSettings::validate)?;
        Ok(Self)
    }

    /// Adds no metrics.
    pub(crate) fn register(&self, _: &mut Registry) {}

    /// Begins nothing.
    pub(crate) fn begin(&self, _: Option<&'static Rpc>, _: &HeaderMap) -> CallSpan {
        CallSpan::default()
    }

    /// Has nothing to stop.
    pub(crate) async fn stop(&self) {}
}

/// The span of a call that has none.
#[derive(Default)]
pub(crate) struct CallSpan(());

impl CallSpan {
    /// No span for children.
    pub(crate) fn parent(&self) -> TraceParent {
        TraceParent
    }

    /// Drops the child.
    pub(crate) fn end(self, _: Code, _: Option<&HeaderValue>) {}
}

/// A span without children.
#[derive(Clone)]
pub(crate) struct TraceParent;

impl TraceParent {
    /// No span: children of it are dropped.
    pub(crate) fn none() -> Self {
        Self
    }

    /// Drops the child.
    pub(crate) fn child(&self, _: &'static str, _: Instant, _: Instant) {}
}
