//! What one caller may hold, whatever it sends, and what others still get.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use ebb::serve::new_key;
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request};
use prost::Message;
use tokio::net::TcpStream;
use tonic::{Code, Status};

use super::raw::framed;
use super::*;

const SCORE_USER: &str = "/churn.v1.ScoringService/ScoreUser";
const BATCH: &str = "/churn.v1.ScoringService/BatchScoreUsers";
const STREAM: &str = "/churn.v1.ScoringService/StreamScoreUsers";
const CHECK: &str = "/grpc.health.v1.Health/Check";
const WATCH: &str = "/grpc.health.v1.Health/Watch";

/// One connection, whose frames are sent as the test says.
struct Connection {
    sender: SendRequest<Bytes>,
    key: Option<String>,
    ended: JoinHandle<()>,
}

/// A call, both halves of it.
struct Open {
    response: ResponseFuture,
    request: SendStream<Bytes>,
}

impl Connection {
    async fn connect(server: &Running, key: Option<&str>) -> Result<Self, h2::Error> {
        let window = h2::client::Builder::new();
        Self::built(server, key, window).await
    }

    async fn built(
        server: &Running,
        key: Option<&str>,
        builder: h2::client::Builder,
    ) -> Result<Self, h2::Error> {
        let stream = TcpStream::connect(server.address).await.unwrap();
        // Small frames must not wait for the answer to the one before.
        stream.set_nodelay(true).unwrap();
        let (sender, connection) = builder.handshake(stream).await?;
        let ended = tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(Self {
            // Not before the server has said how many calls there may be.
            sender: sender.ready().await?,
            key: key.map(str::to_owned),
            ended,
        })
    }

