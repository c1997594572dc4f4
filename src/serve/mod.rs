//! The scoring server: `proto/churn/v1` over gRPC and HTTP, the Open Inference Protocol, health and reflection.
//!
//! # Request lifecycle
//!
//! `transport` accepts connections and speaks HTTP/2, and on a port of its own HTTP/1.1, where a request becomes a call whose
//! messages have the `form` of JSON. `gateway` looks at a call's head: key, method, admission, deadline;
//! a call that is refused ends there. `codec` takes messages out of their frames, and decodes them after a check of how
//! much memory they need. `quota` has what every caller holds of calls, streams, the queue and memory. `services` has a
//! file for each service of the protocols, and a handler is three steps: `convert` checks the request and makes its context,
//! `engine` scores on this thread or on its pool, `convert` makes the response. `registry` has the models, their labels
//! and the users known by id. Every failure is a row of the table in `errors`. `telemetry` counts, logs and traces calls.
//!
//! Messages are taken apart in full in `convert` and `services::inference`, so that a new field breaks the build until its
//! meaning is decided. `server` runs all of it on a port, from the `initial_state` that its configuration names;
//! `transport::credentials` follows API keys, certificates and the roll-up on disk. `probe` asks a server that runs.
//!
//! Below the gateway imports run one way: `services`, `engine`, `convert`, `registry`, `errors`, `wire`.

pub mod client;
pub(crate) mod codec;
pub(crate) mod config;
pub(crate) mod context;
pub(crate) mod convert;
pub(crate) mod detached;
pub(crate) mod engine;
pub(crate) mod errors;
pub(crate) mod form;
pub(crate) mod gateway;
pub(crate) mod initial_state;
pub(crate) mod limits;
pub(crate) mod memory;
pub(crate) mod methods;
pub(crate) mod probe;
pub(crate) mod quota;
pub mod reference;
pub(crate) mod registry;
pub(crate) mod server;
pub(crate) mod services;
pub(crate) mod state;
pub(crate) mod telemetry;
pub(crate) mod transport;
pub(crate) mod wire;

pub use config::Config;
pub use config::HttpPort;
pub use config::PrivacySettings;
pub use config::TlsFiles;
pub use errors::{ServeError, errors_page};
pub use gateway::api_keys::new_key;
pub use initial_state::{InitialState, ModelWithLabels, check};
pub use limits::{LimitRow, Limits};
pub use probe::{Health, probe};
pub use registry::users::KnownUsers;
pub use registry::{Label, ServedModel};
pub use server::{Lifecycle, Ports, listen, run, ticks};
pub use state::Stopped;
pub use telemetry::log::{LAST_LINES, LineQueue, Log};
pub use telemetry::settings::{AccessLog, LogFormat, LogSettings, MetricsPort, TraceSettings};
