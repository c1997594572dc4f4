//! Calls byte by byte, for what a well-behaved client cannot send.

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::*;

/// One HTTP/2 connection.
#[derive(Clone)]
pub(super) struct Raw {
    sender: http2::SendRequest<Full<Bytes>>,
    address: std::net::SocketAddr,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) http: u16,
    pub(super) headers: HeaderMap,
    pub(super) status: Option<Status>,
}

impl Answer {
    pub(super) fn code(&self) -> Code {
        self.status.as_ref().map_or(Code::Ok, Status::code)
    }

    pub(super) fn details(&self) -> ErrorDetails {
        self.status.as_ref().unwrap().get_error_details()
    }

    /// ErrorInfo's reason; empty without one.
    pub(super) fn reason(&self) -> String {
        self.status
            .as_ref()
            .and_then(|s| s.get_error_details().error_info().map(|i| i.reason.clone()))
            .unwrap_or_default()
    }
}

impl Raw {
    pub(super) async fn connect(server: &Running) -> Self {
        let stream = TcpStream::connect(server.address).await.unwrap();
        // Small frames must not wait for the answer to the one before.
        stream.set_nodelay(true).unwrap();
        Self::over(stream, server.address).await.unwrap()
    }

    pub(super) async fn over(
        io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        address: std::net::SocketAddr,
    ) -> Result<Self, hyper::Error> {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.max_header_list_size(1 << 20);
        let (sender, connection) = builder.handshake(TokioIo::new(io)).await?;
        tokio::spawn(connection);
        Ok(Self { sender, address })
    }

    /// A call with any headers and body.
    pub(super) async fn send(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Answer, hyper::Error> {
        let mut request = Request::post(format!("http://localhost{path}")).header("te", "trailers");
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/grpc");
        }
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        let mut sender = self.sender.clone();
        sender.ready().await?;
        let response = sender
            .send_request(request.body(Full::new(body.into())).unwrap())
            .await?;
        let (parts, body) = response.into_parts();
        let collected = body.collect().await?;
        let trailers = collected.trailers().cloned().unwrap_or_default();
        let with_status = if parts.headers.contains_key("grpc-status") {
            &parts.headers
        } else {
            &trailers
        };
        let status =
            Status::from_header_map(with_status).filter(|status| status.code() != Code::Ok);
        Ok(Answer {
            http: parts.status.as_u16(),
            headers: parts.headers,
            status,
        })
    }

    /// A call whose message never ends; it is given up when this future is dropped.
    pub(super) async fn send_without_end(&self, path: &str) {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let body = http_body_util::StreamBody::new(tokio_stream::pending::<
            Result<http_body::Frame<Bytes>, std::io::Error>,
        >());
        let (mut sender, connection) = http2::Builder::new(TokioExecutor::new())
            .handshake(TokioIo::new(stream))
            .await
            .unwrap();
        let request = Request::post(format!("http://localhost{path}"))
            .header("content-type", "application/grpc");
        tokio::select! {
            _ = connection => {}
            _ = sender.send_request(request.body(body).unwrap()) => {}
        }
    }

    /// A call with one message.
    pub(super) async fn call(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        message: &impl Message,
    ) -> Answer {
        self.send(path, headers, framed(&message.encode_to_vec()))
            .await
            .unwrap()
    }
}

/// A message as it travels.
pub(super) fn framed(message: &[u8]) -> Vec<u8> {
    let mut frame = vec![0];
    frame.extend((message.len() as u32).to_be_bytes());
    frame.extend(message);
    frame
}

pub(super) const SCORE_USER: &str = "/churn.v1.ScoringService/ScoreUser";

#[tokio::test]
async fn a_deadline_that_has_passed_is_told_in_time() {
    let server = Running::ready().await;
    let raw = Raw::connect(&server).await;
    let late = raw
        .call(SCORE_USER, &[("grpc-timeout", "1n")], &ask(user("ann")))
        .await;
    assert_eq!(
        (late.code(), late.reason().as_str()),
        (Code::DeadlineExceeded, "DEADLINE_PASSED")
    );
    let enough = raw
        .call(SCORE_USER, &[("grpc-timeout", "10S")], &ask(user("ann")))
        .await;
    assert_eq!(enough.code(), Code::Ok);
    let nonsense = raw
        .call(SCORE_USER, &[("grpc-timeout", "soon")], &ask(user("ann")))
        .await;
    assert_eq!(
        (nonsense.code(), nonsense.reason().as_str()),
        (Code::InvalidArgument, "MESSAGE_MALFORMED")
    );
}

