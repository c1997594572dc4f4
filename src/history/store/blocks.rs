//! All users of a log by blocks, in their compact form, and the decoded users of one block.

use std::ops::Range;
use std::sync::Arc;

use super::spill::SpillFile;
use crate::history::attributes::UserAttributes;
use crate::history::{AttributesView, DayRecord, HistoryError, HistoryView, codec};

/// Users of a block, which are decoded at once.
pub const BLOCK_USERS: usize = 256;

/// All users, [`BLOCK_USERS`] in each block but the last: for each the id and the records, with their lengths.
#[derive(Debug)]
pub(crate) enum Blocks {
    Memory(Vec<Box<[u8]>>),
    /// What was read from the index of a roll-up: all blocks in one piece, and where each of them is.
    Index {
        body: Vec<u8>,
        blocks: Vec<Range<usize>>,
    },
    Disk {
        file: SpillFile,
        index: Vec<BlockLocation>,
    },
}

impl Default for Blocks {
    fn default() -> Self {
        Self::Memory(Vec::new())
    }
}

/// Where a block is in a file, and the id of its first user.
#[derive(Debug)]
pub(crate) struct BlockLocation {
    start: u64,
    length: usize,
    first: Box<[u8]>,
}

impl BlockLocation {
    pub(crate) fn new(start: u64, length: usize, first: &[u8]) -> Self {
        Self {
            start,
            length,
            first: first.into(),
        }
    }
}

impl Blocks {
    /// How many blocks there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Memory(blocks) => blocks.len(),
            Self::Index { blocks, .. } => blocks.len(),
            Self::Disk { index, .. } => index.len(),
        }
    }

    /// The bytes of a block, in `scratch` where they come from disk.
    pub(super) fn bytes<'s>(
        &'s self,
        number: usize,
        scratch: &'s mut Vec<u8>,
    ) -> Result<&'s [u8], HistoryError> {
        match self {
            Self::Memory(blocks) => Ok(&blocks[number]),
            Self::Index { body, blocks } => Ok(&body[blocks[number].clone()]),
            Self::Disk { file, index } => {
                let BlockLocation { start, length, .. } = index[number];
                file.read(start, length, scratch)?;
                Ok(scratch)
            }
        }
    }

    /// The number of the only block that may hold the user called `id`.
    pub(super) fn of(&self, id: &[u8]) -> Option<usize> {
        let after = match self {
            Self::Memory(blocks) => {
                blocks.partition_point(|block| codec::take_bytes(&mut &**block) <= Some(id))
            }
            Self::Index { body, blocks } => blocks
                .partition_point(|block| codec::take_bytes(&mut &body[block.clone()]) <= Some(id)),
            Self::Disk { index, .. } => index.partition_point(|block| &*block.first <= id),
        };
        after.checked_sub(1)
    }

    /// An error for bytes that are not what was written.
    pub(super) fn damaged(&self) -> HistoryError {
        match self {
            Self::Memory(_) | Self::Index { .. } => HistoryError::Damaged,
            Self::Disk { file, .. } => file.damaged(),
        }
    }
}

/// The decoded histories of some users that follow each other.
#[derive(Debug, Default)]
pub struct Block {
    positions: Vec<usize>,
    names: String,
    name_ends: Vec<usize>,
    records: Vec<DayRecord>,
    record_ends: Vec<usize>,
    /// The attributes of all users, where there are some.
    pub(super) attributes: Option<Arc<UserAttributes>>,
    pub(super) scratch: Vec<u8>,
}

impl Block {
    /// Decodes the users for whose positions `chosen` holds; `None` where the bytes are no users.
    pub(super) fn decode(
        &mut self,
        mut bytes: &[u8],
        first: usize,
        chosen: &impl Fn(usize) -> bool,
    ) -> Option<()> {
        let mut names = std::mem::take(&mut self.names).into_bytes();
        names.clear();
        self.positions.clear();
        self.records.clear();
        self.name_ends.clear();
        self.record_ends.clear();
        for position in first.. {
            if bytes.is_empty() {
                break;
            }
            let name = codec::take_bytes(&mut bytes)?;
            let mut records = codec::take_bytes(&mut bytes)?;
            if chosen(position) {
                self.positions.push(position);
                names.extend_from_slice(name);
                self.name_ends.push(names.len());
                codec::decode(&mut records, &mut self.records)?;
                self.record_ends.push(self.records.len());
            }
        }
        self.names = String::from_utf8(names).ok()?;
        Some(())
    }

    /// How many users there are.
    pub fn len(&self) -> usize {
        self.name_ends.len()
    }

    /// Whether there is no user at all.
    pub fn is_empty(&self) -> bool {
        self.name_ends.is_empty()
    }

    /// Every user's position in the [`Histories`](super::histories::Histories), id and history, in order.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &str, HistoryView<'_>)> {
        let (mut name_start, mut start) = (0, 0);
        let ends = self.name_ends.iter().zip(&self.record_ends);
        self.positions
            .iter()
            .zip(ends)
            .map(move |(position, (name_end, end))| {
                let user = &self.names[name_start..*name_end];
                let records = &self.records[start..*end];
                (name_start, start) = (*name_end, *end);
                let history = HistoryView {
                    records,
                    attributes: self.attributes_of(*position),
                };
                (*position, user, history)
            })
    }

    fn attributes_of(&self, position: usize) -> AttributesView<'_> {
        let all = self.attributes.as_ref();
        all.map_or_else(AttributesView::default, |all| all.of(position))
    }
}
