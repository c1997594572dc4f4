//! Whatever bytes come, the server neither crashes nor calls itself at fault.

use std::sync::atomic::{AtomicU64, Ordering};

use ebb::serve::client::inference::*;
use prost::Message;
use tonic::Code;

use super::raw::{Raw, framed};
use super::*;
use crate::dice::Dice;

/// Requests of each kind for each method.
const REQUESTS: u64 = 10_000;
/// How many are under way at once.
const AT_ONCE: u64 = 32;

/// Whatever takes longer than this will never end.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(30);

/// What requests are made of.
impl Dice {
    fn text(&mut self) -> String {
        let long = "é".repeat(self.roll(600) as usize);
        self.of(&[
            "",
            "ann",
            "visit",
            "stable",
            "canary",
            "shop",
            "\0",
            "2011-05-01",
            END,
            "../..",
            "recency_days",
        ]
        .map(str::to_owned)
        .iter()
        .chain([&long])
        .cloned()
        .collect::<Vec<_>>())
    }

    fn number(&mut self) -> f64 {
        self.of(&[
            0.0,
            -0.0,
            1.0,
            -1.0,
            3.5,
            1e300,
            -1e300,
            f64::NAN,
            f64::INFINITY,
            f64::MIN_POSITIVE,
            1e12,
        ])
    }

    fn whole(&mut self) -> u32 {
        self.of(&[0, 1, 3, 30, 90, 77, u32::MAX, i32::MAX as u32])
    }

    fn subject(&mut self) -> Subject {
        let form = match self.roll(6) {
            0 => None,
            1 => Some(SubjectForm::UserId(self.text())),
            2 => Some(SubjectForm::Features(NamedFeatures {
                values: self
                    .list(4, |dice| (dice.text(), dice.number()))
                    .into_iter()
                    .collect(),
            })),
            3 => Some(SubjectForm::PackedFeatures(PackedFeatures {
                values: self.list(60, Self::number),
            })),
            _ => {
                let days = self.list(5, |dice| DayActivity {
                    day: dice.text(),
                    kind: dice.text(),
                    count: dice.whole(),
                    amount: dice.number(),
                });
                let events = self.list(3, |dice| {
                    let (seconds, nanos) = (
                        dice.of(&[0, 1, i64::MAX, i64::MIN, 1_300_000_000]),
                        dice.whole() as i32,
                    );
                    let time = Some(prost_types::Timestamp { seconds, nanos })
                        .filter(|_| dice.roll(4) > 0);
                    Event {
                        kind: dice.text(),
                        time,
                        amount: dice.number(),
                    }
                });
                Some(SubjectForm::History(History { events, days }))
            }
        };
        Subject {
            subject: form,
            attributes: Vec::new(),
        }
    }

    fn batch(&mut self) -> BatchScoreUsersRequest {
        BatchScoreUsersRequest {
            subjects: self.list(4, Self::subject),
            as_of: self.text(),
            reason_count: self.list(1, Self::whole).pop(),
            horizon_days: self.list(2, Self::whole),
            feature_hash: if self.roll(2) == 0 {
                feature_hash()
            } else {
                self.text()
            },
            model: if self.roll(4) == 0 {
                self.text()
            } else {
                String::new()
            },
        }
    }

    fn infer(&mut self) -> ModelInferRequest {
        let input = |dice: &mut Self| InferInputTensor {
            name: dice
                .of(&["features", "recency_days", "tenure_days", "nothing"])
                .into(),
            datatype: dice
                .of(&["FP64", "FP32", "INT64", "INT32", "BYTES", ""])
                .into(),
            shape: dice.list(2, |dice| dice.of(&[0, 1, 2, -1, i64::MAX, i64::MIN])),
            contents: Some(InferTensorContents {
                fp64_contents: dice.list(3, Self::number),
                ..Default::default()
            })
            .filter(|_| dice.roll(2) == 0),
            ..Default::default()
        };
        ModelInferRequest {
            model_name: self.of(&["stable", "", "shop", "nothing"]).into(),
            inputs: self.list(3, input),
            raw_input_contents: self.list(3, |dice| vec![0; dice.roll(20) as usize].into()),
            ..Default::default()
        }
    }

