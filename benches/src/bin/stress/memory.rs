//! Everything at once that makes a server hold memory, beside one polite caller: the peak stays within the budget.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use ebb::serve::client::{BatchScoreUsersRequest, StreamScoreUsersRequest};
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderName, HeaderValue, Request, Response};
use prost::Message;
use prost::bytes::Bytes;
use tokio::net::TcpSocket;
use tokio::task::JoinSet;

use crate::promises::Promises;
use crate::questions::{BATCH_SCORE_USERS, SCORE_USER, about_histories, about_many, about_one};
use crate::server::Setup;

const STREAM: &str = "/churn.v1.ScoringService/StreamScoreUsers";
/// Without keys a caller is an address; all of these are this machine.
const GREEDY: [[u8; 4]; 2] = [[127, 0, 0, 1], [127, 0, 0, 3]];
const POLITE: [u8; 4] = [127, 0, 0, 2];
/// The largest message that a server takes by default, less one byte that never comes.
const UNFINISHED: usize = (4 << 20) - 1;
/// Headers of one call, which take two bytes each once the connection knows them.
const HEADERS: usize = 300;

/// How hard and how long.
#[derive(clap::Args)]
pub struct Options {
    /// The budget in mebibytes.
    #[arg(long, default_value_t = 128)]
    budget: u64,
    /// Connections of each sort from each address.
    #[arg(long, default_value_t = 6)]
    connections: usize,
    /// How long.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
}

