//! Certificates and keys that change on disk are taken over while the server runs; so are models, when asked to.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::config::Config;
use super::errors::ServeError;
use super::keys::{KeyRing, Keys};
use super::tls::{Tls, TlsFiles};

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(1);

/// Who may call and how it is kept secret, with the files that say so.
pub(super) struct Credentials {
    /// The keys.
    pub(super) keys: Arc<KeyRing>,
    /// Encryption; `None` without.
    pub(super) tls: Option<Arc<Tls>>,
    key_file: Option<PathBuf>,
    tls_files: Option<TlsFiles>,
}

impl Credentials {
    /// Reads the files that a configuration names.
    pub(super) fn read(config: &Config) -> Result<Self, ServeError> {
        let keys = match &config.keys {
            None => KeyRing::open(config.address().ip().is_loopback()),
            Some(path) => KeyRing::guarded(read_keys(path)?),
        };
        let tls = config.tls.as_ref().map(|files| Ok::<_, ServeError>(Arc::new(Tls::new(files.read()?))));
        Ok(Self {
            keys: Arc::new(keys),
            tls: tls.transpose()?,
            key_file: config.keys.clone(),
            tls_files: config.tls.clone(),
        })
    }

    /// Takes over what changes on disk, for ever. Files that cannot be used are told of once and change nothing.
    pub(super) async fn follow(self) {
        let Self { keys, tls, key_file, tls_files } = self;
        let key_files: Vec<PathBuf> = key_file.iter().cloned().collect();
        let tls_paths: Vec<PathBuf> = tls_files.iter().flat_map(|files| files.paths().map(Path::to_owned)).collect();
        if key_files.is_empty() && tls_paths.is_empty() {
            return std::future::pending().await;
        }
        let (mut keys_seen, mut tls_seen) = (digest(&key_files), digest(&tls_paths));
        loop {
            tokio::time::sleep(EVERY).await;
            let now = digest(&key_files);
            if let Some(path) = key_file.as_ref().filter(|_| now != keys_seen) {
                keys_seen = now;
                match read_keys(path) {
                    Ok(new) => {
                        tracing::info!(keys = new.len(), "keys taken over");
                        keys.replace(new);
                    }
                    Err(error) => tracing::error!(%error, "the key file is not usable; the keys before it stay valid"),
                }
            }
            let now = digest(&tls_paths);
            if let Some((files, tls)) = tls_files.as_ref().zip(tls.as_ref()).filter(|_| now != tls_seen) {
                tls_seen = now;
                match files.read() {
                    Ok(new) => {
                        tracing::info!("certificates taken over");
                        tls.replace(new);
                    }
                    Err(error) => tracing::error!(%error, "certificates not usable; those before them stay in use"),
                }
            }
        }
    }
}

fn read_keys(path: &Path) -> Result<Keys, ServeError> {
    let fault = |problem: String| ServeError::Credentials { path: path.to_owned(), problem };
    let text = std::fs::read(path).map_err(|error| fault(error.to_string()))?;
    Keys::parse(path, &text)
}

/// What the files hold, in short; a file that cannot be read holds nothing.
fn digest(paths: &[PathBuf]) -> Vec<u8> {
    let mut all = Sha256::new();
    for path in paths {
        all.update(Sha256::digest(std::fs::read(path).unwrap_or_default()));
    }
    all.finalize().to_vec()
}
