//! How many elements the lists of a request may have: counted in its encoded form, before anything is allocated for them.
//!
//! A few megabytes of empty sub-messages become hundreds of megabytes when they are decoded. Lists of numbers of a fixed
//! width, and of truth values, need no limit: they take as many bytes in memory as on the wire.

use bytes::Buf;
use prost::Message;
use prost::encoding::{WireType, decode_key, decode_varint};

use crate::serve::errors::CallError;
use crate::serve::limits::{ENTRIES_MOST, SUBJECTS_MOST};
use crate::serve::wire;

/// What of a message is counted before it is decoded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FieldLimits(&'static [FieldLimit]);

/// A field that is counted, or that leads to such fields.
#[derive(Clone, Copy, Debug)]
struct FieldLimit {
    tag: u32,
    name: &'static str,
    /// How many of it the whole request may have, however it is nested; fields of one name count together.
    most: u32,
    inner: FieldLimits,
    /// Whether it is a list of numbers, of which several lie in one field: each of its bytes may be one.
    packed: bool,
}

const NOTHING: FieldLimits = FieldLimits(&[]);

const fn list(tag: u32, name: &'static str, most: u32, inner: FieldLimits) -> FieldLimit {
    FieldLimit {
        tag,
        name,
        most,
        inner,
        packed: false,
    }
}

/// A list of numbers.
const fn numbers(tag: u32, name: &'static str, most: u32) -> FieldLimit {
    FieldLimit {
        tag,
        name,
        most,
        inner: NOTHING,
        packed: true,
    }
}

/// A field that is a single message; sent again, it is merged with what was there.
const fn one(tag: u32, name: &'static str, inner: FieldLimits) -> FieldLimit {
    list(tag, name, u32::MAX, inner)
}

/// The most values of one kind that a request may hold beside those that it is made of.
const NUMBERS_MOST: u32 = 1_000_000;
const NAMED: FieldLimits = FieldLimits(&[list(1, "values", NUMBERS_MOST, NOTHING)]);
const HISTORY: FieldLimits = FieldLimits(&[
    list(1, "events", ENTRIES_MOST, NOTHING),
    list(2, "days", ENTRIES_MOST, NOTHING),
]);
const SUBJECT: FieldLimits = FieldLimits(&[
    one(2, "history", HISTORY),
    one(3, "features", NAMED),
    list(5, "attributes", NUMBERS_MOST, NOTHING),
]);
const HORIZONS: FieldLimit = numbers(4, "horizon_days", TENSORS_MOST);
const SCORE: FieldLimits = FieldLimits(&[one(1, "subject", SUBJECT), HORIZONS]);
const BATCH: FieldLimits = FieldLimits(&[list(1, "subjects", SUBJECTS_MOST, SUBJECT), HORIZONS]);
const STREAMED: FieldLimits = FieldLimits(&[one(2, "batch", BATCH)]);

/// The most values of a filter: enough for any number of segments.
const FILTER_MOST: u32 = 1_000;
const USERS: FieldLimits = FieldLimits(&[
    numbers(5, "risk_bands", FILTER_MOST),
    numbers(6, "stages", FILTER_MOST),
    numbers(7, "segment_ids", FILTER_MOST),
    list(10, "value_tiers", FILTER_MOST, NOTHING),
    list(11, "segment_keys", FILTER_MOST, NOTHING),
]);

/// The most groupings of indicators.
const GROUPINGS_MOST: u32 = 100;
const KPIS: FieldLimits = FieldLimits(&[numbers(2, "by", GROUPINGS_MOST)]);

