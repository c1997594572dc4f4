use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::spill::Places;
use crate::history::{Day, DayRecord, History, HistoryError, HistoryView, Totals, codec};

/// Users of a block, which are decoded at once.
pub const BLOCK_USERS: usize = 256;

/// Blocks whose results are held until they are taken in order.
const BLOCKS_AHEAD: usize = 64;

/// The histories of all users of a log, with the table of kinds their records refer to.
///
/// Users and kinds are sorted by name, so equal logs give equal values whatever their order was. Records are held in
/// their compact form, in memory or in a temporary file, by blocks of users that are decoded when they are looked at.
#[derive(Clone, Debug, Default)]
pub struct Histories {
    kinds: Vec<String>,
    totals: Totals,
    blocks: Arc<Blocks>,
}

/// All users, [`BLOCK_USERS`] in each block but the last: for each the id and the records, with their lengths.
#[derive(Debug)]
pub(crate) enum Blocks {
    Memory(Vec<Box<[u8]>>),
    Disk { places: Places, index: Vec<Place> },
}

impl Default for Blocks {
    fn default() -> Self {
        Self::Memory(Vec::new())
    }
}

/// Where a block stands in a file, and the id of its first user.
#[derive(Debug)]
pub(crate) struct Place {
    start: u64,
    length: usize,
    first: Box<[u8]>,
}

impl Place {
    pub(crate) fn new(start: u64, length: usize, first: &[u8]) -> Self {
        Self {
            start,
            length,
            first: first.into(),
        }
    }
}

impl Blocks {
    fn len(&self) -> usize {
        match self {
            Self::Memory(blocks) => blocks.len(),
            Self::Disk { index, .. } => index.len(),
        }
    }

    /// The bytes of a block, in `scratch` where they come from disk.
    fn bytes<'s>(
        &'s self,
        number: usize,
        scratch: &'s mut Vec<u8>,
    ) -> Result<&'s [u8], HistoryError> {
        match self {
            Self::Memory(blocks) => Ok(blocks.get(number).map(AsRef::as_ref).unwrap_or_default()),
            Self::Disk { places, index } => {
                let Some(place) = index.get(number) else {
                    return Ok(&[]);
                };
                places.read(place.start, place.length, scratch)?;
                Ok(scratch)
            }
        }
    }

    /// The number of the only block that may hold the user called `id`.
    fn of(&self, id: &[u8]) -> Option<usize> {
        let after = match self {
            Self::Memory(blocks) => {
                blocks.partition_point(|block| codec::take_bytes(&mut &**block) <= Some(id))
            }
            Self::Disk { index, .. } => index.partition_point(|place| &*place.first <= id),
        };
        after.checked_sub(1)
    }

    fn damaged(&self) -> HistoryError {
        match self {
            Self::Memory(_) => HistoryError::Damaged,
            Self::Disk { places, .. } => places.damaged(),
        }
    }
}

impl PartialEq for Histories {
    fn eq(&self, other: &Self) -> bool {
        let (mut mine, mut theirs) = (Vec::new(), Vec::new());
        let mut equal = |number| match (
            self.blocks.bytes(number, &mut mine),
            other.blocks.bytes(number, &mut theirs),
        ) {
            (Ok(mine), Ok(theirs)) => mine == theirs,
            _ => false,
        };
        self.kinds == other.kinds
            && self.totals == other.totals
            && (0..self.blocks.len()).all(&mut equal)
    }
}

impl Histories {
    pub(crate) fn new(kinds: Vec<String>, totals: Totals, blocks: Blocks) -> Self {
        Self {
            kinds,
            totals,
            blocks: Arc::new(blocks),
        }
    }

    /// The names of the kinds, sorted; a record's `kind` is a position in this list.
    pub fn kinds(&self) -> &[String] {
        &self.kinds
    }

    /// How many users there are.
    pub fn len(&self) -> usize {
        self.totals.users
    }

    /// Whether there is no user at all.
    pub fn is_empty(&self) -> bool {
        self.totals.users == 0
    }

    /// The first and last day on which anything happened.
    pub fn span(&self) -> Option<(Day, Day)> {
        self.totals.span
    }

    /// How many (user, day, kind) records there are.
    pub fn record_count(&self) -> usize {
        self.totals.records
    }

