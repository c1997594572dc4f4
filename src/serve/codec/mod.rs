//! How messages become bytes and bytes messages: prost's way, after a look at how much memory the bytes ask for. JSON becomes
//! protobuf first, so that the same is looked at.
//!
//! Messages that are scored stay bytes until the thread that scores them takes them apart, so that those which read from
//! connections never spend long on one of them.

pub(crate) mod field_limits;
pub(crate) mod framing;

use bytes::{Buf, Bytes};
use prost::Message;
use tonic::Status;
use tonic::codec::{DecodeBuf, Decoder};

use self::field_limits::{Bounded, check_field_counts};
use super::errors::CallError;
use super::form::Form;
use super::quota::{Resource, Share};

/// Decodes bytes of this form that have passed the count, on the account of a call.
pub(crate) fn decode<U: Bounded>(
    bytes: Bytes,
    form: &Form,
    memory: &Share,
) -> Result<U, CallError> {
    let bytes = match form {
        Form::Protobuf => bytes,
        Form::Json(json) => json.request(&bytes, memory)?,
    };
    let needed = check_field_counts(&bytes, U::LIMITS)?;
    if !memory.grow(needed) {
        return Err(CallError::TooManyCalls {
            limit: Resource::Memory.limit(),
        });
    }
    U::decode(bytes).map_err(|error| CallError::malformed(error.to_string()))
}

/// Encodes an answer in this form, and frames it where the form has frames. Its bytes are on the account of the call until
/// the last of them has been written, wherever they wait: here, in HTTP/2 or for a client that does not read.
pub(crate) fn encode(
    answer: &impl Message,
    form: &Form,
    memory: &Share,
) -> Result<Bytes, CallError> {
    if let Form::Json(json) = form {
        let (bytes, memory) = json.answer(answer, memory)?;
        return Ok(accounted(bytes, memory));
    }
    let length = answer.encoded_len();
    let memory = memory.another(length).ok_or(CallError::TooManyCalls {
        limit: Resource::Memory.limit(),
    })?;
    let bytes = framing::frame(length, |buffer| answer.encode_raw(buffer));
    Ok(accounted(bytes, memory))
}

/// Bytes with the memory that they are counted as.
struct Accounted<B> {
    bytes: B,
    _memory: Share,
}

fn accounted(bytes: impl AsRef<[u8]> + Send + 'static, memory: Share) -> Bytes {
    Bytes::from_owner(Accounted {
        bytes,
        _memory: memory,
    })
}

impl<B: AsRef<[u8]>> AsRef<[u8]> for Accounted<B> {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

/// Takes the messages of a stream out of their frames, and leaves them as they are.
pub(crate) struct Raw;

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::serve::context::CallContext;
    use crate::serve::limits::{ENTRIES_MOST, Limits};
    use crate::serve::quota::Quotas;
    use crate::serve::wire;

    fn memory() -> Arc<Share> {
        CallContext::within(std::time::Duration::ZERO).memory
    }

    fn refused<U: Bounded + std::fmt::Debug>(bytes: Vec<u8>) -> String {
        decode::<U>(bytes.into(), &Form::Protobuf, &memory())
            .unwrap_err()
            .to_string()
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
        let legal =
            decode::<wire::ScoreUserRequest>(empty_events(most).into(), &Form::Protobuf, &memory());
        assert!(legal.is_ok());
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
            let bytes = bytes.to_vec().into();
            let error =
                decode::<wire::ScoreUserRequest>(bytes, &Form::Protobuf, &memory()).unwrap_err();
            assert!(matches!(error, CallError::Malformed { .. }), "{error}");
        }
    }

    #[test]
    fn an_answer_is_on_the_account_until_the_last_of_its_bytes_is_gone() {
        let quotas = Quotas::new(&Limits {
            memory_bytes: 100,
            ..Limits::default()
        });
        let memory = quotas.take(&Arc::default(), Resource::Memory, 10).unwrap();
        let answer = wire::UnloadModelResponse {
            etag: "x".repeat(50),
        };
        let first = encode(&answer, &Form::Protobuf, &memory).unwrap();
        assert_eq!(quotas.taken(Resource::Memory), 10 + 52);
        assert!(matches!(
            encode(&answer, &Form::Protobuf, &memory),
            Err(CallError::TooManyCalls {
                limit: "memory_bytes"
            })
        ));
        // HTTP/2 holds parts of it, and the call has long ended.
        let part = first.slice(40..);
        drop((first, memory));
        assert_eq!(quotas.taken(Resource::Memory), 52);
        drop(part);
        assert_eq!(quotas.taken(Resource::Memory), 0);
    }
}
