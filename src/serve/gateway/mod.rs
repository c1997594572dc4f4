//! What every call passes, whatever its method, before a service sees it.
//!
//! Everything that a call's head says is looked at at once, when the head has arrived: whether it is gRPC at all, whose
//! key it has, which method it means, whether there is room for it, and how much time it has. So a call that is refused
//! never waits, and leaves nothing behind but its answer.

pub(crate) mod admission;
pub(crate) mod api_keys;
pub(crate) mod authorization;
pub(crate) mod call;
pub(crate) mod deadline;
pub(crate) mod dispatch;
pub(crate) mod peer;
pub(crate) mod request_body;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body::Body as HttpBody;
use tonic::body::Body;
use tonic::{Code, Status};

use self::admission::{Admitted, admit};
use self::authorization::KeyRing;
use self::call::Call;
use self::dispatch::Services;
use self::peer::Peer;
use self::request_body::RequestBody;
use super::context::{CallContext, Caller};
use super::errors::CallError;
use super::form::Form;
use super::limits::size;
use super::methods::{Permission, RPCS, Rpc, find};
use super::quota::Owners;
use super::state::ServerState;
use super::telemetry::call_record::{CallLog, CallRecord};
use super::telemetry::metrics::Shed;
use super::telemetry::settings::AccessLog;
use super::telemetry::traces::TraceParent;

/// The header that names a call, in requests and responses.
const REQUEST_ID: &str = "x-request-id";
/// How many times as many calls as a client waits for may occupy the server: it may have forgotten others.
const FORGOTTEN: usize = 2;
/// The longest name that a client may give.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// The way to the services; cheap to clone.
#[derive(Clone)]
pub(crate) struct Gateway(Arc<Shared>);

struct Shared {
    state: Arc<ServerState>,
    keys: Arc<KeyRing>,
    owners: Owners,
    log: Arc<CallLog>,
    services: Services,
    next_id: AtomicU64,
    /// The answer to calls that are refused for overload, which are many: made once.
    overloaded: HeaderMap,
}

/// What becomes of a call when its head has been looked at.
pub(crate) enum Begun {
    /// It is answered by a service.
    Admitted(Box<Call>),
    /// It has its answer, which has no body.
    Refused(Response<()>),
}

impl Gateway {
    /// The gateway to the services of a state. `salt` makes this run's request ids different from another's.
    pub(crate) fn new(
        state: &Arc<ServerState>,
        keys: Arc<KeyRing>,
        log: AccessLog,
        salt: u32,
    ) -> Result<Self, tonic_reflection::server::Error> {
        Ok(Self(Arc::new(Shared {
            keys,
            owners: Owners::default(),
            log: Arc::new(CallLog::new(Arc::clone(&state.metrics), log)),
            services: Services::new(state)?,
            overloaded: refusal(state.engine.pool.overload()).headers().clone(),
            next_id: AtomicU64::new(u64::from(salt) << 32),
            state: Arc::clone(state),
        })))
    }

    /// The state that calls are answered from.
    pub(crate) fn state(&self) -> &Arc<ServerState> {
        &self.0.state
    }

    /// How many calls of a peer's may occupy the server at the same time: few of one without a valid key, and of no other
    /// many that it has forgotten itself.
    fn calls_most(&self, peer: &Peer) -> usize {
        let limits = &self.0.state.limits;
        match peer.is_authenticated() {
            true => FORGOTTEN * size(limits.streams_per_connection),
            false => size(limits.unauthenticated_calls_per_connection),
        }
    }

    /// Refuses a call of a peer that has too many already.
    fn check_calls(&self, peer: &Peer) -> Result<(), CallError> {
        if peer.calls() < self.calls_most(peer) {
            return Ok(());
        }
        self.0.state.metrics.shed(Shed::Calls);
        Err(CallError::TooManyCalls {
            limit: match peer.is_authenticated() {
                true => "streams_per_connection",
                false => "unauthenticated_calls_per_connection",
            },
        })
    }

    /// A new peer at this address.
    pub(crate) fn peer(&self, address: IpAddr) -> Arc<Peer> {
        let peer = Peer::new(&self.0.owners, address);
        if self.0.keys.is_open() {
            peer.authenticate();
        }
        peer
    }

    /// Looks at a call's head; `body` is what comes after it, in this form.
    pub(crate) fn begin<B>(&self, head: Parts, body: B, form: Form, peer: &Peer) -> Begun
    where
        B: HttpBody<Data = Bytes, Error = Status> + Send + Unpin + 'static,
    {
        let (shared, started) = (&self.0, Instant::now());
        let position = find(head.uri.path());
        let rpc = position.map(|position| &RPCS[position]);
        let (caller, authorized) = shared.keys.authorize(&head.headers, rpc);
        if caller.key.is_some() {
            peer.authenticate();
        }
        let span = shared.state.traces.begin(rpc, &head.headers);
        let parent = span.parent();
        // What a call changes is logged with its name, also where it comes without one.
        let changes = rpc.is_some_and(|rpc| rpc.permission == Some(Permission::Manage));
        let id = given_id(&head.headers).or_else(|| changes.then(|| shared.new_id()));
        let record = shared.log.begin(position, started, &caller, id, span);
        if !speaks_grpc(&head) {
            record.finish(Code::InvalidArgument);
            return Begun::Refused(not_grpc());
        }
        let context = authorized
            .and_then(|()| self.check_calls(peer))
            .and_then(|()| shared.context(rpc, started, caller, parent, &head, peer));
        match context {
            Ok((rpc, mut context, admitted)) => {
                context.request_id = record.id().cloned();
                context.form = form;
                Begun::Admitted(Box::new(shared.call(
                    rpc,
                    context,
                    admitted,
                    record,
                    &head.headers,
                    body,
                )))
            }
            Err(error) => Begun::Refused(shared.refused(error, record)),
        }
    }

