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

mod admission;
mod answer;
mod body;
mod call;
pub mod client;
pub mod codec;
mod compute;
mod config;
mod describe;
mod errors;
mod front;
mod health;
mod inference;
mod keys;
mod limits;
mod listener;
mod metrics;
mod metrics_page;
mod model_service;
mod models;
mod question;
mod reload;
mod rpc;
mod scorer;
mod scoring;
mod served;
mod server;
mod state;
mod stream;
mod subject;
mod tls;
mod traces;
mod users;
mod vocabulary;
mod wire;

pub use config::{CallLog, Config, LogFormat, LogSettings, MetricsPort, TraceSettings};
pub use errors::{ServeError, errors_page};
pub use keys::new_key;
pub use limits::{LimitRow, Limits};
pub use models::{Label, Loaded};
pub use served::Served;
pub use server::{Labelled, Stock, Stopped, check, listen, run};
pub use tls::TlsFiles;
pub use users::KnownUsers;
