//! The front door: every call passes here, whatever it asks.
//!
//! In this order: what method it is, its request id, whether the caller may, how many calls there are, how much time it
//! has; then its service; then its status, which is counted, logged and always carries details.

pub(crate) mod admission;
pub(crate) mod api_keys;
pub(crate) mod deadline;
pub(crate) mod methods;

use std::cell::Cell;
use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body as _;
use hyper::body::Incoming;
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_health::pb::health_server::HealthServer;
use tower_service::Service as _;

use super::config::CallLog;
use super::errors::{CallError, explained};
use super::gateway::admission::{Admission, Admitted, LATE};
use super::gateway::api_keys::KeyRing;
use super::gateway::methods::{RPCS, Rpc, Service, find};
use super::limits::size;
use super::services::health::HealthDesk;
use super::services::inference::Inference;
use super::services::models::ModelDesk;
use super::services::scoring::Scoring;
use super::state::ServerState;
use super::telemetry::traces::CallSpan;
use super::transport::body::{RequestBody, ResponseBody, grpc_status};
use super::wire;
use super::wire::inference::grpc_inference_service_server::GrpcInferenceServiceServer;
use super::wire::model_service_server::ModelServiceServer;
use super::wire::scoring_service_server::ScoringServiceServer;

/// The header that names a call, in requests and responses.
const REQUEST_ID: &str = "x-request-id";
/// The longest name that a client may give.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// What stands behind the door.
struct Services {
    scoring: ScoringServiceServer<Scoring>,
    models: ModelServiceServer<ModelDesk>,
    inference: GrpcInferenceServiceServer<Inference>,
    health: HealthServer<HealthDesk>,
    reflection: tonic::service::Routes,
}

impl Services {
    fn new(state: &Arc<ServerState>) -> Result<Self, tonic_reflection::server::Error> {
        let most = size(state.limits.message_bytes);
        let own = || Arc::clone(state);
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(wire::DESCRIPTOR)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
                .include_reflection_service(true)
        };
        let both = tonic::service::Routes::new(reflection().build_v1()?);
        Ok(Self {
            scoring: ScoringServiceServer::new(Scoring::new(own())).max_decoding_message_size(most),
            models: ModelServiceServer::new(ModelDesk::new(own())).max_decoding_message_size(most),
            inference: GrpcInferenceServiceServer::new(Inference::new(own()))
                .max_decoding_message_size(most),
            health: HealthServer::new(HealthDesk::new(own())).max_decoding_message_size(most),
            reflection: both.add_service(reflection().build_v1alpha()?).prepare(),
        })
    }
}

/// The door; cheap to clone, one for each connection.
#[derive(Clone)]
pub(crate) struct Front(Arc<Shared>);

struct Shared {
    services: Services,
    state: Arc<ServerState>,
    admission: Admission,
    log: CallLog,
    next_id: AtomicU64,
}

thread_local! {
    /// Whether the call that was taken last on this thread lasts.
    static LASTS: Cell<bool> = const { Cell::new(false) };
}

/// Whether the call whose future was made last on this thread may take for as long as its client likes.
pub(crate) fn last_call_lasts() -> bool {
    LASTS.get()
}

impl Front {
    /// A door to the services of a state. `salt` tells this run's request ids from another's.
    pub(crate) fn new(
        state: Arc<ServerState>,
        keys: Arc<KeyRing>,
        log: CallLog,
        salt: u32,
    ) -> Result<Self, tonic_reflection::server::Error> {
        Ok(Self(Arc::new(Shared {
            services: Services::new(&state)?,
            admission: Admission::new(Arc::clone(&state), keys),
            state,
            log,
            next_id: AtomicU64::new(u64::from(salt) << 32),
        })))
    }
}

impl hyper::service::Service<Request<Incoming>> for Front {
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let shared = Arc::clone(&self.0);
        let position = find(request.uri().path());
        LASTS.set(
            position
                .and_then(|position| RPCS.get(position))
                .is_some_and(|rpc| rpc.form.lasts()),
        );
        Box::pin(async move { Ok(shared.answer(request, position).await) })
    }
}

