//! What holds of every request over HTTP: verbs, types, keys, certificates, origins, deadlines, and the description of all of
//! it.

use std::net::SocketAddr;

use ebb::serve::TlsFiles;
use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::json_http::{JSON, get, post, send, send_over, with_http};
use super::tls::{Authority, TLS13};
use super::*;

/// A request that is answered with this status and reason.
struct Refused<'r> {
    target: &'r str,
    headers: &'r [(&'r str, &'r str)],
    body: &'r str,
    status: u16,
    reason: &'r str,
}

/// Requests that no method is asked by.
fn of_no_method() -> [Refused<'static>; 10] {
    let refused = |target, headers, body, status, reason| Refused {
        target,
        headers,
        body,
        status,
        reason,
    };
    let (unknown, malformed) = ("METHOD_UNKNOWN", "MESSAGE_MALFORMED");
    let grpc = "POST /churn.v1.ScoringService/ScoreUser";
    let text: &[(&str, &str)] = &[("content-type", "text/plain")];
    let native: &[(&str, &str)] = &[("content-type", "application/grpc")];
    let packed: &[(&str, &str)] = &[JSON, ("content-encoding", "gzip")];
    [
        refused("GET /", &[], "", 404, unknown),
        refused("GET /v1/score/", &[], "", 404, unknown),
        refused(grpc, &[JSON], "{}", 404, unknown),
        refused("GET /v1/score", &[], "", 405, unknown),
        refused("DELETE /v1/models/shop", &[], "", 405, unknown),
        refused("POST /openapi.json", &[JSON], "{}", 405, unknown),
        refused("POST /v1/score", &[], "{}", 415, malformed),
        refused("POST /v1/score", text, "{}", 415, malformed),
        refused("POST /v1/score", native, "", 415, malformed),
        refused("POST /v1/score", packed, "{}", 415, malformed),
    ]
}

async fn check_refused(address: SocketAddr, refused: Refused<'_>) {
    let Refused {
        target,
        headers,
        body,
        status,
        reason,
    } = refused;
    let answer = send(address, target, headers, body.to_owned()).await;
    let found = (answer.status, answer.reason());
    assert_eq!(found, (status, reason.to_owned()), "{target}: {answer:?}");
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(status == 405, !answer.header("allow").is_empty());
}

