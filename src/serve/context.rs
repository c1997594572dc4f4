//! What belongs to a call and not to its message: the gateway makes it, and the request's extensions carry it to the
//! services.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Extensions, HeaderValue};

use super::form::Form;
use super::quota::{Owner, Share};
use super::telemetry::traces::TraceParent;

/// How long work of the server's own may wait: it is given up when nobody needs it any more.
const OWN_WORK: Duration = Duration::from_secs(86_400);

/// The context of one call.
#[derive(Clone)]
pub(crate) struct CallContext {
    /// When the call must have been answered, or a stream must have ended: every call has such a time.
    pub(crate) deadline: Instant,
    /// The call's span, for children of it; empty when the call is not traced.
    pub(crate) span: TraceParent,
    /// Who calls.
    pub(crate) caller: Caller,
    /// The call's name in the log: the one that its client gave, if it did. Calls that change models always have one.
    pub(crate) request_id: Option<HeaderValue>,
    /// Its place in the queue, if it has had one since its head arrived.
    pub(crate) queue_place: Option<Arc<Share>>,
    /// How its messages are written.
    pub(crate) form: Form,
    /// The memory that the call holds. It is given back when the last of the answer has been sent.
    pub(crate) memory: Arc<Share>,
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

    /// The call's name in the log; empty without one.
    pub(crate) fn request_id(&self) -> &str {
        let id = self.request_id.as_ref().and_then(|id| id.to_str().ok());
        id.unwrap_or_default()
    }

    /// On whose account the call is.
    pub(crate) fn owner(&self) -> &Arc<Owner> {
        self.memory.owner()
    }

    /// The context of work that the server does for itself, on the account that has this memory.
    pub(crate) fn of_server(memory: Share) -> Self {
        Self {
            deadline: Instant::now() + OWN_WORK,
            span: TraceParent::none(),
            caller: Caller::default(),
            request_id: None,
            queue_place: None,
            form: Form::Protobuf,
            memory: Arc::new(memory),
        }
    }

    /// The context of a call of nobody's: what calls in unit tests have.
    #[cfg(test)]
    pub(crate) fn within(longest: std::time::Duration) -> Self {
        let quotas = super::quota::Quotas::new(&super::limits::Limits::default());
        Self::of_owner(longest, &quotas, &Arc::default())
    }

    /// The same of an owner.
    #[cfg(test)]
    pub(crate) fn of_owner(
        longest: std::time::Duration,
        quotas: &Arc<super::quota::Quotas>,
        owner: &Arc<Owner>,
    ) -> Self {
        let memory = quotas.take(owner, super::quota::Resource::Memory, 0);
        Self {
            deadline: Instant::now() + longest,
            span: TraceParent::none(),
            caller: Caller::default(),
            request_id: None,
            queue_place: None,
            form: Form::Protobuf,
            memory: Arc::new(memory.unwrap()),
        }
    }
}

/// Who calls.
#[derive(Clone, Default)]
pub(crate) struct Caller {
    /// The name of the API key; `None` for a call that took none, or whose key is not valid.
    pub(crate) key: Option<Arc<str>>,
    /// Whether the key still allows the method; `None` where none was needed.
    pub(crate) access: Option<Arc<dyn Access>>,
}

impl Caller {
    /// The key's name; empty without one.
    pub(crate) fn name(&self) -> &str {
        self.key.as_deref().unwrap_or_default()
    }

    /// Whether the caller may go on. Keys are rotated while streams are open.
    pub(crate) fn is_allowed(&self) -> bool {
        self.access.as_ref().is_none_or(|access| access.is_valid())
    }
}

/// A permission that may be taken away.
pub(crate) trait Access: Send + Sync {
    /// Whether it is still there.
    fn is_valid(&self) -> bool;
}
