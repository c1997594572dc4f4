//! What the metrics port answers besides metrics, and that nobody keeps others from it.

use std::net::SocketAddr;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::metrics::{ask_page, free_port};
use super::models::save_other;
use super::*;

/// A server with a metrics port, and its address.
async fn with_port(limits: Limits) -> (Running, SocketAddr) {
    let address = free_port();
    let config = Config {
        metrics: ebb::serve::MetricsPort {
            listen: Some(address),
            public: false,
        },
        ..limited(limits)
    };
    let server = Running::of(config, || stock(Some(histories(&log())))).await;
    (server, address)
}

/// The head and the body of an answer.
async fn ask_parts(address: SocketAddr, request: &str) -> (String, String) {
    let answer = ask_page(address, request).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

async fn status(address: SocketAddr) -> serde_json::Value {
    let (head, body) = ask_parts(address, "GET /status.json").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains("content-type: application/json"), "{head}");
    serde_json::from_str(&body).unwrap()
}

#[tokio::test]
async fn the_page_is_one_file_that_may_load_nothing() {
    let (_server, address) = with_port(Limits::default()).await;
    let (head, page) = ask_parts(address, "GET /").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    for header in [
        "content-type: text/html; charset=utf-8",
        "content-security-policy: default-src 'none'; style-src 'sha256-",
        "script-src 'sha256-",
        "frame-ancestors 'none'",
        "x-content-type-options: nosniff",
        "cache-control: no-store",
    ] {
        assert!(head.contains(header), "{header} in {head}");
    }
    assert!(!head.contains("unsafe-"), "{head}");
    assert!(page.starts_with("<!DOCTYPE html>") && page.trim_end().ends_with("</html>"));
    for path in ["/", "/status.json", "/metrics", "/ready", "/live"] {
        let (head, body) = ask_parts(address, &format!("HEAD {path}")).await;
        assert!(
            head.starts_with("HTTP/1.1 200") && body.is_empty(),
            "{path}: {head} {body}"
        );
    }
    for (request, code) in [
        ("POST /", 405),
        ("GET /x", 404),
        ("GET /../etc/passwd", 404),
    ] {
        let (head, _) = ask_parts(address, request).await;
        assert!(
            head.starts_with(&format!("HTTP/1.1 {code}")),
            "{request}: {head}"
        );
    }
}

#[tokio::test]
async fn the_status_has_the_figures_of_the_calls() {
    let (server, address) = with_port(Limits::default()).await;
    let before = status(address).await;
    assert_eq!(before["phase"], "serving");
    for _ in 0..3 {
        server.score(ask(user("ann"))).await.unwrap();
    }
    server.score(ask(user("nobody"))).await.unwrap_err();
    let after = status(address).await;
    let rows = after["calls"].as_array().unwrap();
    let call = rows
        .iter()
        .find(|row| row["method"] == "ScoreUser")
        .unwrap();
    assert_eq!(call["started"], 4);
    assert_eq!(
        call["handled"],
        serde_json::json!([["OK", 3], ["NotFound", 1]])
    );
    let bounds = after["seconds_bounds"].as_array().unwrap().len();
    let counts = call["seconds"]["counts"].as_array().unwrap();
    assert_eq!(counts.len(), bounds + 1);
    assert_eq!(counts.iter().map(|n| n.as_u64().unwrap()).sum::<u64>(), 4);
    let scored = after["scores"]["now"]["counts"].as_array().unwrap();
    assert_eq!(scored.iter().map(|n| n.as_u64().unwrap()).sum::<u64>(), 3);
    // The test's card has no evaluation, and there is no shadow.
    assert!(after["scores"]["training"].is_null() && after["shadow"].is_null());
    let memory = |key: &str| after["memory"][key].as_u64().unwrap();
    assert!(memory("used_bytes") < memory("budget_bytes"));
    assert!(after["memory"]["resident_bytes"].as_u64().unwrap() > 1 << 20);
    assert_eq!(after["rollup"]["users"], 5);
    assert_eq!(after["connections"]["open"], 1);
    assert_eq!(after["started_at"], before["started_at"]);
    let uptime = |status: &serde_json::Value| status["uptime_seconds"].as_f64().unwrap();
    assert!(uptime(&after) > uptime(&before));
    let model = &after["models"][0];
    assert_eq!(
        (&model["name"], &model["labels"][0]),
        (&"shop".into(), &"stable".into())
    );
    assert_eq!(
        (&model["as_of"], &model["version"]),
        (&"2011-06-01".into(), &VERSION.into())
    );
    let loaded = model["loaded_at"].as_f64().unwrap();
    assert!(loaded <= after["now"].as_f64().unwrap() && loaded > 1.6e9);
}

#[tokio::test]
async fn the_status_has_models_that_cannot_be_used_and_the_phase() {
    let dir = tempfile::tempdir().unwrap();
    save_other(&dir.path().join("live"), 0.0);
    std::fs::create_dir(dir.path().join("a \"b\" <i>")).unwrap();
    let address = free_port();
    let config = Config {
        model: Some(dir.path().join("live")),
        models: Some(dir.path().to_owned()),
        metrics: ebb::serve::MetricsPort {
            listen: Some(address),
            public: false,
        },
        ..Config::default()
    };
    let (go, wait) = mpsc::channel::<()>();
    let loading = config.clone();
    let (server, ready) = Running::start(config, move || {
        let _ = wait.recv();
        InitialState::load(&loading)
    })
    .await;
    // The metrics port is opened after that of calls.
    until(async || TcpStream::connect(address).await.is_ok()).await;
    let starting = status(address).await;
    assert_eq!(starting["phase"], "starting");
    assert_eq!(starting["models"], serde_json::json!([]));
    drop(go);
    ready.await.unwrap();
    server.load_model("a \"b\" <i>", false).await.unwrap_err();
    let serving = status(address).await;
    let failed = &serving["models"][0];
    assert_eq!(
        (&failed["name"], &failed["state"]),
        (&"a \"b\" <i>".into(), &"failed".into())
    );
    assert!(!failed["reason"].as_str().unwrap().is_empty() && failed["version"].is_null());
}

#[tokio::test]
async fn silent_connections_keep_no_probe_out() {
    let limits = Limits {
        metrics_connections: 4,
        ..Limits::default()
    };
    let (_server, address) = with_port(limits).await;
    let mut silent = Vec::new();
    for _ in 0..64 {
        silent.push(TcpStream::connect(address).await.unwrap());
        // Some of them say a little, and never all of it.
        if silent.len() % 2 == 0 {
            let last = silent.last_mut().unwrap();
            last.write_all(b"GET /live HTTP/1.1\r\n").await.unwrap();
        }
    }
    for path in ["/live", "/ready", "/metrics", "/status.json", "/"] {
        let answer = ask_page(address, &format!("GET {path}")).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    }
    // Those that were idle for longest were let go, and no more than there may be are held.
    let is_closed = |stream: &TcpStream| match stream.try_read(&mut [0; 64]) {
        Ok(read) => read == 0,
        Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
    };
    until(async || silent.iter().filter(|stream| is_closed(stream)).count() >= 60).await;
}
