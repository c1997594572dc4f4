//! The generated gRPC clients and their messages, for examples, tests and Rust programs that call a server.
//!
//! The server's own code keeps to the domain's types; these are the wire's. `proto/churn/v1` documents each
//! message and field.

pub use super::wire::model_service_client::ModelServiceClient;
pub use super::wire::score_result::Result as ScoreOutcome;
pub use super::wire::scoring_service_client::ScoringServiceClient;
pub use super::wire::subject::Subject as SubjectForm;
pub use super::wire::{
    BatchScoreUsersRequest, BatchScoreUsersResponse, DayActivity, ErrorCode, Event, Feature, GetModelRequest,
    GetModelResponse, History, HorizonScore, KnownUsers, Model, ModelView, NamedFeatures, PackedFeatures, Reason,
    RiskBand, RiskThresholds, Score, ScoreResult, ScoreStatus, ScoreUserRequest, ScoreUserResponse, Segment,
    SegmentMatch, Stage, StageRule, StageThresholds, Subject, SubjectError, Theme,
};