/// What one connection does, again and again.
#[derive(Clone)]
enum Deed {
    /// Messages of a method that never end.
    Unfinished(&'static str),
    /// Whole messages, whose answers are read.
    Read(Bytes),
    /// The same, whose answers are not read.
    Unread(Bytes),
    /// Streams of such batches.
    UnreadStreams(BatchScoreUsersRequest),
    /// Calls of a method that does not exist, with hundreds of headers each.
    Headers,
}

/// Runs it.
pub async fn run(setup: &Setup, options: &Options, promises: &mut Promises) -> Result<()> {
    let bundle = ebb::model::load(&setup.model)?.bundle;
    let budget = options.budget << 20;
    let server = setup
        .launch(&setup.model)?
        .configured(&format!("[limits]\nmemory_bytes = {budget}\n"))?
        .start_ready()?;
    let address: SocketAddr = server.address.parse().context("the server's address")?;
    let mut talkative = about_many(&bundle, 1_000, None);
    talkative.reason_count = Some(100);
    let deeds = [
        Deed::Unfinished(STREAM),
        Deed::Unfinished(BATCH_SCORE_USERS),
        Deed::Read(framed(&about_histories(&bundle, 900, 90).encode_to_vec())),
        Deed::Unread(framed(&talkative.encode_to_vec())),
        Deed::UnreadStreams(talkative),
        Deed::Headers,
    ];
    let before = server.memory("VmRSS:")?;
    let (until, sent) = (
        Instant::now() + Duration::from_secs_f64(options.seconds),
        Arc::<AtomicU64>::default(),
    );
    let tasks = greedy(address, &deeds, options.connections, until, &sent);
    let polite = polite(address, &framed(&about_one(&bundle)), until).await;
    drop(tasks);
    let grown = server.memory("VmHWM:")?.saturating_sub(before);
    let (failed, calls, slowest) = polite;
    let mebibytes = |bytes: u64| bytes >> 20;
    promises.figure(format!(
        "{} MiB before; {} MiB were sent to it by {} connections",
        mebibytes(before),
        mebibytes(sent.load(Ordering::Relaxed)),
        GREEDY.len() * deeds.len() * options.connections
    ));
    promises.hold(
        grown <= budget,
        format!(
            "with a budget of {} MiB the peak is {} MiB above",
            options.budget,
            mebibytes(grown)
        ),
    );
    // Without more than the budget there would be nothing to hold.
    promises.hold(
        sent.load(Ordering::Relaxed) > 3 * budget,
        "several times the budget was sent",
    );
    promises.hold(
        failed == 0 && calls > 0,
        format!("a polite caller is answered: {failed} of {calls} failed, the slowest took {slowest:.1?}"),
    );
    Ok(())
}

/// Connections of every greedy address, as many for each deed, that come again where the server ends them.
fn greedy(
    address: SocketAddr,
    deeds: &[Deed],
    connections: usize,
    until: Instant,
    sent: &Arc<AtomicU64>,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for from in GREEDY {
        for deed in deeds.iter().flat_map(|deed| vec![deed; connections]) {
            let (deed, sent) = (deed.clone(), Arc::clone(sent));
            tasks.spawn(async move {
                while Instant::now() < until {
                    // The server may end a connection, and this one comes again.
                    let _ = tokio::time::timeout_at(
                        until.into(),
                        misbehave(address, from, &deed, &sent),
                    )
                    .await;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            });
        }
    }
    tasks
}

/// One call after another from an address of its own: how many failed, how many there were, and how long the slowest took.
async fn polite(address: SocketAddr, message: &Bytes, until: Instant) -> (usize, usize, Duration) {
    let (mut failed, mut calls, mut slowest) = (0, 0, Duration::ZERO);
    let mut connection = None;
    while Instant::now() < until {
        let begun = Instant::now();
        if connection.is_none() {
            connection = connect(address, POLITE, &Builder::new()).await.ok();
        }
        let answered = match &connection {
            Some(sender) => call(sender, SCORE_USER, message).await.unwrap_or(false),
            None => false,
        };
        calls += 1;
        if !answered {
            failed += 1;
            connection = None;
        }
        slowest = slowest.max(begun.elapsed());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    (failed, calls, slowest)
}

async fn connect(
    address: SocketAddr,
    from: [u8; 4],
    builder: &Builder,
) -> Result<SendRequest<Bytes>> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = builder.handshake::<_, Bytes>(stream).await?;
    tokio::spawn(connection);
    Ok(sender.ready().await?)
}

async fn open(
    sender: &SendRequest<Bytes>,
    path: &str,
    headers: usize,
) -> Result<(ResponseFuture, SendStream<Bytes>)> {
    let mut request = Request::post(format!("http://localhost{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())?;
    for _ in 0..headers {
        let (name, value) = (HeaderName::from_static("a"), HeaderValue::from_static(""));
        request.headers_mut().append(name, value);
    }
    let mut sender = sender.clone().ready().await?;
    Ok(sender.send_request(request, false)?)
}

/// A whole call; whether it was answered.
async fn call(sender: &SendRequest<Bytes>, path: &str, message: &Bytes) -> Result<bool> {
    let (response, mut request) = open(sender, path, 0).await?;
    request.send_data(message.clone(), true)?;
    let (head, body) = response.await?.into_parts();
    let refused = head.headers.contains_key("grpc-status");
    read(body).await?;
    Ok(!refused)
}

async fn read(mut body: RecvStream) -> Result<()> {
    while let Some(data) = body.data().await {
        let length = data?.len();
        body.flow_control().release_capacity(length)?;
    }
    Ok(())
}

/// Does one deed until the server ends the connection.
async fn misbehave(
    address: SocketAddr,
    from: [u8; 4],
    deed: &Deed,
    sent: &AtomicU64,
) -> Result<()> {
    let count = |bytes: usize| sent.fetch_add(bytes as u64, Ordering::Relaxed);
    let mut builder = Builder::new();
    match deed {
        Deed::Unfinished(path) => {
            let sender = connect(address, from, &builder).await?;
            let head = [0, 0, 0x40, 0, 0];
            let part = Bytes::from([&head[..], &vec![0; UNFINISHED - 5]].concat());
            let mut held = Vec::new();
            loop {
                let (response, mut request) = open(&sender, path, 0).await?;
                push_for_a_while(&mut request, part.clone(), sent).await;
                held.push((response, request));
            }
        }
        Deed::Read(message) => {
            let sender = connect(address, from, &builder).await?;
            loop {
                let mut calls = JoinSet::new();
                for _ in 0..8 {
                    let (sender, message) = (sender.clone(), message.clone());
                    count(message.len());
                    calls.spawn(async move { call(&sender, BATCH_SCORE_USERS, &message).await });
                }
                calls.join_all().await;
            }
        }
        Deed::Unread(message) => {
            builder.initial_window_size(0);
            let sender = connect(address, from, &builder).await?;
            let mut held: Vec<Response<RecvStream>> = Vec::new();
            loop {
                let (response, mut request) = open(&sender, BATCH_SCORE_USERS, 0).await?;
                request.send_data(message.clone(), true)?;
                count(message.len());
                held.push(response.await?);
            }
        }
        Deed::UnreadStreams(batch) => {
            builder.initial_window_size(0);
            let sender = connect(address, from, &builder).await?;
            let mut held = Vec::new();
            loop {
                let (response, mut request) = open(&sender, STREAM, 0).await?;
                for sequence in 1..=5 {
                    let batch = Some(batch.clone());
                    let message = StreamScoreUsersRequest { sequence, batch };
                    let message = framed(&message.encode_to_vec());
                    push_for_a_while(&mut request, message, sent).await;
                }
                held.push((response, request));
            }
        }
        Deed::Headers => {
            let sender = connect(address, from, &builder).await?;
            for _ in 0..1_000 {
                let (_, _request) = open(&sender, "/none/None", HEADERS).await?;
                // In memory, where a byte on the wire makes dozens.
                count(HEADERS * 64);
            }
            Ok(())
        }
    }
}

/// As much as the server lets in: it holds streams back, and may refuse a call on the way.
async fn push_for_a_while(request: &mut SendStream<Bytes>, bytes: Bytes, sent: &AtomicU64) {
    let _ = tokio::time::timeout(Duration::from_millis(300), push(request, bytes, sent)).await;
}

/// Sends bytes as the server has room for them.
async fn push(request: &mut SendStream<Bytes>, mut bytes: Bytes, sent: &AtomicU64) -> Result<()> {
    while !bytes.is_empty() {
        request.reserve_capacity(bytes.len());
        let room = std::future::poll_fn(|cx| request.poll_capacity(cx)).await;
        let room = room.context("the stream has ended")??.min(bytes.len());
        request.send_data(bytes.split_to(room), false)?;
        sent.fetch_add(room as u64, Ordering::Relaxed);
    }
    Ok(())
}

fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    [&[0][..], &length.to_be_bytes(), message].concat().into()
}
