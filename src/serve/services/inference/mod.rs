//! The Open Inference Protocol, version 2: a bundle as a model of tensors, for clients of KServe or Triton.
//!
//! Inputs are the named features, each a tensor of one value for each row; or all of them as one matrix, `features`, in
//! the catalogue's order, which the request parameter `feature_hash` proves. NaN, or a feature that is left out, is
//! unknown. Outputs are the churn probability for each horizon, the segment with its key and the status, always as raw contents;
//! of a model with a value part also the expected spend, the residual value, the value at risk and the tier.
//! Numbers are those of the scoring service, bit for bit.

pub(crate) mod inputs;
pub(crate) mod number_type;
pub(crate) mod outputs;

use std::sync::Arc;

use bytes::Bytes;

use super::message::Method;
use crate::serve::context::CallContext;
use crate::serve::engine::Cost;
use crate::serve::errors::CallError;
use crate::serve::limits::size;
use crate::serve::registry::ServedModel;
use crate::serve::state::{Phase, ServerState};
use crate::serve::wire::inference as wire;

/// The name of the input that holds all features.
const MATRIX: &str = "features";
/// The request parameter that names the order of a matrix's columns.
const FEATURE_HASH: &str = "feature_hash";
/// The protocol's name for the kind of model.
const PLATFORM: &str = "ebb_churn";
/// Rows that are scored on the thread that read them: less work than a hand-off to another thread.
const INLINE_ROWS: usize = 16;

/// A model by name or label and, if given, version.
fn model(state: &ServerState, name: &str, version: &str) -> Result<Arc<ServedModel>, CallError> {
    let model = state.model(name)?;
    match version.is_empty() || model.version() == version {
        true => Ok(model),
        false => Err(CallError::unknown_model("model version", version)),
    }
}

/// `ServerLive`.
pub(crate) fn server_live(
    _: &ServerState,
    _: wire::ServerLiveRequest,
) -> Result<wire::ServerLiveResponse, CallError> {
    Ok(wire::ServerLiveResponse { live: true })
}

/// `ServerReady`.
pub(crate) fn server_ready(
    state: &ServerState,
    _: wire::ServerReadyRequest,
) -> Result<wire::ServerReadyResponse, CallError> {
    Ok(wire::ServerReadyResponse {
        ready: state.phase() == Phase::Serving,
    })
}

/// `ModelReady`.
pub(crate) fn model_ready(
    state: &ServerState,
    request: wire::ModelReadyRequest,
) -> Result<wire::ModelReadyResponse, CallError> {
    let wire::ModelReadyRequest { name, version } = request;
    Ok(wire::ModelReadyResponse {
        ready: model(state, &name, &version).is_ok(),
    })
}

/// `ServerMetadata`.
pub(crate) fn server_metadata(
    _: &ServerState,
    _: wire::ServerMetadataRequest,
) -> Result<wire::ServerMetadataResponse, CallError> {
    let (name, version) = ("ebb".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    Ok(wire::ServerMetadataResponse {
        name,
        version,
        extensions: Vec::new(),
    })
}

/// `ModelMetadata`.
pub(crate) fn model_metadata(
    state: &ServerState,
    request: wire::ModelMetadataRequest,
) -> Result<wire::ModelMetadataResponse, CallError> {
    let wire::ModelMetadataRequest { name, version } = request;
    let model = model(state, &name, &version)?;
    let tensor = |name: &str, datatype: &str| wire::model_metadata_response::TensorMetadata {
        name: name.to_owned(),
        datatype: datatype.to_owned(),
        shape: vec![-1],
    };
    Ok(wire::ModelMetadataResponse {
        name,
        versions: vec![model.version().to_owned()],
        platform: PLATFORM.to_owned(),
        inputs: model
            .catalogue()
            .features()
            .iter()
            .map(|feature| tensor(&feature.name, "FP64"))
            .collect(),
        outputs: outputs::all(&model)
            .iter()
            .map(|output| tensor(&output.name(), output.datatype()))
            .collect(),
    })
}

/// The framed answer to `ModelInfer`.
pub(crate) async fn model_infer(
    state: &Arc<ServerState>,
    call: CallContext,
    message: Bytes,
) -> Result<Bytes, CallError> {
    let method = Method {
        cost: |request| Cost {
            units: inputs::claimed_rows(request),
            inline_units: INLINE_ROWS,
        },
        answer: infer,
    };
    method.call(state, call, message).await
}

/// Tensors in, scores, tensors out.
fn infer(
    state: &ServerState,
    request: wire::ModelInferRequest,
) -> Result<wire::ModelInferResponse, CallError> {
    let model = &*model(state, &request.model_name, &request.model_version)?;
    let wire::ModelInferRequest {
        model_name,
        model_version,
        id,
        parameters,
        inputs,
        outputs,
        raw_input_contents: raw,
    } = request;
    let order = inputs::ColumnOrder {
        given: parameters.get(FEATURE_HASH),
        // A version has one order.
        is_certain: !model_version.is_empty() || !state.models.has_changed_features(&model_name),
    };
    order.check(model, &model_name, &inputs)?;
    let wanted = outputs::wanted(model, &outputs)?;
    let matrix = inputs::read(model, &inputs, &raw, size(state.limits.max_batch_size))?;
    let scores = outputs::RowScores::of(model, &matrix)?;
    state.metrics.probability.observe_all(scores.shortest());
    let (outputs, raw_output_contents) = wanted.iter().map(|output| scores.tensor(*output)).unzip();
    Ok(wire::ModelInferResponse {
        model_name,
        model_version: model.version().to_owned(),
        id,
        parameters: Default::default(),
        outputs,
        raw_output_contents,
    })
}
