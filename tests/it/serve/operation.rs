use std::collections::BTreeSet;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio_stream::Stream;
use tonic::{Code, Request};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use super::*;

const SERVICES: [&str; 5] = [
    "",
    "readiness",
    "churn.v1.ScoringService",
    "churn.v1.ModelService",
    "inference.GRPCInferenceService",
];

fn health(service: &str) -> HealthCheckRequest {
    HealthCheckRequest {
        service: service.into(),
    }
}

async fn statuses(server: &Running) -> Vec<ServingStatus> {
    let mut client = HealthClient::new(server.channel.clone());
    let mut all = Vec::new();
    for service in SERVICES {
        all.push(
            client
                .check(health(service))
                .await
                .unwrap()
                .into_inner()
                .status(),
        );
    }
    all
}

#[tokio::test]
async fn health_follows_the_model_and_scoring_says_try_again_before() {
    let (go, load) = held_load();
    let (server, ready) = Running::start(Config::default(), load).await;
    assert_eq!(statuses(&server).await, [ServingStatus::NotServing; 5]);
    assert_eq!(
        server.score(ask(user("ann"))).await.unwrap_err().code(),
        Code::Unavailable
    );
    let batch = server.batch(BatchScoreUsersRequest::default()).await;
    assert_eq!(batch.unwrap_err().code(), Code::Unavailable);
    let model = server.models().get_model(GetModelRequest::default()).await;
    assert_eq!(model.unwrap_err().code(), Code::Unavailable);
    let mut watch = HealthClient::new(server.channel.clone())
        .watch(health(""))
        .await
        .unwrap()
        .into_inner();
    let mut next = async || {
        watch
            .message()
            .await
            .unwrap()
            .map(|HealthCheckResponse { status }| status)
    };
    assert_eq!(next().await, Some(ServingStatus::NotServing.into()));
    go.send(()).unwrap();
    ready.await.unwrap();
    assert_eq!(next().await, Some(ServingStatus::Serving.into()));
    assert_eq!(statuses(&server).await, [ServingStatus::Serving; 5]);
    assert!(
        server
            .score(ask(as_features(&log(), "ann", END)))
            .await
            .is_ok()
    );
    let unknown = HealthClient::new(server.channel.clone())
        .check(health("churn.v1.Nothing"))
        .await;
    assert_eq!(unknown.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn a_model_that_cannot_be_loaded_ends_the_server_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model");
    save_bundle(&path);
    std::fs::write(path.join("bundle.json"), "{}").unwrap();
    let (server, _ready) = Running::start(Config::default(), move || {
        InitialState::load(&Config {
            model: Some(path),
            ..Config::default()
        })
    })
    .await;
    let error = server.ended.await.unwrap().unwrap_err();
    assert!(
        error.to_string().contains("bundle.json: SHA-256"),
        "{error}"
    );
}

#[tokio::test]
async fn a_crash_while_loading_ends_the_server() {
    let (server, _ready) = Running::start(Config::default(), || panic!("for the test")).await;
    assert!(matches!(
        server.ended.await.unwrap(),
        Err(ServeError::Crashed(_))
    ));
}

#[tokio::test]
async fn a_roll_up_on_disk_gives_the_known_users() {
    let dir = tempfile::tempdir().unwrap();
    let (model, rollup) = (dir.path().join("model"), dir.path().join("rollup"));
    let bundle = save_bundle(&model);
    ebb::history::write_rollup(&rollup, &histories(&log()), 2).unwrap();
    let config = Config {
        model: Some(model),
        rollup: Some(rollup),
        ..Config::default()
    };
    let server = Running::of(config.clone(), move || InitialState::load(&config)).await;
    let in_memory = Running::ready().await;
    for id in ["ann", "dan", "ola"] {
        let mut score = server.score(ask(user(id))).await.unwrap();
        assert_eq!(score.model_version, bundle.version());
        score.model_version = VERSION.into();
        assert_eq!(score, in_memory.score(ask(user(id))).await.unwrap());
    }
}

macro_rules! reflected_services {
    ($channel:expr, $version:ident) => {{
        use tonic_reflection::pb::$version::ServerReflectionRequest;
        use tonic_reflection::pb::$version::server_reflection_client::ServerReflectionClient;
        use tonic_reflection::pb::$version::server_reflection_request::MessageRequest;
        use tonic_reflection::pb::$version::server_reflection_response::MessageResponse;
        let request = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let answer = ServerReflectionClient::new($channel)
            .server_reflection_info(tokio_stream::iter([request]))
            .await;
        let message = answer
            .unwrap()
            .into_inner()
            .message()
            .await
            .unwrap()
            .unwrap();
        let Some(MessageResponse::ListServicesResponse(list)) = message.message_response else {
            panic!("no list")
        };
        list.service
            .into_iter()
            .map(|service| service.name)
            .collect::<BTreeSet<String>>()
    }};
}

/// The encoded file of every service that reflection lists.
pub(super) async fn reflected_files(server: &Running) -> Vec<Vec<u8>> {
    use tonic_reflection::pb::v1::ServerReflectionRequest;
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
    let names = reflected_services!(server.channel.clone(), v1);
    assert!(names.len() >= 5, "{names:?}");
    let asks = names.into_iter().map(|name| ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::FileContainingSymbol(name)),
    });
    let asks: Vec<_> = asks.collect();
    let mut client = ServerReflectionClient::new(server.channel.clone());
    let mut answers = client
        .server_reflection_info(tokio_stream::iter(asks))
        .await
        .unwrap()
        .into_inner();
    let mut files = Vec::new();
    while let Some(answer) = answers.message().await.unwrap() {
        let Some(MessageResponse::FileDescriptorResponse(found)) = answer.message_response else {
            panic!("no file")
        };
        files.extend(found.file_descriptor_proto);
    }
    files
}

