//! Peers of the port for HTTP that are slow, silent, many or too large hold up nobody.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::json_http::{send, with_http};
use super::*;

async fn scores(address: SocketAddr) -> u16 {
    let body = json!({"subject": {"userId": "ann"}}).to_string();
    let headers = [("content-type", "application/json")];
    send(address, "POST /v1/score", &headers, body).await.status
}

/// All that a server still sends, until it closes.
async fn rest_of(mut stream: TcpStream) -> String {
    let mut rest = Vec::new();
    let read = stream.read_to_end(&mut rest);
    // A connection that is reset has been closed as well.
    let _ = tokio::time::timeout(Duration::from_secs(20), read)
        .await
        .expect("the server never closes the connection");
    String::from_utf8_lossy(&rest).into_owned()
}

async fn say(address: SocketAddr, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn heads_and_bodies_that_never_end_are_given_up() {
    let limits = Limits {
        handshake_seconds: 1,
        call_timeout_seconds: 1,
        ..Limits::default()
    };
    let (_server, address) = with_http(limited(limits)).await;
    let begun = Instant::now();
    let (silent, head, body) = tokio::join!(
        say(address, ""),
        say(address, "POST /v1/score HTTP/1.1\r\nHost: a\r\nX: "),
        say(
            address,
            "POST /v1/score HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"asOf\"",
        ),
    );
    assert_eq!(scores(address).await, 200);
    let (silent, head, body) = tokio::join!(rest_of(silent), rest_of(head), rest_of(body));
    assert_eq!((silent.as_str(), head.as_str()), ("", ""));
    assert!(body.starts_with("HTTP/1.1 504"), "{body}");
    assert!(begun.elapsed() < Duration::from_secs(15));
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_before_it_has_come() {
    let (_server, address) = with_http(Config::default()).await;
    let head = "POST /v1/score HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1000000000\r\n\r\n";
    let mut stream = say(address, head).await;
    let piece = vec![b' '; 64 << 10];
    let mut sent = 0;
    // Until the server closes: nobody reads a gigabyte only to refuse it.
    while let Ok(Ok(())) =
        tokio::time::timeout(Duration::from_secs(5), stream.write_all(&piece)).await
    {
        sent += piece.len();
        assert!(sent < 64 << 20, "the server has read {sent} bytes");
    }
    assert!(sent >= 4 << 20, "{sent}");
    assert_eq!(scores(address).await, 200);
}

#[tokio::test]
async fn what_a_body_becomes_counts_before_it_is_made() {
    let limits = Limits {
        memory_bytes: 8 << 20,
        ..Limits::default()
    };
    let (_server, address) = with_http(limited(limits)).await;
    // A million objects of three bytes each would take hundreds of megabytes.
    let events = format!(
        "{{\"subject\":{{\"history\":{{\"events\":[{}{{}}]}}}}}}",
        "{},".repeat(300_000)
    );
    let headers = [("content-type", "application/json")];
    let answer = send(address, "POST /v1/score", &headers, events).await;
    assert_eq!(answer.status, 429, "{answer:?}");
    assert_eq!(answer.header("retry-after"), "1");
    assert!(
        answer.json()["message"]
            .as_str()
            .unwrap()
            .contains("memory_bytes")
    );
    let deep = format!("{{\"subject\":{}", "[".repeat(100_000));
    let answer = send(address, "POST /v1/score", &headers, deep).await;
    assert!([400, 429].contains(&answer.status), "{answer:?}");
    assert_eq!(scores(address).await, 200);
}

#[tokio::test]
async fn connections_that_say_nothing_make_room() {
    let limits = Limits {
        connections: 8,
        ..Limits::default()
    };
    let (server, address) = with_http(limited(limits)).await;
    let mut idle = Vec::new();
    for number in 0..60 {
        // Some are idle after they have said all of a request.
        idle.push(match number % 2 {
            0 => TcpStream::connect(address).await.unwrap(),
            _ => say(address, "GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n").await,
        });
    }
    assert_eq!(scores(address).await, 200);
    // The other port has its callers, too.
    server.score(ask(user("ann"))).await.unwrap();
    let is_closed = |stream: &TcpStream| {
        let mut buffer = [0; 4_096];
        loop {
            match stream.try_read(&mut buffer) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() != std::io::ErrorKind::WouldBlock,
            }
        }
    };
    until(async || idle.iter().filter(|stream| is_closed(stream)).count() >= 50).await;
}

#[tokio::test]
async fn nonsense_is_answered_or_dropped() {
    let (_server, address) = with_http(Config::default()).await;
    for text in [
        "\0\0\0\0\r\n\r\n".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(100_000)),
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
            "X: y\r\n".repeat(5_000)
        ),
        "POST /v1/score HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"
            .to_owned(),
        "POST /v1/score HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_owned(),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // The server may close before all of it has been sent.
        let _ = stream.write_all(text.as_bytes()).await;
        let answer = rest_of(stream).await;
        let refused = answer.is_empty()
            || answer.starts_with("HTTP/1.1 4")
            || answer.starts_with("HTTP/1.0 4");
        assert!(refused, "{:?}: {answer}", &text[..20.min(text.len())]);
    }
    assert_eq!(scores(address).await, 200);
}
