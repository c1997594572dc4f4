use std::net::SocketAddr;

use tonic::{Code, Status};

use super::limits::MAX_SUBJECTS;
use super::subject::Place;
use super::wire;
use crate::history::HistoryError;
use crate::model::ModelError;

/// What keeps a server from starting or makes it stop.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A model bundle that cannot be used.
    #[error("the model cannot be served: {0}")]
    Model(#[from] ModelError),
    /// A roll-up that cannot be used.
    #[error("the roll-up cannot be served: {0}")]
    Rollup(#[from] HistoryError),
    /// An address that cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// A failure of the transport under the services.
    #[error("the server failed: {0}")]
    Transport(#[from] tonic::transport::Error),
    /// The protocol's own description is damaged: a fault of the build.
    #[error("the reflection service cannot be built: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// Loading ended in a crash.
    #[error("loading the model crashed: {0}")]
    Crashed(#[from] tokio::task::JoinError),
}

/// What a call, or one subject of a batch, cannot be answered for.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// A field that is not legal.
    #[error("{field}: {problem}")]
    Field {
        /// The path of the field.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
    /// More subjects than a batch may have.
    #[error("subjects: there are {found}, at most {MAX_SUBJECTS} are allowed; send several batches")]
    TooManySubjects {
        /// How many there were.
        found: usize,
    },
    /// A user id, and no roll-up to look it up in.
    #[error("{place}.user_id: this server was started without --rollup and knows no users; send history or features")]
    NoKnownUsers {
        /// Which subject.
        place: Place,
    },
    /// Features that were made for another model.
    #[error("feature_hash: the features are for {given}, the model in use has {current}; ask GetModel again")]
    OtherFeatures {
        /// The request's hash.
        given: String,
        /// The model's.
        current: String,
    },
    /// No model is loaded.
    #[error("no model is loaded yet; try again")]
    NotReady,
    /// The model failed on a legal question.
    #[error("the model failed: {0}")]
    Model(#[from] ModelError),
    /// The known users could not be read.
    #[error("the known users cannot be read: {source}")]
    Users {
        /// Why.
        source: HistoryError,
    },
    /// A computation crashed.
    #[error("scoring crashed")]
    Crashed(#[from] tokio::task::JoinError),
}

/// The most bytes of a text in an error: what a client sent may be huge, and the message travels in a header.
const TEXT_BYTES_MAX: usize = 300;

impl CallError {
    /// An illegal field.
    pub(super) fn field(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Field { field: clip(field.into()), problem: clip(problem.into()) }
    }

    /// Features made for the model of hash `given` where `current` is in use.
    pub(super) fn other_features(given: String, current: String) -> Self {
        Self::OtherFeatures { given: clip(given), current }
    }

    /// The table from errors to gRPC status codes.
    fn code(&self) -> Code {
        match self {
            Self::Field { .. } | Self::TooManySubjects { .. } => Code::InvalidArgument,
            Self::NoKnownUsers { .. } | Self::OtherFeatures { .. } => Code::FailedPrecondition,
            Self::NotReady => Code::Unavailable,
            Self::Model(_) | Self::Users { .. } | Self::Crashed(_) => Code::Internal,
        }
    }

    /// The path of the field to blame.
    fn path(&self) -> String {
        match self {
            Self::Field { field, .. } => field.clone(),
            Self::TooManySubjects { .. } => "subjects".to_owned(),
            Self::NoKnownUsers { place } => format!("{place}.user_id"),
            Self::OtherFeatures { .. } => "feature_hash".to_owned(),
            Self::NotReady | Self::Model(_) | Self::Users { .. } | Self::Crashed(_) => String::new(),
        }
    }
}

impl From<CallError> for Status {
    fn from(error: CallError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<CallError> for wire::SubjectError {
    fn from(error: CallError) -> Self {
        // The enumeration keeps gRPC's numbers.
        Self { code: error.code() as i32, message: error.to_string(), field: error.path() }
    }
}

fn clip(mut text: String) -> String {
    if text.len() > TEXT_BYTES_MAX {
        let end = (0..=TEXT_BYTES_MAX).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push_str("...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_in_a_batch_keep_grpc_numbers() {
        let errors = [
            (CallError::field("a", "b"), wire::ErrorCode::InvalidArgument),
            (CallError::NoKnownUsers { place: Place::Batch(3) }, wire::ErrorCode::FailedPrecondition),
            (CallError::NotReady, wire::ErrorCode::Unavailable),
            (CallError::Model(ModelError::Width { expected: 1, found: 2 }), wire::ErrorCode::Internal),
        ];
        for (error, code) in errors {
            assert_eq!(wire::SubjectError::from(error).code(), code);
        }
        let path = CallError::NoKnownUsers { place: Place::Batch(3) }.path();
        assert_eq!(path, "subjects[3].user_id");
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let error = CallError::field("é".repeat(100_000), "b".repeat(100_000));
        assert!(error.to_string().len() < 2 * TEXT_BYTES_MAX + 10);
    }
}
