//! The services behind the gateway: the method table says which of them answers.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, Uri};
use http_body::Body as HttpBody;
use prost::Message;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service as _};
use tonic::{Status, Streaming};
use tonic_health::pb::health_server::HealthServer;

use super::refusal;
use crate::serve::codec::field_limits::Bounded;
use crate::serve::codec::{Raw, decode, encode, framing};
use crate::serve::context::CallContext;
use crate::serve::errors::CallError;
use crate::serve::form::Form;
use crate::serve::limits::size;
use crate::serve::methods::{Rpc, Service};
use crate::serve::services::health::HealthServiceImpl;
use crate::serve::services::{inference, insights, listing, models, scoring};
use crate::serve::state::ServerState;
use crate::serve::wire;

/// The header that says how messages are compressed, the only one that a service looks at.
const ENCODING: &str = "grpc-encoding";

/// An answer that is being made.
pub(super) type Answer = BoxFuture<Response<Body>, Infallible>;

/// All services.
pub(crate) struct Services {
    state: Arc<ServerState>,
    health: HealthServer<HealthServiceImpl>,
    reflection: tonic::service::Routes,
}

impl Services {
    /// The services of a state.
    pub(crate) fn new(state: &Arc<ServerState>) -> Result<Self, tonic_reflection::server::Error> {
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(wire::DESCRIPTOR)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
                .include_reflection_service(true)
        };
        let both = tonic::service::Routes::new(reflection().build_v1()?);
        Ok(Self {
            state: Arc::clone(state),
            health: HealthServer::new(HealthServiceImpl::new(Arc::clone(state))),
            reflection: both.add_service(reflection().build_v1alpha()?).prepare(),
        })
    }

    /// The answer to a call, by the service that has its method.
    pub(super) fn call<B>(
        &self,
        rpc: &Rpc,
        context: CallContext,
        headers: &HeaderMap,
        body: B,
    ) -> Answer
    where
        B: HttpBody<Data = Bytes, Error = Status> + Send + Unpin + 'static,
    {
        let state = Arc::clone(&self.state);
        let most = state.limits.max_message_bytes;
        match (rpc.service, rpc.kind.is_streaming()) {
            (Service::Health, _) => {
                let request = request(rpc, context, headers, body);
                self.health.clone().call(request)
            }
            (Service::Reflection, _) => {
                let request = request(rpc, context, headers, body).map(Body::new);
                Box::pin(self.reflection.clone().call(request))
            }
            (_, true) => {
                let batches = Streaming::new_request(Raw, body, None, Some(size(most)));
                let answers = refuse_compressed(headers)
                    .and_then(|()| scoring::stream_score_users(state, context, batches));
                Box::pin(std::future::ready(Ok(match answers {
                    Ok(answers) => framing::response(answers),
                    Err(error) => refusal(error),
                })))
            }
            (_, false) => {
                let compressed = refuse_compressed(headers);
                let method = rpc.method;
                Box::pin(async move {
                    let answer = async {
                        compressed?;
                        let message = match context.form {
                            Form::Protobuf => framing::message(body, most).await?,
                            Form::Json(_) => framing::unframed(body, most).await?,
                        };
                        let answer = unary(method, Arc::clone(&state), context, message).await;
                        Ok(answer.inspect_err(|error| state.count_memory_refusal(error))?)
                    };
                    Ok(match answer.await {
                        Ok(frame) => framing::response(tokio_stream::once(Ok(frame))),
                        Err(status) => Status::into_http(status),
                    })
                })
            }
        }
    }
}

/// The framed answer of a method to a message.
async fn unary(
    method: &'static str,
    state: Arc<ServerState>,
    call: CallContext,
    message: Bytes,
) -> Result<Bytes, CallError> {
    match method {
        "ScoreUser" => scoring::score_user(&state, call, message).await,
        "BatchScoreUsers" => scoring::batch_score_users(&state, call, message).await,
        "ListUsers" => listing::list_users(&state, call, message).await,
        "GetKpis" => insights::get_kpis(&state, call, message).await,
        "ModelInfer" => inference::model_infer(&state, call, message).await,
        "ServerLive" => typed(&state, &call, message, inference::server_live),
        "ServerReady" => typed(&state, &call, message, inference::server_ready),
        "ModelReady" => typed(&state, &call, message, inference::model_ready),
        "ServerMetadata" => typed(&state, &call, message, inference::server_metadata),
        "ModelMetadata" => typed(&state, &call, message, inference::model_metadata),
        "GetModel" => typed(&state, &call, message, models::get_model),
        "ListModels" => typed(&state, &call, message, models::list_models),
        "LoadModel" => {
            let request = decode(message, &call.form, &call.memory)?;
            let answer = models::load_model(state, call.clone(), request).await?;
            encode(&answer, &call.form, &call.memory)
        }
        "ActivateModel" => {
            let request = decode(message, &call.form, &call.memory)?;
            let answer = models::activate_model(&state, &call, request).await?;
            encode(&answer, &call.form, &call.memory)
        }
        "UnloadModel" => {
            let request = decode(message, &call.form, &call.memory)?;
            let answer = models::unload_model(&state, &call, request)?;
            encode(&answer, &call.form, &call.memory)
        }
        // The table of methods has no others.
        other => Err(CallError::UnknownMethod(format!("{other} is not answered"))),
    }
}

/// The framed answer of a method that does little.
fn typed<Q: Bounded, A: Message>(
    state: &ServerState,
    call: &CallContext,
    message: Bytes,
    answer: fn(&ServerState, Q) -> Result<A, CallError>,
) -> Result<Bytes, CallError> {
    encode(
        &answer(state, decode(message, &call.form, &call.memory)?)?,
        &call.form,
        &call.memory,
    )
}

/// The request as services of the library take it. Hundreds of headers may have come; only one must outlive the look at
/// the head.
fn request<B>(rpc: &Rpc, context: CallContext, headers: &HeaderMap, body: B) -> Request<B> {
    let mut request = Request::new(body);
    *request.uri_mut() = Uri::from_static(rpc.path);
    if let Some(encoding) = headers.get(ENCODING) {
        request.headers_mut().insert(ENCODING, encoding.clone());
    }
    request.extensions_mut().insert(context);
    request
}

/// Refuses a request that is compressed.
fn refuse_compressed(headers: &HeaderMap) -> Result<(), CallError> {
    let encoding = headers.get(ENCODING).map(HeaderValue::to_str);
    match encoding {
        None | Some(Ok("identity")) => Ok(()),
        Some(encoding) => Err(CallError::unknown_method(format!(
            "Content is compressed with `{}` which isn't supported",
            encoding.unwrap_or_default()
        ))),
    }
}