#[tokio::test]
async fn frames_that_are_none_are_the_senders_fault_and_always_explained() {
    let server = Running::ready().await;
    let raw = Raw::connect(&server).await;
    let good = framed(&ask(user("ann")).encode_to_vec());
    let compressed = [&[1], &good[1..]].concat();
    let odd_flag = [&[7], &good[1..]].concat();
    for (body, code, reason) in [
        (Vec::new(), Code::InvalidArgument, "MESSAGE_MALFORMED"),
        (
            good[..good.len() - 1].to_vec(),
            Code::InvalidArgument,
            "MESSAGE_MALFORMED",
        ),
        (odd_flag, Code::InvalidArgument, "MESSAGE_MALFORMED"),
        (
            compressed.clone(),
            Code::InvalidArgument,
            "MESSAGE_MALFORMED",
        ),
        (
            framed(&[0xff; 9]),
            Code::InvalidArgument,
            "MESSAGE_MALFORMED",
        ),
        // A million empty histories are one history, and no day to judge it by.
        (
            framed(&[0x0a, 0x02, 0x12, 0x00].repeat(1_000_000)),
            Code::InvalidArgument,
            "FIELD_INVALID",
        ),
        (
            framed(&vec![0; 5 << 20]),
            Code::ResourceExhausted,
            "MESSAGE_TOO_LARGE",
        ),
    ] {
        let size = body.len();
        let answer = raw.send(SCORE_USER, &[], body).await.unwrap();
        assert_eq!(
            (answer.code(), answer.reason().as_str()),
            (code, reason),
            "{size} bytes: {:?}",
            answer.status
        );
        assert_eq!(answer.details().error_info().unwrap().domain, "churn.v1");
    }
    let answer = raw
        .send(SCORE_USER, &[("grpc-encoding", "gzip")], compressed)
        .await
        .unwrap();
    assert_eq!(
        (answer.code(), answer.reason().as_str()),
        (Code::Unimplemented, "METHOD_UNKNOWN")
    );
}

#[tokio::test]
async fn who_does_not_speak_grpc_or_asks_for_nothing_known_is_told_so() {
    let server = Running::ready().await;
    let raw = Raw::connect(&server).await;
    let json = raw
        .send(
            "/churn.v1.ScoringService/Nothing",
            &[("content-type", "application/json")],
            Vec::new(),
        )
        .await;
    assert_eq!(json.unwrap().http, 415);
    let answer = raw
        .call("/churn.v1.ScoringService/Nothing", &[], &ask(user("ann")))
        .await;
    assert_eq!(
        (answer.code(), answer.reason().as_str()),
        (Code::Unimplemented, "METHOD_UNKNOWN")
    );
}

#[tokio::test]
async fn a_call_keeps_its_name_and_gets_one_when_it_has_none() {
    let server = Running::ready().await;
    let raw = Raw::connect(&server).await;
    let named = raw
        .call(
            SCORE_USER,
            &[("x-request-id", "order-17")],
            &ask(user("ann")),
        )
        .await;
    assert_eq!(named.headers["x-request-id"], "order-17");
    let refused = raw
        .call(
            SCORE_USER,
            &[("x-request-id", "order-18")],
            &ask(user("nobody")),
        )
        .await;
    assert_eq!(
        (refused.code(), &refused.headers["x-request-id"]),
        (Code::NotFound, &"order-18".parse().unwrap())
    );
    // A call that fails is named even if it had no name, or one that is none.
    let long = "x".repeat(500);
    let mut names = Vec::new();
    for headers in [&[][..], &[("x-request-id", long.as_str())]] {
        let failed = raw.call(SCORE_USER, headers, &ask(user("nobody"))).await;
        names.push(failed.headers["x-request-id"].clone());
        let answered = raw.call(SCORE_USER, headers, &ask(user("ann"))).await;
        assert!(!answered.headers.contains_key("x-request-id"));
    }
    assert!(
        names[0] != names[1] && names.iter().all(|name| name.len() == 16),
        "{names:?}"
    );
}

