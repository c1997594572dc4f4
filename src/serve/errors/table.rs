//! The one table of what a call can fail with. `docs/errors.md` is made from it.

use tonic::Code;

/// Which details of `google.rpc` go with an error beside ErrorInfo, which always does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// BadRequest with the path of the field.
    BadRequest,
    /// RetryInfo with the time to wait.
    RetryInfo,
    /// ResourceInfo with the type and name of what is meant.
    ResourceInfo,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// `ErrorInfo.reason`.
    pub(crate) name: &'static str,
    /// The gRPC status code.
    pub(crate) code: Code,
    /// What goes with it.
    pub(crate) details: &'static [Detail],
    /// When it happens.
    pub(crate) meaning: &'static str,
    /// What a client does about it.
    pub(crate) remedy: &'static str,
}

macro_rules! reasons {
    ($($variant:ident $name:literal $code:ident [$($detail:ident)*] $meaning:literal $remedy:literal)+) => {
        /// Why a call failed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Reason {
            $(#[doc = $meaning] $variant,)+
        }

        impl Reason {
            /// All of them, in the order of the documentation.
            pub(crate) const ALL: &[Self] = &[$(Self::$variant),+];

            /// The reason's row.
            pub(crate) const fn row(self) -> Row {
                match self {
                    $(Self::$variant => Row {
                        name: $name,
                        code: Code::$code,
                        details: &[$(Detail::$detail),*],
                        meaning: $meaning,
                        remedy: $remedy,
                    },)+
                }
            }
        }
    };
}

reasons! {
    FieldInvalid "FIELD_INVALID" InvalidArgument [BadRequest]
        "A field is missing or its value is not legal: a misspelt feature, NaN, features that no history gives together, a kind written otherwise than the model's, an unknown enum number, a date that is none."
        "Correct the field that BadRequest names. Sending the request again does not help."
    BatchTooLarge "BATCH_TOO_LARGE" InvalidArgument [BadRequest]
        "A list has more elements than the server takes: subjects of a batch, entries of a history, rows of a tensor."
        "Send several smaller requests."
    MessageMalformed "MESSAGE_MALFORMED" InvalidArgument []
        "The bytes are not a message of the method's type, or the request has none or more than one."
        "Use stubs generated from this version's proto files."
    MessageTooLarge "MESSAGE_TOO_LARGE" ResourceExhausted []
        "The message has more bytes than `limits.max_message_bytes`."
        "Send several smaller requests. Waiting does not help."
    UserUnknown "USER_UNKNOWN" NotFound [ResourceInfo]
        "The server's roll-up has no user of that id."
        "Send the user's history or features instead, or give the server a newer roll-up."
    ModelUnknown "MODEL_UNKNOWN" NotFound [ResourceInfo]
        "There is no model, model version, label or model folder of that name, or no service to ask for the health of."
        "ListModels lists the models, reflection the services."
    NoRollup "NO_ROLLUP" FailedPrecondition []
        "A user id was sent to, or a list of users asked of, a server that was started without a roll-up."
        "Start it with --rollup, or send the user's history or features."
    PageTokenStale "PAGE_TOKEN_STALE" Aborted []
        "The model or the roll-up has changed since the page token was handed out, and the users have another order now."
        "Begin again with the first page."
    FeatureHashMismatch "FEATURE_HASH_MISMATCH" FailedPrecondition []
        "The request's feature_hash is not that of the model that would answer; or a matrix without one came after the order of features had changed."
        "Ask GetModel again, make the vector in the order that it lists, and send the feature_hash that goes with it."
    ModelState "MODEL_STATE" FailedPrecondition [ResourceInfo]
        "The model is not in a state that allows this: it is loading, failed, unloading, or has a label and cannot be unloaded."
        "ListModels has each model's state and the reason for it."
    ModelRefused "MODEL_REFUSED" FailedPrecondition [ResourceInfo]
        "The folder holds no usable model: it is damaged, of another format, too large, or does not give its own golden answers; or reading it took longer than `limits.model_load_seconds`. What was served before is served on."
        "The message names the file and the fault; fit or copy the model again."
    ModelLoadingDisabled "MODEL_LOADING_DISABLED" FailedPrecondition []
        "This server was started without a folder to load models from, or holds as many as `limits.models` allows."
        "Start it with --models, or unload a model first."
    EtagMismatch "ETAG_MISMATCH" Aborted []
        "Models or labels have changed since the etag was handed out."
        "Read ListModels again, decide again, and send its etag."
    Overloaded "OVERLOADED" ResourceExhausted [RetryInfo]
        "More work is waiting than `limits.queue_length` or `limits.max_queue_wait_ms` allows."
        "Wait as long as RetryInfo says and a random time more, then try again; at most a few times."
    TooManyCalls "TOO_MANY_CALLS" ResourceExhausted [RetryInfo]
        "`limits.max_concurrent_calls`, `limits.max_streams`, `limits.max_inflight_bytes` or another limit that the message names is reached."
        "As for OVERLOADED."
    DeadlinePassed "DEADLINE_PASSED" DeadlineExceeded []
        "The client's deadline or `limits.call_timeout_seconds` passed before there was an answer; or a stream went on for `limits.stream_timeout_seconds`, or was silent for `limits.stream_idle_seconds`."
        "Allow more time, or ask for less at once."
    NotReady "NOT_READY" Unavailable [RetryInfo]
        "The server has started and is still loading its model."
        "Wait as long as RetryInfo says, then try again."
    RankingPending "RANKING_PENDING" Unavailable [RetryInfo]
        "The order of the known users is being computed, as after every change of the model or the roll-up."
        "Wait as long as RetryInfo says, then ask again."
    Draining "DRAINING" Unavailable [RetryInfo]
        "The server has been asked to stop: it ends streams, and takes no more streams and no changes of models."
        "Connect again; another server answers."
    Unauthenticated "UNAUTHENTICATED" Unauthenticated []
        "The server asks for a key, and the call has none or one that is not valid."
        "Send `authorization: Bearer KEY`."
    NotPermitted "NOT_PERMITTED" PermissionDenied []
        "The key is valid and does not allow this method."
        "Use a key with the permission that ErrorInfo names."
    OriginNotAllowed "ORIGIN_NOT_ALLOWED" PermissionDenied []
        "A page in a browser asks over HTTP, and `http.allow_origins` does not list the page's origin."
        "Add the origin to the list, or have the page's own server ask."
    MethodUnknown "METHOD_UNKNOWN" Unimplemented []
        "There is no such method, or it was called in a way that this server does not speak, such as compressed."
        "Server reflection lists the methods."
    Internal "INTERNAL" Internal []
        "The server is at fault."
        "Report it, with the request id that the response's headers carry."
}
