//! Whether a call may begin: who asks, how much is going on, and how much time there is.
//!
//! What needs no key has a budget of its own, so that nobody without one can take the room of those who have.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Instant;

use http::HeaderMap;

use super::api_keys::KeyRing;
use super::deadline;
use super::methods::{Form, Rpc, Service};
use crate::serve::errors::CallError;
use crate::serve::limits::{seconds, size};
use crate::serve::state::{Phase, ServerState};
use crate::serve::telemetry::metrics::Shed;
use crate::serve::transport::body::{Allowance, Permit};

/// The refusal of a call whose time is over.
pub(crate) const LATE: CallError =
    CallError::DeadlinePassed("the deadline passed before there was an answer");

/// The largest message of a call that needs no key: the name of a service.
const OPEN_MESSAGE_BYTES: usize = 4 << 10;

/// A call that may begin.
pub(crate) struct Admitted {
    /// Its method.
    pub(crate) rpc: &'static Rpc,
    /// Until when it may take.
    pub(crate) deadline: Option<Instant>,
    /// What it occupies.
    pub(crate) permits: [Option<Permit>; 2],
    /// The name of the caller's key.
    pub(crate) key: Option<Arc<str>>,
    /// How much of a message may come.
    pub(crate) allowance: Allowance,
}

/// Lets calls in.
pub(crate) struct Admission {
    state: Arc<ServerState>,
    keys: Arc<KeyRing>,
    calls: Arc<AtomicUsize>,
    streams: Arc<AtomicUsize>,
    open_calls: Arc<AtomicUsize>,
    watches: Arc<AtomicUsize>,
    receiving: Arc<AtomicUsize>,
}

impl Admission {
    /// Nobody is in yet.
    pub(crate) fn new(state: Arc<ServerState>, keys: Arc<KeyRing>) -> Self {
        let count = Arc::default;
        Self {
            state,
            keys,
            calls: count(),
            streams: count(),
            open_calls: count(),
            watches: count(),
            receiving: count(),
        }
    }

    /// Whether a call of this method may begin; `None` is a method that does not exist.
    pub(crate) fn admit(
        &self,
        headers: &HeaderMap,
        rpc: Option<&'static Rpc>,
        started: Instant,
    ) -> Result<Admitted, CallError> {
        let Some(rpc) = rpc else {
            self.keys.known(headers)?;
            return Err(CallError::UnknownMethod(
                "there is no such method; reflection lists those that are".into(),
            ));
        };
        let key = self.keys.admit(headers, rpc.permission)?;
        let permits = self.permits(rpc)?;
        if rpc.form == Form::Bulk {
            self.state.compute.not_overloaded()?;
        }
        let deadline = self.deadline(headers, rpc, started)?;
        Ok(Admitted {
            rpc,
            deadline,
            permits,
            key,
            allowance: self.allowance(rpc),
        })
    }

    fn permits(&self, rpc: &Rpc) -> Result<[Option<Permit>; 2], CallError> {
        let limits = &self.state.limits;
        let permit = |count: &Arc<AtomicUsize>, most: u32, limit: &'static str| {
            Permit::take(count, size(most)).map(Some).ok_or_else(|| {
                self.state.metrics.shed(Shed::Calls);
                CallError::TooManyCalls { limit }
            })
        };
        match (rpc.permission, rpc.form.lasts()) {
            (None, false) => Ok([
                permit(&self.open_calls, limits.open_calls, "open_calls")?,
                None,
            ]),
            (None, true) => Ok([permit(&self.watches, limits.watches, "watches")?, None]),
            (Some(_), false) => Ok([permit(&self.calls, limits.calls, "calls")?, None]),
            (Some(_), true) => Ok([
                permit(&self.calls, limits.calls, "calls")?,
                permit(&self.streams, limits.streams, "streams")?,
            ]),
        }
    }

    fn deadline(
        &self,
        headers: &HeaderMap,
        rpc: &Rpc,
        started: Instant,
    ) -> Result<Option<Instant>, CallError> {
        let timeout = deadline::timeout(headers)
            .map_err(|problem| CallError::malformed(problem.to_owned()))?;
        let longest = (!rpc.form.lasts()).then(|| self.state.limits.call_time());
        let time = timeout.map_or(longest, |timeout| {
            Some(longest.map_or(timeout, |longest| longest.min(timeout)))
        });
        let deadline = time.and_then(|time| started.checked_add(time));
        match deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            true => Err(LATE),
            false => Ok(deadline),
        }
    }

    fn allowance(&self, rpc: &Rpc) -> Allowance {
        if rpc.permission.is_none() {
            return Allowance::Small(OPEN_MESSAGE_BYTES);
        }
        if rpc.service == Service::Reflection {
            // Its streams never end by themselves, and must hold up neither a stop nor others.
            let (mut phase, idle) = (
                self.state.phase.subscribe(),
                seconds(self.state.limits.stream_idle_seconds),
            );
            return Allowance::Until(Box::pin(async move {
                let draining = phase.wait_for(|phase| *phase == Phase::Draining);
                // Either way the stream ends.
                let _ = tokio::time::timeout(idle, draining).await;
            }));
        }
        if rpc.form.lasts() {
            return Allowance::Any;
        }
        let most = size(self.state.limits.receiving_bytes);
        Allowance::Shared {
            total: Arc::clone(&self.receiving),
            most,
            metrics: Arc::clone(&self.state.metrics),
        }
    }
}
