use std::collections::HashMap;
use std::time::Duration;

use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::field_path::FieldPath;
use super::table::{Detail, Reason};
use crate::history::HistoryError;
use crate::model::ModelError;
use crate::serve::wire;

/// `ErrorInfo.domain`.
const DOMAIN: &str = "churn.v1";

/// How long a client should wait when nothing better is known.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// The most bytes of a text in an error: what a client sent may be huge, and the message travels in a header.
const TEXT_BYTES_MAX: usize = 300;

/// What a call, or one subject of a batch, cannot be answered for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// A field that is not legal.
    #[error("{field}: {problem}")]
    Field {
        /// The path of the field.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A list with too many elements.
    #[error("{field}: there are {found}, at most {most} are allowed; send several requests")]
    TooMany {
        /// The path of the list.
        field: String,
        /// How many there are, or how many were counted before that was enough.
        found: usize,
        /// How many may be.
        most: usize,
    },
    /// Bytes that are not the message they should be.
    #[error("the message cannot be read: {problem}")]
    Malformed {
        /// What the decoder said.
        problem: String,
    },
    /// A message beyond the limit.
    #[error("the message has more than {most} bytes; send several smaller requests")]
    MessageTooLarge {
        /// How many it may have.
        most: u32,
    },
    /// A user id that the roll-up does not have.
    #[error("{subject}.user_id: the roll-up has no user `{user}`")]
    UnknownUser {
        /// Which subject.
        subject: FieldPath,
        /// The id.
        user: String,
    },
    /// A model, or a service to ask for the health of, that is not there.
    #[error("there is no {what} `{name}`")]
    UnknownModel {
        /// "model", "model folder", "service", ...
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// A user id, and no roll-up to look it up in.
    #[error(
        "{subject}.user_id: this server was started without --rollup and knows no users; send history or features"
    )]
    NoKnownUsers {
        /// Which subject.
        subject: FieldPath,
    },
    /// Users to list, and no roll-up that has any.
    #[error("this server was started without --rollup and has no users to list")]
    NoUsersToList,
    /// A page of an order that is no more.
    #[error(
        "page_token: the model or the roll-up has changed since, and the users have another order now; begin again \
         with the first page"
    )]
    StalePage,
    /// An order that is being computed.
    #[error(
        "the order of the users is being computed; try again in {} ms", retry_after.as_millis()
    )]
    RankingPending {
        /// How long it is likely to take.
        retry_after: Duration,
    },
    /// Features that were made for another model.
    #[error(
        "feature_hash: the features are for {given}, the model in use has {current}; ask GetModel again"
    )]
    OtherFeatures {
        /// The request's hash.
        given: String,
        /// The model's.
        current: String,
    },
    /// A matrix of features in an order that it does not name, where there has been more than one.
    #[error(
        "the features of `{name}` have another order than when the server started; send the feature_hash of the order \
         that the matrix is in as a request parameter, or its model_version"
    )]
    FeaturesChanged {
        /// The name or label that was asked.
        name: String,
        /// The hash of the present order.
        current: String,
    },
    /// A model in the wrong state.
    #[error("model `{name}` {problem}")]
    ModelState {
        /// Its name.
        name: String,
        /// Why this cannot be done.
        problem: String,
    },
    /// A model that failed to load.
    #[error("model `{name}` is refused: {problem}")]
    Refused {
        /// Its name.
        name: String,
        /// Why.
        problem: String,
    },
    /// Models cannot be added.
    #[error("{0}")]
    ModelsFixed(String),
    /// Somebody else was faster.
    #[error(
        "the etag is {given}, things have changed since and it is {current}; read ListModels again"
    )]
    StaleEtag {
        /// The request's etag.
        given: String,
        /// The present one.
        current: String,
    },
    /// Too much work is waiting.
    #[error("the server is busy; try again in {} ms", retry_after.as_millis())]
    Overloaded {
        /// How long to wait.
        retry_after: Duration,
    },
    /// A limit on calls is reached.
    #[error("`limits.{limit}` is reached; try again later")]
    TooManyCalls {
        /// The limit's name.
        limit: &'static str,
    },
    /// The time is over.
    #[error("{0}")]
    DeadlinePassed(&'static str),
    /// No model is loaded.
    #[error("no model is loaded yet; try again")]
    NotReady,
    /// The server is about to stop.
    #[error("the server has been asked to stop; connect again")]
    Draining,
    /// No key, or a wrong one.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// A key that does not allow it.
    #[error("the key `{key}` does not have the permission `{permission}`")]
    NotPermitted {
        /// The key's name.
        key: String,
        /// What is missing.
        permission: &'static str,
    },
    /// A page that may not ask.
    #[error("pages of {0} may not ask: `http.allow_origins` does not list that origin")]
    Origin(String),
    /// Nothing answers to that.
    #[error("{0}")]
    UnknownMethod(String),
    /// The model failed on a legal question.
    #[error("the model failed: {0}")]
    Model(#[from] ModelError),
    /// The known users could not be read.
    #[error("the known users cannot be read: {source}")]
    Users {
        /// Why.
        #[from]
        source: HistoryError,
    },
    /// A computation crashed.
    #[error("{0} crashed")]
    Crashed(&'static str),
}

impl CallError {
    /// A method that is not there, or not in that way.
    pub(crate) fn unknown_method(problem: impl Into<String>) -> Self {
        Self::UnknownMethod(clip(problem.into()))
    }

    /// A page of an origin that is not listed.
    pub(crate) fn origin(origin: String) -> Self {
        Self::Origin(clip(origin))
    }

    /// An illegal field.
    pub(crate) fn field(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Field {
            field: clip(field.into()),
            problem: clip(problem.into()),
        }
    }

    /// Features made for the model of hash `given` where `current` is in use.
    pub(crate) fn other_features(given: String, current: String) -> Self {
        Self::OtherFeatures {
            given: clip(given),
            current,
        }
    }

    /// A user that the roll-up does not have.
    pub(crate) fn unknown_user(subject: FieldPath, user: String) -> Self {
        Self::UnknownUser {
            subject,
            user: clip(user),
        }
    }

    /// A model that is not there.
    pub(crate) fn unknown_model(what: &'static str, name: &str) -> Self {
        Self::UnknownModel {
            what,
            name: clip(name.to_owned()),
        }
    }

    /// Bytes that are not the message they should be.
    pub(crate) fn malformed(problem: impl Into<String>) -> Self {
        Self::Malformed {
            problem: clip(problem.into()),
        }
    }

    /// From the payload to the table.
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::Field { .. } => Reason::FieldInvalid,
            Self::TooMany { .. } => Reason::BatchTooLarge,
            Self::Malformed { .. } => Reason::MessageMalformed,
            Self::MessageTooLarge { .. } => Reason::MessageTooLarge,
            Self::UnknownUser { .. } => Reason::UserUnknown,
            Self::UnknownModel { .. } => Reason::ModelUnknown,
            Self::NoKnownUsers { .. } | Self::NoUsersToList => Reason::NoRollup,
            Self::StalePage => Reason::PageTokenStale,
            Self::RankingPending { .. } => Reason::RankingPending,
            Self::OtherFeatures { .. } | Self::FeaturesChanged { .. } => {
                Reason::FeatureHashMismatch
            }
            Self::ModelState { .. } => Reason::ModelState,
            Self::Refused { .. } => Reason::ModelRefused,
            Self::ModelsFixed(_) => Reason::ModelLoadingDisabled,
            Self::StaleEtag { .. } => Reason::EtagMismatch,
            Self::Overloaded { .. } => Reason::Overloaded,
            Self::TooManyCalls { .. } => Reason::TooManyCalls,
            Self::DeadlinePassed(_) => Reason::DeadlinePassed,
            Self::NotReady => Reason::NotReady,
            Self::Draining => Reason::Draining,
            Self::Unauthenticated(_) => Reason::Unauthenticated,
            Self::NotPermitted { .. } => Reason::NotPermitted,
            Self::Origin(_) => Reason::OriginNotAllowed,
            Self::UnknownMethod(_) => Reason::MethodUnknown,
            Self::Model(_) | Self::Users { .. } | Self::Crashed(_) => Reason::Internal,
        }
    }

    /// The path of the field to blame; empty when no field is.
    fn path(&self) -> String {
        match self {
            Self::Field { field, .. } | Self::TooMany { field, .. } => field.clone(),
            Self::UnknownUser { subject, .. } | Self::NoKnownUsers { subject } => {
                format!("{subject}.user_id")
            }
            Self::OtherFeatures { .. } => "feature_hash".to_owned(),
            _ => String::new(),
        }
    }

    /// The type and name of the resource that is meant.
    fn resource(&self) -> (&'static str, &str) {
        match self {
            Self::UnknownUser { user, .. } => ("user", user),
            Self::UnknownModel { what, name } => (what, name),
            Self::ModelState { name, .. } | Self::Refused { name, .. } => ("model", name),
            _ => ("", ""),
        }
    }

    fn retry_after(&self) -> Duration {
        match self {
            Self::Overloaded { retry_after } | Self::RankingPending { retry_after } => *retry_after,
            _ => RETRY_AFTER,
        }
    }

    /// What gRPC's own retries are told: when to try again, or never. They look at the code alone, and too large a message
    /// has that of too much work.
    fn pushback(&self) -> Option<MetadataValue<Ascii>> {
        match self.reason() {
            Reason::MessageTooLarge => Some(MetadataValue::from(-1)),
            reason if reason.row().details.contains(&Detail::RetryInfo) => {
                i64::try_from(self.retry_after().as_millis())
                    .ok()
                    .map(MetadataValue::from)
            }
            _ => None,
        }
    }

    /// The metadata of ErrorInfo, for programs.
    fn metadata(&self) -> HashMap<String, String> {
        let pair = |key: &str, value: String| HashMap::from([(key.to_owned(), value)]);
        match self {
            Self::TooMany { most, .. } => pair("most", most.to_string()),
            Self::MessageTooLarge { most } => pair("most", most.to_string()),
            Self::OtherFeatures { current, .. } | Self::FeaturesChanged { current, .. } => {
                pair("feature_hash", current.clone())
            }
            Self::StaleEtag { current, .. } => pair("etag", current.clone()),
            Self::TooManyCalls { limit } => pair("limit", (*limit).to_owned()),
            Self::NotPermitted { permission, .. } => pair("permission", (*permission).to_owned()),
            _ => HashMap::new(),
        }
    }
}

