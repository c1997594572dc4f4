//! The outermost layer: gives a call its context, makes a response of every refusal, and records how the call ended.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};

use super::admission::AdmittedBody;
use crate::serve::context::CallContext;
use crate::serve::errors::{CallError, explained};
use crate::serve::methods::{Permission, RPCS, find};
use crate::serve::state::ServerState;
use crate::serve::telemetry::call_record::{CallLog, CallRecord};
use crate::serve::telemetry::settings::AccessLog;

/// The header that names a call, in requests and responses.
const REQUEST_ID: &str = "x-request-id";
/// The longest name that a client may give.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// Records the calls of a service.
pub(crate) struct RecordLayer(Arc<Shared>);

struct Shared {
    state: Arc<ServerState>,
    log: Arc<CallLog>,
    next_id: AtomicU64,
}

impl RecordLayer {
    /// `salt` makes this run's request ids different from another's.
    pub(crate) fn new(state: Arc<ServerState>, level: AccessLog, salt: u32) -> Self {
        Self(Arc::new(Shared {
            log: Arc::new(CallLog::new(Arc::clone(&state.metrics), level)),
            state,
            next_id: AtomicU64::new(u64::from(salt) << 32),
        }))
    }
}

impl<S> Layer<S> for RecordLayer {
    type Service = Record<S>;

    fn layer(&self, inner: S) -> Record<S> {
        Record {
            shared: Arc::clone(&self.0),
            inner,
        }
    }
}

/// A service whose calls are recorded.
#[derive(Clone)]
pub(crate) struct Record<S> {
    shared: Arc<Shared>,
    inner: S,
}

impl<S, B> Service<Request<B>> for Record<S>
where
    S: Service<Request<B>, Response = Response<AdmittedBody>, Error = CallError>,
    S::Future: Unpin,
{
    type Response = Response<RecordedBody>;
    type Error = Infallible;
    type Future = Recorded<S::Future>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // No layer below makes calls wait before their head has been looked at: they are admitted or refused.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let Shared { state, log, .. } = &*self.shared;
        let started = Instant::now();
        let position = find(request.uri().path());
        let rpc = position.map(|position| &RPCS[position]);
        let is_streaming = rpc.is_some_and(|rpc| rpc.kind.is_streaming());
        let span = state.traces.begin(rpc, request.headers());
        let longest = state.limits.longest(is_streaming);
        let mut context = CallContext::new(rpc, started, longest, span.parent());
        // What a call changes is logged with its name, also where it comes without one.
        let changes = rpc.is_some_and(|rpc| rpc.permission == Some(Permission::Manage));
        let id = given_id(request.headers()).or_else(|| changes.then(|| self.shared.new_id()));
        context.id.clone_from(&id);
        let record = log.begin(position, &context, id, span);
        // What is not gRPC gets HTTP's own answer: its sender understands no other.
        let answer = speaks_grpc(&request).then(|| {
            request.extensions_mut().insert(context);
            self.inner.call(request)
        });
        Recorded {
            shared: Arc::clone(&self.shared),
            answer,
            record: Some(record),
            is_streaming,
        }
    }
}

/// Whether a request is one of gRPC's.
fn speaks_grpc<B>(request: &Request<B>) -> bool {
    let kind = request
        .headers()
        .get(CONTENT_TYPE)
        .map(HeaderValue::as_bytes);
    kind.is_some_and(|kind| kind.starts_with(b"application/grpc"))
        && request.method() == Method::POST
}

/// The name that the client gave to a call.
fn given_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let is_plain = |id: &&HeaderValue| {
        (1..=REQUEST_ID_BYTES_MAX).contains(&id.len())
            && id.as_bytes().iter().all(u8::is_ascii_graphic)
    };
    headers.get(REQUEST_ID).filter(is_plain).cloned()
}