    /// Begins a call; its message is still to come.
    async fn open(&self, path: &str) -> Result<Open, h2::Error> {
        let mut request = Request::post(format!("http://localhost{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let mut sender = self.sender.clone().ready().await?;
        let (response, request) = sender.send_request(request.body(()).unwrap(), false)?;
        Ok(Open { response, request })
    }

    /// A whole call; how it ended.
    async fn call(&self, path: &str, message: Vec<u8>) -> Result<(), Status> {
        let lost = |error: h2::Error| Status::unknown(error.to_string());
        let mut open = self.open(path).await.map_err(lost)?;
        let _ = open.request.send_data(framed(&message).into(), true);
        open.status().await
    }
}

impl Open {
    /// How the call ends; its message is left as it is.
    async fn status(self) -> Result<(), Status> {
        let lost = |error: h2::Error| Status::unknown(error.to_string());
        let (head, mut body) = self.response.await.map_err(lost)?.into_parts();
        let trailers = trailers(&mut body).await.map_err(lost)?;
        let status = Status::from_header_map(&head.headers)
            .or_else(|| Status::from_header_map(&trailers))
            .unwrap();
        match status.code() {
            Code::Ok => Ok(()),
            _ => Err(status),
        }
    }
}

async fn trailers(body: &mut RecvStream) -> Result<HeaderMap, h2::Error> {
    while let Some(data) = body.data().await {
        let _ = body.flow_control().release_capacity(data?.len());
    }
    Ok(body.trailers().await?.unwrap_or_default())
}

/// A server with these limits and two keys, `greedy` and `polite`.
async fn guarded(file: &Path, limits: Limits) -> (Running, [String; 2]) {
    let keys = ["greedy", "polite"].map(|name| new_key(name, "score").unwrap());
    let lines: Vec<&str> = keys.iter().map(|(_, line)| line.as_str()).collect();
    std::fs::write(file, lines.join("\n")).unwrap();
    let config = Config {
        api_keys_file: Some(file.to_owned()),
        ..limited(limits)
    };
    let server = Running::of(config, || stock(Some(histories(&log())))).await;
    (server, keys.map(|(key, _)| key))
}

fn named_limit(status: &Status, limit: &str) -> bool {
    status.code() == Code::ResourceExhausted && status.message().contains(limit)
}

fn ask_for_ann() -> Vec<u8> {
    ask(user("ann")).encode_to_vec()
}

#[tokio::test]
async fn a_peer_without_a_key_has_few_calls_and_takes_none_from_others() {
    let folder = tempfile::tempdir().unwrap();
    let (server, [key, _]) = guarded(&folder.path().join("keys"), Limits::default()).await;
    let hostile = Connection::connect(&server, None).await.unwrap();
    let mut held = Vec::new();
    for path in [CHECK, WATCH] {
        for _ in 0..100 {
            let mut open = hostile.open(path).await.unwrap();
            if path == WATCH {
                let _ = open.request.send_data(framed(&[]).into(), true);
            }
            held.push(open);
        }
    }
    // The hostile connection itself has reached its limit.
    let refused = hostile.call(CHECK, Vec::new()).await.unwrap_err();
    assert!(
        named_limit(&refused, "limits.unauthenticated_calls_per_connection"),
        "{refused:?}"
    );
    let other = Connection::connect(&server, None).await.unwrap();
    assert_eq!(
        other.call(CHECK, Vec::new()).await.map_err(|s| s.code()),
        Ok(())
    );
    // With a key the same connection may go on.
    let with_key = Connection {
        key: Some(key),
        sender: hostile.sender.clone(),
        ended: tokio::spawn(async {}),
    };
    assert_eq!(
        with_key
            .call(SCORE_USER, ask_for_ann())
            .await
            .map_err(|s| s.code()),
        Ok(())
    );
    drop(held);
}

#[tokio::test]
async fn one_caller_leaves_places_for_another() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits {
        max_streams: 20,
        max_concurrent_calls: 40,
        ..Limits::default()
    };
    let (server, [greedy, polite]) = guarded(&folder.path().join("keys"), limits).await;
    let greedy = Connection::connect(&server, Some(&greedy)).await.unwrap();
    let mut held = Vec::new();
    for _ in 0..60 {
        held.push(greedy.open(STREAM).await.unwrap());
        held.push(greedy.open(SCORE_USER).await.unwrap());
    }
    let refused = greedy.call(SCORE_USER, ask_for_ann()).await.unwrap_err();
    assert!(
        named_limit(&refused, "limits.max_concurrent_calls"),
        "{refused:?}"
    );
    let polite = Connection::connect(&server, Some(&polite)).await.unwrap();
    for _ in 0..50 {
        let scored = polite.call(SCORE_USER, ask_for_ann()).await;
        assert_eq!(scored.map_err(|s| s.code()), Ok(()));
        let streamed = polite
            .call(STREAM, StreamScoreUsersRequest::default().encode_to_vec())
            .await;
        assert_eq!(streamed.map_err(|s| s.code()), Ok(()));
    }
    drop(held);
}

#[tokio::test]
async fn an_idle_connection_makes_room_and_one_with_a_call_stays() {
    let limits = Limits {
        connections: 8,
        ..Limits::default()
    };
    let server = Running::with(limits, Some(histories(&log()))).await;
    let mut idle = Vec::new();
    for _ in 0..8 {
        idle.push(Connection::connect(&server, None).await.unwrap());
    }
    let busy = idle.remove(0);
    let call = busy.open(SCORE_USER).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    for _ in 0..20 {
        let newcomer = Connection::connect(&server, None).await.unwrap();
        assert!(newcomer.call(CHECK, Vec::new()).await.is_ok());
        idle.push(newcomer);
    }
    assert!(idle.iter().any(|connection| connection.ended.is_finished()));
    assert!(!busy.ended.is_finished(), "a call was lost");
    // Control: where every connection has a call, there is no room.
    let mut busy = vec![(busy, call)];
    while busy.len() < 100
        && let Ok(newcomer) = Connection::connect(&server, None).await
        && newcomer.call(CHECK, Vec::new()).await.is_ok()
    {
        let call = newcomer.open(SCORE_USER).await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
        busy.push((newcomer, call));
    }
    assert!((8..=10).contains(&busy.len()), "{} calls", busy.len());
    assert!(!busy[0].0.ended.is_finished(), "a call was lost");
}

#[tokio::test]
async fn messages_that_never_end_are_on_their_callers_account() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits {
        memory_bytes: 16 << 20,
        ..Limits::default()
    };
    for path in [STREAM, SCORE_USER, BATCH] {
        let (server, [greedy, polite]) = guarded(&folder.path().join("keys"), limits.clone()).await;
        let greedy = Connection::connect(&server, Some(&greedy)).await.unwrap();
        let mut held = Vec::new();
        for _ in 0..20 {
            let mut open = greedy.open(path).await.unwrap();
            let part = [&[0, 0, 0x30, 0, 0][..], &vec![0; 1 << 20]].concat();
            let _ = open.request.send_data(part.into(), false);
            held.push(open);
            // One after the other: parts that all arrive at once may all be refused before the first of them is given up.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // What is more than its share is refused, and the rest is held.
        let mut refused = 0;
        for open in held {
            let ended = tokio::time::timeout(Duration::from_millis(200), open.status()).await;
            if let Ok(Err(status)) = ended {
                assert!(named_limit(&status, "limits.memory_bytes"), "{status:?}");
                refused += 1;
            }
        }
        assert!((5..20).contains(&refused), "{path}: {refused} refused");
        let polite = Connection::connect(&server, Some(&polite)).await.unwrap();
        let scored = polite.call(SCORE_USER, ask_for_ann()).await;
        assert_eq!(scored.map_err(|s| s.code()), Ok(()));
        drop(greedy);
    }
}

#[tokio::test]
async fn answers_that_nobody_reads_are_on_their_callers_account() {
    let limits = Limits {
        memory_bytes: 4 << 20,
        ..Limits::default()
    };
    let server = Running::with(limits, Some(histories(&log()))).await;
    let many = BatchScoreUsersRequest {
        reason_count: Some(100),
        subjects: vec![user("ann"); 1_000],
        ..Default::default()
    };
    let many = framed(&many.encode_to_vec());
    let mut deaf = h2::client::Builder::new();
    deaf.initial_window_size(0);
    let deaf = Connection::built(&server, None, deaf).await.unwrap();
    let mut held = Vec::new();
    let mut refused = None;
    for _ in 0..100 {
        let mut open = deaf.open(BATCH).await.unwrap();
        let _ = open.request.send_data(many.clone().into(), true);
        let (head, body) = open.response.await.unwrap().into_parts();
        match Status::from_header_map(&head.headers) {
            Some(status) => {
                refused = Some(status);
                break;
            }
            None => held.push(body),
        }
    }
    let refused = refused.expect("answers without end are held");
    assert!(named_limit(&refused, "limits.memory_bytes"), "{refused:?}");
    assert!(!held.is_empty(), "the first ones have room");
    drop((held, deaf));
    // Even a connection needs memory, so this one is made anew until there is some.
    until(async || {
        let Ok(reader) = Connection::connect(&server, None).await else {
            return false;
        };
        reader.call(BATCH, many[5..].to_vec()).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn calls_that_are_given_up_do_not_cost_the_connection() {
    let server = Running::with(
        Limits {
            max_message_bytes: 1 << 16,
            ..Limits::default()
        },
        Some(histories(&log())),
    )
    .await;
    let connection = Connection::connect(&server, None).await.unwrap();
    // Far more than HTTP/2's own limit on streams that are reset in all of a connection's life, with bytes that come after
    // the answer.
    for _ in 0..3_000 {
        let mut open = connection.open(SCORE_USER).await.unwrap();
        let _ = open.request.send_data(
            [&[0, 0, 0x20, 0, 0][..], &[0; 2_000]].concat().into(),
            false,
        );
        let _ = open.request.send_data(vec![0; 2_000].into(), false);
        if let Ok(Err(status)) = tokio::time::timeout(Duration::from_millis(2), open.status()).await
        {
            assert!(status.message().contains("bytes"), "{status:?}");
        }
    }
    assert!(connection.call(SCORE_USER, ask_for_ann()).await.is_ok());
    assert!(!connection.ended.is_finished());
}

#[tokio::test]
async fn a_stream_ends_with_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    let (server, [greedy, _]) = guarded(&file, Limits::default()).await;
    let connection = Connection::connect(&server, Some(&greedy)).await.unwrap();
    let batch = |sequence| {
        let batch = StreamScoreUsersRequest {
            sequence,
            batch: Some(BatchScoreUsersRequest::default()),
        };
        Bytes::from(framed(&batch.encode_to_vec()))
    };
    let mut open = connection.open(STREAM).await.unwrap();
    open.request.send_data(batch(1), false).unwrap();
    let (_, mut answers) = (&mut open.response).await.unwrap().into_parts();
    assert!(answers.data().await.unwrap().is_ok());
    // The same key with the same permission, and then without the key.
    let (_, other) = new_key("other", "score").unwrap();
    for (keys, lasts) in [
        (
            format!("{}\n{other}", std::fs::read_to_string(&file).unwrap()),
            true,
        ),
        (other.clone(), false),
    ] {
        std::fs::write(&file, keys).unwrap();
        server.look_at_credentials().await;
        server.look_at_credentials().await;
        let _ = open
            .request
            .send_data(batch(if lasts { 2 } else { 3 }), false);
        let answered = answers.data().await;
        assert_eq!(answered.is_some_and(|data| data.is_ok()), lasts);
    }
    let trailers = answers.trailers().await.unwrap().unwrap();
    let status = Status::from_header_map(&trailers).unwrap();
    assert_eq!(status.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn a_large_message_is_decoded_beside_the_threads_that_serve_connections() {
    let (config, address) = super::metrics::with_metrics();
    let server = Running::of(config, || stock(Some(histories(&log())))).await;
    let computed_by_the_pool = async || {
        let page = super::metrics::ask_page(address, "GET /metrics").await;
        super::metrics::value(&page, "ebb_queue_wait_seconds_count")
    };
    // Both are refused when they have been decoded, since there is no such model; one is just below the size.
    for (bytes, pooled) in [(64_000, 0.0), (66_000, 1.0)] {
        let refused = server
            .score(ScoreUserRequest {
                model: "x".repeat(bytes),
                ..ask(user("ann"))
            })
            .await
            .unwrap_err();
        assert_eq!(refused.code(), Code::NotFound);
        assert!((computed_by_the_pool().await - pooled).abs() < 0.5);
    }
}