    /// Counts over all users.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Whether the records stand in a temporary file.
    pub fn is_on_disk(&self) -> bool {
        matches!(*self.blocks, Blocks::Disk { .. })
    }

    /// The history of the user called `id`.
    pub fn get(&self, id: &str) -> Result<Option<History>, HistoryError> {
        let Some(number) = self.blocks.of(id.as_bytes()) else {
            return Ok(None);
        };
        let found = self.find(number, |_, name| name == id.as_bytes())?;
        Ok(found.map(|(_, history)| history))
    }

    /// The id and history of the user at `position` in the sorted order; `None` beyond the last.
    pub fn at(&self, position: usize) -> Result<Option<(String, History)>, HistoryError> {
        let within = position % BLOCK_USERS;
        self.find(position / BLOCK_USERS, |at, _| at == within)
    }

    /// The first user of a block for whom `is` holds, given the place in the block and the id.
    fn find(
        &self,
        number: usize,
        is: impl Fn(usize, &[u8]) -> bool,
    ) -> Result<Option<(String, History)>, HistoryError> {
        let mut scratch = Vec::new();
        let mut rest = self.blocks.bytes(number, &mut scratch)?;
        let damaged = || self.blocks.damaged();
        for at in 0.. {
            if rest.is_empty() {
                break;
            }
            let name = codec::take_bytes(&mut rest).ok_or_else(damaged)?;
            let mut bytes = codec::take_bytes(&mut rest).ok_or_else(damaged)?;
            if is(at, name) {
                let mut records = Vec::new();
                codec::decode(&mut bytes, &mut records).ok_or_else(damaged)?;
                return Ok(Some((
                    String::from_utf8_lossy(name).into_owned(),
                    History { records },
                )));
            }
        }
        Ok(None)
    }

    /// SHA-256 of all kinds, users and records: of the digests of the blocks in their compact form.
    pub fn digest(&self) -> Result<String, HistoryError> {
        let mut digest = Sha256::new();
        for kind in &self.kinds {
            digest.update((kind.len() as u64).to_le_bytes());
            digest.update(kind);
        }
        let block =
            |scratch: &mut Vec<u8>, number| Ok(Sha256::digest(self.blocks.bytes(number, scratch)?));
        let blocks: Vec<_> = (0..self.blocks.len())
            .into_par_iter()
            .map_init(Vec::new, block)
            .collect::<Result<_, HistoryError>>()?;
        blocks.iter().for_each(|block| digest.update(block));
        Ok(digest
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect())
    }

