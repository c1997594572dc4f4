//! Certificates, keys and the roll-up that change on disk are taken over while the server runs; so are models, when asked to.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};
use tokio::sync::{Notify, mpsc};

use super::tls::Tls;
use crate::serve::config::Config;
use crate::serve::config::TlsFiles;
use crate::serve::errors::ServeError;
use crate::serve::gateway::api_keys::Keys;
use crate::serve::gateway::authorization::KeyRing;
use crate::serve::registry::users::{KnownUsers, fingerprint};
use crate::serve::state::{Phase, ServerState};

/// How often the files are looked at.
pub(crate) const EVERY: Duration = Duration::from_secs(1);

/// Who may call and how it is kept secret, with the files that say so.
pub(crate) struct Credentials {
    /// The keys.
    pub(crate) keys: Arc<KeyRing>,
    /// Encryption; `None` without.
    pub(crate) tls: Option<Arc<Tls>>,
    key_file: Option<PathBuf>,
    tls_files: Option<TlsFiles>,
}

impl Credentials {
    /// Reads the files that a configuration names.
    pub(crate) fn read(config: &Config) -> Result<Self, ServeError> {
        let keys = match &config.api_keys_file {
            None => KeyRing::open(config.address().ip().is_loopback()),
            Some(path) => KeyRing::guarded(read_keys(path)?),
        };
        let tls = config
            .tls
            .as_ref()
            .map(|files| Ok::<_, ServeError>(Arc::new(Tls::new(files.read()?))));
        Ok(Self {
            keys: Arc::new(keys),
            tls: tls.transpose()?,
            key_file: config.api_keys_file.clone(),
            tls_files: config.tls.clone(),
        })
    }

    /// Takes over what has changed on disk, at each tick, for as long as there are ticks. Files that cannot be used are
    /// logged once and change nothing.
    pub(crate) async fn follow(self, mut ticks: mpsc::Receiver<()>) {
        let Self {
            keys,
            tls,
            key_file,
            tls_files,
        } = self;
        let key_files: Vec<PathBuf> = key_file.iter().cloned().collect();
        let tls_paths: Vec<PathBuf> = tls_files
            .iter()
            .flat_map(|files| files.paths().map(Path::to_owned))
            .collect();
        let (mut keys_seen, mut tls_seen) = (digest(&key_files), digest(&tls_paths));
        while ticks.recv().await.is_some() {
            if let Some(path) = &key_file
                && has_changed(&key_files, &mut keys_seen)
            {
                rotate_keys(&keys, path);
            }
            if let (Some(files), Some(tls)) = (&tls_files, &tls)
                && has_changed(&tls_paths, &mut tls_seen)
            {
                replace_certificates(tls, files);
            }
        }
    }
}

/// Whether the files hold something else than when they were looked at last.
fn has_changed(paths: &[PathBuf], seen: &mut Vec<u8>) -> bool {
    let now = digest(paths);
    let changed = now != *seen;
    *seen = now;
    changed
}

fn rotate_keys(keys: &KeyRing, path: &Path) {
    match read_keys(path) {
        Ok(new) => {
            tracing::info!(keys = new.len(), "keys taken over");
            keys.replace(new);
        }
        Err(error) => {
            tracing::error!(%error, "the key file is not usable; the keys before it stay valid");
        }
    }
}

fn replace_certificates(tls: &Tls, files: &TlsFiles) {
    match files.read() {
        Ok(new) => {
            tracing::info!("certificates taken over");
            tls.replace(new);
        }
        Err(error) => {
            tracing::error!(%error, "certificates not usable; those before them stay in use");
        }
    }
}

fn read_keys(path: &Path) -> Result<Keys, ServeError> {
    let fault = |problem: String| ServeError::Credentials {
        path: path.to_owned(),
        problem,
    };
    let text = std::fs::read(path).map_err(|error| fault(error.to_string()))?;
    Keys::parse(path, &text)
}

/// Reads the roll-up again when its files change, or when asked to, for ever. One that cannot be read is logged and changes
/// nothing. What changes is left alone until two looks find it the same, so that a roll-up that is being written is not
/// read in the middle; one that was exchanged in one step is read at the second look.
pub(crate) async fn follow_rollup(state: &ServerState, rollup: Option<PathBuf>, asked: &Notify) {
    let Some(rollup) = rollup else {
        return std::future::pending().await;
    };
    let mut read = look(&rollup).await;
    let mut last = read.clone();
    loop {
        let was_asked = tokio::select! {
            () = tokio::time::sleep(EVERY) => false,
            () = asked.notified() => true,
        };
        let now = look(&rollup).await;
        let settled = now == last && now != read;
        last.clone_from(&now);
        if !(was_asked || settled) || state.phase() == Phase::Starting {
            continue;
        }
        read = now;
        let path = rollup.clone();
        match tokio::task::spawn_blocking(move || KnownUsers::read(&path)).await {
            Ok(Ok(users)) => state.replace_users(Arc::new(users)),
            Ok(Err(error)) => {
                tracing::error!(%error, "the roll-up is not usable; the users before it stay known")
            }
            Err(error) => {
                tracing::error!(%error, "reading the roll-up crashed; the users before it stay known")
            }
        }
    }
}

/// The fingerprint of the roll-up's files, taken where waiting for a disk holds up no call.
async fn look(rollup: &Path) -> Vec<(PathBuf, u64, Option<SystemTime>)> {
    let path = rollup.to_owned();
    tokio::task::spawn_blocking(move || fingerprint(&path))
        .await
        .unwrap_or_default()
}

/// What the files hold, in short; a file that cannot be read holds nothing.
fn digest(paths: &[PathBuf]) -> Vec<u8> {
    let mut all = Sha256::new();
    for path in paths {
        all.update(Sha256::digest(std::fs::read(path).unwrap_or_default()));
    }
    all.finalize().to_vec()
}
