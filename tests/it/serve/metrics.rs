use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::raw::{Raw, SCORE_USER};
use super::*;

/// A port that was free a moment ago.
pub(super) fn free_port() -> std::net::SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

pub(super) async fn ask_page(address: std::net::SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(format!("{request} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// A configuration with a metrics port, and that port.
pub(super) fn with_metrics() -> (Config, std::net::SocketAddr) {
    let address = free_port();
    let config = Config {
        metrics: ebb::serve::MetricsPort {
            listen: Some(address),
            public: false,
        },
        ..Config::default()
    };
    (config, address)
}

/// The value of a line that begins so.
pub(super) fn value(page: &str, line: &str) -> f64 {
    let found = page
        .lines()
        .find_map(|l| l.strip_prefix(line)?.strip_prefix(' '));
    found
        .unwrap_or_else(|| panic!("no {line} in {page}"))
        .parse()
        .unwrap()
}

#[tokio::test]
async fn what_happens_is_counted_and_nobody_can_make_up_labels() {
    let (config, address) = with_metrics();
    let server = Running::of(config, || stock(Some(histories(&log())))).await;
    let raw = Raw::connect(&server).await;
    for _ in 0..3 {
        server.score(ask(user("ann"))).await.unwrap();
    }
    server.score(ask(user("nobody"))).await.unwrap_err();
    let subjects = vec![user("ann"), user("dan"), user("ola"), user("nobody")];
    server
        .batch(BatchScoreUsersRequest {
            subjects,
            ..Default::default()
        })
        .await
        .unwrap();
    for made_up in ["/a.B/C", "/churn.v1.ScoringService/ScoreUsers", "/x"] {
        raw.call(made_up, &[], &ask(user("ann"))).await;
    }
    raw.call(SCORE_USER, &[("grpc-timeout", "1n")], &ask(user("ann")))
        .await;
    // A client that goes away in the middle of its call, and a guess at a key by somebody who does not speak gRPC.
    let path = format!("/{}", "churn.v1.ModelService/GetModel");
    let gone = tokio::spawn({
        let raw = raw.clone();
        async move { raw.send_without_end(&path).await }
    });
    let line = "grpc_server_started_total{grpc_type=\"unary\",grpc_service=\"churn.v1.ModelService\",grpc_method=\"GetModel\"}";
    until(async || value(&ask_page(address, "GET /metrics").await, line) == 1.0).await;
    gone.abort();
    let line = line.replace("started_total", "handling_seconds_count") + " 1";
    until(async || ask_page(address, "GET /metrics").await.contains(&line)).await;
    raw.send(
        "/churn.v1.ModelService/ListModels",
        &[("content-type", "text/plain")],
        Vec::new(),
    )
    .await
    .unwrap();
    let page = ask_page(address, "GET /metrics").await;
    check_calls(&page);
    check_models(&page);
    assert!(
        ask_page(address, "GET /live")
            .await
            .starts_with("HTTP/1.1 200")
    );
    assert!(
        ask_page(address, "GET /ready")
            .await
            .starts_with("HTTP/1.1 200")
    );
    assert!(
        ask_page(address, "GET /x")
            .await
            .starts_with("HTTP/1.1 404")
    );
    assert!(
        ask_page(address, "POST /metrics")
            .await
            .starts_with("HTTP/1.1 405")
    );
}

/// Calls are counted by method and code, and a path that is no method by nothing that its caller chose.
fn check_calls(page: &str) {
    assert!(
        page.contains("grpc_method=\"ListModels\",grpc_code=\"InvalidArgument\"} 1"),
        "{page}"
    );
    assert!(
        page.starts_with("HTTP/1.1 200") && page.contains("application/openmetrics-text"),
        "{page}"
    );
    let method =
        r#"grpc_type="unary",grpc_service="churn.v1.ScoringService",grpc_method="ScoreUser""#;
    assert_eq!(
        value(page, &format!("grpc_server_started_total{{{method}}}")),
        5.0
    );
    for (code, count) in [("OK", 3.0), ("NotFound", 1.0), ("DeadlineExceeded", 1.0)] {
        assert_eq!(
            value(
                page,
                &format!("grpc_server_handled_total{{{method},grpc_code=\"{code}\"}}")
            ),
            count,
            "{code}"
        );
    }
    assert_eq!(
        value(
            page,
            &format!("grpc_server_handling_seconds_count{{{method}}}")
        ),
        5.0
    );
    let unknown = r#"grpc_type="unary",grpc_service="unknown",grpc_method="unknown""#;
    assert_eq!(
        value(page, &format!("grpc_server_started_total{{{unknown}}}")),
        3.0
    );
    assert!(
        !page.contains("grpc_method=\"ScoreUsers\""),
        "a made-up method has a row"
    );
}

/// What was scored by which model, and what was turned away.
fn check_models(page: &str) {
    // Three single answers and the two of the batch that have a score.
    assert_eq!(value(page, "ebb_score_probability_count"), 5.0);
    assert_eq!(
        value(
            page,
            &format!("ebb_model_info{{model=\"shop\",version=\"{VERSION}\",labels=\"stable\"}}")
        ),
        1.0
    );
    for reason in [
        "queue_full",
        "queue_wait",
        "deadline",
        "client_cancelled",
        "calls",
        "connections",
    ] {
        value(page, &format!("ebb_shed_total{{reason=\"{reason}\"}}"));
    }
    assert_eq!(
        value(page, "ebb_model_reloads_total{result=\"success\"}"),
        0.0
    );
    value(page, "ebb_queue_wait_seconds_count");
    // That of the client of this test; the raw one sends from another.
    assert!(value(page, "ebb_connections") >= 1.0);
    assert!(value(page, "process_resident_memory_bytes") > 1e6);
    assert!(value(page, "process_start_time_seconds") > 1.6e9);
    let buckets = page
        .lines()
        .filter(|line| line.starts_with("ebb_queue_wait_seconds_bucket"))
        .collect::<Vec<_>>();
    assert!(
        buckets.last().unwrap().contains("le=\"+Inf\""),
        "{buckets:?}"
    );
    assert!(page.trim_end().ends_with("# EOF"));
}