/// A recorded call on its way to a response.
pub(crate) struct Recorded<F> {
    shared: Arc<Shared>,
    /// `None`: the request is not gRPC's.
    answer: Option<F>,
    /// Taken when there is a response.
    record: Option<CallRecord>,
    is_streaming: bool,
}

impl<F> Future for Recorded<F>
where
    F: Future<Output = Result<Response<AdmittedBody>, CallError>> + Unpin,
{
    type Output = Result<Response<RecordedBody>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let response = match &mut this.answer {
            None => None,
            Some(answer) => Some(match ready!(Pin::new(answer).poll(cx)) {
                Ok(response) => response,
                Err(error) => refusal(error),
            }),
        };
        let record = this.record.take();
        Poll::Ready(Ok(match response {
            Some(response) => this.shared.finish(response, record, this.is_streaming),
            None => {
                if let Some(record) = record {
                    record.finish(Code::InvalidArgument);
                }
                not_grpc()
            }
        }))
    }
}

/// gRPC's answer to a call that failed.
fn refusal(error: CallError) -> Response<AdmittedBody> {
    Status::from(error)
        .into_http::<Body>()
        .map(AdmittedBody::from)
}

/// HTTP's answer to a request that is not gRPC's.
fn not_grpc() -> Response<RecordedBody> {
    let mut response = Response::new(RecordedBody {
        inner: Body::empty().into(),
        record: None,
    });
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    response
}

impl Shared {
    /// The response as it is sent, with details and a name if the call failed. A call whose status comes after its
    /// messages is recorded when they have ended, every other one at once.
    fn finish(
        &self,
        mut response: Response<AdmittedBody>,
        record: Option<CallRecord>,
        is_streaming: bool,
    ) -> Response<RecordedBody> {
        let explained = self.explain(&mut response);
        let code = explained.or_else(|| grpc_status(response.headers()));
        let record = record.and_then(|mut record| {
            // A call that failed has a name in any case; one that did not has the one that it came with.
            if code.is_some_and(|code| code != Code::Ok) {
                record.name(|| self.new_id());
            }
            if let Some(mut id) = record.id().cloned() {
                // A name comes once: compression would only remember it in vain.
                id.set_sensitive(true);
                response.headers_mut().insert(REQUEST_ID, id);
            }
            match code {
                None if is_streaming => Some(record),
                // A unary call that has an answer sends OK after it.
                _ => {
                    record.finish(code.unwrap_or(Code::Ok));
                    None
                }
            }
        });
        response.map(|inner| RecordedBody { inner, record })
    }

    /// Gives details to a status that came from under the services, which add none. Returns its new code.
    fn explain(&self, response: &mut Response<AdmittedBody>) -> Option<Code> {
        let headers = response.headers();
        let code = grpc_status(headers).filter(|code| *code != Code::Ok)?;
        if headers.contains_key("grpc-status-details-bin") {
            return None;
        }
        let status = Status::from_header_map(headers)?;
        let limits = &self.state.limits;
        let error = explained(code, status.message(), limits.max_message_bytes)?;
        *response = refusal(error);
        grpc_status(response.headers())
    }

    /// A name for a call that came without.
    fn new_id(&self) -> HeaderValue {
        let id = format!("{:016x}", self.next_id.fetch_add(1, Ordering::Relaxed));
        HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("none"))
    }
}

/// A response's body. The record of a streaming call is finished by the status in its trailers.
pub(crate) struct RecordedBody {
    inner: AdmittedBody,
    record: Option<CallRecord>,
}

impl HttpBody for RecordedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(trailers) = frame.trailers_ref()
            && let Some(record) = self.record.take()
        {
            record.finish(grpc_status(trailers).unwrap_or(Code::Unknown));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The status in a response's headers or trailers.
fn grpc_status(headers: &HeaderMap) -> Option<Code> {
    headers
        .get("grpc-status")
        .map(|value| Code::from_bytes(value.as_bytes()))
}
