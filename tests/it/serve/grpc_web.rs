//! gRPC-Web: the frames of gRPC for pages in a browser.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::json_http::{Answer, send, with_http};
use super::raw::{SCORE_USER, framed};
use super::*;

const BINARY: (&str, &str) = ("content-type", "application/grpc-web+proto");
const TEXT: (&str, &str) = ("content-type", "application/grpc-web-text");

/// The messages of an answer and the lines of its status.
fn parts(mut body: &[u8]) -> (Vec<Vec<u8>>, String) {
    let (mut messages, mut status) = (Vec::new(), String::new());
    while let [flag, a, b, c, d, rest @ ..] = body {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        let (content, after) = rest.split_at(length);
        match flag {
            0 => messages.push(content.to_vec()),
            0x80 => status = String::from_utf8(content.to_vec()).unwrap(),
            other => panic!("a frame of {other}"),
        }
        body = after;
    }
    (messages, status)
}

/// The bytes of padded pieces of base64.
fn decoded(text: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(text).unwrap();
    let pieces = text.split_inclusive('=').flat_map(|piece| {
        // Padding is one or two characters.
        STANDARD.decode(
            piece.trim_end_matches('=').to_owned()
                + match piece.trim_end_matches('=').len() % 4 {
                    2 => "==",
                    3 => "=",
                    _ => "",
                },
        )
    });
    pieces.flatten().collect()
}

fn is_ok(answer: &Answer) -> bool {
    answer.status == 200 && answer.header("grpc-status").is_empty()
}

#[tokio::test]
async fn both_encodings_give_the_answer_of_grpc() {
    let (server, address) = with_http(Config::default()).await;
    let score = server.score(ask(user("ann"))).await.unwrap();
    let request = framed(&ask(user("ann")).encode_to_vec());
    let target = format!("POST {SCORE_USER}");
    let answer = send(address, &target, &[BINARY], request.clone()).await;
    assert!(is_ok(&answer), "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/grpc-web+proto");
    let (messages, status) = parts(&answer.body);
    let read = ScoreUserResponse::decode(messages[0].as_slice()).unwrap();
    assert_eq!((read.score, messages.len()), (Some(score), 1));
    assert_eq!(status, "grpc-status: 0\r\n");
    let text = send(address, &target, &[TEXT], STANDARD.encode(&request)).await;
    assert_eq!(
        text.header("content-type"),
        "application/grpc-web-text+proto"
    );
    assert_eq!(parts(&decoded(&text.body)), (messages, status));
}

#[tokio::test]
async fn failures_come_in_the_headers_as_over_grpc() {
    let (server, address) = with_http(Config::default()).await;
    let of = async |target: &str, body: Vec<u8>, kind: (&str, &str)| {
        let answer = send(address, &format!("POST {target}"), &[kind], body).await;
        assert_eq!(answer.status, 200);
        answer.header("grpc-status").to_owned()
    };
    let nobody = framed(&ask(user("nobody")).encode_to_vec());
    assert_eq!(of(SCORE_USER, nobody, BINARY).await, "5");
    assert_eq!(of(SCORE_USER, b"not base64!".to_vec(), TEXT).await, "3");
    assert_eq!(of(SCORE_USER, b"AAA".to_vec(), TEXT).await, "3");
    assert_eq!(
        of("/churn.v1.ScoringService/Nothing", Vec::new(), BINARY).await,
        "12"
    );
    let stream = "/churn.v1.ScoringService/StreamScoreUsers";
    assert_eq!(of(stream, Vec::new(), BINARY).await, "12");
    let get = send(address, &format!("GET {SCORE_USER}"), &[BINARY], "").await;
    assert_eq!((get.status, get.header("allow")), (405, "POST, OPTIONS"));
    drop(server);
}

#[tokio::test]
async fn a_stream_of_answers_comes_as_it_is_made() {
    let (server, address) = with_http(Config::default()).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = "POST /grpc.health.v1.Health/Watch HTTP/1.1\r\nHost: localhost\r\n\
                   Content-Type: application/grpc-web\r\nContent-Length: 5\r\n\r\n\0\0\0\0\0";
    stream.write_all(request.as_bytes()).await.unwrap();
    // The head, and a chunk with the frame of a message that says SERVING: field 1 is 1.
    let mut read = Vec::new();
    while !read.windows(7).any(|part| part == [0, 0, 0, 0, 2, 8, 1]) {
        let mut buffer = [0; 1_024];
        let count = stream.read(&mut buffer).await.unwrap();
        assert!(count > 0, "{}", String::from_utf8_lossy(&read));
        read.extend_from_slice(&buffer[..count]);
    }
    let text = String::from_utf8_lossy(&read).into_owned();
    assert!(text.contains("transfer-encoding: chunked"), "{text}");
    assert!(
        text.contains("content-type: application/grpc-web+proto"),
        "{text}"
    );
    // The server says that it stops before it does.
    assert_eq!(server.stop().await, Stopped::Drained);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    let stopped = [0, 0, 0, 0, 2, 8, 2];
    assert!(rest.windows(7).any(|part| part == stopped), "{rest:?}");
}
