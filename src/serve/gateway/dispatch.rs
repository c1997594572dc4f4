//! The services behind the gateway: the method table says which of them answers.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, StdError};
use tonic_health::pb::health_server::HealthServer;
use tower::Service;

use crate::serve::limits::size;
use crate::serve::methods::{self, Rpc};
use crate::serve::services::health::HealthServiceImpl;
use crate::serve::services::inference::InferenceServiceImpl;
use crate::serve::services::models::ModelServiceImpl;
use crate::serve::services::scoring::ScoringServiceImpl;
use crate::serve::state::ServerState;
use crate::serve::wire;
use crate::serve::wire::inference::grpc_inference_service_server::GrpcInferenceServiceServer;
use crate::serve::wire::model_service_server::ModelServiceServer;
use crate::serve::wire::scoring_service_server::ScoringServiceServer;

/// An answer that is being made.
pub(super) type Answer = BoxFuture<Response<Body>, Infallible>;

/// All services.
#[derive(Clone)]
pub(crate) struct Services(Arc<Shared>);

struct Shared {
    scoring: ScoringServiceServer<ScoringServiceImpl>,
    models: ModelServiceServer<ModelServiceImpl>,
    inference: GrpcInferenceServiceServer<InferenceServiceImpl>,
    health: HealthServer<HealthServiceImpl>,
    reflection: tonic::service::Routes,
}

impl Services {
    /// The services of a state.
    pub(crate) fn new(state: &Arc<ServerState>) -> Result<Self, tonic_reflection::server::Error> {
        let most = size(state.limits.max_message_bytes);
        let own = || Arc::clone(state);
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(wire::DESCRIPTOR)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
                .include_reflection_service(true)
        };
        let both = tonic::service::Routes::new(reflection().build_v1()?);
        Ok(Self(Arc::new(Shared {
            scoring: ScoringServiceServer::new(ScoringServiceImpl::new(own()))
                .max_decoding_message_size(most),
            models: ModelServiceServer::new(ModelServiceImpl::new(own()))
                .max_decoding_message_size(most),
            inference: GrpcInferenceServiceServer::new(InferenceServiceImpl::new(own()))
                .max_decoding_message_size(most),
            health: HealthServer::new(HealthServiceImpl::new(own()))
                .max_decoding_message_size(most),
            reflection: both.add_service(reflection().build_v1alpha()?).prepare(),
        })))
    }
}

impl Services {
    /// The answer of the service that has this method.
    pub(super) fn call<B>(&self, rpc: &Rpc, request: Request<B>) -> Answer
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<StdError> + Send,
    {
        let Shared {
            scoring,
            models,
            inference,
            health,
            reflection,
        } = &*self.0;
        // Every service is ready at any time: what may wait is bounded before it.
        match rpc.service {
            methods::Service::Scoring => scoring.clone().call(request),
            methods::Service::Models => models.clone().call(request),
            methods::Service::Inference => inference.clone().call(request),
            methods::Service::Health => health.clone().call(request),
            methods::Service::Reflection => {
                Box::pin(reflection.clone().call(request.map(Body::new)))
            }
        }
    }
}