#[tokio::test]
async fn what_is_no_request_gets_the_status_that_http_has_for_it() {
    let (_server, address) = with_http(Config::default()).await;
    for refused in of_no_method() {
        check_refused(address, refused).await;
    }
    // The negative control: there is an answer, also where the media type has parameters.
    let kind = ("content-type", "application/json; charset=utf-8");
    let legal = json!({"subject": {"userId": "ann"}}).to_string();
    let answer = send(address, "POST /v1/score", &[kind], legal).await;
    assert_eq!(answer.status, 200);
    let head = send(address, "HEAD /v1/models", &[], "").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[tokio::test]
async fn what_is_wrong_with_a_message_is_named() {
    let limits = Limits {
        max_message_bytes: 2_000,
        ..Limits::default()
    };
    let (_server, address) = with_http(limited(limits)).await;
    let huge = format!("{{\"asOf\":\"{}\"}}", "1".repeat(3_000));
    let query = "POST /v1/score?asOf=2025-01-01";
    for (target, headers, body, status, reason) in [
        ("POST /v1/score", &[JSON][..], "{", 400, "MESSAGE_MALFORMED"),
        ("POST /v1/score", &[JSON], &huge, 413, "MESSAGE_TOO_LARGE"),
        (query, &[JSON], "{}", 400, "FIELD_INVALID"),
        ("GET /v1/models?pagesize=1", &[], "", 400, "FIELD_INVALID"),
    ] {
        let refused = Refused {
            target,
            headers,
            body,
            status,
            reason,
        };
        check_refused(address, refused).await;
    }
    let unknown = post(address, "/v1/score", &json!({"subject": {"user": "ann"}})).await;
    let violation = &unknown.json()["details"][1]["fieldViolations"][0];
    assert_eq!(violation["field"], "subject.user");
}

#[tokio::test]
async fn deadlines_are_seconds_or_those_of_grpc() {
    let (_server, address) = with_http(Config::default()).await;
    let body = json!({"subject": {"userId": "ann"}}).to_string();
    for (header, status) in [
        (("x-request-timeout", "0"), 504),
        (("x-request-timeout", "20.5"), 200),
        (("x-request-timeout", "soon"), 400),
        (("grpc-timeout", "1n"), 504),
        (("grpc-timeout", "20S"), 200),
    ] {
        let answer = send(address, "POST /v1/score", &[JSON, header], body.clone()).await;
        assert_eq!(answer.status, status, "{header:?}: {answer:?}");
    }
}

#[tokio::test]
async fn keys_allow_what_they_allow_over_grpc_until_they_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("keys");
    let (keys, lines): (Vec<String>, Vec<String>) = ["score", "read"]
        .iter()
        .map(|permission| ebb::serve::new_key("test", permission).unwrap())
        .unzip();
    std::fs::write(&file, lines.join("\n")).unwrap();
    let config = Config {
        api_keys_file: Some(file.clone()),
        ..Config::default()
    };
    let (server, address) = with_http(config).await;
    let body = json!({"subject": {"userId": "ann"}}).to_string();
    let ask = async |target: &str, key: Option<&str>| {
        let bearer = key.map(|key| format!("Bearer {key}"));
        let mut headers = vec![JSON];
        headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
        let answer = send(address, target, &headers, body.clone()).await;
        assert!(!format!("{answer:?}").contains(&keys[0][8..]));
        answer
    };
    let (score, read) = (Some(keys[0].as_str()), Some(keys[1].as_str()));
    for (target, key, status) in [
        ("POST /v1/score", None, 401),
        ("POST /v1/score", Some("ebb_0"), 401),
        ("POST /v1/score", score, 200),
        ("POST /v1/score", read, 403),
        ("GET /v1/models", score, 403),
        ("GET /v1/models", read, 200),
        ("GET /v1/users", read, 403),
        ("GET /v1/users", score, 200),
        // What there is not is told only to those who are known.
        ("GET /v1/nothing", None, 401),
        ("GET /v1/nothing", score, 404),
        ("GET /v1/score", None, 401),
        // The description is the same for every server.
        ("GET /openapi.json", None, 200),
    ] {
        let answer = ask(target, key).await;
        assert_eq!(answer.status, status, "{target} {key:?}: {answer:?}");
        assert_eq!(answer.header("www-authenticate") == "Bearer", status == 401);
    }
    std::fs::write(&file, &lines[1]).unwrap();
    assert_eq!(ask("POST /v1/score", score).await.status, 200);
    server.look_at_credentials().await;
    assert_eq!(ask("POST /v1/score", score).await.status, 401);
}

#[tokio::test]
async fn the_port_has_the_certificates_of_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, theirs) = (Authority::new(), Authority::new());
    let (certificate, key) = ours.sign(dir.path(), "server");
    let config = Config {
        tls: Some(TlsFiles {
            certificate,
            key,
            client_ca: None,
        }),
        ..Config::default()
    };
    let (_server, address) = with_http(config).await;
    let connect = async |authority: &Authority, protocol: &[u8]| {
        let mut client = authority.client(None, TLS13);
        client.alpn_protocols = vec![protocol.to_vec()];
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
        connector.connect(name, stream).await
    };
    let stream = connect(&ours, b"http/1.1").await.unwrap();
    let body = json!({"subject": {"userId": "ann"}}).to_string();
    let answer = send_over(stream, "POST /v1/score", &[JSON], body).await;
    assert_eq!(answer.status, 200);
    assert!(
        connect(&theirs, b"http/1.1").await.is_err(),
        "another authority was believed"
    );
    assert!(
        connect(&ours, b"h2").await.is_err(),
        "HTTP/2 is not spoken here"
    );
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain
        .write_all(b"GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    let mut read = Vec::new();
    // An alert, or nothing.
    let _ = plain.read_to_end(&mut read).await;
    assert!(!read.starts_with(b"HTTP"), "{read:?}");
}

