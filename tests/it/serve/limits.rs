//! Each limit at its edge: what just fits is answered, one more is refused. Others are tested beside what they bound:
//! batches, histories and messages in `errors`, streams in `stream`, connections and greetings in `raw`, models in
//! `models`, the queue in the server's own tests.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Code;

use super::raw::{Raw, SCORE_USER};
use super::*;

#[tokio::test]
async fn entries_of_a_history() {
    let limits = Limits {
        max_history_entries: 100,
        ..Limits::default()
    };
    let server = Running::with(limits, None).await;
    let day = DayActivity {
        day: "2011-05-01".into(),
        kind: "visit".into(),
        count: 1,
        amount: 0.0,
    };
    let history = |n: usize| History {
        events: Vec::new(),
        days: vec![day.clone(); n],
    };
    let ask = |n| ask(subject(SubjectForm::History(history(n))));
    assert!(server.score(ask(100)).await.is_ok());
    let status = server.score(ask(101)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(
        status
            .message()
            .starts_with("subject.history: there are 101, at most 100"),
        "{}",
        status.message()
    );
}

#[tokio::test]
async fn bytes_of_a_message() {
    let request = ask(user(&"x".repeat(2_000)));
    let size = prost::Message::encoded_len(&request) as u32;
    for (max_message_bytes, code) in [(size, Code::NotFound), (size - 1, Code::ResourceExhausted)] {
        let server = Running::with(
            Limits {
                max_message_bytes,
                ..Limits::default()
            },
            Some(histories(&log())),
        )
        .await;
        assert_eq!(
            server.score(request.clone()).await.unwrap_err().code(),
            code
        );
    }
}

#[tokio::test]
async fn bytes_of_headers() {
    let server = Running::with(
        Limits {
            header_bytes: 2_000,
            ..Limits::default()
        },
        Some(histories(&log())),
    )
    .await;
    let raw = Raw::connect(&server).await;
    let fits = "x".repeat(1_000);
    assert_eq!(
        raw.call(SCORE_USER, &[("x-more", &fits)], &ask(user("ann")))
            .await
            .code(),
        Code::Ok
    );
    let beyond = "x".repeat(3_000);
    let body = super::raw::framed(&prost::Message::encode_to_vec(&ask(user("ann"))));
    let answer = raw.send(SCORE_USER, &[("x-more", &beyond)], body).await;
    // HTTP's own refusal: too large headers.
    assert!(
        answer.as_ref().map_or(true, |answer| answer.http == 431),
        "{answer:?}"
    );
    assert_eq!(
        Raw::connect(&server)
            .await
            .call(SCORE_USER, &[], &ask(user("ann")))
            .await
            .code(),
        Code::Ok
    );
}

/// A call whose message is on its way for as long as the sender is kept.
async fn unfinished(server: &Running, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await
        .unwrap();
    // Literal headers without indexing: POST, http, the path, the content type, te.
    let mut block = vec![0x83, 0x86];
    for (name, value) in [
        (":path", SCORE_USER),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ] {
        block.push(0);
        block.extend([name.len() as u8]);
        block.extend(name.bytes());
        block.extend([value.len() as u8]);
        block.extend(value.bytes());
    }
    let frame = |kind: u8, flags: u8, payload: &[u8]| {
        let length = (payload.len() as u32).to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
    };
    stream.write_all(&frame(1, 4, &block)).await.unwrap();
    stream.write_all(&frame(0, 0, bytes)).await.unwrap();
    stream
}

#[tokio::test]
async fn calls_at_the_same_time() {
    let server = Running::with(
        Limits {
            max_concurrent_calls: 2,
            ..Limits::default()
        },
        Some(histories(&log())),
    )
    .await;
    let (first, second) = (
        unfinished(&server, &[0]).await,
        unfinished(&server, &[0]).await,
    );
    until(async || {
        server
            .score(ask(user("ann")))
            .await
            .is_err_and(|status| status.code() == Code::ResourceExhausted)
    })
    .await;
    let status = server.score(ask(user("ann"))).await.unwrap_err();
    assert!(
        status.message().contains("limits.max_concurrent_calls"),
        "{}",
        status.message()
    );
    // Health answers under whatever load.
    let mut health = tonic_health::pb::health_client::HealthClient::new(server.channel.clone());
    assert!(
        health
            .check(tonic_health::pb::HealthCheckRequest::default())
            .await
            .is_ok()
    );
    drop((first, second));
    until(async || server.score(ask(user("ann"))).await.is_ok()).await;
}

#[tokio::test]
async fn bytes_under_way() {
    let limits = Limits {
        memory_bytes: 6 << 20,
        ..Limits::default()
    };
    let server = Running::with(limits, Some(histories(&log()))).await;
    let raw = Raw::connect(&server).await;
    // The beginnings of messages of a megabyte each, of which the last bytes never come.
    let part = [&[0, 0, 0x10, 0, 0][..], &[0; 15_000]].concat();
    let mut held = Vec::new();
    for _ in 0..80 {
        held.push(unfinished(&server, &part).await);
    }
    let body = || super::raw::framed(&vec![0; 600_000]);
    until(async || {
        let answer = raw.send(SCORE_USER, &[], body()).await.unwrap();
        answer.code() == Code::ResourceExhausted
            && format!("{answer:?}").contains("limits.memory_bytes")
    })
    .await;
    drop(held);
    until(async || {
        raw.send(SCORE_USER, &[], body()).await.unwrap().code() == Code::InvalidArgument
    })
    .await;
}

#[tokio::test]
async fn time_of_a_call() {
    let server = Running::with(
        Limits {
            call_timeout_seconds: 1,
            ..Limits::default()
        },
        Some(histories(&log())),
    )
    .await;
    let begun = Instant::now();
    let mut stream = unfinished(&server, &[0]).await;
    let mut answer: Vec<u8> = Vec::new();
    let read = async {
        let mut part = [0; 4_096];
        // "DEADLINE_PASSED" is in the details of the answer's headers, in base64, but the end of the stream is plain.
        while answer.len() < 100 {
            let n = stream.read(&mut part).await.unwrap();
            assert!(n > 0, "the connection was closed");
            answer.extend(&part[..n]);
        }
    };
    tokio::time::timeout(Duration::from_secs(10), read)
        .await
        .unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert!(server.score(ask(user("ann"))).await.is_ok());
}

#[tokio::test]
async fn time_of_a_stream() {
    let server = Running::with(
        Limits {
            stream_timeout_seconds: 1,
            ..Limits::default()
        },
        Some(histories(&log())),
    )
    .await;
    let begun = Instant::now();
    // A stream of batches whose client says nothing, and a health watch that nothing happens to.
    let mut answers = server
        .scoring()
        .stream_score_users(tokio_stream::pending())
        .await
        .unwrap()
        .into_inner();
    let mut health = tonic_health::pb::health_client::HealthClient::new(server.channel.clone());
    let mut watch = health
        .watch(tonic_health::pb::HealthCheckRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert!(watch.message().await.unwrap().is_some());
    let ends = async { (answers.message().await, watch.message().await) };
    let (stream, watch) = tokio::time::timeout(Duration::from_secs(10), ends)
        .await
        .unwrap();
    assert_eq!(stream.unwrap_err().code(), Code::DeadlineExceeded);
    assert_eq!(watch.unwrap_err().code(), Code::DeadlineExceeded);
    assert!(begun.elapsed() >= Duration::from_secs(1));
    // Calls that are no streams have their own time.
    assert!(server.score(ask(user("ann"))).await.is_ok());
}

#[tokio::test]
async fn calls_on_one_connection_wait_their_turn() {
    let limits = Limits {
        streams_per_connection: 1,
        ..Limits::default()
    };
    let server = Running::with(limits, Some(histories(&log()))).await;
    // The client hears of the limit with the first answer.
    assert!(server.score(ask(user("dan"))).await.is_ok());
    let calls: Vec<_> = (0..50)
        .map(|_| {
            let mut client = server.scoring();
            tokio::spawn(async move { client.score_user(ask(user("dan"))).await })
        })
        .collect();
    for call in calls {
        assert!(call.await.unwrap().is_ok());
    }
}

#[tokio::test]
async fn a_drain_has_an_end() {
    let server = Running::with(
        Limits {
            drain_seconds: 0,
            ..Limits::default()
        },
        None,
    )
    .await;
    let _held = unfinished(&server, &[0]).await;
    // Once this is answered, the server has seen the connection before it.
    until(async || {
        server
            .score(ask(as_features(&log(), "ann", END)))
            .await
            .is_ok()
    })
    .await;
    assert_eq!(server.stop().await, Stopped::CutOff);
}
