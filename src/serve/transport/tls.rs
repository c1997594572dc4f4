//! TLS 1.3 by rustls, with certificates that can be exchanged while connections are open.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::version::TLS13;
use rustls::{RootCertStore, ServerConfig};

use super::connection::Protocol;
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
        config
            .map(Arc::new)
            .map_err(|e| fault(&self.certificate, &format!("does not go with the key: {e}")))
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

/// The TLS configuration of new connections, on the ports of both protocols.
pub(crate) struct Tls(RwLock<Configs>);

struct Configs {
    grpc: Arc<ServerConfig>,
    http: Arc<ServerConfig>,
}

impl Configs {
    /// The same certificates, with the protocol that each port speaks.
    fn new(config: &ServerConfig) -> Self {
        let speaking = |protocol: &[u8]| {
            let mut config = config.clone();
            config.alpn_protocols = vec![protocol.to_vec()];
            Arc::new(config)
        };
        Self {
            grpc: speaking(b"h2"),
            http: speaking(b"http/1.1"),
        }
    }
}

impl Tls {
    /// Starts with a configuration.
    pub(crate) fn new(config: &ServerConfig) -> Self {
        Self(RwLock::new(Configs::new(config)))
    }

    /// Exchanges it; connections that are open keep theirs.
    pub(crate) fn replace(&self, config: &ServerConfig) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Configs::new(config);
    }

    /// What accepts the next connection that speaks this protocol.
    pub(crate) fn acceptor(&self, protocol: &Protocol) -> tokio_rustls::TlsAcceptor {
        let configs = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(match protocol {
            Protocol::Grpc => &configs.grpc,
            Protocol::Http(_) => &configs.http,
        })
        .into()
    }
}
