//! How the messages of a call are written: as protobuf, or as JSON by protobuf's own mapping,
//! <https://protobuf.dev/programming-guides/json/>.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};

use super::errors::{CallError, ServeError};
use super::limits::CALL_BYTES;
use super::quota::{Resource, Share};

/// A message of more bytes is read on the pool: on the threads that read from connections it would hold up others.
const PROTOBUF_INLINE_BYTES: usize = 64 << 10;
/// The same as JSON, which takes some ten times as long.
const JSON_INLINE_BYTES: usize = 8 << 10;

/// What an object of JSON takes while it becomes a message: a node of a tree, which has room for eleven fields.
const OBJECT_BYTES: usize = 720;
/// The same for an element of a list or a member of an object, in a table that grows.
const ELEMENT_BYTES: usize = 128;
/// How many times its own bytes an answer takes while it becomes JSON: a score with a value and without reasons is all small
/// numbers, and that of the value has more fields than one node has room for.
const ANSWER_TIMES: usize = 20;

/// How the messages of a call are written.
#[derive(Clone, Debug)]
pub(crate) enum Form {
    /// As protobuf, in gRPC's frames.
    Protobuf,
    /// As JSON, without frames: one message, and one answer.
    Json(Arc<JsonForm>),
}

impl Form {
    /// A message of more bytes is read on the pool.
    pub(crate) fn inline_bytes(&self) -> usize {
        match self {
            Self::Protobuf => PROTOBUF_INLINE_BYTES,
            Self::Json(_) => JSON_INLINE_BYTES,
        }
    }
}

/// The messages of a method as JSON.
#[derive(Debug)]
pub(crate) struct JsonForm {
    request: MessageDescriptor,
    answer: MessageDescriptor,
}

impl JsonForm {
    /// The form of a method's messages.
    ///
    /// # Errors
    /// [`ServeError::Protocol`] when the pool has no such method.
    pub(crate) fn new(
        pool: &DescriptorPool,
        service: &str,
        method: &str,
    ) -> Result<Self, ServeError> {
        let missing = || ServeError::Protocol(format!("it has no method {service}/{method}"));
        let service = pool.get_service_by_name(service).ok_or_else(missing)?;
        let found = service.methods().find(|found| found.name() == method);
        let method = found.ok_or_else(missing)?;
        Ok(Self {
            request: method.input(),
            answer: method.output(),
        })
    }

    /// The message of a request.
    pub(crate) fn request_message(&self) -> &MessageDescriptor {
        &self.request
    }

    /// A request as protobuf, on the account of its call. Names of fields may be those of JSON or of the protocol; one that
    /// the message does not have is an error.
    pub(crate) fn request(&self, json: &[u8], memory: &Share) -> Result<Bytes, CallError> {
        if !memory.grow(parsed_bytes(json)) {
            return Err(no_memory());
        }
        let mut reader = serde_json::Deserializer::from_slice(json);
        let mut track = serde_path_to_error::Track::new();
        let tracked = serde_path_to_error::Deserializer::new(&mut reader, &mut track);
        let parsed = DynamicMessage::deserialize(self.request.clone(), tracked);
        let message = parsed.map_err(|error| refused(&error, &track.path().to_string()))?;
        reader.end().map_err(|error| refused(&error, "."))?;
        let encoded = message.encode_to_vec();
        drop(message);
        memory.shrink_to(CALL_BYTES + 2 * json.len() + encoded.len());
        Ok(encoded.into())
    }

    /// An answer as JSON, with the memory that it is counted as.
    pub(crate) fn answer(
        &self,
        answer: &impl Message,
        memory: &Share,
    ) -> Result<(Vec<u8>, Share), CallError> {
        let working = memory.another(ANSWER_TIMES * answer.encoded_len());
        let working = working.ok_or_else(no_memory)?;
        let mut message = DynamicMessage::new(self.answer.clone());
        // The types are made from the same description, so neither step can fail but by a fault of the server.
        message
            .transcode_from(answer)
            .map_err(|_| CallError::Crashed("writing the answer"))?;
        let mut json =
            serde_json::to_vec(&message).map_err(|_| CallError::Crashed("writing the answer"))?;
        json.shrink_to_fit();
        drop((message, working));
        let counted = memory.another(json.len()).ok_or_else(no_memory)?;
        Ok((json, counted))
    }
}

fn no_memory() -> CallError {
    CallError::TooManyCalls {
        limit: Resource::Memory.limit(),
    }
}

/// How many bytes a text takes at most when it is parsed, beside its own. What looks like structure inside of a string counts too.
fn parsed_bytes(json: &[u8]) -> usize {
    let cost = |byte: &u8| match byte {
        b'{' => OBJECT_BYTES,
        b',' | b':' | b'[' => ELEMENT_BYTES,
        _ => 0,
    };
    json.iter().map(cost).sum()
}

