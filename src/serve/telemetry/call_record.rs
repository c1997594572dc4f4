//! What is counted, logged and traced of each call when it has ended, in whatever way.

use std::sync::Arc;
use std::time::Instant;

use http::HeaderValue;
use tonic::Code;

use super::metrics::Metrics;
use super::settings::AccessLog;
use super::traces::CallSpan;
use crate::serve::context::Caller;
use crate::serve::methods::RPCS;

/// A line of the log.
macro_rules! log_call {
    ($($field:tt)+) => {
        tracing::info!(target: "ebb::serve::gateway", $($field)+, "call")
    };
}

/// Where the records of calls go.
pub(crate) struct CallLog {
    metrics: Arc<Metrics>,
    level: AccessLog,
}

impl CallLog {
    /// Counts all calls in `metrics` and writes those of `level` into the log.
    pub(crate) fn new(metrics: Arc<Metrics>, level: AccessLog) -> Self {
        Self { metrics, level }
    }

    /// Begins the record of a call of the method at this position of [`RPCS`]; `None` for one that does not exist.
    pub(crate) fn begin(
        self: &Arc<Self>,
        position: Option<usize>,
        started: Instant,
        caller: &Caller,
        id: Option<HeaderValue>,
        span: CallSpan,
    ) -> CallRecord {
        self.metrics.started(position);
        CallRecord {
            log: Arc::clone(self),
            position,
            started,
            id,
            key: caller.key.clone(),
            code: Code::Cancelled,
            span,
        }
    }
}

/// The record of a call in progress; dropped, it is counted, logged and traced.
pub(crate) struct CallRecord {
    log: Arc<CallLog>,
    position: Option<usize>,
    started: Instant,
    id: Option<HeaderValue>,
    key: Option<Arc<str>>,
    /// How the call ended: by its client's going away, unless [`Self::finish`] says otherwise.
    code: Code,
    span: CallSpan,
}

impl CallRecord {
    /// The call's name.
    pub(crate) fn id(&self) -> Option<&HeaderValue> {
        self.id.as_ref()
    }

    /// Names the call unless its client has.
    pub(crate) fn name(&mut self, id: impl FnOnce() -> HeaderValue) {
        self.id.get_or_insert_with(id);
    }

    /// The call has ended with this status.
    pub(crate) fn finish(mut self, code: Code) {
        self.code = code;
    }
}

impl Drop for CallRecord {
    fn drop(&mut self) {
        let Self {
            log,
            position,
            started,
            id,
            key,
            code,
            span,
        } = self;
        let seconds = started.elapsed().as_secs_f64();
        log.metrics.handled(*position, *code, seconds);
        if log.level.includes(*code) {
            let method = position.map_or("unknown", |position| RPCS[position].path);
            let key = key.as_deref().unwrap_or_default();
            let id = id.as_ref().and_then(|id| id.to_str().ok());
            let request_id = id.unwrap_or_default();
            // Written at two places, because the log limits lines by place: callers without a key must not push the lines
            // of others out of it.
            if *code == Code::Unauthenticated {
                log_call!(method, code = ?code, seconds, key, request_id);
            } else {
                log_call!(method, code = ?code, seconds, key, request_id);
            }
        }
        std::mem::take(span).end(*code, id.as_ref());
    }
}