/// The most tensors of an inference request.
const TENSORS_MOST: u32 = 1_000;
const CONTENTS: FieldLimits = FieldLimits(&[
    numbers(2, "int_contents", NUMBERS_MOST),
    numbers(3, "int64_contents", NUMBERS_MOST),
    numbers(4, "uint_contents", NUMBERS_MOST),
    numbers(5, "uint64_contents", NUMBERS_MOST),
    list(8, "bytes_contents", ENTRIES_MOST, NOTHING),
]);
const TENSOR: FieldLimits = FieldLimits(&[
    numbers(3, "shape", 4 * TENSORS_MOST),
    list(4, "parameters", TENSORS_MOST, NOTHING),
    one(5, "contents", CONTENTS),
]);
const INFER: FieldLimits = FieldLimits(&[
    list(4, "parameters", TENSORS_MOST, NOTHING),
    list(5, "inputs", TENSORS_MOST, TENSOR),
    list(
        6,
        "outputs",
        TENSORS_MOST,
        FieldLimits(&[list(2, "parameters", TENSORS_MOST, NOTHING)]),
    ),
    list(7, "raw_input_contents", TENSORS_MOST, NOTHING),
]);

/// A message whose lists are counted before it is decoded.
pub(crate) trait Bounded: Message + Default {
    /// What is counted.
    const LIMITS: FieldLimits = NOTHING;
}

macro_rules! bounded {
    ($($limits:ident: $($message:ty),+;)+) => {
        $($(impl Bounded for $message { const LIMITS: FieldLimits = $limits; })+)+
    };
}

bounded! {
    SCORE: wire::ScoreUserRequest;
    BATCH: wire::BatchScoreUsersRequest;
    STREAMED: wire::StreamScoreUsersRequest;
    USERS: wire::ListUsersRequest;
    KPIS: wire::GetKpisRequest;
    INFER: wire::inference::ModelInferRequest;
    NOTHING: wire::GetModelRequest, wire::ListModelsRequest, wire::LoadModelRequest, wire::ActivateModelRequest,
        wire::UnloadModelRequest, wire::inference::ServerLiveRequest, wire::inference::ServerReadyRequest,
        wire::inference::ModelReadyRequest, wire::inference::ServerMetadataRequest,
        wire::inference::ModelMetadataRequest;
}

/// Refuses bytes with more of a field than the limits allow; returns how many bytes of memory the message takes when it is
/// decoded, rather too many than too few.
pub(super) fn check_field_counts(bytes: &[u8], limits: FieldLimits) -> Result<usize, CallError> {
    let mut counts = Counts::default();
    counts.add_message(bytes, limits, "")?;
    Ok(bytes.len().saturating_add(counts.bytes))
}

/// What an element of a list takes when it is decoded, beside its own bytes: an activity of a day has 64, two texts of 32,
/// and as many again while its list grows; a named value 32, a text, and a place in a tree.
const ELEMENT_BYTES: usize = 192;
/// The same for a number.
const NUMBER_BYTES: usize = 16;

/// How many there are of each field of a request, by name.
#[derive(Default)]
struct Counts {
    found: Vec<(&'static str, u32)>,
    /// The memory that all of them take.
    bytes: usize,
}

impl Counts {
    /// Counts the fields of a message that is the field `path` of the request; the request itself has an empty path.
    fn add_message(
        &mut self,
        mut bytes: &[u8],
        limits: FieldLimits,
        path: &str,
    ) -> Result<(), CallError> {
        if limits.0.is_empty() {
            return Ok(());
        }
        while bytes.has_remaining() {
            let (tag, wire_type, content) = next_field(&mut bytes)?;
            let is_counted = |limit: &&FieldLimit| {
                limit.tag == tag && (limit.packed || wire_type == WireType::LengthDelimited)
            };
            let Some(limit) = limits.0.iter().find(is_counted) else {
                continue;
            };
            let elements = match limit.packed {
                true => u32::try_from(content.len().max(1)).unwrap_or(u32::MAX),
                false => 1,
            };
            self.add(limit, elements, path)?;
            if !limit.inner.0.is_empty() {
                self.add_message(content, limit.inner, &joined(path, limit.name))?;
            }
        }
        Ok(())
    }

