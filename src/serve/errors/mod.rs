//! What keeps a server from running, and what a call can fail with: [`table`] is the one table of reasons, [`call`]
//! fills them in.

pub(crate) mod call;
pub(crate) mod field_path;
pub(crate) mod page;
pub(crate) mod table;

pub(crate) use call::{CallError, clip, explained};
pub(crate) use field_path::FieldPath;
pub use page::errors_page;

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::history::HistoryError;
use crate::model::ModelError;

/// What keeps a server from starting or makes it stop.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A model bundle that cannot be used.
    #[error("the model cannot be served: {0}")]
    Model(#[from] ModelError),
    /// A folder that cannot be a model's.
    #[error("{}: {problem}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A roll-up that cannot be used.
    #[error("the roll-up cannot be served: {0}")]
    Rollup(#[from] HistoryError),
    /// A setting that is not legal.
    #[error("{0}")]
    Setting(String),
    /// A file with certificates or keys that cannot be used. The message never quotes it.
    #[error("{}: {problem}", path.display())]
    Credentials {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// An address that cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// Threads that cannot be had.
    #[error("cannot start threads: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// A log that cannot be started.
    #[error("the log cannot be started: {0}")]
    Log(std::io::Error),
    /// The system gives no random numbers.
    #[error("no random numbers: {0}")]
    Random(getrandom::Error),
    /// The protocol's own description is damaged: a fault of the build.
    #[error("the reflection service cannot be built: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The protocol's own description lacks something: a fault of the build.
    #[error("the protocol's description is damaged: {0}")]
    Protocol(String),
    /// A server that is not as well as a probe asks for, or cannot be asked.
    #[error("{0}")]
    Unhealthy(String),
    /// Loading ended in a crash.
    #[error("loading the model crashed: {0}")]
    Crashed(#[from] tokio::task::JoinError),
}