#[tokio::test]
async fn reflection_lists_the_services_in_both_versions() {
    let server = Running::ready().await;
    let v1 = reflected_services!(server.channel.clone(), v1);
    let v1alpha = reflected_services!(server.channel.clone(), v1alpha);
    for names in [v1, v1alpha] {
        for name in [
            "churn.v1.ScoringService",
            "churn.v1.ModelService",
            "inference.GRPCInferenceService",
            "grpc.health.v1.Health",
        ] {
            assert!(names.contains(name), "{names:?} lacks {name}");
        }
    }
}

/// A request body whose one message is held back: tells when it is first wanted, which is after the headers are
/// on their way.
struct HeldBody {
    wanted: Option<oneshot::Sender<()>>,
    message: oneshot::Receiver<ScoreUserRequest>,
    sent: bool,
}

impl Stream for HeldBody {
    type Item = ScoreUserRequest;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.sent {
            return Poll::Ready(None);
        }
        if let Some(wanted) = self.wanted.take() {
            wanted.send(()).unwrap();
        }
        Pin::new(&mut self.message).poll(cx).map(|message| {
            self.sent = true;
            message.ok()
        })
    }
}

#[tokio::test]
async fn a_call_in_progress_is_finished_when_the_server_is_asked_to_stop() {
    let server = Running::ready().await;
    let ((wanted, is_wanted), (send, message)) = (oneshot::channel(), oneshot::channel());
    let mut raw = tonic::client::Grpc::new(server.channel.clone());
    let call = tokio::spawn(async move {
        raw.ready().await.unwrap();
        let path = "/churn.v1.ScoringService/ScoreUser".parse().unwrap();
        let codec = tonic_prost::ProstCodec::<ScoreUserRequest, ScoreUserResponse>::default();
        raw.client_streaming(
            Request::new(HeldBody {
                wanted: Some(wanted),
                message,
                sent: false,
            }),
            path,
            codec,
        )
        .await
    });
    is_wanted.await.unwrap();
    // Frames of one connection come in order: once this is answered, the headers of the held call have arrived.
    server.score(ask(user("ann"))).await.unwrap();
    let mut watch = HealthClient::new(server.channel.clone())
        .watch(health(""))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        watch.message().await.unwrap().unwrap().status(),
        ServingStatus::Serving
    );
    let Running {
        channel,
        stop,
        ended,
        ..
    } = server;
    stop.send(()).unwrap();
    assert_eq!(
        watch.message().await.unwrap().unwrap().status(),
        ServingStatus::NotServing
    );
    drop((watch, channel));
    assert!(!ended.is_finished());
    send.send(ask(user("ann"))).unwrap();
    let answer: ScoreUserResponse = call.await.unwrap().unwrap().into_inner();
    assert_eq!(answer.score.unwrap().status(), ScoreStatus::Scored);
    assert_eq!(ended.await.unwrap().unwrap(), Stopped::Drained);
}

#[tokio::test]
async fn an_open_reflection_stream_does_not_hold_up_a_stop() {
    use tonic_reflection::pb::v1::ServerReflectionRequest;
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    let server = Running::ready().await;
    let mut client = ServerReflectionClient::new(server.channel.clone());
    let mut open = client
        .server_reflection_info(tokio_stream::pending::<ServerReflectionRequest>())
        .await
        .unwrap()
        .into_inner();
    let stopped = tokio::spawn(server.stop());
    let end = tokio::time::timeout(std::time::Duration::from_secs(5), open.message())
        .await
        .unwrap();
    assert!(!matches!(end, Ok(Some(_))), "{end:?}");
    drop((open, client));
    assert_eq!(stopped.await.unwrap(), Stopped::Drained);
}

#[tokio::test]
async fn a_server_can_be_stopped_before_it_is_ready_and_when_idle() {
    let (go, load) = held_load();
    let (server, _ready) = Running::start(Config::default(), load).await;
    assert_eq!(statuses(&server).await, [ServingStatus::NotServing; 5]);
    assert_eq!(server.stop().await, Stopped::Drained);
    drop(go);
    let idle = Running::ready().await;
    idle.score(ask(user("ann"))).await.unwrap();
    assert_eq!(idle.stop().await, Stopped::Drained);
}

#[tokio::test]
async fn a_thousand_small_calls_at_once_on_one_connection_are_all_answered() {
    let server = Running::ready().await;
    let calls: Vec<_> = (0..1_000)
        .map(|_| {
            let mut client = server.scoring();
            tokio::spawn(async move { client.score_user(ask(user("dan"))).await })
        })
        .collect();
    for call in calls {
        assert_eq!(
            call.await
                .unwrap()
                .unwrap()
                .into_inner()
                .score
                .unwrap()
                .status(),
            ScoreStatus::Scored
        );
    }
}
