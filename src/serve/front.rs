//! The front door: every call passes here, whatever it asks.
//!
//! In this order: what method it is, its request id, whether the caller may, how many calls there are, how much time it
//! has; then its service; then its status, which is counted, logged and always carries details.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Instant;

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_health::pb::health_server::HealthServer;
use tower_service::Service as _;

use super::body::{Permit, RequestBody, ResponseBody, grpc_status};
use super::config::CallLog;
use super::errors::{CallError, explained};
use super::health::HealthDesk;
use super::inference::Inference;
use super::keys::KeyRing;
use super::limits::size;
use super::metrics::Shed;
use super::model_service::ModelDesk;
use super::rpc::{Form, RPCS, Rpc, Service, find};
use super::scoring::Scoring;
use super::state::{Phase, ServerState};
use super::traces::CallSpan;
use super::wire::inference::grpc_inference_service_server::GrpcInferenceServiceServer;
use super::wire::model_service_server::ModelServiceServer;
use super::wire::scoring_service_server::ScoringServiceServer;
use super::{call, wire};

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
            inference: GrpcInferenceServiceServer::new(Inference::new(own())).max_decoding_message_size(most),
            health: HealthServer::new(HealthDesk::new(own())).max_decoding_message_size(most),
            reflection: both.add_service(reflection().build_v1alpha()?).prepare(),
        })
    }
}

/// The door; cheap to clone, one for each connection.
#[derive(Clone)]
pub(super) struct Front(Arc<Shared>);

/// A call that may begin.
struct Admitted {
    rpc: &'static Rpc,
    /// Until when it may take.
    deadline: Option<Instant>,
    /// What it occupies.
    permits: [Option<Permit>; 2],
    /// The name of the caller's key.
    key: Option<Arc<str>>,
}

struct Shared {
    services: Services,
    state: Arc<ServerState>,
    keys: Arc<KeyRing>,
    log: CallLog,
    calls: Arc<AtomicUsize>,
    streams: Arc<AtomicUsize>,
    receiving: Arc<AtomicUsize>,
    next_id: AtomicU64,
}