    /// The answer to a request that is no call of any method, logged and counted as one of an unknown method. Only callers
    /// that are known learn what is wrong with it.
    pub(crate) fn refuse(
        &self,
        headers: &HeaderMap,
        error: CallError,
        peer: &Peer,
    ) -> Response<()> {
        let (shared, started) = (&self.0, Instant::now());
        let (caller, authorized) = shared.keys.authorize(headers, None);
        if caller.key.is_some() {
            peer.authenticate();
        }
        let span = shared.state.traces.begin(None, headers);
        let id = given_id(headers);
        let record = shared.log.begin(None, started, &caller, id, span);
        shared.refused(authorized.err().unwrap_or(error), record)
    }
}

impl Shared {
    /// The context of a call whose caller may make it, and what the call holds.
    fn context(
        &self,
        rpc: Option<&'static Rpc>,
        started: Instant,
        caller: Caller,
        span: TraceParent,
        head: &Parts,
        peer: &Peer,
    ) -> Result<(&'static Rpc, CallContext, Admitted), CallError> {
        let rpc = rpc.ok_or_else(|| {
            CallError::UnknownMethod(
                "there is no such method; reflection lists those that are".into(),
            )
        })?;
        let owner = match &caller.key {
            Some(key) => self.owners.of_key(key),
            None => Arc::clone(&peer.owner),
        };
        let admitted = admit(&self.state, &owner, rpc)?;
        let longest = self.state.limits.longest(rpc.kind.is_streaming());
        let context = CallContext {
            deadline: deadline::deadline(&head.headers, started, longest)?,
            span,
            caller,
            // The record and the transport have these.
            request_id: None,
            form: Form::Protobuf,
            queue_place: admitted.queue_place.clone(),
            memory: Arc::clone(&admitted.memory),
        };
        Ok((rpc, context, admitted))
    }

    /// Hands a call to its service.
    fn call<B>(
        self: &Arc<Self>,
        rpc: &'static Rpc,
        context: CallContext,
        admitted: Admitted,
        record: CallRecord,
        headers: &HeaderMap,
        body: B,
    ) -> Call
    where
        B: HttpBody<Data = Bytes, Error = Status> + Send + Unpin + 'static,
    {
        let deadline = context.deadline;
        let body = RequestBody::new(body, &self.state, rpc, &admitted.memory);
        let answer = self.services.call(rpc, context, headers, body);
        Call::new(self, rpc, answer, deadline, admitted, record)
    }

    /// The answer to a call that is refused, which has no body.
    fn refused(&self, error: CallError, record: CallRecord) -> Response<()> {
        let response = match error {
            CallError::Overloaded { .. } => {
                let mut response = Response::new(Body::empty());
                response.headers_mut().clone_from(&self.overloaded);
                response
            }
            other => refusal(other),
        };
        let (response, record) = self.finish(response, Some(record), false);
        drop(record);
        response.map(|_| ())
    }

    /// The response as it is sent, with details and a name if the call failed. A call whose status comes after its
    /// messages is recorded when they have ended, every other one at once.
    fn finish(
        &self,
        mut response: Response<Body>,
        record: Option<CallRecord>,
        is_streaming: bool,
    ) -> (Response<Body>, Option<CallRecord>) {
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
        (response, record)
    }

    /// Gives details to a status that came from under the services, which add none. Returns its new code.
    fn explain(&self, response: &mut Response<Body>) -> Option<Code> {
        let headers = response.headers();
        let code = grpc_status(headers).filter(|code| *code != Code::Ok)?;
        if headers.contains_key("grpc-status-details-bin") {
            return None;
        }
        let status = Status::from_header_map(headers)?;
        let limits = &self.state.limits;
        let error = super::errors::explained(code, status.message(), limits.max_message_bytes)?;
        *response = refusal(error);
        grpc_status(response.headers())
    }

    /// A name for a call that came without.
    fn new_id(&self) -> HeaderValue {
        let id = format!("{:016x}", self.next_id.fetch_add(1, Ordering::Relaxed));
        HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("none"))
    }
}

/// Whether a request is one of gRPC's.
fn speaks_grpc(head: &Parts) -> bool {
    let kind = head.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    kind.is_some_and(|kind| kind.starts_with(b"application/grpc")) && head.method == Method::POST
}

/// The name that the client gave to a call.
fn given_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let is_plain = |id: &&HeaderValue| {
        (1..=REQUEST_ID_BYTES_MAX).contains(&id.len())
            && id.as_bytes().iter().all(u8::is_ascii_graphic)
    };
    headers.get(REQUEST_ID).filter(is_plain).cloned()
}

/// gRPC's answer to a call that failed.
fn refusal(error: CallError) -> Response<Body> {
    Status::from(error).into_http()
}

/// HTTP's answer to a request that is not gRPC's: its sender understands no other.
fn not_grpc() -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    response
}

/// The status in a response's headers or trailers.
fn grpc_status(headers: &HeaderMap) -> Option<Code> {
    headers
        .get("grpc-status")
        .map(|value| Code::from_bytes(value.as_bytes()))
}