/// What is wrong with a text at a path, which is `.` for the whole of it.
fn refused(error: &serde_json::Error, path: &str) -> CallError {
    if !error.is_data() {
        return CallError::malformed(format!("it is not JSON: {error}"));
    }
    let problem = error.to_string();
    let unknown = problem
        .strip_prefix("unrecognized field name '")
        .and_then(|rest| rest.split_once('\''))
        .map(|(name, _)| name);
    let field = match (path, unknown) {
        (".", Some(name)) => name.to_owned(),
        (".", None) => String::new(),
        (path, Some(name)) if !path.ends_with(name) => format!("{path}.{name}"),
        (path, _) => path.to_owned(),
    };
    CallError::field(field, problem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::context::CallContext;
    use crate::serve::limits::Limits;
    use crate::serve::quota::Quotas;
    use crate::serve::wire;

    fn form(service: &str, method: &str) -> JsonForm {
        let pool = DescriptorPool::decode(wire::DOCUMENTED).unwrap();
        JsonForm::new(&pool, service, method).unwrap()
    }

    fn score_user() -> JsonForm {
        form("churn.v1.ScoringService", "ScoreUser")
    }

    fn memory() -> Arc<Share> {
        CallContext::within(std::time::Duration::ZERO).memory
    }

    fn read(json: &str) -> Result<wire::ScoreUserRequest, CallError> {
        let bytes = score_user().request(json.as_bytes(), &memory())?;
        Ok(wire::ScoreUserRequest::decode(bytes).unwrap())
    }

    #[test]
    fn both_names_of_a_field_are_read_and_numbers_may_be_text() {
        let camel = read(r#"{"asOf":"2025-06-24","reasonCount":2,"subject":{"userId":"U1"}}"#);
        let snake = read(r#"{"as_of":"2025-06-24","reason_count":"2","subject":{"user_id":"U1"}}"#)
            .unwrap();
        assert_eq!(camel.unwrap(), snake);
        assert_eq!(
            (snake.as_of.as_str(), snake.reason_count),
            ("2025-06-24", Some(2))
        );
        let packed = read(r#"{"subject":{"packedFeatures":{"values":["NaN",1,-0.0,5e-324]}}}"#);
        let Some(wire::subject::Subject::PackedFeatures(packed)) =
            packed.unwrap().subject.unwrap().subject
        else {
            panic!("these are packed features")
        };
        let bits: Vec<u64> = packed.values[1..].iter().map(|v| v.to_bits()).collect();
        assert!(packed.values[0].is_nan());
        assert_eq!(bits, [1.0_f64.to_bits(), (-0.0_f64).to_bits(), 1]);
        // What is null is not set.
        assert_eq!(
            read(r#"{"reasonCount":null}"#).unwrap(),
            wire::ScoreUserRequest::default()
        );
    }

    #[test]
    fn a_problem_is_named_by_its_field_or_its_place() {
        for (json, message) in [
            (
                "",
                "it is not JSON: EOF while parsing a value at line 1 column 0",
            ),
            ("{\n\"asOf\": 1,}", "asOf: invalid type: integer `1`"),
            (
                "{\"asOf\": \"1\",}",
                "it is not JSON: trailing comma at line 1 column 14",
            ),
            (
                "{} {}",
                "it is not JSON: trailing characters at line 1 column 4",
            ),
            ("[]", ": invalid type: sequence"),
            (
                "{\"as_off\":\"\"}",
                "as_off: unrecognized field name 'as_off'",
            ),
            (
                r#"{"subject":{"history":{"days":[{},{"dya":1}]}}}"#,
                "subject.history.days[1].dya: unrecognized field name 'dya'",
            ),
            (
                r#"{"subject":{"userId":"a","features":{}}}"#,
                "subject: multiple fields provided for oneof 'subject'",
            ),
            (r#"{"reasonCount":-1}"#, "reasonCount: out of range"),
            (r#"{"reasonCount":4294967296}"#, "reasonCount: out of range"),
        ] {
            let problem = read(json).unwrap_err().to_string();
            assert!(problem.contains(message), "{json}: {problem}");
        }
        let view = form("churn.v1.ModelService", "GetModel");
        let problem = view.request(br#"{"view":"FULL"}"#, &memory()).unwrap_err();
        assert!(
            problem
                .to_string()
                .starts_with("view: unrecognized enum value 'FULL'"),
            "{problem}"
        );
    }

    #[test]
    fn what_a_text_becomes_is_on_the_account_before_it_is_parsed() {
        let quotas = Quotas::new(&Limits {
            memory_bytes: 1 << 20,
            ..Limits::default()
        });
        let memory = quotas.take(&Arc::default(), Resource::Memory, 0).unwrap();
        let events = |count: usize| {
            let list = vec!["{}"; count].join(",");
            format!(r#"{{"subject":{{"history":{{"events":[{list}]}}}}}}"#)
        };
        let few = score_user()
            .request(events(10).as_bytes(), &memory)
            .unwrap();
        assert!(quotas.taken(Resource::Memory) >= few.len());
        let many = score_user().request(events(2_000).as_bytes(), &memory);
        assert!(matches!(
            many,
            Err(CallError::TooManyCalls {
                limit: "memory_bytes"
            })
        ));
    }

    #[test]
    fn answers_have_the_names_and_numbers_of_the_mapping() {
        let message = wire::ScoreUserResponse {
            score: Some(wire::Score {
                status: wire::ScoreStatus::Scored.into(),
                events_after_as_of: 1 << 60,
                horizons: vec![wire::HorizonScore {
                    churn_probability: 0.1 + 0.2,
                    log_odds: f64::NAN,
                    ..Default::default()
                }],
                ..Default::default()
            }),
        };
        let memory = memory();
        let (json, counted) = score_user().answer(&message, &memory).unwrap();
        let json = String::from_utf8(json).unwrap();
        assert_eq!(
            json,
            r#"{"score":{"status":"SCORE_STATUS_SCORED","horizons":[{"churnProbability":0.30000000000000004,"logOdds":"NaN"}],"eventsAfterAsOf":"1152921504606846976"}}"#
        );
        drop(counted);
    }
}
