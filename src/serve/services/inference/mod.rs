//! The Open Inference Protocol, version 2: a bundle as a model of tensors, for clients that know no other protocol.
//!
//! Inputs are the named features, each a tensor of one value for each row; or all of them as one matrix, `features`, in
//! the catalogue's order, of which the request parameter `feature_hash` is the proof. NaN, or a feature that is left out, is unknown. Outputs are the churn probability for each
//! horizon, the segment and the status, always as raw contents. Numbers are those of the scoring service, bit for bit.

pub(crate) mod inputs;
pub(crate) mod outputs;

use std::sync::Arc;

use tonic::{Request, Response, Status};

use crate::serve::engine::pool::guarded;
use crate::serve::errors::CallError;
use crate::serve::limits::size;
use crate::serve::registry::Loaded;
use crate::serve::state::{Phase, ServerState};
use crate::serve::wire::inference as wire;
use crate::serve::wire::inference::grpc_inference_service_server::GrpcInferenceService;

/// The name of the input that holds all features.
const MATRIX: &str = "features";
/// The request parameter that names the order of a matrix's columns.
const FEATURE_HASH: &str = "feature_hash";
/// What the protocol calls the kind of model.
const PLATFORM: &str = "ebb_churn";
/// So many rows cost less than the way to another thread.
const INLINE_ROWS: usize = 16;

/// The inference service.
pub(crate) struct Inference {
    state: Arc<ServerState>,
}

impl Inference {
    /// Asks the models of this state.
    pub(crate) fn new(state: Arc<ServerState>) -> Self {
        Self { state }
    }

    /// A model by name or label and, if given, version.
    fn model(&self, name: &str, version: &str) -> Result<Arc<Loaded>, CallError> {
        let model = self.state.model(name)?;
        match version.is_empty() || model.served.bundle().version() == version {
            true => Ok(model),
            false => Err(CallError::unknown_model("model version", version)),
        }
    }
}

#[tonic::async_trait]
impl GrpcInferenceService for Inference {
    async fn server_live(
        &self,
        _: Request<wire::ServerLiveRequest>,
    ) -> Result<Response<wire::ServerLiveResponse>, Status> {
        Ok(Response::new(wire::ServerLiveResponse { live: true }))
    }

    async fn server_ready(
        &self,
        _: Request<wire::ServerReadyRequest>,
    ) -> Result<Response<wire::ServerReadyResponse>, Status> {
        Ok(Response::new(wire::ServerReadyResponse {
            ready: self.state.phase() == Phase::Serving,
        }))
    }

    async fn model_ready(
        &self,
        request: Request<wire::ModelReadyRequest>,
    ) -> Result<Response<wire::ModelReadyResponse>, Status> {
        let wire::ModelReadyRequest { name, version } = request.into_inner();
        Ok(Response::new(wire::ModelReadyResponse {
            ready: self.model(&name, &version).is_ok(),
        }))
    }

    async fn server_metadata(
        &self,
        _: Request<wire::ServerMetadataRequest>,
    ) -> Result<Response<wire::ServerMetadataResponse>, Status> {
        let (name, version) = ("ebb".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
        Ok(Response::new(wire::ServerMetadataResponse {
            name,
            version,
            extensions: Vec::new(),
        }))
    }

    async fn model_metadata(
        &self,
        request: Request<wire::ModelMetadataRequest>,
    ) -> Result<Response<wire::ModelMetadataResponse>, Status> {
        let wire::ModelMetadataRequest { name, version } = request.into_inner();
        let model = self.model(&name, &version)?;
        let bundle = model.served.bundle();
        let tensor = |name: &str, datatype: &str| wire::model_metadata_response::TensorMetadata {
            name: name.to_owned(),
            datatype: datatype.to_owned(),
            shape: vec![-1],
        };
        Ok(Response::new(wire::ModelMetadataResponse {
            name,
            versions: vec![bundle.version().to_owned()],
            platform: PLATFORM.to_owned(),
            inputs: bundle
                .catalogue()
                .features()
                .iter()
                .map(|feature| tensor(&feature.name, "FP64"))
                .collect(),
            outputs: outputs::all(bundle)
                .iter()
                .map(|output| tensor(&output.name(), output.datatype()))
                .collect(),
        }))
    }

    async fn model_infer(
        &self,
        request: Request<wire::ModelInferRequest>,
    ) -> Result<Response<wire::ModelInferResponse>, Status> {
        let request = request.into_inner();
        let model = self.model(&request.model_name, &request.model_version)?;
        let rows = inputs::rows(&request);
        let state = Arc::clone(&self.state);
        let job = move || infer(&state, &model, request);
        let answer = if rows <= INLINE_ROWS {
            guarded(job)
        } else {
            self.state.compute.run(rows, job).await
        };
        Ok(Response::new(answer?))
    }
}

fn infer(
    state: &ServerState,
    model: &Loaded,
    request: wire::ModelInferRequest,
) -> Result<wire::ModelInferResponse, CallError> {
    let wire::ModelInferRequest {
        model_name,
        model_version,
        id,
        parameters,
        inputs,
        outputs,
        raw_input_contents: raw,
    } = request;
    let order = inputs::Order {
        given: parameters.get(FEATURE_HASH),
        // A version has one order.
        is_sure: !model_version.is_empty() || !state.models.has_changed_features(&model_name),
    };
    order.check(&model.served, &model_name, &inputs)?;
    let wanted = outputs::wanted(model.served.bundle(), &outputs)?;
    let matrix = inputs::read(
        &model.served,
        &inputs,
        &raw,
        size(state.limits.batch_subjects),
    )?;
    let answers = outputs::Answers::of(&model.served, &matrix)?;
    state.metrics.probability.observe_all(answers.shortest());
    let (outputs, raw_output_contents) =
        wanted.iter().map(|output| answers.tensor(*output)).unzip();
    Ok(wire::ModelInferResponse {
        model_name,
        model_version: model.served.bundle().version().to_owned(),
        id,
        parameters: Default::default(),
        outputs,
        raw_output_contents,
    })
}
