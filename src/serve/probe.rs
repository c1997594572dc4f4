//! `ebb-serve --probe`: asks a server of this machine whether it is well, for containers that have no shell and no other
//! program.
//!
//! The metrics port is asked where the configuration has one: it needs neither keys nor certificates. Otherwise the health
//! service is asked where calls are answered, encrypted when calls are.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::version::TLS13;
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tower::service_fn;

use super::config::{Config, TlsFiles};
use super::errors::ServeError;

/// The longest a probe takes; those that run it have limits of their own.
const LONGEST: Duration = Duration::from_secs(4);
/// More than the first line of any answer has.
const MAX_STATUS_LINE_BYTES: usize = 64;

/// What a probe asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Whether calls can be answered.
    Readiness,
    /// Whether the process answers at all.
    Liveness,
}

impl Health {
    /// The name in the health service.
    pub fn name(self) -> &'static str {
        match self {
            Self::Readiness => "readiness",
            Self::Liveness => "liveness",
        }
    }

    /// The path on the metrics port.
    fn path(self) -> &'static str {
        match self {
            Self::Readiness => "/ready",
            Self::Liveness => "/live",
        }
    }
}

/// Asks the server of a configuration, or the one whose calls are answered at `address`. Returns a sentence on what answered.
///
/// # Errors
/// [`ServeError::Unhealthy`] when it is not well, or does not answer within four seconds.
pub async fn probe(
    config: &Config,
    health: Health,
    address: Option<SocketAddr>,
) -> Result<String, ServeError> {
    let asked = match (address, config.metrics.listen) {
        (None, Some(port)) => {
            let address = reachable(port)?;
            let answered = tokio::time::timeout(LONGEST, ask_http(address, health)).await;
            (format!("http://{address}{}", health.path()), answered)
        }
        (given, _) => {
            let address = reachable(given.unwrap_or(config.address()))?;
            let tls = config.tls.as_ref();
            let answered = tokio::time::timeout(LONGEST, ask_grpc(address, tls, health)).await;
            (format!("grpc.health.v1.Health at {address}"), answered)
        }
    };
    let (whom, answered) = asked;
    match answered {
        Ok(Ok(())) => Ok(format!("{}: well, says {whom}", health.name())),
        Ok(Err(problem)) => Err(unhealthy(format!("{}: {whom} {problem}", health.name()))),
        Err(_) => Err(unhealthy(format!(
            "{}: {whom} does not answer within {} seconds",
            health.name(),
            LONGEST.as_secs()
        ))),
    }
}

fn unhealthy(problem: String) -> ServeError {
    ServeError::Unhealthy(problem)
}

/// Where a server that listens on an address can be reached from its own machine.
fn reachable(listen: SocketAddr) -> Result<SocketAddr, ServeError> {
    if listen.port() == 0 {
        return Err(unhealthy(format!(
            "the server listens on {listen}, a port that the system chooses: give its address with --address"
        )));
    }
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    Ok(SocketAddr::new(ip, listen.port()))
}

/// Asks the metrics port; the error says what came of it.
async fn ask_http(address: SocketAddr, health: Health) -> Result<(), String> {
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n",
        health.path()
    );
    let asked = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        let mut start = stream.take(MAX_STATUS_LINE_BYTES as u64);
        start.read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = asked
        .await
        .map_err(|error| format!("cannot be asked: {error}"))?;
    let answer = String::from_utf8_lossy(&answer);
    let line = answer.lines().next().unwrap_or_default();
    match line.split(' ').nth(1) {
        Some("200") => Ok(()),
        _ => Err(format!("answered {line:?}")),
    }
}

/// Asks the health service; the error says what came of it.
async fn ask_grpc(
    address: SocketAddr,
    tls: Option<&TlsFiles>,
    health: Health,
) -> Result<(), String> {
    let channel = channel(address, tls)
        .await
        .map_err(|problem| format!("cannot be asked: {problem}"))?;
    let request = HealthCheckRequest {
        service: health.name().to_owned(),
    };
    let answer = HealthClient::new(channel)
        .check(request)
        .await
        .map_err(|status| format!("answered {:?}: {}", status.code(), status.message()))?;
    match answer.into_inner().status() {
        ServingStatus::Serving => Ok(()),
        other => Err(format!("answered {}", other.as_str_name())),
    }
}

async fn channel(address: SocketAddr, tls: Option<&TlsFiles>) -> Result<Channel, String> {
    let endpoint =
        Endpoint::from_shared(format!("http://{address}")).map_err(|error| error.to_string())?;
    let Some(files) = tls else {
        return endpoint.connect().await.map_err(|error| cause(&error));
    };
    if files.client_ca.is_some() {
        return Err(
            "clients need a certificate, which a probe does not have; set metrics.listen".into(),
        );
    }
    let connector = TlsConnector::from(Arc::new(client_config(files)?));
    let connect = service_fn(move |_| {
        let connector = connector.clone();
        async move {
            let stream = TcpStream::connect(address).await?;
            let name = ServerName::IpAddress(address.ip().into());
            Ok::<_, std::io::Error>(TokioIo::new(connector.connect(name, stream).await?))
        }
    });
    let connected = endpoint.connect_with_connector(connect).await;
    connected.map_err(|error| cause(&error))
}

/// The last of an error's causes, which says most.
fn cause(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

fn client_config(files: &TlsFiles) -> Result<ClientConfig, String> {
    let own = CertificateDer::from_pem_file(&files.certificate)
        .map_err(|error| format!("{}: {error}", files.certificate.display()))?;
    let provider = Arc::new(default_provider());
    let verifier = OwnCertificate {
        own,
        provider: Arc::clone(&provider),
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

/// Accepts the one certificate that the configuration names, and no other. Its names are those that clients use, seldom that
/// of this machine, and its authority need not be one that this machine has: what the probe has instead is the server's own
/// file.
#[derive(Debug)]
struct OwnCertificate {
    own: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for OwnCertificate {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if *end_entity == self.own {
            Ok(ServerCertVerified::assertion())
        } else {
            let problem = "the server has another certificate than the configuration names";
            Err(rustls::Error::General(problem.into()))
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.2 is not spoken".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_for_all_is_reached_at_this_machine() {
        let reached = |listen: &str| {
            let listen = listen.parse().unwrap();
            reachable(listen).map(|address| address.to_string())
        };
        assert_eq!(reached("0.0.0.0:50051").unwrap(), "127.0.0.1:50051");
        assert_eq!(reached("[::]:50051").unwrap(), "[::1]:50051");
        assert_eq!(reached("10.0.0.7:50051").unwrap(), "10.0.0.7:50051");
        let problem = reached("127.0.0.1:0").unwrap_err().to_string();
        assert!(problem.contains("--address"), "{problem}");
    }
}
