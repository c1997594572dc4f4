//! What belongs to a call and not to its message: the gateway makes it, and the request's extensions carry it to the
//! services.

use std::time::Instant;

use http::Extensions;

use super::telemetry::traces::TraceParent;

/// The context of one call.
#[derive(Clone)]
pub(crate) struct CallContext {
    /// When the call must have been answered, or a stream must have ended: every call has such a time.
    pub(crate) deadline: Instant,
    /// The call's span, for children of it; empty when the call is not traced.
    pub(crate) span: TraceParent,
}

impl CallContext {
    /// The context of the request that these extensions belong to.
    ///
    /// # Panics
    ///
    /// When the request didn't come through the gateway, which is a fault of the server's own construction.
    #[expect(
        clippy::expect_used,
        reason = "services are reached through the gateway only, and it gives every call a context"
    )]
    pub(crate) fn of(extensions: &Extensions) -> &Self {
        extensions
            .get::<Self>()
            .expect("the gateway gives every call a context")
    }

    /// A context without a caller: what calls in unit tests have.
    #[cfg(test)]
    pub(crate) fn until(deadline: Instant) -> Self {
        Self {
            deadline,
            span: TraceParent::default(),
        }
    }
}
