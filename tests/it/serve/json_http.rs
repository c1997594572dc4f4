//! JSON over HTTP: the same answers, errors, keys and limits as over gRPC.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tonic_types::StatusExt;

use super::*;

/// A server that answers HTTP, too.
pub(super) async fn with_http(config: Config) -> (Running, SocketAddr) {
    with_http_of(config, || stock(Some(histories(&log())))).await
}

pub(super) async fn with_http_of(
    config: Config,
    load: impl FnOnce() -> Result<InitialState, ServeError> + Send + 'static,
) -> (Running, SocketAddr) {
    let config = Config {
        http: HttpPort {
            listen: Some("127.0.0.1:0".parse().unwrap()),
            ..config.http
        },
        ..config
    };
    let server = Running::of(config, load).await;
    let address = server.http.unwrap();
    (server, address)
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// ErrorInfo's reason.
    pub(super) fn reason(&self) -> String {
        self.json()["details"][0]["reason"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

/// One request on a connection of its own.
pub(super) async fn send(
    address: SocketAddr,
    target: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Answer {
    let stream = TcpStream::connect(address).await.unwrap();
    send_over(stream, target, headers, body).await
}

pub(super) async fn send_over(
    stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    target: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Answer {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let (method, path) = target.split_once(' ').unwrap();
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(body.into())).unwrap();
    let response = sender.send_request(request).await.unwrap();
    let (head, body) = response.into_parts();
    Answer {
        status: head.status.as_u16(),
        headers: head.headers,
        body: body.collect().await.unwrap().to_bytes(),
    }
}

pub(super) const JSON: (&str, &str) = ("content-type", "application/json");

pub(super) async fn post(address: SocketAddr, path: &str, body: &Value) -> Answer {
    send(address, &format!("POST {path}"), &[JSON], body.to_string()).await
}

pub(super) async fn get(address: SocketAddr, path: &str) -> Answer {
    send(address, &format!("GET {path}"), &[], "").await
}

/// A number as the mapping writes it, with every bit.
fn number(value: f64) -> Value {
    match value {
        value if value.is_nan() => json!("NaN"),
        value => json!(value),
    }
}

/// Sets what is not the default, which the mapping leaves out.
fn set(object: &mut Value, name: &str, value: Value) {
    let is_default = value == json!(0) || value == json!("") || value == json!([]);
    // The sign of zero is a bit that must not be lost.
    let is_zero = value.as_f64().is_some_and(|value| value.to_bits() == 0);
    if !is_default && !is_zero {
        object[name] = value;
    }
}

/// A score as JSON, written down apart from the server's own mapping.
pub(super) fn mapped(score: &Score) -> Value {
    let mut out = json!({"status": score.status().as_str_name()});
    let horizons = score.horizons.iter().map(|horizon| {
        let mut out = json!({"horizonDays": horizon.horizon_days});
        set(
            &mut out,
            "churnProbability",
            number(horizon.churn_probability),
        );
        out["riskBand"] = json!(horizon.risk_band().as_str_name());
        set(&mut out, "logOdds", number(horizon.log_odds));
        set(&mut out, "baseLogOdds", number(horizon.base_log_odds));
        let reasons = horizon.reasons.iter().map(|reason| {
            let mut out = json!({"group": reason.group().as_str_name()});
            set(&mut out, "contribution", number(reason.contribution));
            set(&mut out, "feature", json!(reason.feature));
            if let Some(value) = reason.value {
                out["value"] = number(value);
            }
            set(&mut out, "unit", json!(reason.unit));
            set(&mut out, "explanation", json!(reason.explanation));
            out
        });
        set(&mut out, "reasons", reasons.collect());
        set(
            &mut out,
            "otherContribution",
            number(horizon.other_contribution),
        );
        out
    });
    set(&mut out, "horizons", horizons.collect());
    if score.stage() != Stage::Unspecified {
        out["stage"] = json!(score.stage().as_str_name());
        out["stageRule"] = json!(score.stage_rule().as_str_name());
    }
    set(&mut out, "stageExplanation", json!(score.stage_explanation));
    if let Some(segment) = &score.segment {
        let mut inner = json!({});
        set(&mut inner, "id", json!(segment.id));
        set(&mut inner, "name", json!(segment.name));
        set(&mut inner, "distance", number(segment.distance));
        set(&mut inner, "key", json!(segment.key));
        out["segment"] = inner;
    }
    if let Some(days) = score.recency_days {
        out["recencyDays"] = number(days);
    }
    if score.events_after_as_of > 0 {
        out["eventsAfterAsOf"] = json!(score.events_after_as_of.to_string());
    }
    set(&mut out, "asOf", json!(score.as_of));
    set(&mut out, "modelVersion", json!(score.model_version));
    let kinds = score.unknown_kinds.iter().map(|unknown| {
        let mut out = json!({"kind": unknown.kind, "events": unknown.events.to_string()});
        set(&mut out, "nearest", json!(unknown.nearest));
        out
    });
    set(&mut out, "unknownKinds", kinds.collect());
    set(
        &mut out,
        "missingAttributes",
        json!(score.missing_attributes),
    );
    out
}

/// Numbers with their bits, so that 1 and 1.0 are the same and -0.0 and 0.0 are not.
fn bits(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(format!("{:016x}", number.as_f64().unwrap().to_bits())),
        Value::Array(values) => values.iter().map(bits).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), bits(value)))
            .collect(),
        other => other.clone(),
    }
}

