//! The generated gRPC clients and their messages, for examples, tests and Rust programs that call a server.
//!
//! The server's own code keeps to the domain's types; these are the wire's. `proto/churn/v1` documents each
//! message and field.

pub use super::wire::attribute::Value as AttributeValueForm;
pub use super::wire::insight_service_client::InsightServiceClient;
pub use super::wire::model_service_client::ModelServiceClient;
pub use super::wire::score_result::Result as ScoreOutcome;
pub use super::wire::scoring_service_client::ScoringServiceClient;
pub use super::wire::stream_score_users_response::Outcome as StreamOutcome;
pub use super::wire::subject::Subject as SubjectForm;
pub use super::wire::{
    ActivateModelRequest, ActivateModelResponse, Attribute, BatchScoreUsersRequest,
    BatchScoreUsersResponse, DayActivity, ErrorCode, Event, Feature, FeatureGroup, GetKpisRequest,
    GetKpisResponse, GetModelRequest, GetModelResponse, History, HorizonScore, KnownUsers, Kpi,
    KpiGrouping, KpiPeriod, ListModelsRequest, ListModelsResponse, ListUsersRequest,
    ListUsersResponse, ListedUser, LoadModelRequest, LoadModelResponse, Model, ModelLabel,
    ModelState, ModelStatus, ModelView, NamedFeatures, PackedFeatures, Reason, RfmScores, RiskBand,
    RiskThresholds, Score, ScoreResult, ScoreStatus, ScoreUserRequest, ScoreUserResponse, Segment,
    SegmentMatch, ShadowReport, Stage, StageRule, StageThresholds, StreamScoreUsersRequest,
    StreamScoreUsersResponse, Subject, SubjectError, UnknownKind, UnloadModelRequest,
    UnloadModelResponse, UserOrder, ValueEstimate, ValueModel, ValueReason, ValueStatus, ValueTier,
};

/// The Open Inference Protocol's client and messages.
pub mod inference {
    pub use super::super::wire::inference::grpc_inference_service_client::GrpcInferenceServiceClient;
    pub use super::super::wire::inference::infer_parameter::ParameterChoice;
    pub use super::super::wire::inference::model_infer_request::{
        InferInputTensor, InferRequestedOutputTensor,
    };
    pub use super::super::wire::inference::model_infer_response::InferOutputTensor;
    pub use super::super::wire::inference::{
        InferParameter, InferTensorContents, ModelInferRequest, ModelInferResponse,
        ModelMetadataRequest, ModelMetadataResponse, ModelReadyRequest, ModelReadyResponse,
        ServerLiveRequest, ServerLiveResponse, ServerMetadataRequest, ServerMetadataResponse,
        ServerReadyRequest, ServerReadyResponse,
    };
}
