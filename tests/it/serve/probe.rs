//! `ebb-serve --probe`, as a container's supervisor runs it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use ebb::serve::TlsFiles;

use super::metrics::free_port;
use super::tls::{Authority, encrypted};
use super::*;

/// The exit code and what is printed.
async fn probe(arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ebb-serve"));
    command.args(arguments);
    // Not on this thread: the server of the test runs here.
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = output.await.unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code(), text)
}

/// A configuration file for a server that listens there.
fn configuration(dir: &Path, listen: SocketAddr, more: &str) -> String {
    let path = dir.join("ebb-serve.toml");
    std::fs::write(&path, format!("listen = '{listen}'\n{more}")).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn readiness_follows_the_model_and_liveness_does_not() {
    let (go, load) = held_load();
    let port = free_port();
    let config = Config {
        metrics: ebb::serve::MetricsPort {
            listen: Some(port),
            public: false,
        },
        ..Config::default()
    };
    let (server, ready) = Running::start(config, load).await;
    let dir = tempfile::tempdir().unwrap();
    let metrics = format!("[metrics]\nlisten = '{port}'\n");
    let file = configuration(dir.path(), server.address, &metrics);
    let calls = server.address.to_string();
    // By the metrics port of the configuration, and by the health service.
    let both: [&[&str]; 2] = [&["--config", &file], &["--address", &calls]];
    until(async || probe(&["--probe", "liveness", "--config", &file]).await.0 == Some(0)).await;
    for how in both {
        let ask = async |health: &str| probe(&[how, &["--probe", health]].concat()).await;
        let (code, text) = ask("liveness").await;
        assert!(code == Some(0) && text.contains("well, says"), "{text}");
        let (code, text) = ask("readiness").await;
        let says = text.contains("503") || text.contains("NOT_SERVING");
        assert!(code == Some(1) && says, "{text}");
    }
    go.send(()).unwrap();
    ready.await.unwrap();
    for how in both {
        let (code, text) = probe(&[how, &["--probe", "readiness"]].concat()).await;
        assert_eq!(code, Some(0), "{text}");
    }
    server.stop().await;
    for how in both {
        let (code, text) = probe(&[how, &["--probe", "liveness"]].concat()).await;
        assert!(
            code == Some(1) && text.contains("cannot be asked"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn an_encrypted_server_is_known_by_its_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let files = |(certificate, key): (PathBuf, PathBuf), client_ca| TlsFiles {
        certificate,
        key,
        client_ca,
    };
    let own = authority.sign(dir.path(), "server");
    let server = encrypted(files(own, None)).await;
    let ask = async |server: &Running, tls: &str| {
        let file = configuration(dir.path(), server.address, tls);
        probe(&["--config", &file, "--probe", "readiness"]).await
    };
    let tls = "[tls]\ncertificate = 'server.pem'\nkey = 'server.key'\n";
    let (code, text) = ask(&server, tls).await;
    assert_eq!(code, Some(0), "{text}");
    // Another certificate of the same authority, and none at all.
    authority.sign(dir.path(), "other");
    let (code, text) = ask(&server, &tls.replace("server.pem", "other.pem")).await;
    assert!(
        code == Some(1) && text.contains("another certificate"),
        "{text}"
    );
    let (code, text) = ask(&server, "").await;
    assert_eq!(code, Some(1), "{text}");
    let ca = authority.write(dir.path(), "ca");
    let strict = encrypted(files(authority.sign(dir.path(), "server"), Some(ca))).await;
    let (code, text) = ask(&strict, &format!("{tls}client_ca = 'ca.pem'\n")).await;
    assert!(
        code == Some(1) && text.contains("set metrics.listen"),
        "{text}"
    );
}

#[tokio::test]
async fn a_probe_that_cannot_be_meant_is_refused() {
    for arguments in [
        &["--probe", "health"][..],
        &["--probe"],
        &["--address", "127.0.0.1:1"],
        &["--probe", "liveness", "--check-config"],
    ] {
        let (code, text) = probe(arguments).await;
        assert_eq!(code, Some(64), "{arguments:?}: {text}");
    }
    let (code, text) = probe(&["--probe", "liveness", "--listen", "127.0.0.1:0"]).await;
    assert!(code == Some(1) && text.contains("--address"), "{text}");
    let (code, text) = probe(&["--probe", "liveness", "--config", "/nowhere"]).await;
    assert!(code == Some(1) && text.contains("/nowhere"), "{text}");
    // A peer that takes the connection and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let address = silent.local_addr().unwrap();
    let file = configuration(
        dir.path(),
        address,
        &format!("[metrics]\nlisten = '{address}'\n"),
    );
    let (code, text) = probe(&["--probe", "liveness", "--config", &file]).await;
    assert!(
        code == Some(1) && text.contains("within 4 seconds"),
        "{text}"
    );
}