#[tokio::test]
async fn pages_of_listed_origins_may_ask_and_of_no_others() {
    let config = Config {
        http: HttpPort {
            allow_origins: vec!["https://shop.example".into()],
            ..HttpPort::default()
        },
        ..Config::default()
    };
    let (_server, address) = with_http(config).await;
    let body = json!({"subject": {"userId": "ann"}}).to_string();
    let from = async |origin: &str| {
        send(
            address,
            "POST /v1/score",
            &[JSON, ("origin", origin)],
            body.clone(),
        )
        .await
    };
    let allowed = from("https://shop.example").await;
    assert_eq!((allowed.status, allowed.header("vary")), (200, "origin"));
    assert_eq!(
        allowed.header("access-control-allow-origin"),
        "https://shop.example"
    );
    for other in [
        "https://shop.example.evil",
        "http://shop.example",
        "null",
        "https://shop.example:8443",
    ] {
        let refused = from(other).await;
        assert_eq!(
            (refused.status, refused.reason().as_str()),
            (403, "ORIGIN_NOT_ALLOWED"),
            "{other}"
        );
        assert_eq!(refused.header("access-control-allow-origin"), "", "{other}");
    }
    let preflight = async |origin: &str| {
        let headers = [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            (
                "access-control-request-headers",
                "authorization,content-type",
            ),
        ];
        send(address, "OPTIONS /v1/score", &headers, "").await
    };
    let asked = preflight("https://shop.example").await;
    assert_eq!(asked.status, 204);
    assert!(
        asked
            .header("access-control-allow-headers")
            .contains("authorization")
    );
    assert!(
        asked
            .header("access-control-allow-methods")
            .contains("POST")
    );
    assert_eq!(preflight("https://evil.example").await.status, 403);
    // Errors can be read as well.
    let headers = [JSON, ("origin", "https://shop.example")];
    let failed = send(address, "POST /v1/score", &headers, "{}").await;
    assert_eq!(
        (failed.status, failed.header("access-control-allow-origin")),
        (400, "https://shop.example")
    );
}

#[tokio::test]
async fn calls_are_counted_and_stopped_like_others() {
    let metrics = super::metrics::free_port();
    let config = Config {
        metrics: ebb::serve::MetricsPort {
            listen: Some(metrics),
            public: false,
        },
        ..Config::default()
    };
    let (server, address) = with_http(config).await;
    post(address, "/v1/score", &json!({"subject": {"userId": "ann"}})).await;
    post(
        address,
        "/v1/score",
        &json!({"subject": {"userId": "nobody"}}),
    )
    .await;
    get(address, "/v1/nothing").await;
    let page = super::metrics::ask_page(metrics, "GET /status.json").await;
    let (_, status) = page.split_once("\r\n\r\n").unwrap();
    let status: Value = serde_json::from_str(status).unwrap();
    let rows = status["calls"].as_array().unwrap();
    let row = rows
        .iter()
        .find(|row| row["method"] == "ScoreUser")
        .unwrap();
    assert_eq!(
        (&row["started"], &row["handled"]),
        (&json!(2), &json!([["OK", 1], ["NotFound", 1]]))
    );
    // A connection that is kept open holds up no stop.
    let idle = TcpStream::connect(address).await.unwrap();
    assert_eq!(server.stop().await, Stopped::Drained);
    drop(idle);
}

#[tokio::test]
async fn the_description_has_every_path_and_refers_to_nothing_that_is_not_there() {
    let (_server, address) = with_http(Config::default()).await;
    let document = get(address, "/openapi.json").await.json();
    let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    assert_eq!(
        paths,
        [
            "/v1/kpis",
            "/v1/models",
            "/v1/models/{model}",
            "/v1/score",
            "/v1/score:batch",
            "/v1/users"
        ]
    );
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let text = document.to_string();
    let references = text.split("\"#/components/schemas/").skip(1);
    let mut found = 0;
    for reference in references {
        let (name, _) = reference.split_once('"').unwrap();
        assert!(schemas.contains_key(name), "{name}");
        found += 1;
    }
    assert!(found > 40, "only {found} references");
    assert!(
        schemas
            .values()
            .all(|schema| schema["description"].is_string()),
        "a message without a comment"
    );
    let horizon = &schemas["churn.v1.HorizonScore"]["properties"]["churnProbability"];
    assert_eq!(
        horizon["description"],
        "The probability of churn within the horizon, between 0 and 1."
    );
}
