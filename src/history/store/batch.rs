//! Rows on their way to a partition, and the run that a full batch of them becomes.

use super::interner::StringInterner;
use crate::history::{Amount, Day, DayRecord, HistoryError, codec, compact};

/// Rows of a partition that become a run.
pub(super) const BATCH_ROWS: usize = 16_384;
/// Bytes of users' ids that become a run with fewer rows.
const BATCH_NAME_BYTES: usize = 64 * BATCH_ROWS;

/// Rows of one partition, in order of arrival.
#[derive(Debug, Default)]
pub(super) struct Batch {
    rows: Vec<BatchRow>,
    /// The users' ids, one after the other.
    names: Vec<u8>,
    /// Where the last row's user begins among the names.
    last: usize,
}

#[derive(Clone, Copy, Debug)]
struct BatchRow {
    amount: Amount,
    hash: u64,
    day: Day,
    count: u32,
    /// Where the user's id ends among the batch's.
    name_end: u32,
    kind: u16,
    /// Whether it is of the same user as the row before.
    continues: bool,
}

/// Buffers that the making of runs uses again and again.
#[derive(Debug, Default)]
pub(super) struct RunScratch {
    /// The user's number in the upper half, the row's position in the lower.
    keys: Vec<u64>,
    sorted: Vec<u64>,
    counts: Vec<u32>,
    records: Vec<DayRecord>,
    bytes: Vec<u8>,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether it should become a run.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.rows.len() >= BATCH_ROWS || self.names.len() >= BATCH_NAME_BYTES
    }

    /// Adds a record to the user called `user`, whose id has this hash.
    #[inline]
    pub(super) fn add(
        &mut self,
        user: &str,
        hash: u64,
        record: DayRecord,
    ) -> Result<(), HistoryError> {
        if self.rows.is_empty() {
            self.names.clear();
        }
        // Sorted logs have all of a user's rows together: the id is copied once.
        let continues = self.rows.last().is_some_and(|row| row.hash == hash)
            && self.names.get(self.last..) == Some(user.as_bytes());
        if !continues {
            self.last = self.names.len();
            self.names.extend_from_slice(user.as_bytes());
        }
        self.push(hash, continues, record)
    }

    /// Adds one more record to the user of the last one. A batch that became a run since then has kept the id.
    #[inline]
    pub(super) fn add_more(&mut self, hash: u64, record: DayRecord) -> Result<(), HistoryError> {
        self.push(hash, !self.rows.is_empty(), record)
    }

    #[inline]
    fn push(&mut self, hash: u64, continues: bool, record: DayRecord) -> Result<(), HistoryError> {
        let DayRecord {
            amount,
            day,
            count,
            kind,
        } = record;
        let name_end = u32::try_from(self.names.len()).map_err(|_| HistoryError::LongName {
            bytes: self.names.len(),
        })?;
        self.rows.push(BatchRow {
            amount,
            hash,
            day,
            count,
            name_end,
            kind,
            continues,
        });
        Ok(())
    }

    /// The run of these rows, whose users are numbered by `names`; the batch is empty then, but for the last user's id.
    pub(super) fn make_run(
        &mut self,
        names: &mut StringInterner,
        scratch: &mut RunScratch,
    ) -> Result<Vec<u8>, HistoryError> {
        scratch.number(self, names)?;
        scratch.sort(names.len());
        let run = scratch.encode(&self.rows)?;
        self.rows.clear();
        // The last row's user may have more.
        let last = std::mem::take(&mut self.last);
        self.names.drain(..last);
        Ok(run)
    }
}

impl BatchRow {
    fn record(&self) -> DayRecord {
        DayRecord {
            amount: self.amount,
            day: self.day,
            count: self.count,
            kind: self.kind,
        }
    }
}

impl RunScratch {
    /// Looks up the numbers of the batch's users.
    fn number(&mut self, batch: &Batch, names: &mut StringInterner) -> Result<(), HistoryError> {
        self.keys.clear();
        let (mut start, mut user) = (0, 0);
        for (position, row) in batch.rows.iter().enumerate() {
            if !row.continues {
                let end = row.name_end as usize;
                let name = &batch.names[start..end];
                let number = names.number(name, row.hash);
                user = number.ok_or(HistoryError::TooManyUsers)?;
                start = end;
            }
            self.keys.push(u64::from(user) << 32 | position as u64);
        }
        Ok(())
    }

    /// Sorts the keys by users and, for each, by rows.
    fn sort(&mut self, users: usize) {
        self.sorted.clear();
        // Counting beats comparing unless most users are absent.
        if users > 4 * self.keys.len() {
            self.sorted.extend_from_slice(&self.keys);
            self.sorted.sort_unstable();
            return;
        }
        self.counts.clear();
        self.counts.resize(users + 1, 0);
        for key in &self.keys {
            self.counts[(key >> 32) as usize + 1] += 1;
        }
        let mut before = 0;
        for count in &mut self.counts {
            before += *count;
            *count = before;
        }
        self.sorted.resize(self.keys.len(), 0);
        for key in &self.keys {
            let at = &mut self.counts[(key >> 32) as usize];
            self.sorted[*at as usize] = *key;
            *at += 1;
        }
    }

    /// For each user the difference of its number from the one before, and its records with their length.
    fn encode(&mut self, rows: &[BatchRow]) -> Result<Vec<u8>, HistoryError> {
        let mut run = Vec::with_capacity(rows.len() * 4);
        let mut last = 0;
        for keys in self.sorted.chunk_by(|a, b| a >> 32 == b >> 32) {
            let user = keys[0] >> 32;
            self.records.clear();
            let of_user = keys.iter().map(|key| rows[*key as u32 as usize].record());
            self.records.extend(of_user);
            compact(&mut self.records)?;
            self.bytes.clear();
            codec::encode(&self.records, &mut self.bytes);
            codec::put(&mut run, user - last);
            codec::put_bytes(&mut run, &self.bytes);
            last = user;
        }
        run.shrink_to_fit();
        Ok(run)
    }
}
