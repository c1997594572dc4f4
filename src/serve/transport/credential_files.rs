//! The files that decide who may connect and call: read within a size and a time, and compared with what they held before.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::regular_file;
use crate::serve::config::{Config, TlsFiles};
use crate::serve::detached::READ_LIMIT;
use crate::serve::errors::ServeError;

/// The most bytes of one file.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The files of keys and certificates.
#[derive(Clone)]
pub(super) struct CredentialFiles {
    keys: Option<PathBuf>,
    tls: Option<TlsFiles>,
    /// The file that is being read, for the error of one that hangs.
    current: Arc<Mutex<PathBuf>>,
}

/// A file at one look.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct FileContent {
    /// Where it is.
    pub(super) path: PathBuf,
    /// What it holds, or why it cannot be read.
    content: Result<Vec<u8>, String>,
}

impl FileContent {
    /// What it holds.
    ///
    /// # Errors
    /// [`ServeError::Credentials`] when it could not be read.
    pub(super) fn bytes(&self) -> Result<&[u8], ServeError> {
        match &self.content {
            Ok(bytes) => Ok(bytes),
            Err(problem) => Err(ServeError::Credentials {
                path: self.path.clone(),
                problem: problem.clone(),
            }),
        }
    }
}

/// The files of the section `[tls]` at one look.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct TlsContents {
    /// The chain of certificates.
    pub(super) certificate: FileContent,
    /// The private key.
    pub(super) key: FileContent,
    /// The authorities of client certificates; `None` where clients need none.
    pub(super) client_ca: Option<FileContent>,
}

/// What all files hold at one look; `None` where there is no file.
pub(super) struct Look {
    pub(super) keys: Option<FileContent>,
    pub(super) tls: Option<TlsContents>,
}

impl CredentialFiles {
    /// The files that a configuration names.
    pub(super) fn new(config: &Config) -> Self {
        Self {
            keys: config.api_keys_file.clone(),
            tls: config.tls.clone(),
            current: Arc::default(),
        }
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_none() && self.tls.is_none()
    }

    /// Reads all of them, which may take for ever.
    pub(super) fn look(&self) -> Look {
        let tls = |files: &TlsFiles| TlsContents {
            certificate: self.read(&files.certificate),
            key: self.read(&files.key),
            client_ca: files.client_ca.as_deref().map(|path| self.read(path)),
        };
        Look {
            keys: self.keys.as_deref().map(|path| self.read(path)),
            tls: self.tls.as_ref().map(tls),
        }
    }

    fn read(&self, path: &Path) -> FileContent {
        path.clone_into(&mut self.current.lock().unwrap_or_else(PoisonError::into_inner));
        FileContent {
            path: path.to_owned(),
            content: regular_file::read(path, FILE_BYTES_MAX).map_err(|error| error.to_string()),
        }
    }

    /// The error of a look that takes longer than [`READ_LIMIT`].
    pub(super) fn late(&self) -> ServeError {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        ServeError::Credentials {
            path: current.clone(),
            problem: format!("cannot be read within {} s", READ_LIMIT.as_secs()),
        }
    }
}

/// What the latest looks at some files found.
pub(super) struct Looks<T> {
    last: Option<T>,
    /// What two looks in a row have agreed on.
    settled: Option<T>,
}

impl<T: Clone + PartialEq> Looks<T> {
    /// What is in use is what the first look found.
    pub(super) fn new(first: Option<T>) -> Self {
        Self {
            last: first.clone(),
            settled: first,
        }
    }

    /// Notes what another look found. Returns it when the look before found the same, and it is another thing than before:
    /// a file that is being written differs from look to look.
    pub(super) fn settled(&mut self, now: Option<T>) -> Option<&T> {
        let is_news = now == self.last && now != self.settled;
        self.last = now;
        if !is_news {
            return None;
        }
        self.settled.clone_from(&self.last);
        self.settled.as_ref()
    }
}

/// Looks that are taken one after the other: while one hangs, no other begins.
pub(super) struct LookSequence<T> {
    current: Option<oneshot::Receiver<T>>,
    is_late: bool,
}

/// What came of a look.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LookOutcome<T> {
    /// It found this.
    Found(T),
    /// It takes longer than allowed, and goes on.
    Late,
    /// It still goes on.
    StillLate,
    /// It crashed, or had no thread.
    Failed,
}

impl<T> LookSequence<T> {
    /// No look has begun.
    pub(super) fn new() -> Self {
        Self {
            current: None,
            is_late: false,
        }
    }

    /// Waits for the look that is going on, or for the one that `begin` gives, but no longer than `limit`.
    pub(super) async fn next(
        &mut self,
        limit: Duration,
        begin: impl FnOnce() -> oneshot::Receiver<T>,
    ) -> LookOutcome<T> {
        let look = self.current.get_or_insert_with(begin);
        let Ok(found) = timeout(limit, look).await else {
            let was_late = std::mem::replace(&mut self.is_late, true);
            return if was_late {
                LookOutcome::StillLate
            } else {
                LookOutcome::Late
            };
        };
        (self.current, self.is_late) = (None, false);
        found.map_or(LookOutcome::Failed, LookOutcome::Found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn while_a_look_hangs_no_other_begins() {
        let mut looks = LookSequence::new();
        let (first, hangs) = oneshot::channel();
        let none = || -> oneshot::Receiver<u8> { panic!("a second look has begun") };
        let next = looks.next(Duration::ZERO, || hangs).await;
        assert_eq!(next, LookOutcome::Late);
        assert_eq!(
            looks.next(Duration::ZERO, none).await,
            LookOutcome::StillLate
        );
        assert_eq!(
            looks.next(Duration::ZERO, none).await,
            LookOutcome::StillLate
        );
        // It comes to its end, and is worth as much as any.
        first.send(1).unwrap();
        assert_eq!(looks.next(READ_LIMIT, none).await, LookOutcome::Found(1));
        let (second, crashes) = oneshot::channel::<u8>();
        drop(second);
        let next = looks.next(READ_LIMIT, || crashes).await;
        assert_eq!(next, LookOutcome::Failed);
        let (_third, hangs) = oneshot::channel();
        let next = looks.next(Duration::ZERO, || hangs).await;
        assert_eq!(next, LookOutcome::Late);
    }

    #[test]
    fn what_two_looks_agree_on_is_news_once() {
        let mut looks = Looks::new(Some("all"));
        let mut news = |found| looks.settled(Some(found)).is_some();
        assert!(!news("all"));
        // Half of it, and then all.
        assert!(!news("ne") && !news("new") && news("new") && !news("new"));
        // A change that is taken back.
        assert!(!news("other") && !news("new") && !news("new"));
        // A change back to what was in use before is one, too.
        assert!(!news("all") && news("all"));
    }

    #[test]
    fn the_file_that_is_being_read_is_named() {
        let config = Config {
            api_keys_file: Some("/nowhere/keys".into()),
            ..Config::default()
        };
        let files = CredentialFiles::new(&config);
        let look = files.look();
        let keys = look.keys.unwrap();
        let error = keys.bytes().unwrap_err();
        assert!(error.to_string().starts_with("/nowhere/keys: No such file"));
        assert!(look.tls.is_none() && !files.is_empty());
        assert_eq!(
            files.late().to_string(),
            "/nowhere/keys: cannot be read within 5 s"
        );
    }
}
