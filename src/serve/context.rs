//! What belongs to a call and not to its message: the gateway makes it, and the request's extensions carry it to the
//! services.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use http::{Extensions, HeaderValue};

use super::methods::Rpc;
use super::telemetry::traces::TraceParent;

/// The context of one call.
#[derive(Clone)]
pub(crate) struct CallContext {
    /// The method; `None` for one that does not exist, which no service ever sees.
    rpc: Option<&'static Rpc>,
    /// When its head arrived.
    pub(crate) started: Instant,
    /// When the call must have been answered, or a stream must have ended: every call has such a time.
    pub(crate) deadline: Instant,
    /// The call's span, for children of it; empty when the call is not traced.
    pub(crate) span: TraceParent,
    /// Who calls.
    pub(crate) caller: Caller,
    /// The call's name in the log; `None` for a call that its client gave none, and that changes nothing.
    pub(crate) id: Option<HeaderValue>,
}

impl CallContext {
    /// The context of a call whose caller is not known yet.
    pub(crate) fn new(
        rpc: Option<&'static Rpc>,
        started: Instant,
        longest: Duration,
        span: TraceParent,
    ) -> Self {
        Self {
            rpc,
            started,
            deadline: started + longest,
            span,
            caller: Caller::default(),
            id: None,
        }
    }

    /// The call's name in the log; empty without one.
    pub(crate) fn request_id(&self) -> &str {
        let id = self.id.as_ref().and_then(|id| id.to_str().ok());
        id.unwrap_or_default()
    }

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

    /// The same, to change it.
    #[expect(
        clippy::expect_used,
        reason = "a layer changes the context that the outermost one has made"
    )]
    pub(crate) fn of_mut(extensions: &mut Extensions) -> &mut Self {
        extensions
            .get_mut::<Self>()
            .expect("the gateway gives every call a context")
    }

    /// The method that the caller named; `None` when there is no such method.
    pub(crate) fn named_method(&self) -> Option<&'static Rpc> {
        self.rpc
    }

    /// The method of a call that the method table has let pass.
    ///
    /// # Panics
    ///
    /// When the table was never looked at, which is a fault of the server's own construction.
    #[expect(
        clippy::expect_used,
        reason = "the gateway lists the method table before every layer that reads the method"
    )]
    pub(crate) fn method(&self) -> &'static Rpc {
        self.rpc
            .expect("the method table lets calls of known methods pass only")
    }

    /// A context without a method and a caller: what calls in unit tests have.
    #[cfg(test)]
    pub(crate) fn within(longest: Duration) -> Self {
        Self::new(None, Instant::now(), longest, TraceParent::none())
    }
}

/// The name of the caller's API key. It is known once the key has been checked, and shared with the call's record, which
/// outlives the request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Caller(Arc<OnceLock<Arc<str>>>);

impl Caller {
    /// Sets the name; the first one stays.
    pub(crate) fn set(&self, key: Arc<str>) {
        let _ = self.0.set(key);
    }

    /// The name; empty for a call that took no key, or whose key is not valid.
    pub(crate) fn name(&self) -> &str {
        self.0.get().map_or("", |key| key)
    }
}