    /// Calls `look` with every user's position, id and history, in order.
    pub fn for_each(
        &self,
        mut look: impl FnMut(usize, &str, HistoryView<'_>),
    ) -> Result<(), HistoryError> {
        let mut block = Block::default();
        for number in 0..self.blocks.len() {
            self.decode(number, &everybody, &mut block)?;
            block
                .iter()
                .for_each(|(position, user, history)| look(position, user, history));
        }
        Ok(())
    }

    /// What `look` makes of the histories of at most `most` users, taken at even distances.
    pub fn evenly<T: Send>(
        &self,
        most: usize,
        look: impl Fn(HistoryView<'_>) -> T + Sync,
    ) -> Result<Vec<T>, HistoryError> {
        let (users, taken) = (self.len(), self.len().min(most));
        // The k-th of those taken stands at k * users / taken; this is the first k at or after a position.
        let first = |position: usize| (position * taken).div_ceil(users.max(1));
        let mut all = Vec::with_capacity(taken);
        self.stream_chosen::<Vec<T>, HistoryError>(
            |position| first(position) < first(position + 1),
            |block| block.iter().map(|(_, _, history)| look(history)).collect(),
            |part| {
                all.extend(part);
                Ok(())
            },
        )?;
        Ok(all)
    }

    /// What `look` makes of each block of users, on all threads; in order of the blocks.
    pub fn map_blocks<T: Send>(
        &self,
        look: impl Fn(&Block) -> T + Sync,
    ) -> Result<Vec<T>, HistoryError> {
        self.map_range(0..self.blocks.len(), &everybody, &look)
    }

    /// Gives what `look` makes of each block of users to `take`, in order of the blocks; only a few wait to be taken.
    pub fn stream_blocks<T: Send, E: From<HistoryError>>(
        &self,
        look: impl Fn(&Block) -> T + Sync,
        take: impl FnMut(T) -> Result<(), E>,
    ) -> Result<(), E> {
        self.stream_chosen(everybody, look, take)
    }

    /// Like [`Self::stream_blocks`], with only those users in the blocks whose position is `chosen`.
    pub fn stream_chosen<T: Send, E: From<HistoryError>>(
        &self,
        chosen: impl Fn(usize) -> bool + Sync,
        look: impl Fn(&Block) -> T + Sync,
        mut take: impl FnMut(T) -> Result<(), E>,
    ) -> Result<(), E> {
        for start in (0..self.blocks.len()).step_by(BLOCKS_AHEAD) {
            let end = self.blocks.len().min(start + BLOCKS_AHEAD);
            self.map_range(start..end, &chosen, &look)?
                .into_iter()
                .try_for_each(&mut take)?;
        }
        Ok(())
    }

    /// Like [`Self::stream_blocks`], for so many blocks at a time that `look` goes through one by one.
    pub fn stream_spans<T: Send, E: From<HistoryError> + Send>(
        &self,
        blocks: usize,
        look: impl Fn(Span<'_>) -> Result<T, E> + Sync,
        mut take: impl FnMut(T) -> Result<(), E>,
    ) -> Result<(), E> {
        let spans = self.blocks.len().div_ceil(blocks.max(1));
        let ahead = 2 * rayon::current_num_threads();
        for start in (0..spans).step_by(ahead) {
            let span = |span: usize| {
                let first = span * blocks.max(1);
                look(Span {
                    histories: self,
                    blocks: first..self.blocks.len().min(first + blocks.max(1)),
                })
            };
            let done: Vec<T> = (start..spans.min(start + ahead))
                .into_par_iter()
                .map(span)
                .collect::<Result<_, E>>()?;
            done.into_iter().try_for_each(&mut take)?;
        }
        Ok(())
    }

    fn map_range<T: Send>(
        &self,
        range: Range<usize>,
        chosen: &(impl Fn(usize) -> bool + Sync),
        look: &(impl Fn(&Block) -> T + Sync),
    ) -> Result<Vec<T>, HistoryError> {
        let each = |block: &mut Block, number| {
            self.decode(number, chosen, block)?;
            Ok(look(block))
        };
        range
            .into_par_iter()
            .map_init(Block::default, each)
            .collect()
    }

    fn decode(
        &self,
        number: usize,
        chosen: &impl Fn(usize) -> bool,
        into: &mut Block,
    ) -> Result<(), HistoryError> {
        let mut scratch = std::mem::take(&mut into.scratch);
        let bytes = self.blocks.bytes(number, &mut scratch)?;
        let decoded = into.decode(bytes, number * BLOCK_USERS, chosen);
        into.scratch = scratch;
        decoded.ok_or_else(|| self.blocks.damaged())
    }
}

/// Leaves nobody out.
fn everybody(_: usize) -> bool {
    true
}

/// Some blocks of users that follow each other.
#[derive(Debug)]
pub struct Span<'a> {
    histories: &'a Histories,
    blocks: Range<usize>,
}

impl Span<'_> {
    /// Calls `look` with every user's id and history, in order.
    pub fn for_each<E: From<HistoryError>>(
        self,
        mut look: impl FnMut(&str, HistoryView<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut block = Block::default();
        for number in self.blocks {
            self.histories.decode(number, &everybody, &mut block)?;
            block
                .iter()
                .try_for_each(|(_, user, history)| look(user, history))?;
        }
        Ok(())
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
    scratch: Vec<u8>,
}

impl Block {
    fn decode(
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

    /// Every user's position in the [`Histories`], id and history, in order.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &str, HistoryView<'_>)> {
        let (mut name_start, mut start) = (0, 0);
        let ends = self.name_ends.iter().zip(&self.record_ends);
        self.positions
            .iter()
            .zip(ends)
            .map(move |(position, (name_end, end))| {
                let user = self.names.get(name_start..*name_end).unwrap_or_default();
                let records = self.records.get(start..*end).unwrap_or_default();
                (name_start, start) = (*name_end, *end);
                (*position, user, HistoryView { records })
            })
    }
}
