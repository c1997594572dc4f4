//! The port for what does not speak gRPC: JSON over HTTP, and gRPC-Web for pages in a browser.
//!
//! A request becomes a call of the same method that gRPC has, and passes the same gateway: [`routes`] finds the method,
//! [`query`] makes a message of what stands in the address, [`answer`] writes what came of it, [`grpc_web`] frames it for
//! clients of gRPC-Web, [`origins`] says which pages may ask, and [`connection`] keeps peers in time. [`openapi`] describes
//! all of it.

pub(crate) mod answer;
pub(crate) mod connection;
pub(crate) mod grpc_web;
pub(crate) mod openapi;
pub(crate) mod origins;
pub(crate) mod query;
pub(crate) mod routes;
pub(crate) mod source;

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCESS_CONTROL_REQUEST_METHOD, ALLOW, CONTENT_TYPE, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body::Body as HttpBody;
use hyper::body::Incoming;
use prost_reflect::DescriptorPool;

use self::answer::{Errors, Held, HttpAnswer};
use self::connection::Due;
use self::grpc_web::WebEncoding;
use self::origins::Origins;
use self::routes::{Routes, Target, Unroutable};
use self::source::Source;
use crate::serve::errors::{CallError, ServeError};
use crate::serve::form::Form;
use crate::serve::gateway::call::Call;
use crate::serve::gateway::peer::Peer;
use crate::serve::gateway::{Begun, Gateway};
use crate::serve::methods::{MethodKind, find};
use crate::serve::{methods, wire};

/// The media type by which the gateway recognises a call.
const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");

/// What answers requests.
pub(crate) struct HttpService {
    gateway: Gateway,
    routes: Routes,
    errors: Errors,
    origins: Origins,
    openapi: Bytes,
}

impl HttpService {
    /// Answers from the services behind a gateway; pages of these origins may ask.
    pub(crate) fn new(gateway: Gateway, allow_origins: &[String]) -> Result<Self, ServeError> {
        let pool = DescriptorPool::decode(wire::DOCUMENTED)
            .map_err(|error| ServeError::Protocol(error.to_string()))?;
        let routes = Routes::new(&pool)?;
        Ok(Self {
            gateway,
            openapi: openapi::document(&pool, &routes)?,
            routes,
            errors: Errors::new()?,
            origins: Origins::new(allow_origins),
        })
    }

    /// The answer to a request.
    async fn answer(
        &self,
        request: Request<Incoming>,
        peer: &Arc<Peer>,
        due: &Arc<Due>,
    ) -> Response<HttpAnswer> {
        let (head, body) = request.into_parts();
        let origin = head.headers.get(ORIGIN).cloned();
        let mut response = match &origin {
            Some(origin) if !self.origins.allow(origin) => {
                let origin = String::from_utf8_lossy(origin.as_bytes()).into_owned();
                self.refused(&head.headers, CallError::origin(origin), peer)
            }
            _ => self.routed(head, body, peer, due).await,
        };
        self.origins.mark(origin.as_ref(), response.headers_mut());
        response
    }

    async fn routed(
        &self,
        head: Parts,
        body: Incoming,
        peer: &Arc<Peer>,
        due: &Arc<Due>,
    ) -> Response<HttpAnswer> {
        if head.method == Method::OPTIONS
            && head.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
        {
            return self.origins.preflight();
        }
        match self.routes.target(&head) {
            Ok(Target::OpenApi) => HttpAnswer::json(StatusCode::OK, self.openapi.clone(), None),
            Ok(Target::GrpcWeb(encoding)) => self.grpc_web(head, body, encoding, peer, due).await,
            Ok(Target::Json {
                method,
                form,
                message,
            }) => {
                let source = message.map_or(Source::Stream(body), Source::Whole);
                let path = Uri::from_static(method.path);
                match self.begin(head, path, source, Form::Json(form), peer) {
                    Begun::Admitted(call) => self.json(call, peer, due).await,
                    Begun::Refused(response) => self.errors.answer(response.headers()),
                }
            }
            Err(Unroutable {
                status,
                allow,
                error,
            }) => {
                let mut response = self.refused(&head.headers, error, peer);
                // What only a known caller may learn keeps its own status.
                if response.status() != StatusCode::UNAUTHORIZED {
                    *response.status_mut() = status;
                    let allow = allow.and_then(|allow| HeaderValue::try_from(allow).ok());
                    response
                        .headers_mut()
                        .extend(allow.map(|allow| (ALLOW, allow)));
                }
                response
            }
        }
    }

    /// A request that is no call.
    fn refused(&self, headers: &HeaderMap, error: CallError, peer: &Peer) -> Response<HttpAnswer> {
        let refused = self.gateway.refuse(headers, error, peer);
        self.errors.answer(refused.headers())
    }

    /// Hands a request to the gateway as the call that it stands for.
    fn begin<B>(&self, mut head: Parts, path: Uri, body: B, form: Form, peer: &Peer) -> Begun
    where
        B: HttpBody<Data = Bytes, Error = tonic::Status> + Send + Unpin + 'static,
    {
        head.method = Method::POST;
        head.uri = path;
        head.headers.insert(CONTENT_TYPE, GRPC);
        self.gateway.begin(head, body, form, peer)
    }

    /// The answer to a call in JSON: its only message, or the error that came instead.
    async fn json(
        &self,
        call: Box<Call>,
        peer: &Arc<Peer>,
        due: &Arc<Due>,
    ) -> Response<HttpAnswer> {
        let clock = due.begin(call.longest());
        let guard = peer.begin();
        let (head, mut body) = call.await.into_parts();
        if head.headers.contains_key("grpc-status") {
            return self.errors.answer(&head.headers);
        }
        let frame = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
        match frame {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(json) => {
                    let held = Held::new(body, guard, clock);
                    let mut response = HttpAnswer::json(StatusCode::OK, json, Some(held));
                    answer::copy_request_id(&head.headers, response.headers_mut());
                    response
                }
                Err(frame) => self
                    .errors
                    .answer(&frame.into_trailers().unwrap_or_default()),
            },
            Some(Err(status)) => self.errors.of(&status),
            None => self.errors.of(&CallError::Crashed("answering").into()),
        }
    }

    /// The answer to a call in gRPC-Web, whatever came of it.
    async fn grpc_web(
        &self,
        head: Parts,
        body: Incoming,
        encoding: WebEncoding,
        peer: &Arc<Peer>,
        due: &Arc<Due>,
    ) -> Response<HttpAnswer> {
        let rpc = find(head.uri.path()).map(|position| &methods::RPCS[position]);
        if rpc.is_some_and(|rpc| rpc.kind == MethodKind::BidiStream) {
            let problem = "streams of requests need gRPC itself; gRPC-Web has none";
            let refused =
                self.gateway
                    .refuse(&head.headers, CallError::unknown_method(problem), peer);
            return grpc_web::refused(refused.headers(), encoding);
        }
        let (path, source) = (head.uri.clone(), Source::web(body, encoding));
        match self.begin(head, path, source, Form::Protobuf, peer) {
            Begun::Refused(response) => grpc_web::refused(response.headers(), encoding),
            Begun::Admitted(call) => {
                let clock = due.begin(call.longest());
                let guard = peer.begin();
                let (head, body) = call.await.into_parts();
                if head.headers.contains_key("grpc-status") {
                    return grpc_web::refused(&head.headers, encoding);
                }
                grpc_web::answered(&head.headers, Held::new(body, guard, clock), encoding)
            }
        }
    }
}
