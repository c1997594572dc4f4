//! The files that decide who may connect and call: read within a size and a time, and compared with what they held before.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::tls::TlsContents;
use crate::regular_file;
use crate::serve::config::{Config, TlsFiles};
use crate::serve::errors::ServeError;

/// The most bytes of one file.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// How long reading all of the files may take.
pub(super) const READ_LIMIT: Duration = Duration::from_secs(5);

/// The files of keys and certificates.
#[derive(Clone)]
pub(super) struct CredentialFiles {
    /// The key file.
    pub(super) keys: Option<PathBuf>,
    /// The certificates.
    pub(super) tls: Option<TlsFiles>,
    /// The file that is being read, for the error of one that hangs.
    current: Arc<Mutex<PathBuf>>,
}

/// What some files hold, or why one of them cannot be read.
pub(super) type Found<T> = Result<T, Unreadable>;

/// A file that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unreadable {
    path: PathBuf,
    problem: String,
}

impl From<&Unreadable> for ServeError {
    fn from(unreadable: &Unreadable) -> Self {
        let Unreadable { path, problem } = unreadable.clone();
        Self::Credentials { path, problem }
    }
}

/// What all files hold at one look; `None` where there is no file.
pub(super) struct Look {
    pub(super) keys: Option<Found<Vec<u8>>>,
    pub(super) tls: Option<Found<TlsContents>>,
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
        let tls = self.tls.as_ref();
        Look {
            keys: self.keys.as_deref().map(|path| self.read(path)),
            tls: tls.map(|files| files.contents(|path| self.read(path))),
        }
    }

    fn read(&self, path: &Path) -> Found<Vec<u8>> {
        path.clone_into(&mut self.current.lock().unwrap_or_else(PoisonError::into_inner));
        let unreadable = |error: io::Error| Unreadable {
            path: path.to_owned(),
            problem: error.to_string(),
        };
        regular_file::read(path, FILE_BYTES_MAX).map_err(unreadable)
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
    last: Option<Found<T>>,
    /// What two looks in a row have agreed on.
    settled: Option<Found<T>>,
}

impl<T: Clone + PartialEq> Looks<T> {
    /// What is in use is what the first look found.
    pub(super) fn new(first: Option<Found<T>>) -> Self {
        Self {
            last: first.clone(),
            settled: first,
        }
    }

    /// Notes what another look found. Returns it when the look before found the same, and it is another thing than before:
    /// a file that is being written differs from look to look.
    pub(super) fn settled(&mut self, now: Option<Found<T>>) -> Option<&Found<T>> {
        let is_news = now == self.last && now != self.settled;
        self.last = now;
        if !is_news {
            return None;
        }
        self.settled.clone_from(&self.last);
        self.settled.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_looks_agree_on_is_news_once() {
        let mut looks = Looks::new(Some(Ok(1)));
        let missing = || {
            Err(Unreadable {
                path: "keys".into(),
                problem: "is not there".into(),
            })
        };
        let mut news = |found: Found<u8>| looks.settled(Some(found)).is_some();
        assert!(!news(Ok(1)));
        // Half of it, and then all.
        assert!(!news(Ok(2)) && !news(Ok(3)) && news(Ok(3)) && !news(Ok(3)));
        // A change that is taken back.
        assert!(!news(Ok(4)) && !news(Ok(3)) && !news(Ok(3)));
        // A fault is news as well, and so is the end of it.
        assert!(!news(missing()) && news(missing()) && !news(missing()));
        assert!(!news(Ok(3)) && news(Ok(3)));
    }

    #[test]
    fn the_file_that_is_being_read_is_named() {
        let config = Config {
            api_keys_file: Some("/nowhere/keys".into()),
            ..Config::default()
        };
        let files = CredentialFiles::new(&config);
        let look = files.look();
        let error = ServeError::from(&look.keys.unwrap().unwrap_err());
        assert!(error.to_string().starts_with("/nowhere/keys: No such file"));
        assert!(look.tls.is_none() && !files.is_empty());
        assert_eq!(
            files.late().to_string(),
            "/nowhere/keys: cannot be read within 5 s"
        );
    }
}
