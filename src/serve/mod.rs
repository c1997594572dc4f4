//! The gRPC scoring server: `proto/churn/v1`, the Open Inference Protocol, health and reflection.
//!
//! # The way of a call
//!
//! `listener` takes the connection (`tls` if it is encrypted) and hands each call to `front`, the one door: it looks
//! the method up in `rpc`, lets `admission` ask `keys` and hold `limits`, and counts in `metrics`. `codec` counts
//! what a message would unfold to before decoding it. The services (`scoring`, `stream`, `model_service`, `inference`,
//! `health`) choose a model from `models` and compute here or on the pool of `compute`: `question` (what is asked) and
//! `subject` (about whom, with `vocabulary` for the kinds of a history), the model, `answer`. Whatever fails is a row of the table in `errors`. Beside it all, `traces` follows calls for OpenTelemetry.
//!
//! Wire types end at `question`, `subject`, `answer`, `describe` and `inference`; messages are taken apart in full there,
//! so that a new field breaks the build until someone decides what it means. `server` puts everything on a port and
//! takes it off again; `reload` follows keys and certificates on disk.

pub mod client;
pub(crate) mod config;
pub(crate) mod convert;
pub(crate) mod engine;
pub(crate) mod errors;
pub(crate) mod gateway;
pub(crate) mod limits;
pub(crate) mod registry;
pub(crate) mod server;
pub(crate) mod services;
pub(crate) mod state;
pub(crate) mod telemetry;
pub(crate) mod transport;
pub(crate) mod wire;

pub use config::{CallLog, Config, LogFormat, LogSettings, MetricsPort, TraceSettings};
pub use engine::users::KnownUsers;
pub use errors::{ServeError, errors_page};
pub use gateway::api_keys::new_key;
pub use limits::{LimitRow, Limits};
pub use registry::served::Served;
pub use registry::{Label, Loaded};
pub use server::{Labelled, Stock, Stopped, check, listen, run};
pub use transport::tls::TlsFiles;
