//! TLS 1.3 by rustls, with certificates that can be exchanged while connections are open.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::version::TLS13;
use rustls::{RootCertStore, ServerConfig};

use super::credential_files::{FileContent, TlsContents};
use crate::serve::errors::ServeError;

impl TlsContents {
    /// Checks what the files hold.
    pub(super) fn parse(&self) -> Result<Arc<ServerConfig>, ServeError> {
        let chain = certificates(&self.certificate)?;
        let key = PrivateKeyDer::from_pem_slice(self.key.bytes()?)
            .map_err(|e| fault(&self.key, &format!("no private key: {e}")))?;
        let provider = Arc::new(default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder
            .with_protocol_versions(&[&TLS13])
            .map_err(|e| fault(&self.certificate, &e.to_string()))?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(file) => {
                let mut roots = RootCertStore::empty();
                for authority in certificates(file)? {
                    roots
                        .add(authority)
                        .map_err(|e| fault(file, &e.to_string()))?;
                }
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                builder
                    .with_client_cert_verifier(verifier.map_err(|e| fault(file, &e.to_string()))?)
            }
        };
        let config = builder.with_single_cert(chain, key);
        let mut config = config
            .map_err(|e| fault(&self.certificate, &format!("does not go with the key: {e}")))?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Arc::new(config))
    }
}

fn certificates(file: &FileContent) -> Result<Vec<CertificateDer<'static>>, ServeError> {
    let all = CertificateDer::pem_slice_iter(file.bytes()?).collect::<Result<Vec<_>, _>>();
    let all = all.map_err(|e| fault(file, &format!("cannot be read as PEM: {e}")))?;
    if all.is_empty() {
        Err(fault(file, "has no certificate"))
    } else {
        Ok(all)
    }
}

fn fault(file: &FileContent, problem: &str) -> ServeError {
    ServeError::Credentials {
        path: file.path.clone(),
        problem: problem.to_owned(),
    }
}

/// The TLS configuration of new connections.
pub(crate) struct Tls(RwLock<Arc<ServerConfig>>);

impl Tls {
    /// Starts with a configuration.
    pub(crate) fn new(config: Arc<ServerConfig>) -> Self {
        Self(RwLock::new(config))
    }

    /// Exchanges it; connections that are open keep theirs.
    pub(crate) fn replace(&self, config: Arc<ServerConfig>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = config;
    }

    /// What accepts the next connection.
    pub(crate) fn acceptor(&self) -> tokio_rustls::TlsAcceptor {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)).into()
    }
}