impl Front {
    /// A door to the services of a state. `salt` tells this run's request ids from another's.
    pub(super) fn new(
        state: Arc<ServerState>,
        keys: Arc<KeyRing>,
        log: CallLog,
        salt: u32,
    ) -> Result<Self, tonic_reflection::server::Error> {
        Ok(Self(Arc::new(Shared {
            services: Services::new(&state)?,
            state,
            keys,
            log,
            calls: Arc::default(),
            streams: Arc::default(),
            receiving: Arc::default(),
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
        Box::pin(async move { Ok(shared.answer(request).await) })
    }
}

impl Shared {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<ResponseBody> {
        let started = Instant::now();
        let position = find(request.uri().path());
        let rpc = position.and_then(|position| RPCS.get(position));
        let id = given_id(request.headers());
        self.state.metrics.started(position);
        let span = self.state.traces.begin(rpc, request.headers());
        let mut ended = Ended { shared: Arc::clone(&self), position, started, id: id.clone(), key: None, span };
        let (mut response, permits) = match self.admit(&request, rpc, started) {
            Ok(Admitted { rpc, deadline, permits, key }) => {
                ended.key = key;
                (ended.span.around(self.dispatch(rpc, request, deadline)).await, permits)
            }
            Err(error) => (refusal(&request, error), [None, None]),
        };
        let explained = self.explain(&mut response);
        let code = explained.or_else(|| grpc_status(response.headers()));
        // A call that failed has a name in any case; one that did not has the one that it came with.
        ended.id = id.or_else(|| code.filter(|code| *code != Code::Ok).map(|_| self.new_id()));
        if let Some(mut id) = ended.id.clone() {
            // A name comes once: compression would only remember it in vain.
            id.set_sensitive(true);
            response.headers_mut().insert(REQUEST_ID, id);
        }
        let lasts = code.is_none() && rpc.is_some_and(|rpc| rpc.form.lasts());
        let ended = if lasts {
            Some(ended)
        } else {
            ended.with(code.unwrap_or(Code::Ok));
            None
        };
        response.map(|body| ResponseBody::new(body, ended, permits))
    }

    /// Whether the call may begin.
    fn admit(
        &self,
        request: &Request<Incoming>,
        rpc: Option<&'static Rpc>,
        started: Instant,
    ) -> Result<Admitted, CallError> {
        let Some(rpc) = rpc else {
            self.keys.known(request.headers())?;
            let path: String = request.uri().path().chars().take(200).collect();
            return Err(CallError::UnknownMethod(format!("there is no method {path}")));
        };
        let key = self.keys.admit(request.headers(), rpc.permission)?;
        let limits = &self.state.limits;
        let permit = |count: &Arc<AtomicUsize>, most: u32, limit: &'static str| {
            Permit::take(count, size(most)).ok_or_else(|| {
                self.state.metrics.shed(Shed::Calls);
                CallError::TooManyCalls { limit }
            })
        };
        let lasting = rpc.form.lasts();
        // Health answers under whatever load.
        let counted = rpc.service != Service::Health || lasting;
        let permits = [
            counted.then(|| permit(&self.calls, limits.calls, "calls")).transpose()?,
            lasting.then(|| permit(&self.streams, limits.streams, "streams")).transpose()?,
        ];
        if rpc.form == Form::Bulk {
            self.state.compute.not_overloaded()?;
        }
        let timeout = call::timeout(request.headers()).map_err(|problem| CallError::malformed(problem.to_owned()))?;
        let longest = (!lasting).then(|| limits.call_time());
        let time = timeout.map_or(longest, |timeout| Some(longest.map_or(timeout, |longest| longest.min(timeout))));
        let deadline = time.and_then(|time| started.checked_add(time));
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Err(LATE);
        }
        Ok(Admitted { rpc, deadline, permits, key })
    }

    async fn dispatch(&self, rpc: &Rpc, request: Request<Incoming>, deadline: Option<Instant>) -> Response<Body> {
        let lasting = rpc.form.lasts();
        let total = (!lasting).then(|| (Arc::clone(&self.receiving), size(self.state.limits.receiving_bytes)));
        let request = request.map(|body| RequestBody::new(body, total));
        let Services { scoring, models, inference, health, reflection } = &self.services;
        let answer = async {
            let answered = match rpc.service {
                Service::Scoring => scoring.clone().call(request).await,
                Service::Models => models.clone().call(request).await,
                Service::Inference => inference.clone().call(request).await,
                Service::Health => health.clone().call(request).await,
                Service::Reflection => {
                    // Never ends by itself, and must not hold up a stop.
                    if self.state.phase() == Phase::Draining {
                        return Status::from(CallError::Draining).into_http();
                    }
                    reflection.clone().call(request).await
                }
            };
            answered.unwrap_or_else(|never| match never {})
        };
        in_time(deadline.filter(|_| !lasting), call::within(deadline, answer)).await
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
        (1..=REQUEST_ID_BYTES_MAX).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic)
    };
    headers.get(REQUEST_ID).filter(plain).cloned()
}

/// An answer, or the refusal that it came too late. Most calls are answered at once and need no clock.
async fn in_time(deadline: Option<Instant>, answer: impl Future<Output = Response<Body>>) -> Response<Body> {
    let mut answer = pin!(answer);
    if let Poll::Ready(answer) = std::future::poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx))).await {
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

const LATE: CallError = CallError::DeadlinePassed("the deadline passed before there was an answer");

/// The answer to a call that was not let in. Who does not speak gRPC is told so in HTTP's own words.
fn refusal(request: &Request<Incoming>, error: CallError) -> Response<Body> {
    let kind = request.headers().get(http::header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let grpc = kind.is_some_and(|kind| kind.starts_with(b"application/grpc"));
    if grpc && request.method() == Method::POST {
        return Status::from(error).into_http();
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    response
}

/// What is told of a call when it has ended.
pub(super) struct Ended {
    shared: Arc<Shared>,
    position: Option<usize>,
    started: Instant,
    id: Option<HeaderValue>,
    key: Option<Arc<str>>,
    span: CallSpan,
}

impl Ended {
    /// Counts the call and, if its kind is to be logged, logs it.
    pub(super) fn with(self, code: Code) {
        let Self { shared, position, started, id, key, span } = self;
        let seconds = started.elapsed().as_secs_f64();
        shared.state.metrics.handled(position, code, seconds);
        if shared.log.wants(code) {
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
        span.end(code, id.as_ref());
    }
}
