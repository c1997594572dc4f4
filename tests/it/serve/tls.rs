use std::path::{Path, PathBuf};
use std::sync::Arc;

use ebb::serve::TlsFiles;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::net::TcpStream;
use tonic::Code;

use super::raw::{Raw, SCORE_USER};
use super::*;

/// An authority that signs certificates.
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self {
            issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap(),
        }
    }

    /// Writes a certificate for "localhost" and its key.
    pub(super) fn sign(&self, dir: &Path, name: &str) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(["localhost".into()])
            .unwrap()
            .signed_by(&key, &self.issuer)
            .unwrap();
        let paths = (
            dir.join(format!("{name}.pem")),
            dir.join(format!("{name}.key")),
        );
        std::fs::write(&paths.0, certificate.pem()).unwrap();
        std::fs::write(&paths.1, key.serialize_pem()).unwrap();
        paths
    }

    pub(super) fn write(&self, dir: &Path, name: &str) -> PathBuf {
        let path = dir.join(format!("{name}.pem"));
        std::fs::write(&path, self.issuer.pem()).unwrap();
        path
    }

    /// A client that trusts this authority and shows these files, if any.
    pub(super) fn client(
        &self,
        own: Option<&(PathBuf, PathBuf)>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap();
        let builder = builder.with_root_certificates(roots);
        let mut config = match own {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = CertificateDer::pem_file_iter(certificate)
                    .unwrap()
                    .map(Result::unwrap)
                    .collect();
                builder
                    .with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(key).unwrap())
                    .unwrap()
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        config
    }
}

pub(super) const TLS13: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];

/// Whether a call gets through.
async fn calls(server: &Running, client: ClientConfig) -> bool {
    let stream = TcpStream::connect(server.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let Ok(stream) = tokio_rustls::TlsConnector::from(Arc::new(client))
        .connect(name, stream)
        .await
    else {
        return false;
    };
    let Ok(raw) = Raw::over(stream, server.address).await else {
        return false;
    };
    // With TLS 1.3 a client learns that its certificate is refused only when it asks for something.
    let sent = raw
        .send(
            SCORE_USER,
            &[],
            super::raw::framed(&prost::Message::encode_to_vec(&ask(user("ann")))),
        )
        .await;
    sent.is_ok_and(|answer| answer.code() == Code::Ok)
}

pub(super) async fn encrypted(tls: TlsFiles) -> Running {
    let config = Config {
        tls: Some(tls),
        ..Config::default()
    };
    Running::of(config, || stock(Some(histories(&log())))).await
}

#[tokio::test]
async fn only_the_newest_tls_is_spoken_and_the_certificate_proves_who_answers() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, theirs) = (Authority::new(), Authority::new());
    let (certificate, key) = ours.sign(dir.path(), "server");
    let server = encrypted(TlsFiles {
        certificate,
        key,
        client_ca: None,
    })
    .await;
    assert!(calls(&server, ours.client(None, TLS13)).await);
    assert!(
        !calls(&server, theirs.client(None, TLS13)).await,
        "another authority's certificate was believed"
    );
    assert!(
        !calls(&server, ours.client(None, &[&rustls::version::TLS12])).await,
        "TLS 1.2 was spoken"
    );
    let plain = Raw::over(
        TcpStream::connect(server.address).await.unwrap(),
        server.address,
    )
    .await
    .unwrap();
    assert!(
        plain.send(SCORE_USER, &[], Vec::new()).await.is_err(),
        "it was answered without encryption"
    );
}

#[tokio::test]
async fn clients_show_certificates_where_they_must() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, theirs) = (Authority::new(), Authority::new());
    let (certificate, key) = ours.sign(dir.path(), "server");
    let (good, bad) = (
        ours.sign(dir.path(), "good"),
        theirs.sign(dir.path(), "bad"),
    );
    let client_ca = Some(ours.write(dir.path(), "ca"));
    let server = encrypted(TlsFiles {
        certificate,
        key,
        client_ca,
    })
    .await;
    assert!(calls(&server, ours.client(Some(&good), TLS13)).await);
    assert!(!calls(&server, ours.client(Some(&bad), TLS13)).await);
    assert!(!calls(&server, ours.client(None, TLS13)).await);
}

#[tokio::test]
async fn certificates_change_while_the_server_runs() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (Authority::new(), Authority::new());
    let (certificate, key) = old.sign(dir.path(), "server");
    let server = encrypted(TlsFiles {
        certificate: certificate.clone(),
        key,
        client_ca: None,
    })
    .await;
    assert!(calls(&server, old.client(None, TLS13)).await);
    let (next, next_key) = new.sign(dir.path(), "next");
    // First the certificate alone, which does not go with the key: it is not taken over.
    std::fs::copy(&next, &certificate).unwrap();
    server.look_at_credentials().await;
    assert!(calls(&server, old.client(None, TLS13)).await);
    std::fs::copy(&next_key, dir.path().join("server.key")).unwrap();
    // The negative control: until the files are looked at, they change nothing.
    assert!(!calls(&server, new.client(None, TLS13)).await);
    server.look_at_credentials().await;
    assert!(calls(&server, new.client(None, TLS13)).await);
    assert!(!calls(&server, old.client(None, TLS13)).await);
}

#[tokio::test]
async fn files_that_are_no_use_are_named_and_not_quoted() {
    let dir = tempfile::tempdir().unwrap();
    let (certificate, key) = Authority::new().sign(dir.path(), "server");
    let (_, other_key) = Authority::new().sign(dir.path(), "other");
    let secret = std::fs::read_to_string(&key)
        .unwrap()
        .lines()
        .nth(1)
        .unwrap()
        .to_owned();
    for (tls, part) in [
        (
            TlsFiles {
                certificate: key.clone(),
                key: key.clone(),
                client_ca: None,
            },
            "has no certificate",
        ),
        (
            TlsFiles {
                certificate: certificate.clone(),
                key: certificate.clone(),
                client_ca: None,
            },
            "no private key",
        ),
        (
            TlsFiles {
                certificate: certificate.clone(),
                key: other_key,
                client_ca: None,
            },
            "does not go with the key",
        ),
        (
            TlsFiles {
                certificate: certificate.clone(),
                key: dir.path().join("none"),
                client_ca: None,
            },
            "none",
        ),
    ] {
        let (server, _ready) = Running::start(
            Config {
                tls: Some(tls),
                ..Config::default()
            },
            || stock(None),
        )
        .await;
        let problem = server.ended.await.unwrap().unwrap_err().to_string();
        assert!(
            problem.contains(part) && !problem.contains(&secret),
            "{problem}"
        );
    }
}