impl Shared {
    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        position: Option<usize>,
    ) -> Response<ResponseBody> {
        let started = Instant::now();
        let rpc = position.and_then(|position| RPCS.get(position));
        self.state.metrics.started(position);
        let mut ended = Ended::new(
            Arc::clone(&self),
            position,
            started,
            given_id(request.headers()),
        );
        ended.span = self.state.traces.begin(rpc, request.headers());
        if !speaks_grpc(&request) {
            ended.with(Code::InvalidArgument);
            let mut response = Response::new(ResponseBody::new(Body::empty(), None, [None, None]));
            *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return response;
        }
        let (mut response, permits) = match self.admission.admit(request.headers(), rpc, started) {
            Ok(Admitted {
                rpc,
                deadline,
                permits,
                key,
                allowance,
            }) => {
                ended.key = key;
                let request = request.map(|body| RequestBody::new(body, allowance));
                (
                    ended
                        .span
                        .around(self.dispatch(rpc, request, deadline))
                        .await,
                    permits,
                )
            }
            Err(error) => {
                if let CallError::NotPermitted { key, .. } = &error {
                    ended.key = Some(key.as_str().into());
                }
                if rpc.is_none_or(|rpc| !rpc.form.lasts()) {
                    discard(request.into_body(), size(self.state.limits.message_bytes)).await;
                }
                (Status::from(error).into_http(), [None, None])
            }
        };
        let explained = self.explain(&mut response);
        let code = explained.or_else(|| grpc_status(response.headers()));
        // A call that failed has a name in any case; one that did not has the one that it came with.
        if ended.id.is_none() && code.is_some_and(|code| code != Code::Ok) {
            ended.id = Some(self.new_id());
        }
        if let Some(mut id) = ended.id.clone() {
            // A name comes once: compression would only remember it in vain.
            id.set_sensitive(true);
            response.headers_mut().insert(REQUEST_ID, id);
        }
        let ended = if code.is_none() && rpc.is_some_and(|rpc| rpc.form.lasts()) {
            Some(ended)
        } else {
            ended.with(code.unwrap_or(Code::Ok));
            None
        };
        response.map(|body| ResponseBody::new(body, ended, permits))
    }

    async fn dispatch(
        &self,
        rpc: &Rpc,
        request: Request<RequestBody>,
        deadline: Option<Instant>,
    ) -> Response<Body> {
        let Services {
            scoring,
            models,
            inference,
            health,
            reflection,
        } = &self.services;
        let answer = async {
            let answered = match rpc.service {
                Service::Scoring => scoring.clone().call(request).await,
                Service::Models => models.clone().call(request).await,
                Service::Inference => inference.clone().call(request).await,
                Service::Health => health.clone().call(request).await,
                Service::Reflection => reflection.clone().call(request).await,
            };
            answered.unwrap_or_else(|never| match never {})
        };
        in_time(
            deadline.filter(|_| !rpc.form.lasts()),
            deadline::within(deadline, answer),
        )
        .await
    }

    /// Gives details to a status that came from under the services, which know of none. Returns its new code.
    fn explain(&self, response: &mut Response<Body>) -> Option<Code> {
        let headers = response.headers();
        let code = grpc_status(headers).filter(|code| *code != Code::Ok)?;
        if headers.contains_key("grpc-status-details-bin") {
            return None;
        }
        let status = Status::from_header_map(headers)?;
        let error = explained(code, status.message(), self.state.limits.message_bytes)?;
        *response = Status::from(error).into_http();
        grpc_status(response.headers())
    }

    /// A name for a call that came without.
    fn new_id(&self) -> HeaderValue {
        let id = format!("{:016x}", self.next_id.fetch_add(1, Ordering::Relaxed));
        HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("none"))
    }
}

/// The name that the client gave to a call.
fn given_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let plain = |id: &&HeaderValue| {
        (1..=REQUEST_ID_BYTES_MAX).contains(&id.len())
            && id.as_bytes().iter().all(u8::is_ascii_graphic)
    };
    headers.get(REQUEST_ID).filter(plain).cloned()
}

/// An answer, or the refusal that it came too late. Most calls are answered at once and need no clock.
async fn in_time(
    deadline: Option<Instant>,
    answer: impl Future<Output = Response<Body>>,
) -> Response<Body> {
    let mut answer = pin!(answer);
    if let Poll::Ready(answer) =
        std::future::poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx))).await
    {
        return answer;
    }
    match deadline {
        None => answer.await,
        Some(deadline) => {
            let answer = tokio::time::timeout_at(deadline.into(), answer).await;
            answer.unwrap_or_else(|_| Status::from(LATE).into_http())
        }
    }
}

/// Whether a request is one of gRPC's.
fn speaks_grpc(request: &Request<Incoming>) -> bool {
    let kind = request
        .headers()
        .get(http::header::CONTENT_TYPE)
        .map(HeaderValue::as_bytes);
    kind.is_some_and(|kind| kind.starts_with(b"application/grpc"))
        && request.method() == Method::POST
}

/// How long the message of a refused call may take to arrive.
const DISCARD: Duration = Duration::from_secs(2);

/// Reads the message of a refused call and forgets it. To answer in the middle of it would mean to reset the stream, and
/// whatever is still on its way for streams that were reset ends the connection before long.
async fn discard(mut body: Incoming, most: usize) {
    let read = async {
        let mut seen = 0;
        while seen <= most {
            match std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
                Some(Ok(frame)) => seen += frame.data_ref().map_or(0, Bytes::len),
                _ => return,
            }
        }
    };
    // Whoever takes longer is answered in the middle of it.
    let _ = tokio::time::timeout(DISCARD, read).await;
}

/// What is told of a call when it has ended, in whatever way.
pub(crate) struct Ended {
    shared: Arc<Shared>,
    position: Option<usize>,
    started: Instant,
    id: Option<HeaderValue>,
    key: Option<Arc<str>>,
    /// How it ended: until somebody says otherwise, by the client's going away.
    code: Code,
    span: CallSpan,
}

impl Ended {
    fn new(
        shared: Arc<Shared>,
        position: Option<usize>,
        started: Instant,
        id: Option<HeaderValue>,
    ) -> Self {
        Self {
            shared,
            position,
            started,
            id,
            key: None,
            code: Code::Cancelled,
            span: CallSpan::default(),
        }
    }

    /// The call has ended with this status.
    pub(crate) fn with(mut self, code: Code) {
        self.code = code;
    }
}

impl Drop for Ended {
    /// Counts the call and, if its kind is to be logged, logs it.
    fn drop(&mut self) {
        let Self {
            shared,
            position,
            started,
            id,
            key,
            code,
            span,
        } = self;
        let seconds = started.elapsed().as_secs_f64();
        shared.state.metrics.handled(*position, *code, seconds);
        if shared.log.wants(*code) {
            let rpc = position.and_then(|position| RPCS.get(position));
            tracing::info!(
                method = rpc.map_or("unknown", |rpc| rpc.path),
                code = ?code,
                seconds,
                key = key.as_deref().unwrap_or_default(),
                request_id = id.as_ref().and_then(|id| id.to_str().ok()).unwrap_or_default(),
                "call"
            );
        }
        std::mem::take(span).end(*code, id.as_ref());
    }
}
