//! The gRPC scoring server: `proto/churn/v1`, health and reflection.
//!
//! A call goes `question` (what is asked) and `subject` (about whom), the model, `answer`. Wire types end at those
//! three files; messages are taken apart in full there, so that a new field breaks the build until someone decides
//! what it means. `errors` holds the one table from errors to gRPC status codes. `state` holds the model in use,
//! which a call takes once and keeps; `server` puts the services on a port and takes them off again.
//!
//! Absent on purpose, for now: TLS, keys, metrics, several models at once, and a queue in front of scoring.

mod answer;
pub mod client;
mod errors;
mod limits;
mod model_service;
mod question;
mod scoring;
mod server;
mod state;
mod subject;
mod wire;

pub use errors::ServeError;
pub use limits::{Limits, MAX_HISTORY_ENTRIES, MAX_SUBJECTS};
pub use server::{Stopped, listen, run};
pub use state::{KnownUsers, Served};
