//! How messages become bytes and bytes messages: prost's way, after a look at how much memory the bytes ask for.
//!
//! A few megabytes of empty sub-messages become hundreds of megabytes when they are decoded. [`Bounded::SHAPE`] tells
//! for each request which of its lists may have how many elements, and `survey` counts them in the encoded form,
//! before anything is allocated for them.

use std::marker::PhantomData;

use bytes::Buf;
use prost::Message;
use prost::encoding::{WireType, decode_key, decode_varint};
use tonic::Status;
use tonic::codec::{BufferSettings, DecodeBuf, Decoder};
use tonic_prost::{ProstCodec, ProstEncoder};

use crate::serve::errors::CallError;
use crate::serve::limits::{ENTRIES_MOST, SUBJECTS_MOST};
use crate::serve::wire;

/// What of a message is counted before it is decoded.
#[derive(Clone, Copy, Debug)]
pub struct Shape(&'static [Part]);

/// A field that is counted, or that leads to such fields.
#[derive(Clone, Copy, Debug)]
struct Part {
    tag: u32,
    name: &'static str,
    /// How many of it the whole request may have, however it is nested; fields of one name count together.
    most: u32,
    inner: Shape,
    /// Whether it is a list of numbers, of which several lie in one field: each of its bytes may be one.
    packed: bool,
}

const NOTHING: Shape = Shape(&[]);

const fn list(tag: u32, name: &'static str, most: u32, inner: Shape) -> Part {
    Part {
        tag,
        name,
        most,
        inner,
        packed: false,
    }
}

/// A list of numbers.
const fn numbers(tag: u32, name: &'static str, most: u32) -> Part {
    Part {
        tag,
        name,
        most,
        inner: NOTHING,
        packed: true,
    }
}

/// A field that is a single message; sent again, it is merged with what was there.
const fn one(tag: u32, name: &'static str, inner: Shape) -> Part {
    list(tag, name, u32::MAX, inner)
}

/// The most values of one kind that a request may hold beside those that it is made of.
const NUMBERS_MOST: u32 = 1_000_000;
const NAMED: Shape = Shape(&[list(1, "values", NUMBERS_MOST, NOTHING)]);
const HISTORY: Shape = Shape(&[
    list(1, "events", ENTRIES_MOST, NOTHING),
    list(2, "days", ENTRIES_MOST, NOTHING),
]);
const SUBJECT: Shape = Shape(&[one(2, "history", HISTORY), one(3, "features", NAMED)]);
const HORIZONS: Part = numbers(4, "horizon_days", TENSORS_MOST);
const SCORE: Shape = Shape(&[one(1, "subject", SUBJECT), HORIZONS]);
const BATCH: Shape = Shape(&[list(1, "subjects", SUBJECTS_MOST, SUBJECT), HORIZONS]);
const STREAMED: Shape = Shape(&[one(2, "batch", BATCH)]);

/// The most tensors of an inference request.
const TENSORS_MOST: u32 = 1_000;
const CONTENTS: Shape = Shape(&[
    numbers(2, "int_contents", NUMBERS_MOST),
    numbers(3, "int64_contents", NUMBERS_MOST),
    numbers(5, "uint64_contents", NUMBERS_MOST),
    list(8, "bytes_contents", ENTRIES_MOST, NOTHING),
]);
const TENSOR: Shape = Shape(&[
    numbers(3, "shape", 4 * TENSORS_MOST),
    list(4, "parameters", TENSORS_MOST, NOTHING),
    one(5, "contents", CONTENTS),
]);
const INFER: Shape = Shape(&[
    list(4, "parameters", TENSORS_MOST, NOTHING),
    list(5, "inputs", TENSORS_MOST, TENSOR),
    list(
        6,
        "outputs",
        TENSORS_MOST,
        Shape(&[list(2, "parameters", TENSORS_MOST, NOTHING)]),
    ),
    list(7, "raw_input_contents", TENSORS_MOST, NOTHING),
]);

/// A message whose lists are counted before it is decoded.
pub trait Bounded: Message + Default {
    /// What is counted.
    const SHAPE: Shape = NOTHING;
}

macro_rules! bounded {
    ($($shape:ident: $($message:ty),+;)+) => {
        $($(impl Bounded for $message { const SHAPE: Shape = $shape; })+)+
    };
}

bounded! {
    SCORE: wire::ScoreUserRequest;
    BATCH: wire::BatchScoreUsersRequest;
    STREAMED: wire::StreamScoreUsersRequest;
    INFER: wire::inference::ModelInferRequest;
    NOTHING: wire::GetModelRequest, wire::ListModelsRequest, wire::LoadModelRequest, wire::ActivateModelRequest,
        wire::UnloadModelRequest, wire::inference::ServerLiveRequest, wire::inference::ServerReadyRequest,
        wire::inference::ModelReadyRequest, wire::inference::ServerMetadataRequest,
        wire::inference::ModelMetadataRequest,
        // What only clients decode.
        wire::ScoreUserResponse, wire::BatchScoreUsersResponse, wire::StreamScoreUsersResponse, wire::GetModelResponse,
        wire::ListModelsResponse, wire::LoadModelResponse, wire::ActivateModelResponse, wire::UnloadModelResponse,
        wire::inference::ServerLiveResponse, wire::inference::ServerReadyResponse,
        wire::inference::ModelReadyResponse, wire::inference::ServerMetadataResponse,
        wire::inference::ModelMetadataResponse, wire::inference::ModelInferResponse;
}

/// Counts what `shape` names; `counts` starts empty and goes with the request.
fn survey(
    mut bytes: &[u8],
    shape: Shape,
    path: &str,
    counts: &mut Vec<(&'static str, u32)>,
) -> Result<(), CallError> {
    let malformed = |problem: &str| CallError::malformed(problem.to_owned());
    if shape.0.is_empty() {
        return Ok(());
    }
    while bytes.has_remaining() {
        let (tag, wire_type) =
            decode_key(&mut bytes).map_err(|e| CallError::malformed(e.to_string()))?;
        let length = match wire_type {
            WireType::Varint => {
                decode_varint(&mut bytes).map_err(|e| CallError::malformed(e.to_string()))?;
                0
            }
            WireType::SixtyFourBit => 8,
            WireType::ThirtyTwoBit => 4,
            WireType::LengthDelimited => {
                decode_varint(&mut bytes).map_err(|e| CallError::malformed(e.to_string()))?
            }
            WireType::StartGroup | WireType::EndGroup => {
                return Err(malformed("it has a group, which proto3 has not"));
            }
        };
        let length =
            usize::try_from(length).map_err(|_| malformed("a field is longer than memory"))?;
        let (field, rest) = bytes
            .split_at_checked(length)
            .ok_or_else(|| malformed("it ends within a field"))?;
        bytes = rest;
        let counted = |part: &&Part| {
            part.tag == tag && (part.packed || wire_type == WireType::LengthDelimited)
        };
        if let Some(part) = shape.0.iter().find(counted) {
            let most = if part.packed {
                u32::try_from(length.max(1)).unwrap_or(u32::MAX)
            } else {
                1
            };
            count(part, most, path, counts)?;
            if !part.inner.0.is_empty() {
                let path = if path.is_empty() {
                    part.name.to_owned()
                } else {
                    format!("{path}.{}", part.name)
                };
                survey(field, part.inner, &path, counts)?;
            }
        }
    }
    Ok(())
}

fn count(
    part: &Part,
    more: u32,
    path: &str,
    counts: &mut Vec<(&'static str, u32)>,
) -> Result<(), CallError> {
    let position = counts
        .iter()
        .position(|(name, _)| *name == part.name)
        .unwrap_or_else(|| {
            counts.push((part.name, 0));
            counts.len() - 1
        });
    let Some((_, found)) = counts.get_mut(position) else {
        return Ok(());
    };
    *found = found.saturating_add(more);
    if *found > part.most {
        let field = if path.is_empty() {
            part.name.to_owned()
        } else {
            format!("{path}.{}", part.name)
        };
        let most = usize::try_from(part.most).unwrap_or(usize::MAX);
        return Err(CallError::TooMany {
            field,
            found: most + 1,
            most,
        });
    }
    Ok(())
}

/// Decodes bytes that have passed the survey.
pub(crate) fn decode<U: Bounded>(bytes: bytes::Bytes) -> Result<U, CallError> {
    survey(&bytes, U::SHAPE, "", &mut Vec::new())?;
    U::decode(bytes).map_err(|error| CallError::malformed(error.to_string()))
}

/// Responses take what they need; most of them fit into this many bytes at once.
const BUFFER_BYTES: usize = 2 << 10;
/// Beyond this many bytes a response is handed on in parts.
const YIELD_BYTES: usize = 32 << 10;

/// The codec of all methods: writes `T`, reads `U`.
#[derive(Clone, Debug)]
pub struct Codec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for Codec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T: Message + Send + 'static, U: Bounded + Send + 'static> tonic::codec::Codec for Codec<T, U> {
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = Surveyed<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::raw_encoder(BufferSettings::new(BUFFER_BYTES, YIELD_BYTES))
    }

    fn decoder(&mut self) -> Self::Decoder {
        Surveyed(PhantomData)
    }
}

/// The decoder.
#[derive(Clone, Debug)]
pub struct Surveyed<U>(PhantomData<U>);

impl<U: Bounded> Decoder for Surveyed<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let bytes = buffer.copy_to_bytes(buffer.remaining());
        Ok(Some(decode(bytes)?))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(BUFFER_BYTES, YIELD_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<U: Bounded + std::fmt::Debug>(bytes: Vec<u8>) -> String {
        decode::<U>(bytes.into()).unwrap_err().to_string()
    }

    /// `subject.history` with so many empty events: two bytes each on the wire, dozens in memory.
    fn empty_events(count: usize) -> Vec<u8> {
        let wrap = |tag: u8, inner: Vec<u8>| {
            let mut out = vec![tag << 3 | 2];
            prost::encoding::encode_varint(inner.len() as u64, &mut out);
            out.extend(inner);
            out
        };
        wrap(1, wrap(2, [0x0a, 0].repeat(count)))
    }

    #[test]
    fn lists_are_counted_before_they_are_decoded() {
        let most = ENTRIES_MOST as usize;
        assert!(decode::<wire::ScoreUserRequest>(empty_events(most).into()).is_ok());
        let problem = refused::<wire::ScoreUserRequest>(empty_events(2_000_000));
        assert_eq!(
            problem,
            "subject.history.events: there are 100001, at most 100000 are allowed; send several requests"
        );
        // A message that comes in several parts is merged, so the parts count together.
        let problem = refused::<wire::ScoreUserRequest>(empty_events(60_000).repeat(2));
        assert!(problem.starts_with("subject.history.events"), "{problem}");
        let problem = refused::<wire::BatchScoreUsersRequest>([0x0a, 0].repeat(10_001));
        assert!(
            problem.starts_with("subjects: there are 10001"),
            "{problem}"
        );
        let problem = refused::<wire::BatchScoreUsersRequest>(
            [&[0x22, 0xd0, 0x0f][..], &[30; 2_000]].concat(),
        );
        assert!(problem.starts_with("horizon_days"), "{problem}");
        let problem = refused::<wire::inference::ModelInferRequest>([0x3a, 0].repeat(1_001));
        assert!(problem.starts_with("raw_input_contents"), "{problem}");
    }

    #[test]
    fn damaged_bytes_are_the_senders_fault() {
        for bytes in [&[0x0a, 5, 1][..], &[0xff; 12], &[0x0b], &[0x08]] {
            let error = decode::<wire::ScoreUserRequest>(bytes.to_vec().into()).unwrap_err();
            assert!(matches!(error, CallError::Malformed { .. }), "{error}");
        }
    }
}