    fn add(&mut self, limit: &FieldLimit, elements: u32, path: &str) -> Result<(), CallError> {
        let each = match limit.packed {
            true => NUMBER_BYTES,
            false => ELEMENT_BYTES,
        };
        let bytes = usize::try_from(elements).unwrap_or(usize::MAX);
        self.bytes = self.bytes.saturating_add(bytes.saturating_mul(each));
        let named = self.found.iter().position(|(name, _)| *name == limit.name);
        let position = named.unwrap_or_else(|| {
            self.found.push((limit.name, 0));
            self.found.len() - 1
        });
        let (_, found) = &mut self.found[position];
        *found = found.saturating_add(elements);
        if *found <= limit.most {
            return Ok(());
        }
        let most = usize::try_from(limit.most).unwrap_or(usize::MAX);
        Err(CallError::TooMany {
            field: joined(path, limit.name),
            // Counting stops here: how many there are is not known.
            found: most.saturating_add(1),
            most,
        })
    }
}

fn joined(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    }
}

/// Takes a field off the front: its tag, how it is encoded, and its content if that is of a given length.
fn next_field<'b>(bytes: &mut &'b [u8]) -> Result<(u32, WireType, &'b [u8]), CallError> {
    let malformed = |problem: &str| CallError::malformed(problem.to_owned());
    let undecodable = |error: prost::DecodeError| CallError::malformed(error.to_string());
    let (tag, wire_type) = decode_key(bytes).map_err(undecodable)?;
    let length = match wire_type {
        WireType::Varint => {
            decode_varint(bytes).map_err(undecodable)?;
            0
        }
        WireType::SixtyFourBit => 8,
        WireType::ThirtyTwoBit => 4,
        WireType::LengthDelimited => decode_varint(bytes).map_err(undecodable)?,
        WireType::StartGroup | WireType::EndGroup => {
            return Err(malformed("it has a group, which proto3 has not"));
        }
    };
    let length = usize::try_from(length).map_err(|_| malformed("a field is longer than memory"))?;
    let (content, rest) = bytes
        .split_at_checked(length)
        .ok_or_else(|| malformed("it ends within a field"))?;
    *bytes = rest;
    Ok((tag, wire_type, content))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost_types::field_descriptor_proto::{Label, Type};
    use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorSet};

    use super::*;

    /// The messages of both protocols, by full name.
    struct Descriptors(FileDescriptorSet);

    impl Descriptors {
        fn new() -> Self {
            Self(FileDescriptorSet::decode(wire::DESCRIPTOR).unwrap())
        }

        /// A message, or one that is defined within it.
        fn message(&self, name: &str) -> &DescriptorProto {
            fn within<'d>(
                messages: &'d [DescriptorProto],
                prefix: &str,
                name: &str,
            ) -> Option<&'d DescriptorProto> {
                messages.iter().find_map(|message| {
                    let full = format!("{prefix}.{}", message.name());
                    match full == name {
                        true => Some(message),
                        false => within(&message.nested_type, &full, name),
                    }
                })
            }
            let found =
                self.0.file.iter().find_map(|file| {
                    within(&file.message_type, &format!(".{}", file.package()), name)
                });
            found.unwrap_or_else(|| panic!("no message {name}"))
        }

        /// What servers decode: the requests of all methods.
        fn requests(&self) -> BTreeSet<String> {
            let services = self.0.file.iter().flat_map(|file| &file.service);
            let methods = services.flat_map(|service| &service.method);
            methods
                .map(|method| method.input_type().to_owned())
                .collect()
        }

        /// The paths of a message's lists that may grow in memory and have no limit.
        fn unlimited(&self, message: &str, limits: &[FieldLimit]) -> Vec<String> {
            let mut found = Vec::new();
            for field in &self.message(message).field {
                let limit = limits
                    .iter()
                    .find(|limit| limit.tag as i32 == field.number());
                let is_list = field.label() == Label::Repeated && grows(field);
                let is_known = limit.is_some_and(|limit| {
                    assert_eq!(limit.name, field.name());
                    assert!(
                        limit.packed == (field.r#type() != Type::Message && is_packable(field))
                    );
                    limit.most < u32::MAX
                });
                if is_list && !is_known {
                    found.push(field.name().to_owned());
                }
                if field.r#type() == Type::Message && field.type_name() != TIMESTAMP {
                    let inner = limit.map_or(&[][..], |limit| limit.inner.0);
                    let below = self.unlimited(field.type_name(), inner);
                    found.extend(below.iter().map(|name| format!("{}.{name}", field.name())));
                }
            }
            found
        }
    }

    /// Of another package, and without a list.
    const TIMESTAMP: &str = ".google.protobuf.Timestamp";

    fn is_packable(field: &FieldDescriptorProto) -> bool {
        !matches!(field.r#type(), Type::String | Type::Bytes | Type::Message)
    }

    /// Whether an element can take more bytes in memory than on the wire.
    fn grows(field: &FieldDescriptorProto) -> bool {
        use Type::{Bool, Double, Fixed32, Fixed64, Float, Sfixed32, Sfixed64};
        !matches!(
            field.r#type(),
            Bool | Double | Float | Fixed32 | Fixed64 | Sfixed32 | Sfixed64
        )
    }

    /// The limits of each request that a server decodes.
    fn limits() -> Vec<(&'static str, FieldLimits)> {
        macro_rules! of {
            ($($package:literal { $($path:path as $name:literal),+ $(,)? })+) => {
                vec![$($((concat!(".", $package, ".", $name), <$path as Bounded>::LIMITS)),+),+]
            };
        }
        of! {
            "churn.v1" {
                wire::ScoreUserRequest as "ScoreUserRequest",
                wire::BatchScoreUsersRequest as "BatchScoreUsersRequest",
                wire::StreamScoreUsersRequest as "StreamScoreUsersRequest",
                wire::ListUsersRequest as "ListUsersRequest",
                wire::GetKpisRequest as "GetKpisRequest",
                wire::GetModelRequest as "GetModelRequest",
                wire::ListModelsRequest as "ListModelsRequest",
                wire::LoadModelRequest as "LoadModelRequest",
                wire::ActivateModelRequest as "ActivateModelRequest",
                wire::UnloadModelRequest as "UnloadModelRequest",
            }
            "inference" {
                wire::inference::ModelInferRequest as "ModelInferRequest",
                wire::inference::ServerLiveRequest as "ServerLiveRequest",
                wire::inference::ServerReadyRequest as "ServerReadyRequest",
                wire::inference::ModelReadyRequest as "ModelReadyRequest",
                wire::inference::ServerMetadataRequest as "ServerMetadataRequest",
                wire::inference::ModelMetadataRequest as "ModelMetadataRequest",
            }
        }
    }

    #[test]
    fn every_list_of_every_request_has_a_limit() {
        let descriptors = Descriptors::new();
        let limits = limits();
        let listed: BTreeSet<String> = limits.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(listed, descriptors.requests());
        for (name, limits) in &limits {
            let none: [&str; 0] = [];
            assert_eq!(descriptors.unlimited(name, limits.0), none, "{name}");
        }
    }

    /// The negative control: each limit is missed when it is gone.
    #[test]
    fn a_limit_that_is_left_out_is_missed() {
        let descriptors = Descriptors::new();
        let mut left_out = 0;
        for (name, limits) in limits() {
            for gone in limits.0 {
                let others: Vec<FieldLimit> = limits
                    .0
                    .iter()
                    .filter(|limit| limit.tag != gone.tag)
                    .copied()
                    .collect();
                let missed = descriptors.unlimited(name, &others);
                assert!(!missed.is_empty(), "{name}.{}", gone.name);
                assert!(missed.iter().all(|path| path.starts_with(gone.name)));
                left_out += 1;
            }
        }
        assert!(left_out >= 8, "only {left_out} limits were left out");
    }
}
