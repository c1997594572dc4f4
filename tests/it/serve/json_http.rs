//! JSON over HTTP: the same answers, errors, keys and limits as over gRPC.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tonic::Code;
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
    fn reason(&self) -> String {
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

const JSON: (&str, &str) = ("content-type", "application/json");

async fn post(address: SocketAddr, path: &str, body: &Value) -> Answer {
    send(address, &format!("POST {path}"), &[JSON], body.to_string()).await
}

async fn get(address: SocketAddr, path: &str) -> Answer {
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

#[tokio::test]
async fn what_is_no_request_gets_the_status_that_http_has_for_it() {
    let limits = Limits {
        max_message_bytes: 2_000,
        ..Limits::default()
    };
    let (_server, address) = with_http(limited(limits)).await;
    let huge = format!("{{\"asOf\":\"{}\"}}", "1".repeat(3_000));
    let cases: [(&str, &[(&str, &str)], &str, u16, &str); 14] = [
        ("GET /", &[], "", 404, "METHOD_UNKNOWN"),
        ("GET /v1/score/", &[], "", 404, "METHOD_UNKNOWN"),
        (
            "POST /churn.v1.ScoringService/ScoreUser",
            &[JSON],
            "{}",
            404,
            "METHOD_UNKNOWN",
        ),
        ("GET /v1/score", &[], "", 405, "METHOD_UNKNOWN"),
        ("DELETE /v1/models/shop", &[], "", 405, "METHOD_UNKNOWN"),
        ("POST /openapi.json", &[JSON], "{}", 405, "METHOD_UNKNOWN"),
        ("POST /v1/score", &[], "{}", 415, "MESSAGE_MALFORMED"),
        (
            "POST /v1/score",
            &[("content-type", "text/plain")],
            "{}",
            415,
            "MESSAGE_MALFORMED",
        ),
        (
            "POST /v1/score",
            &[("content-type", "application/grpc")],
            "",
            415,
            "MESSAGE_MALFORMED",
        ),
        (
            "POST /v1/score",
            &[JSON, ("content-encoding", "gzip")],
            "{}",
            415,
            "MESSAGE_MALFORMED",
        ),
        ("POST /v1/score", &[JSON], "{", 400, "MESSAGE_MALFORMED"),
        (
            "POST /v1/score?asOf=2025-01-01",
            &[JSON],
            "{}",
            400,
            "FIELD_INVALID",
        ),
        ("GET /v1/models?pagesize=1", &[], "", 400, "FIELD_INVALID"),
        ("POST /v1/score", &[JSON], &huge, 413, "MESSAGE_TOO_LARGE"),
    ];
    for (target, headers, body, status, reason) in cases {
        let answer = send(address, target, headers, body.to_owned()).await;
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (status, reason),
            "{target}: {answer:?}"
        );
        assert_eq!(
            answer.header("content-type"),
            "application/json",
            "{target}"
        );
        assert_eq!(
            status == 405,
            !answer.header("allow").is_empty(),
            "{target}"
        );
    }
    let unknown = post(address, "/v1/score", &json!({"subject": {"user": "ann"}})).await;
    assert_eq!(
        unknown.json()["details"][1]["fieldViolations"][0]["field"],
        "subject.user"
    );
    // The negative control: with the right name there is an answer, also where the media type has parameters.
    let kind = ("content-type", "application/json; charset=utf-8");
    let legal = json!({"subject": {"userId": "ann"}}).to_string();
    assert_eq!(
        send(address, "POST /v1/score", &[kind], legal).await.status,
        200
    );
    let head = send(address, "HEAD /v1/models", &[], "").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[tokio::test]
async fn deadlines_are_seconds_or_those_of_grpc() {
    let (_server, address) = with_http(Config::default()).await;
    let body = json!({"subject": {"userId": "ann"}}).to_string();
    for (header, status) in [
        (("x-request-timeout", "0"), 504),
        (("x-request-timeout", "20.5"), 200),
        (("x-request-timeout", "soon"), 400),
        (("grpc-timeout", "1n"), 504),
        (("grpc-timeout", "20S"), 200),
    ] {
        let answer = send(address, "POST /v1/score", &[JSON, header], body.clone()).await;
        assert_eq!(answer.status, status, "{header:?}: {answer:?}");
    }
}

#[tokio::test]
async fn keys_allow_what_they_allow_over_grpc_until_they_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("keys");
    let (keys, lines): (Vec<String>, Vec<String>) = ["score", "read"]
        .iter()
        .map(|permission| ebb::serve::new_key("test", permission).unwrap())
        .unzip();
    std::fs::write(&file, lines.join("\n")).unwrap();
    let config = Config {
        api_keys_file: Some(file.clone()),
        ..Config::default()
    };
    let (server, address) = with_http(config).await;
    let body = json!({"subject": {"userId": "ann"}}).to_string();
    let ask = async |target: &str, key: Option<&str>| {
        let bearer = key.map(|key| format!("Bearer {key}"));
        let mut headers = vec![JSON];
        headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
        let answer = send(address, target, &headers, body.clone()).await;
        assert!(!format!("{answer:?}").contains(&keys[0][8..]));
        answer
    };
    let (score, read) = (Some(keys[0].as_str()), Some(keys[1].as_str()));
    for (target, key, status) in [
        ("POST /v1/score", None, 401),
        ("POST /v1/score", Some("ebb_0"), 401),
        ("POST /v1/score", score, 200),
        ("POST /v1/score", read, 403),
        ("GET /v1/models", score, 403),
        ("GET /v1/models", read, 200),
        ("GET /v1/users", read, 403),
        ("GET /v1/users", score, 200),
        // What there is not is told only to those who are known.
        ("GET /v1/nothing", None, 401),
        ("GET /v1/nothing", score, 404),
        ("GET /v1/score", None, 401),
        // The description is the same for every server.
        ("GET /openapi.json", None, 200),
    ] {
        let answer = ask(target, key).await;
        assert_eq!(answer.status, status, "{target} {key:?}: {answer:?}");
        assert_eq!(answer.header("www-authenticate") == "Bearer", status == 401);
    }
    std::fs::write(&file, &lines[1]).unwrap();
    assert_eq!(ask("POST /v1/score", score).await.status, 200);
    server.look_at_credentials().await;
    assert_eq!(ask("POST /v1/score", score).await.status, 401);
}

#[tokio::test]
async fn pages_of_listed_origins_may_ask_and_of_no_others() {
    let config = Config {
        http: HttpPort {
            allow_origins: vec!["https://shop.example".into()],
            ..HttpPort::default()
        },
        ..Config::default()
    };
    let (_server, address) = with_http(config).await;
    let body = json!({"subject": {"userId": "ann"}}).to_string();
    let from = async |origin: &str| {
        send(
            address,
            "POST /v1/score",
            &[JSON, ("origin", origin)],
            body.clone(),
        )
        .await
    };
    let allowed = from("https://shop.example").await;
    assert_eq!((allowed.status, allowed.header("vary")), (200, "origin"));
    assert_eq!(
        allowed.header("access-control-allow-origin"),
        "https://shop.example"
    );
    for other in [
        "https://shop.example.evil",
        "http://shop.example",
        "null",
        "https://shop.example:8443",
    ] {
        let refused = from(other).await;
        assert_eq!(
            (refused.status, refused.reason().as_str()),
            (403, "ORIGIN_NOT_ALLOWED"),
            "{other}"
        );
        assert_eq!(refused.header("access-control-allow-origin"), "", "{other}");
    }
    let preflight = async |origin: &str| {
        let headers = [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            (
                "access-control-request-headers",
                "authorization,content-type",
            ),
        ];
        send(address, "OPTIONS /v1/score", &headers, "").await
    };
    let asked = preflight("https://shop.example").await;
    assert_eq!(asked.status, 204);
    assert!(
        asked
            .header("access-control-allow-headers")
            .contains("authorization")
    );
    assert!(
        asked
            .header("access-control-allow-methods")
            .contains("POST")
    );
    assert_eq!(preflight("https://evil.example").await.status, 403);
    // Errors can be read as well.
    let headers = [JSON, ("origin", "https://shop.example")];
    let failed = send(address, "POST /v1/score", &headers, "{}").await;
    assert_eq!(
        (failed.status, failed.header("access-control-allow-origin")),
        (400, "https://shop.example")
    );
}

#[tokio::test]
async fn calls_are_counted_and_stopped_like_others() {
    let metrics = super::metrics::free_port();
    let config = Config {
        metrics: ebb::serve::MetricsPort {
            listen: Some(metrics),
            public: false,
        },
        ..Config::default()
    };
    let (server, address) = with_http(config).await;
    post(address, "/v1/score", &json!({"subject": {"userId": "ann"}})).await;
    post(
        address,
        "/v1/score",
        &json!({"subject": {"userId": "nobody"}}),
    )
    .await;
    get(address, "/v1/nothing").await;
    let page = super::metrics::ask_page(metrics, "GET /status.json").await;
    let (_, status) = page.split_once("\r\n\r\n").unwrap();
    let status: Value = serde_json::from_str(status).unwrap();
    let rows = status["calls"].as_array().unwrap();
    let row = rows
        .iter()
        .find(|row| row["method"] == "ScoreUser")
        .unwrap();
    assert_eq!(
        (&row["started"], &row["handled"]),
        (&json!(2), &json!([["OK", 1], ["NotFound", 1]]))
    );
    // A connection that is kept open holds up no stop.
    let idle = TcpStream::connect(address).await.unwrap();
    assert_eq!(server.stop().await, Stopped::Drained);
    drop(idle);
}

#[tokio::test]
async fn the_description_has_every_path_and_refers_to_nothing_that_is_not_there() {
    let (_server, address) = with_http(Config::default()).await;
    let document = get(address, "/openapi.json").await.json();
    let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    assert_eq!(
        paths,
        [
            "/v1/models",
            "/v1/models/{model}",
            "/v1/score",
            "/v1/score:batch",
            "/v1/users"
        ]
    );
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let text = document.to_string();
    let references = text.split("\"#/components/schemas/").skip(1);
    let mut found = 0;
    for reference in references {
        let (name, _) = reference.split_once('"').unwrap();
        assert!(schemas.contains_key(name), "{name}");
        found += 1;
    }
    assert!(found > 40, "only {found} references");
    assert!(
        schemas
            .values()
            .all(|schema| schema["description"].is_string()),
        "a message without a comment"
    );
    let horizon = &schemas["churn.v1.HorizonScore"]["properties"]["churnProbability"];
    assert_eq!(
        horizon["description"],
        "The probability of churn within the horizon, between 0 and 1."
    );
    let code = Code::InvalidArgument as i32;
    assert_eq!(code, 3, "the number that errors are documented with");
}
