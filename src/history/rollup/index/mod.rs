//! The users of a roll-up in a form that is opened, not parsed: the file [`INDEX_FILE`] beside its Parquet files.
//!
//! A server knows the users of a roll-up by id. To read a million of them from Parquet takes seconds; the index holds the same
//! [`Histories`], bit for bit, as they lie in memory. It is written with the roll-up and says which files it belongs to, so one
//! that is left beside others is not used. The Parquet files stay the contract: an index that is missing, stale, damaged or of
//! another version costs time and nothing else.
//!
//! | bytes | content |
//! | --- | --- |
//! | 0..8 | `EBBUSERS` |
//! | 8..12 | the format's version |
//! | 12..16 | the length of the head |
//! | 16..24 | xxHash64 of the head |
//! | 24..32 | the length of the body |
//! | 32..40 | xxHash64 of the body |
//! | 40.. | the head: the roll-up's files, kinds, totals, and users by day, as JSON |
//! | then | the body: blocks of 256 users, sorted by id, each with its records in the form of [`codec`](crate::history::codec) |
//! | last | where each block ends, counted from the start of the body, in eight bytes |
//!
//! Numbers are little-endian. The hash is for accidents, not for forgers: who can write the index can write the roll-up.

pub(crate) mod footer;
pub(crate) mod open;
#[cfg(test)]
mod tests;
pub(crate) mod write;

use serde::{Deserialize, Serialize};

use crate::history::store::totals::Totals;
use crate::history::{DailyCounts, Stretch};
use footer::RollupPart;

/// The index's name in the folder of a roll-up. Spark, Hive and the readers of Ebb pass over names that start like this.
pub(crate) const INDEX_FILE: &str = "_users.index";

const MAGIC: [u8; 8] = *b"EBBUSERS";
/// Raised with every change of the layout, of the head, or of the codec.
const FORMAT: u32 = 1;
/// Bytes before the head.
const PRELUDE_BYTES: usize = 40;

/// What the head says.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    /// The program's version. Another one may judge by other rules what a roll-up covers.
    program: String,
    /// The Parquet files that hold the same rows.
    parts: Vec<RollupPart>,
    /// The kinds' names, sorted.
    kinds: Vec<String>,
    totals: Totals,
    /// The days that the roll-up covers: all that it has, or there would be no index.
    span: Stretch,
    counts: DailyCounts,
    /// How many blocks there are in the body.
    blocks: usize,
}

/// The numbers before the head.
#[derive(Debug, PartialEq, Eq)]
struct Prelude {
    head_bytes: u32,
    head_hash: u64,
    body_bytes: u64,
    body_hash: u64,
}

impl Prelude {
    fn to_bytes(&self) -> [u8; PRELUDE_BYTES] {
        let mut bytes = [0; PRELUDE_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&FORMAT.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.head_bytes.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.head_hash.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.body_bytes.to_le_bytes());
        bytes[32..].copy_from_slice(&self.body_hash.to_le_bytes());
        bytes
    }
}