#[tokio::test]
async fn what_needs_no_key_cannot_take_the_room_of_what_does() {
    let limits = Limits {
        max_health_watches: 1,
        max_concurrent_calls: 2,
        max_streams: 1,
        ..Limits::default()
    };
    let server = Running::with(limits, Some(histories(&log()))).await;
    let raw = Raw::connect(&server).await;
    let live = "/inference.GRPCInferenceService/ServerLive";
    let large = raw.send(live, &[], framed(&vec![0; 10_000])).await.unwrap();
    assert_eq!(
        (large.code(), large.reason().as_str()),
        (Code::ResourceExhausted, "MESSAGE_TOO_LARGE")
    );
    let mut health = tonic_health::pb::health_client::HealthClient::new(server.channel.clone());
    let watch = health
        .watch(tonic_health::pb::HealthCheckRequest::default())
        .await
        .unwrap();
    let second = health
        .watch(tonic_health::pb::HealthCheckRequest::default())
        .await
        .unwrap_err();
    assert!(
        second.code() == Code::ResourceExhausted
            && second.message().contains("limits.max_health_watches"),
        "{second:?}"
    );
    // Watches leave streams and calls alone.
    let batch = StreamScoreUsersRequest {
        sequence: 1,
        batch: Some(BatchScoreUsersRequest::default()),
    };
    let mut answers = server
        .scoring()
        .stream_score_users(tokio_stream::iter([batch]))
        .await
        .unwrap()
        .into_inner();
    assert!(answers.message().await.unwrap().is_some());
    drop(watch);
}

/// A peer that asks and never reads: its window for answers is empty.
#[tokio::test]
async fn a_client_that_does_not_read_gives_its_place_back() {
    let limits = Limits {
        max_concurrent_calls: 1,
        call_timeout_seconds: 1,
        ..Limits::default()
    };
    let server = Running::with(limits, Some(histories(&log()))).await;
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(0);
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (mut sender, connection) = builder
        .handshake::<_, Full<Bytes>>(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let body = Full::new(Bytes::from(framed(&ask(user("ann")).encode_to_vec())));
    let request = Request::post(format!("http://localhost{SCORE_USER}"))
        .header("content-type", "application/grpc");
    let unread = sender
        .send_request(request.body(body).unwrap())
        .await
        .unwrap();
    // Its answer is made and cannot be sent, so the only place is taken ...
    let refused = server.score(ask(user("ann"))).await.unwrap_err();
    assert!(
        refused.message().contains("limits.max_concurrent_calls"),
        "{refused:?}"
    );
    // ... and comes free.
    until(async || server.score(ask(user("ann"))).await.is_ok()).await;
    drop(unread);
}

/// Reads until the peer closes; how many bytes came.
async fn until_closed(mut stream: TcpStream) -> usize {
    let mut rest = Vec::new();
    // A reset is an end as well.
    let _ = stream.read_to_end(&mut rest).await;
    rest.len()
}

#[tokio::test]
async fn peers_that_never_greet_are_let_go_and_hold_nobody_up() {
    let limits = Limits {
        handshake_seconds: 1,
        keepalive_seconds: 1,
        keepalive_timeout_seconds: 1,
        ..Limits::default()
    };
    let server = Running::with(limits, Some(histories(&log()))).await;
    let silent = TcpStream::connect(server.address).await.unwrap();
    let mut half = TcpStream::connect(server.address).await.unwrap();
    half.write_all(b"PRI * HTTP/2.0\r\n").await.unwrap();
    // Greets and then never answers whether it is still there.
    let mut deaf = TcpStream::connect(server.address).await.unwrap();
    deaf.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await
        .unwrap();
    assert!(server.score(ask(user("ann"))).await.is_ok());
    tokio::join!(until_closed(silent), until_closed(half), until_closed(deaf));
    assert!(server.score(ask(user("ann"))).await.is_ok());
}

#[tokio::test]
async fn when_connections_run_out_the_most_silent_one_goes() {
    let server = Running::with(
        Limits {
            connections: 3,
            ..Limits::default()
        },
        Some(histories(&log())),
    )
    .await;
    let first = Raw::connect(&server).await;
    assert_eq!(
        first.call(SCORE_USER, &[], &ask(user("ann"))).await.code(),
        Code::Ok
    );
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(server.address).await.unwrap());
    }
    let second = Raw::connect(&server).await;
    assert_eq!(
        second.call(SCORE_USER, &[], &ask(user("ann"))).await.code(),
        Code::Ok
    );
    assert_eq!(
        first.call(SCORE_USER, &[], &ask(user("ann"))).await.code(),
        Code::Ok
    );
    // Those that made room were closed.
    tokio::join!(
        until_closed(silent.remove(0)),
        until_closed(silent.remove(0))
    );
}
