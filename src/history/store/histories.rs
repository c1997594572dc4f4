//! The histories of all users of a log.

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::blocks::{BLOCK_USERS, Block, Blocks};
use crate::history::attributes::UserAttributes;
use crate::history::{
    AttributeColumn, AttributeTable, Attributes, AttributesJoined, Day, DayRecord, History,
    HistoryError, HistoryView, Totals, codec,
};

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
    /// What is known of the users beside events; `None` where nothing was joined.
    attributes: Option<Arc<UserAttributes>>,
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
            && self.attributes == other.attributes
            && self.blocks.len() == other.blocks.len()
            && (0..self.blocks.len()).all(&mut equal)
    }
}

impl Histories {
    pub(crate) fn new(kinds: Vec<String>, totals: Totals, blocks: Blocks) -> Self {
        Self {
            kinds,
            totals,
            blocks: Arc::new(blocks),
            attributes: None,
        }
    }

    /// The same histories with the attributes of a table, in place of those that they may have; and how both belong
    /// together.
    ///
    /// # Errors
    /// [`HistoryError`] where the histories cannot be read.
    pub fn with_attributes(
        self,
        table: AttributeTable,
    ) -> Result<(Self, AttributesJoined), HistoryError> {
        let (attributes, joined) = table.join(|take| self.for_each(take))?;
        let with = Self {
            attributes: Some(Arc::new(attributes)),
            ..self
        };
        Ok((with, joined))
    }

    /// The columns of attributes; empty where none were joined.
    pub fn attribute_columns(&self) -> &[AttributeColumn] {
        let attributes = self.attributes.as_ref();
        attributes.map_or(&[], |attributes| attributes.columns())
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

    /// The first user of a block for which `is` holds, given the position in the block and the id.
    fn find(
        &self,
        number: usize,
        is: impl Fn(usize, &[u8]) -> bool,
    ) -> Result<Option<(String, History)>, HistoryError> {
        if number >= self.blocks.len() {
            return Ok(None);
        }
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
                // Records of an index were written by another process: positions in tables are looked up by their kinds.
                let is_known = |record: &DayRecord| usize::from(record.kind) < self.kinds.len();
                if !records.iter().all(is_known) {
                    return Err(damaged());
                }
                let history = History {
                    records,
                    attributes: self.attributes_of(number * BLOCK_USERS + at),
                };
                let name = String::from_utf8_lossy(name).into_owned();
                return Ok(Some((name, history)));
            }
        }
        Ok(None)
    }

    fn attributes_of(&self, position: usize) -> Attributes {
        let all = self.attributes.as_ref();
        all.map_or_else(Attributes::default, |all| all.owned(position))
    }

    /// How many blocks of users there are.
    pub(crate) fn block_count(&self) -> usize {
        self.blocks.len()
    }

    /// Calls `take` with every block of users in its compact form, in order.
    pub(crate) fn for_each_encoded(
        &self,
        mut take: impl FnMut(&[u8]) -> Result<(), HistoryError>,
    ) -> Result<(), HistoryError> {
        let mut scratch = Vec::new();
        (0..self.blocks.len()).try_for_each(|number| take(self.blocks.bytes(number, &mut scratch)?))
    }

    /// SHA-256 of all kinds, users, records and attributes: of the digests of the blocks in their compact form.
    pub fn digest(&self) -> Result<String, HistoryError> {
        let mut digest = Sha256::new();
        for kind in &self.kinds {
            digest.update((kind.len() as u64).to_le_bytes());
            digest.update(kind);
        }
        let block =
            |scratch: &mut Vec<u8>, number| Ok(Sha256::digest(self.blocks.bytes(number, scratch)?));
        // Blocks are hashed on all threads, and their digests in order.
        let blocks: Vec<_> = (0..self.blocks.len())
            .into_par_iter()
            .map_init(Vec::new, block)
            .collect::<Result<_, HistoryError>>()?;
        blocks.iter().for_each(|block| digest.update(block));
        if let Some(attributes) = &self.attributes {
            attributes.bytes(|bytes| digest.update(bytes));
        }
        Ok(hex::encode(digest.finalize()))
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

    /// These blocks of users, in order.
    pub fn span_of(&self, blocks: Range<usize>) -> Span<'_> {
        Span {
            histories: self,
            blocks,
        }
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
            // No more than these results wait to be taken, however large the log is.
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
        into.attributes.clone_from(&self.attributes);
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
