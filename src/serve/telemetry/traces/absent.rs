//! What a build without traces has in their place.

use std::time::Instant;

use http::{HeaderMap, HeaderValue};
use prometheus_client::registry::Registry;
use tonic::Code;

use crate::serve::config::TraceSettings;
use crate::serve::errors::ServeError;
use crate::serve::gateway::methods::Rpc;

/// What is wrong with the settings: that they are there at all.
pub(crate) fn problem(_: &TraceSettings) -> Option<String> {
    Some(
        "[traces]: this program was built without traces; build it with `cargo build --release --features otel`, or \
         leave the section out"
            .into(),
    )
}

/// No traces.
pub(crate) struct Traces;

impl Traces {
    /// Refuses settings, which would have no effect.
    pub(crate) fn start(settings: Option<&TraceSettings>) -> Result<Self, ServeError> {
        settings
            .and_then(problem)
            .map_or(Ok(Self), |problem| Err(ServeError::Setting(problem)))
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
    /// The call itself.
    pub(crate) fn around<F: Future>(&self, call: F) -> F {
        call
    }

    /// Tells nobody.
    pub(crate) fn end(self, _: Code, _: Option<&HeaderValue>) {}
}

/// The span of the call in progress, which has none.
pub(crate) fn current() -> Parent {
    Parent
}

/// A span without children.
pub(crate) struct Parent;

impl Parent {
    /// Tells nobody.
    pub(crate) fn child(&self, _: &'static str, _: Instant, _: Instant) {}
}
