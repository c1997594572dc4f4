//! How messages become bytes and bytes messages: prost's way, after a look at how much memory the bytes ask for.

use std::marker::PhantomData;

use bytes::Buf;
use prost::Message;
use tonic::Status;
use tonic::codec::{BufferSettings, DecodeBuf, Decoder};
use tonic_prost::{ProstCodec, ProstEncoder};

pub use super::field_limits::Bounded;

use super::field_limits::check_field_counts;
use crate::serve::errors::CallError;

/// Decodes bytes that have passed the count.
pub(crate) fn decode<U: Bounded>(bytes: bytes::Bytes) -> Result<U, CallError> {
    check_field_counts(&bytes, U::LIMITS)?;
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
    type Decoder = LimitedDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::raw_encoder(BufferSettings::new(BUFFER_BYTES, YIELD_BYTES))
    }

    fn decoder(&mut self) -> Self::Decoder {
        LimitedDecoder(PhantomData)
    }
}

/// The decoder: refuses messages whose lists are too long.
#[derive(Clone, Debug)]
pub struct LimitedDecoder<U>(PhantomData<U>);

impl<U: Bounded> Decoder for LimitedDecoder<U> {
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
    use crate::serve::limits::ENTRIES_MOST;
    use crate::serve::wire;

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