impl From<CallError> for Status {
    fn from(error: CallError) -> Self {
        let row = error.reason().row();
        let mut details = ErrorDetails::with_error_info(row.name, DOMAIN, error.metadata());
        for detail in row.details {
            match detail {
                Detail::BadRequest => {
                    details.add_bad_request_violation(error.path(), error.to_string());
                }
                Detail::RetryInfo => {
                    details.set_retry_info(Some(error.retry_after()));
                }
                Detail::ResourceInfo => {
                    let (kind, name) = error.resource();
                    details.set_resource_info(kind, name, "", error.to_string());
                }
            }
        }
        let mut status = Self::with_error_details(row.code, error.to_string(), details);
        if let Some(pushback) = error.pushback() {
            status
                .metadata_mut()
                .insert("grpc-retry-pushback-ms", pushback);
        }
        status
    }
}

impl From<CallError> for wire::SubjectError {
    fn from(error: CallError) -> Self {
        let row = error.reason().row();
        // The enumeration keeps gRPC's numbers.
        let code = row.code as i32;
        Self {
            code,
            message: error.to_string(),
            field: error.path(),
            reason: row.name.to_owned(),
        }
    }
}

/// A status that came from under the services, which know of no details, as one of the table's.
///
/// Those are failures to frame a message: too large, cut off, compressed, more than one.
pub(crate) fn explained(code: Code, message: &str, message_bytes: u32) -> Option<CallError> {
    match code {
        Code::OutOfRange | Code::ResourceExhausted => Some(CallError::MessageTooLarge {
            most: message_bytes,
        }),
        Code::Unimplemented => Some(CallError::UnknownMethod(clip(message.to_owned()))),
        Code::Internal | Code::InvalidArgument | Code::Unknown => {
            Some(CallError::malformed(message))
        }
        // A call that its client gave up among them: nobody is there to be told.
        _ => None,
    }
}

/// A text that is short enough for an error.
pub(crate) fn clip(mut text: String) -> String {
    if text.len() > TEXT_BYTES_MAX {
        let end = (0..=TEXT_BYTES_MAX)
            .rev()
            .find(|end| text.is_char_boundary(*end))
            .unwrap_or(0);
        text.truncate(end);
        text.push_str("...");
    }
    text
}

#[cfg(test)]
mod tests;
