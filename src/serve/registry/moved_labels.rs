use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;

use super::label_file::{FILE_NAME, KeptLabels};
use super::labels::Labels;

/// How long a change of labels waits for the disk. A disk that hangs must not hold up callers.
const DISK_WAIT: Duration = Duration::from_secs(3);

/// Writes the labels that callers move into the models' folder.
#[derive(Debug)]
pub(crate) struct MovedLabels {
    folder: PathBuf,
    /// The labels that the configuration gives.
    configured: Labels,
    /// One at a time: of two changes the later one is written last.
    writing: Arc<Mutex<()>>,
    /// Whether the last attempt failed: a folder that cannot be written is warned of once.
    has_failed: AtomicBool,
}

impl MovedLabels {
    /// Writes into this folder.
    pub(crate) fn new(folder: PathBuf, configured: Labels) -> Self {
        Self {
            folder,
            configured,
            writing: Arc::default(),
            has_failed: AtomicBool::new(false),
        }
    }

    /// Writes the labels that `now` gives once the disk is free. Returns when they are written, could not be, or the disk takes
    /// too long: they are then written as soon as it can.
    pub(crate) async fn keep(self: &Arc<Self>, now: impl Fn() -> Labels + Send + 'static) {
        let moved = Arc::clone(self);
        // A task of its own: a caller that goes away does not leave its change unwritten.
        let job = tokio::spawn(async move {
            // The lock goes with the thread, which may outlast the wait.
            let writing = Arc::clone(&moved.writing).lock_owned().await;
            let folder = moved.folder.clone();
            let configured = moved.configured.clone();
            let write = move || {
                let _writing = writing;
                let labels = now();
                KeptLabels { labels, configured }.write(&folder)
            };
            let written = tokio::task::spawn_blocking(write).await;
            moved.note(written.unwrap_or_else(|_| Err(io::Error::other("writing crashed"))));
        });
        if tokio::time::timeout(DISK_WAIT, job).await.is_err() {
            self.note(Err(io::Error::from(io::ErrorKind::TimedOut)));
        }
    }

    fn note(&self, written: io::Result<()>) {
        let failed = self.has_failed.swap(written.is_err(), Ordering::Relaxed);
        if let Err(error) = written
            && !failed
        {
            tracing::warn!(
                file = %self.folder.join(FILE_NAME).display(),
                %error,
                "labels cannot be kept: they last until the server stops"
            );
        }
    }

    /// Whether there is a file that was written under another configuration.
    pub(crate) async fn are_outdated(&self) -> bool {
        let folder = self.folder.clone();
        let read = tokio::task::spawn_blocking(move || KeptLabels::read(&folder)).await;
        // A file that cannot be read was warned of when the models were loaded, and is left for people to look at.
        matches!(read, Ok(Ok(Some(kept))) if kept.configured != self.configured)
    }
}