/// A subject as JSON.
fn subject_json(subject: &Subject) -> Value {
    match subject.subject.as_ref().unwrap() {
        SubjectForm::UserId(id) => json!({"userId": id}),
        SubjectForm::History(history) => {
            let events = history.events.iter().map(|event| {
                let time = event.time.as_ref().unwrap();
                json!({"kind": event.kind, "time": time.to_string(), "amount": event.amount})
            });
            let days = history.days.iter().map(|day| {
                json!({"day": day.day, "kind": day.kind, "count": day.count, "amount": day.amount})
            });
            json!({"history": {"events": events.collect::<Value>(), "days": days.collect::<Value>()}})
        }
        SubjectForm::Features(features) => json!({"features": {"values": features.values}}),
        SubjectForm::PackedFeatures(features) => {
            let values = features.values.iter().map(|value| number(*value));
            json!({"packedFeatures": {"values": values.collect::<Value>()}})
        }
    }
}

#[tokio::test]
async fn every_form_of_a_subject_gets_the_bits_that_grpc_gives() {
    let (server, address) = with_http(Config::default()).await;
    let log = log();
    let mut scored = 0;
    for id in ["ann", "dan", "ola", "ret", "zed"] {
        let mut subjects = vec![user(id), as_events(&log, id), as_days(&log, id)];
        if id == "ann" {
            subjects.extend([as_features(&log, id, END), as_packed(&log, id, END)]);
        }
        for subject in subjects {
            let mut request = ask(subject);
            request.feature_hash = feature_hash();
            request.reason_count = Some(9);
            let json = json!({
                "subject": subject_json(request.subject.as_ref().unwrap()),
                "asOf": END,
                "reasonCount": 9,
                "featureHash": feature_hash(),
            });
            let score = server.score(request).await.unwrap();
            let answer = post(address, "/v1/score", &json).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let expected = json!({"score": mapped(&score)});
            assert_eq!(bits(&answer.json()), bits(&expected), "{json}");
            scored += usize::from(score.status() == ScoreStatus::Scored);
        }
    }
    assert!(scored >= 8, "only {scored} scores were compared");
}

#[tokio::test]
async fn a_batch_fails_where_it_fails_over_grpc() {
    let (server, address) = with_http(Config::default()).await;
    let request = BatchScoreUsersRequest {
        subjects: vec![
            user("ann"),
            user("nobody"),
            subject(SubjectForm::UserId(" ".into())),
        ],
        ..Default::default()
    };
    let json = json!({"subjects": [{"userId": "ann"}, {"user_id": "nobody"}, {"userId": " "}]});
    let answer = post(address, "/v1/score:batch", &json).await.json();
    let batch = server.batch(request).await.unwrap();
    let results = batch
        .results
        .iter()
        .map(|result| match result.result.as_ref().unwrap() {
            ScoreOutcome::Score(score) => json!({"score": mapped(score)}),
            ScoreOutcome::Error(error) => json!({"error": {
                "code": error.code().as_str_name(),
                "message": error.message,
                "field": error.field,
                "reason": error.reason,
            }}),
        });
    let expected = json!({
        "results": results.collect::<Value>(),
        "modelVersion": batch.model_version,
        "asOf": batch.as_of,
    });
    assert_eq!(bits(&answer), bits(&expected));
    assert_eq!(
        answer["results"][1]["error"]["code"],
        "ERROR_CODE_NOT_FOUND"
    );
}