    /// A request that has the shape of the method's messages.
    fn request(&mut self, path: &str) -> Vec<u8> {
        let batch = self.batch();
        let BatchScoreUsersRequest {
            subjects,
            as_of,
            reason_count,
            horizon_days,
            feature_hash,
            model,
        } = batch.clone();
        match path.rsplit('/').next().unwrap() {
            "ScoreUser" => {
                let subject = subjects.into_iter().next();
                ScoreUserRequest {
                    subject,
                    as_of,
                    reason_count,
                    horizon_days,
                    feature_hash,
                    model,
                }
                .encode_to_vec()
            }
            "BatchScoreUsers" => batch.encode_to_vec(),
            "StreamScoreUsers" => StreamScoreUsersRequest {
                sequence: self.roll(3),
                batch: Some(batch),
            }
            .encode_to_vec(),
            "ModelInfer" => self.infer().encode_to_vec(),
            "GetModel" => GetModelRequest {
                view: self.whole() as i32,
                model: self.text(),
            }
            .encode_to_vec(),
            "ListModels" => ListModelsRequest {
                page_size: self.whole(),
                page_token: self.text(),
            }
            .encode_to_vec(),
            "LoadModel" => LoadModelRequest {
                name: self.text(),
                validate_only: self.roll(2) == 0,
            }
            .encode_to_vec(),
            "ActivateModel" => {
                let label = self.roll(6) as i32;
                ActivateModelRequest {
                    label,
                    name: self.text(),
                    etag: self.text(),
                }
                .encode_to_vec()
            }
            "UnloadModel" => UnloadModelRequest {
                name: self.text(),
                etag: self.text(),
            }
            .encode_to_vec(),
            // Those with a name and a version, or a name, or nothing.
            _ => ModelReadyRequest {
                name: self.text(),
                version: self.text(),
            }
            .encode_to_vec(),
        }
    }

    /// A request damaged in a few places, and sometimes its frame as well.
    fn damaged(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        for _ in 0..=self.roll(4) {
            let at = self.roll(bytes.len() as u64 + 1) as usize;
            match self.roll(5) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, self.roll(256) as u8),
                2 => bytes.extend_from_within(at..),
                3 if at < bytes.len() => bytes[at] ^= 1 << self.roll(8),
                _ if at < bytes.len() => bytes[at] = self.of(&[0, 0xff, 0x80, 0x7f, 0x0a]),
                _ => {}
            }
        }
        let mut frame = framed(&bytes);
        if self.roll(10) == 0 {
            let at = self.roll(5) as usize;
            frame[at] = self.roll(256) as u8;
        }
        frame
    }
}

const METHODS: [&str; 17] = [
    "/churn.v1.ScoringService/ScoreUser",
    "/churn.v1.ScoringService/BatchScoreUsers",
    "/churn.v1.ScoringService/StreamScoreUsers",
    "/churn.v1.ModelService/GetModel",
    "/churn.v1.ModelService/ListModels",
    "/churn.v1.ModelService/LoadModel",
    "/churn.v1.ModelService/ActivateModel",
    "/churn.v1.ModelService/UnloadModel",
    "/inference.GRPCInferenceService/ServerLive",
    "/inference.GRPCInferenceService/ServerReady",
    "/inference.GRPCInferenceService/ModelReady",
    "/inference.GRPCInferenceService/ServerMetadata",
    "/inference.GRPCInferenceService/ModelMetadata",
    "/inference.GRPCInferenceService/ModelInfer",
    "/grpc.health.v1.Health/Check",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_bytes_make_the_server_call_itself_at_fault() {
    let server = Arc::new(Running::ready().await);
    let raw = Raw::connect(&server).await;
    let (answered, refused) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    for (m, path) in METHODS.into_iter().enumerate() {
        let callers = (0..AT_ONCE).map(|caller| {
            let (raw, answered, refused) = (raw.clone(), answered.clone(), refused.clone());
            tokio::spawn(async move {
                let mut dice = Dice((m as u64) << 32 | caller);
                for _ in 0..REQUESTS / AT_ONCE + 1 {
                    let request = dice.request(path);
                    for body in [framed(&request), dice.damaged(request.clone())] {
                        // A damaged frame may ask for more than is sent: the call ends with its body.
                        let answer =
                            tokio::time::timeout(LONGEST, raw.send(path, &[], body.clone())).await;
                        let answer = answer
                            .unwrap_or_else(|_| panic!("{path} {body:?} is never answered"))
                            .unwrap();
                        assert_eq!(answer.http, 200);
                        let fault = [Code::Internal, Code::Unknown, Code::DataLoss]
                            .contains(&answer.code());
                        assert!(!fault, "{path} {body:?}: {:?}", answer.status);
                        // Whatever is refused is explained, except by the reflection service, which is not ours.
                        if answer.code() != Code::Ok && !path.contains("reflection") {
                            assert!(
                                !answer.reason().is_empty(),
                                "{path} {body:?}: {:?}",
                                answer.status
                            );
                        }
                        let counter = if answer.code() == Code::Ok {
                            &answered
                        } else {
                            &refused
                        };
                        counter.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        });
        for caller in callers.collect::<Vec<_>>() {
            caller.await.unwrap();
        }
    }
    // The control: both kinds of answers occur often.
    let counts = [&answered, &refused].map(|count| count.load(Ordering::Relaxed));
    assert!(counts.iter().all(|count| *count > 10_000), "{counts:?}");
    assert_eq!(
        server.score(ask(user("ann"))).await.unwrap().status(),
        ScoreStatus::Scored
    );
}
