//! Certificates, keys and the roll-up that change on disk are taken over while the server runs; so are models, when asked to.
//!
//! Files are read on threads of their own: the task that follows them also accepts connections, and a mount may hang.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::sync::{Notify, mpsc};

use super::credential_files::{
    CredentialFiles, FileContent, Look, LookOutcome, LookSequence, Looks,
};
use super::tls::Tls;
use crate::serve::config::Config;
use crate::serve::detached::{READ_LIMIT, begin, within};
use crate::serve::errors::ServeError;
use crate::serve::gateway::api_keys::Keys;
use crate::serve::gateway::authorization::KeyRing;
use crate::serve::registry::users::{Fingerprint, KnownUsers, fingerprint};
use crate::serve::state::{Phase, ServerState};

/// How often the files are looked at.
pub(crate) const EVERY: Duration = Duration::from_secs(1);

/// Who may call and how it is kept secret, with the files that say so.
pub(crate) struct Credentials {
    /// The keys.
    pub(crate) keys: Arc<KeyRing>,
    /// Encryption; `None` without.
    pub(crate) tls: Option<Arc<Tls>>,
    files: CredentialFiles,
    first: Look,
}

impl Credentials {
    /// Reads the files that a configuration names.
    ///
    /// # Errors
    /// [`ServeError::Credentials`] names the file that cannot be used, or cannot be read in time.
    pub(crate) fn read(config: &Config) -> Result<Self, ServeError> {
        let files = CredentialFiles::new(config);
        let looked_at = files.clone();
        let first = within(READ_LIMIT, move || looked_at.look()).ok_or_else(|| files.late())?;
        let keys = match &first.keys {
            None => KeyRing::open(config.is_loopback()),
            Some(file) => KeyRing::guarded(parse_keys(file)?),
        };
        let tls = match &first.tls {
            None => None,
            Some(contents) => Some(Arc::new(Tls::new(&*contents.parse()?))),
        };
        Ok(Self {
            keys: Arc::new(keys),
            tls,
            files,
            first,
        })
    }

    /// Takes over what has changed on disk, for as long as there are ticks: at each the files are read, and what two looks
    /// in a row agree on is taken over. Files that cannot be used are logged once and change nothing. While one look
    /// hangs, no other begins.
    pub(crate) async fn follow(self, mut ticks: mpsc::Receiver<()>) {
        let Self {
            keys,
            tls,
            files,
            first,
        } = self;
        let (mut key_looks, mut tls_looks) = (Looks::new(first.keys), Looks::new(first.tls));
        let mut looks = LookSequence::new();
        while ticks.recv().await.is_some() {
            if files.is_empty() {
                continue;
            }
            let begin_look = || {
                let files = files.clone();
                begin(move || files.look())
            };
            let Look {
                keys: now,
                tls: new,
            } = match looks.next(READ_LIMIT, begin_look).await {
                LookOutcome::Found(look) => look,
                LookOutcome::Late => {
                    let error = files.late();
                    tracing::error!(%error, "keys and certificates stay as they are");
                    continue;
                }
                // The next look may find something.
                LookOutcome::StillLate | LookOutcome::Failed => continue,
            };
            if let Some(file) = key_looks.settled(now) {
                replace_keys(&keys, parse_keys(file));
            }
            if let (Some(tls), Some(contents)) = (&tls, tls_looks.settled(new)) {
                replace_certificates(tls, contents.parse());
            }
        }
    }
}

fn parse_keys(file: &FileContent) -> Result<Keys, ServeError> {
    Keys::parse(&file.path, file.bytes()?)
}

fn replace_keys(keys: &KeyRing, new: Result<Keys, ServeError>) {
    match new {
        Ok(new) => {
            tracing::info!(keys = new.len(), "keys taken over");
            keys.replace(new);
        }
        Err(error) => {
            tracing::error!(%error, "the key file is not usable; the keys before it stay valid");
        }
    }
}

fn replace_certificates(tls: &Tls, new: Result<Arc<ServerConfig>, ServeError>) {
    match new {
        Ok(new) => {
            tracing::info!("certificates taken over");
            tls.replace(&new);
        }
        Err(error) => {
            tracing::error!(%error, "certificates not usable; those before them stay in use");
        }
    }
}

/// Reads the roll-up again when its files change, or when asked to, for ever. One that cannot be read is logged and changes
/// nothing. What changes is left alone until two looks find it the same, so that a roll-up that is being written is not
/// read in the middle; one that was exchanged in one step is read at the second look.
pub(crate) async fn follow_rollup(state: &ServerState, rollup: Option<PathBuf>, asked: &Notify) {
    let Some(rollup) = rollup else {
        return std::future::pending().await;
    };
    // What the users in use were read from may have changed before the first look at it.
    let mut read = None;
    let mut last = look(&rollup).await;
    loop {
        let was_asked = tokio::select! {
            () = tokio::time::sleep(EVERY) => false,
            () = asked.notified() => true,
        };
        let now = look(&rollup).await;
        let is_stable = now == last;
        last.clone_from(&now);
        if state.phase() == Phase::Starting {
            continue;
        }
        let users = state.known_users();
        let in_use = || users.map(|users| users.files().clone()).unwrap_or_default();
        let has_changed = *read.get_or_insert_with(in_use) != now;
        if !(was_asked || is_stable && has_changed) {
            continue;
        }
        read = Some(now);
        let path = rollup.clone();
        match begin(move || KnownUsers::read(&path)).await {
            Ok(Ok(users)) => state.replace_users(Arc::new(users)),
            Ok(Err(error)) => {
                tracing::error!(%error, "the roll-up is not usable; the users before it stay known")
            }
            Err(_) => {
                tracing::error!("reading the roll-up crashed; the users before it stay known")
            }
        }
    }
}

/// The fingerprint of the roll-up's files, taken where waiting for a disk holds up nothing else.
async fn look(rollup: &Path) -> Fingerprint {
    let path = rollup.to_owned();
    begin(move || fingerprint(&path)).await.unwrap_or_default()
}
