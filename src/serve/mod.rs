//! The gRPC scoring server: `proto/churn/v1`, the Open Inference Protocol, health and reflection.
//!
//! # The life of a request
//!
//! `transport` takes a connection (`tls` if it is encrypted) and gives each call to the `gateway`, a list of layers that
//! every call passes: its record, its API key, the method table (`methods`), admission, its deadline, and how much of its
//! body may be under way (`limits`). What belongs to the call and not to its message goes with it as its `context`.
//! `transport::codec` counts what a message would unfold to before decoding it. The `services` choose a model from the
//! `registry`, turn messages into values and values into messages by `convert`, and compute here or on the pool of the
//! `engine`. A failure is a row of the table in `errors`. `telemetry` counts, logs and traces what happens.
//!
//! Wire types end at `convert` and in the services; messages are taken apart in full there, so that a new field breaks the
//! build until someone decides what it means. `server` puts everything on a port and takes it off again; `initial_state`
//! loads what it starts with, and `transport::credentials` follows keys and certificates on disk.

pub mod client;
pub(crate) mod config;
pub(crate) mod context;
pub(crate) mod convert;
pub(crate) mod engine;
pub(crate) mod errors;
pub(crate) mod gateway;
pub(crate) mod initial_state;
pub(crate) mod limits;
pub(crate) mod methods;
pub(crate) mod registry;
pub(crate) mod server;
pub(crate) mod services;
pub(crate) mod state;
pub(crate) mod telemetry;
pub(crate) mod transport;
pub(crate) mod wire;

pub use config::Config;
pub use errors::{ServeError, errors_page};
pub use gateway::api_keys::new_key;
pub use initial_state::{InitialState, ModelWithLabels, check};
pub use limits::{LimitRow, Limits};
pub use registry::users::KnownUsers;
pub use registry::{Label, ServedModel};
pub use server::{Lifecycle, listen, run, ticks};
pub use state::Stopped;
pub use telemetry::settings::{AccessLog, LogFormat, LogSettings, MetricsPort, TraceSettings};
pub use transport::tls::TlsFiles;