#[tokio::test]
async fn errors_are_those_of_grpc_with_the_status_that_goes_with_them() {
    let (server, address) = with_http(Config::default()).await;
    let ann = || ask(user("ann"));
    let of = |request: ScoreUserRequest, json: Value, status: u16| (request, json, status);
    let cases = [
        of(
            ask(user("nobody")),
            json!({"subject": {"userId": "nobody"}, "asOf": END}),
            404,
        ),
        of(ScoreUserRequest::default(), json!({}), 400),
        of(
            ScoreUserRequest {
                as_of: "soon".into(),
                ..ann()
            },
            json!({"subject": {"userId": "ann"}, "asOf": "soon"}),
            400,
        ),
        of(
            ScoreUserRequest {
                model: "none".into(),
                ..ann()
            },
            json!({"subject": {"userId": "ann"}, "model": "none"}),
            404,
        ),
        of(
            ScoreUserRequest {
                feature_hash: "x".into(),
                ..ann()
            },
            json!({"subject": {"userId": "ann"}, "featureHash": "x"}),
            400,
        ),
        of(
            ScoreUserRequest {
                horizon_days: vec![7],
                ..ann()
            },
            json!({"subject": {"userId": "ann"}, "horizonDays": [7]}),
            400,
        ),
    ];
    for (request, json, expected) in cases {
        let status = server.score(request).await.unwrap_err();
        let answer = post(address, "/v1/score", &json).await;
        let body = answer.json();
        assert_eq!(answer.status, expected, "{answer:?}");
        assert_eq!(body["code"], status.code() as i32);
        assert_eq!(body["message"], status.message());
        let details = status.get_error_details();
        assert_eq!(answer.reason(), details.error_info().unwrap().reason);
        if let Some(violations) = details.bad_request() {
            let violation = &violations.field_violations[0];
            let written = &body["details"][1]["fieldViolations"][0];
            assert_eq!(written["field"], violation.field);
            assert_eq!(written["description"], violation.description);
        }
        assert_eq!(answer.header("x-request-id").len(), 16);
    }
}

#[tokio::test]
async fn models_are_listed_and_described() {
    let (server, address) = with_http(Config::default()).await;
    let listed = get(address, "/v1/models?pageSize=5").await.json();
    assert_eq!(listed["models"][0]["name"], "shop");
    assert_eq!(listed["models"][0]["labels"], json!(["MODEL_LABEL_STABLE"]));
    let basic = get(address, "/v1/models/shop?view=MODEL_VIEW_BASIC")
        .await
        .json();
    let model = server
        .models()
        .get_model(GetModelRequest::default())
        .await
        .unwrap();
    let model = model.into_inner().model.unwrap();
    assert_eq!(basic["model"]["version"], VERSION);
    assert_eq!(basic["model"]["featureHash"], model.feature_hash);
    assert_eq!(basic["knownUsers"], json!({"users": "5", "asOf": END}));
    assert!(basic["model"].get("features").is_none());
    let full = get(address, "/v1/models/stable").await.json();
    assert_eq!(
        full["model"]["features"].as_array().unwrap().len(),
        model.features.len()
    );
    assert_eq!(full["model"]["cardJson"], CARD);
    // A name with characters that no path has.
    let none = get(address, "/v1/models/a%20b%2Fc%C3%A9").await;
    assert_eq!(
        (none.status, none.reason().as_str()),
        (404, "MODEL_UNKNOWN")
    );
    assert!(none.json()["message"].as_str().unwrap().contains("a b/cé"));
}
