//! What `benches/serve.sh` compares `ScoreUser` with: an empty gRPC echo under the same limits and with messages of
//! the same sizes. It also writes the requests that are sent to both.

use std::convert::Infallible;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::task::{Context, Poll};

use anyhow::{Context as _, Result};
use clap::Parser;
use ebb::features::{Catalogue, Extractor, FeatureSchema};
use ebb::history::{Amount, Day, DayRecord};
use ebb::serve::client::*;
use ebb::serve::listen;
use prost::Message;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

#[derive(Parser)]
enum Arguments {
    /// Answers every call with a message of a fixed size.
    Echo {
        /// Where to listen.
        #[arg(long)]
        listen: SocketAddr,
        /// The size of the answer's message in bytes.
        #[arg(long)]
        response_bytes: usize,
    },
    /// Asks a server about one user in each form. Writes FORM.request, FORM.echo (a body of the same size for the
    /// echo) and prints a line with the form and the sizes of request and response.
    Requests {
        /// The server, such as http://127.0.0.1:50051.
        #[arg(long)]
        server: String,
        /// Where to write.
        #[arg(long)]
        out: PathBuf,
    },
}

#[tokio::main]
async fn main() -> Result<()> {
    match Arguments::parse() {
        Arguments::Echo {
            listen: address,
            response_bytes,
        } => echo(address, response_bytes).await,
        Arguments::Requests { server, out } => requests(server, &out).await,
    }
}

/// The echo's message: bytes and nothing else.
#[derive(Clone, PartialEq, Message)]
struct Payload {
    #[prost(bytes = "vec", tag = "1")]
    data: Vec<u8>,
}

impl Payload {
    /// A payload whose encoding has so many bytes.
    fn of_size(bytes: usize) -> Self {
        let fits = (0..=bytes)
            .rev()
            .map(|n| Self { data: vec![1; n] })
            .find(|p| p.encoded_len() <= bytes);
        fits.unwrap_or_default()
    }
}

#[derive(Clone)]
struct Echo {
    answer: Payload,
}

impl tonic::server::NamedService for Echo {
    const NAME: &'static str = "bench.Echo";
}

impl tonic::server::UnaryService<Payload> for Echo {
    type Response = Payload;
    type Future = BoxFuture<Response<Payload>, Status>;

    fn call(&mut self, _request: Request<Payload>) -> Self::Future {
        let answer = self.answer.clone();
        Box::pin(async move { Ok(Response::new(answer)) })
    }
}

impl Service<http::Request<tonic::body::Body>> for Echo {
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            let codec = tonic_prost::ProstCodec::<Payload, Payload>::default();
            Ok(tonic::server::Grpc::new(codec)
                .unary(service, request)
                .await)
        })
    }
}

async fn echo(address: SocketAddr, response_bytes: usize) -> Result<()> {
    let incoming = TcpIncoming::from(listen(address).await?).with_nodelay(Some(true));
    // The windows and limits of the server that it is compared with.
    let mut server = tonic::transport::Server::builder()
        .accept_http1(false)
        .max_concurrent_streams(1_024)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .max_frame_size(64 << 10);
    let router = server.add_service(Echo {
        answer: Payload::of_size(response_bytes),
    });
    Ok(router.serve_with_incoming(incoming).await?)
}

async fn requests(server: String, out: &Path) -> Result<()> {
    fs::create_dir_all(out)?;
    let mut models = ModelServiceClient::connect(server.clone()).await?;
    let model = models
        .get_model(GetModelRequest::default())
        .await?
        .into_inner()
        .model
        .context("no model")?;
    let mut scoring = ScoringServiceClient::connect(server).await?;
    for (form, subject) in subjects(&model)? {
        let request = ScoreUserRequest {
            subject: Some(Subject {
                subject: Some(subject),
                attributes: Vec::new(),
            }),
            as_of: model.as_of.clone(),
            feature_hash: if form == "packed" {
                model.feature_hash.clone()
            } else {
                String::new()
            },
            ..ScoreUserRequest::default()
        };
        let answer = scoring.score_user(request.clone()).await?.into_inner();
        anyhow::ensure!(
            answer
                .score
                .as_ref()
                .is_some_and(|s| s.status() == ScoreStatus::Scored),
            "{form}: {answer:?}"
        );
        let size = request.encoded_len();
        fs::write(out.join(form).with_extension("request"), framed(&request)?)?;
        fs::write(
            out.join(form).with_extension("echo"),
            framed(&Payload::of_size(size))?,
        )?;
        println!("{form} {size} {}", answer.encoded_len());
    }
    Ok(())
}

/// A message as it travels: not compressed, its length, its bytes.
fn framed(message: &impl Message) -> Result<Vec<u8>> {
    let mut frame = vec![0];
    frame.extend(u32::try_from(message.encoded_len())?.to_be_bytes());
    message.encode(&mut frame)?;
    Ok(frame)
}

/// The features of a user with an event of each kind on 30 days, as the model's catalogue defines them.
fn features(model: &Model) -> Result<Vec<(String, f64)>> {
    let catalogue = Catalogue::new(FeatureSchema {
        activity: model.activity_kinds.clone(),
        other_kinds: model.other_kinds.clone(),
        horizon_days: model
            .horizon_days
            .iter()
            .map(|h| u16::try_from(*h))
            .collect::<Result<_, _>>()?,
        amounts: model
            .features
            .iter()
            .any(|feature| feature.name == "amount"),
        // Of a user who came half a year ago, features of earlier years are unknown.
        seasonal_years: 0,
        lead_days: 0,
        value_kinds: Vec::new(),
        attributes: Vec::new(),
    })?;
    let as_of: Day = model.as_of.parse()?;
    let amount = Amount::new(9.5)?;
    let kinds = 0..u16::try_from(catalogue.kinds().len())?;
    let on = |i: i32, kind: u16| DayRecord {
        amount,
        day: as_of.plus(-2 - 5 * i),
        count: 1,
        kind,
    };
    let records = (0..30)
        .flat_map(|i| kinds.clone().map(move |kind| on(i, kind)))
        .collect();
    let mut vector = vec![f64::NAN; catalogue.len()];
    let history = ebb::history::History::new(records)?;
    Extractor::new(&catalogue, catalogue.kinds()).extract(history.view(), as_of, &mut vector);
    Ok(catalogue
        .features()
        .iter()
        .map(|feature| feature.name.clone())
        .zip(vector)
        .collect())
}

/// One user in each form: every feature known, and a history of 30 active days.
fn subjects(model: &Model) -> Result<Vec<(&'static str, SubjectForm)>> {
    let features = features(model)?;
    let mut packed: Vec<f64> = features.iter().map(|(_, value)| *value).collect();
    // Features of earlier years come last.
    packed.resize(model.features.len(), f64::NAN);
    let named = features.into_iter().collect();
    let kind = model.activity_kinds.first().cloned().unwrap_or_default();
    let last: Option<Day> = model.as_of.parse().ok();
    let day = |age: i32| {
        last.map(|day| day.plus(-age).to_string())
            .unwrap_or_default()
    };
    let activity = |i: i32| DayActivity {
        day: day(2 + 5 * i),
        kind: kind.clone(),
        count: 1,
        amount: 9.5,
    };
    let history = History {
        events: Vec::new(),
        days: (0..30).map(activity).collect(),
    };
    Ok(vec![
        (
            "packed",
            SubjectForm::PackedFeatures(PackedFeatures { values: packed }),
        ),
        (
            "named",
            SubjectForm::Features(NamedFeatures { values: named }),
        ),
        ("history", SubjectForm::History(history)),
    ])
}
