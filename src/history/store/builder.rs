//! Collecting the records of many users in any order, from any number of threads, in bounded memory.
//!
//! Rows are scattered over partitions by a hash of their user. When a partition's batch is full, the rows become a run: for
//! each user in it the records in their compact form. Runs that together take more than is allowed go to disk with the names
//! they refer to. No order of rows, threads or spills changes what comes out.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::interner::{Names, hash};
use super::merge;
use super::spill::Parcels;
use crate::history::{Amount, Day, DayRecord, Histories, HistoryError, codec, compact};

/// The most kinds a log may have.
const KIND_LIMIT: usize = 1_000;
/// The most bytes that their names may take: every thread has them all.
const KIND_BYTES: usize = 16 << 20;
/// Partitions: few enough for the buffers being written to stay in the cache, many enough for one's users to do so.
const PARTITIONS: usize = 64;
/// Rows of a partition that become a run.
const BATCH_ROWS: usize = 16_384;
/// Most logs have few kinds, which are found faster by comparing than by hashing.
const COMPARED_KINDS: usize = 8;

/// How much memory the records of a log may take, and where they go beyond it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes of records, in their compact form, and of users' ids that are held in memory at most.
    pub memory_bytes: usize,
    /// The folder for temporary files, which have no names and vanish with the process, however it ends.
    pub folder: PathBuf,
}

impl Space {
    /// An eighth of the memory this process may take, so that the rest is left for what is made of the records.
    pub fn of_machine(folder: PathBuf) -> Self {
        let bytes = usize::try_from(super::memory_limit::limit_bytes() / 8).unwrap_or(usize::MAX);
        Self {
            memory_bytes: bytes,
            folder,
        }
    }
}

impl Default for Space {
    /// All the memory there is.
    fn default() -> Self {
        Self {
            memory_bytes: usize::MAX,
            folder: std::env::temp_dir(),
        }
    }
}

/// Collects records of many users in any order.
#[derive(Debug, Default)]
pub struct HistoriesBuilder {
    shared: Arc<Gathering>,
    batches: Vec<Batch>,
    /// The batch of the last record, and its user's hash.
    last: (usize, u64),
    scratch: Scratch,
    /// The first kinds seen here, and the others.
    compared: Vec<(String, u16)>,
    hashed: HashMap<String, u16>,
}

/// What all builders of one log share.
#[derive(Debug)]
struct Gathering {
    space: Space,
    kinds: Mutex<Vec<String>>,
    partitions: Vec<Mutex<Partition>>,
    /// Bytes held by all partitions.
    held: AtomicUsize,
    /// Builders of other threads that were not closed yet.
    open: AtomicUsize,
}

impl Default for Gathering {
    fn default() -> Self {
        Self::new(Space::default())
    }
}

impl Gathering {
    fn new(space: Space) -> Self {
        Self {
            space,
            kinds: Mutex::default(),
            partitions: (0..PARTITIONS).map(|_| Mutex::default()).collect(),
            held: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
        }
    }
}

/// The runs of the users of one partition.
#[derive(Debug, Default)]
pub(crate) struct Partition {
    pub(crate) names: Names,
    /// For each user of a run the difference of its number from the one before, and its records with their length.
    pub(crate) runs: Vec<Vec<u8>>,
    pub(crate) parcels: Parcels,
    held: usize,
}

/// Rows on their way to a partition.
#[derive(Debug, Default)]
struct Batch {
    rows: Vec<Row>,
    names: Vec<u8>,
    /// Where the last row's user begins among the names.
    last: usize,
}

#[derive(Clone, Copy, Debug)]
struct Row {
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

#[derive(Debug, Default)]
struct Scratch {
    /// The user's number in the upper half, the row's in the lower.
    keys: Vec<u64>,
    sorted: Vec<u64>,
    counts: Vec<u32>,
    records: Vec<DayRecord>,
    bytes: Vec<u8>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl HistoriesBuilder {
    /// A builder that holds no more in memory than `space` allows.
    pub fn within(space: Space) -> Self {
        Self {
            shared: Arc::new(Gathering::new(space)),
            ..Self::default()
        }
    }

    /// A builder for another thread, whose records end up in the same histories once it is [closed](Self::close).
    pub fn fork(&self) -> Self {
        self.shared.open.fetch_add(1, Ordering::SeqCst);
        Self {
            shared: self.shared.clone(),
            ..Self::default()
        }
    }

    /// Hands everything over to the builder that this one was forked from.
    pub fn close(mut self) -> Result<(), HistoryError> {
        self.flush_all()?;
        self.shared.open.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }

    /// The number of the kind called `name`, a new one when it was not seen before.
    pub fn kind(&mut self, name: &str) -> Result<u16, HistoryError> {
        if let Some((_, id)) = self.compared.iter().find(|(known, _)| known == name) {
            return Ok(*id);
        }
        if let Some(id) = self.hashed.get(name) {
            return Ok(*id);
        }
        let id = self.shared_kind(name)?;
        if self.compared.len() < COMPARED_KINDS {
            self.compared.push((name.to_owned(), id));
        } else {
            self.hashed.insert(name.to_owned(), id);
        }
        Ok(id)
    }

    fn shared_kind(&self, name: &str) -> Result<u16, HistoryError> {
        let mut kinds = lock(&self.shared.kinds);
        let id = kinds
            .iter()
            .position(|known| known == name)
            .unwrap_or(kinds.len());
        if id >= KIND_LIMIT {
            return Err(HistoryError::TooManyKinds { limit: KIND_LIMIT });
        }
        if id == kinds.len() {
            let bytes = kinds.iter().map(String::len).sum::<usize>() + name.len();
            if bytes > KIND_BYTES {
                return Err(HistoryError::LongKinds { bytes });
            }
            kinds.push(name.to_owned());
        }
        Ok(id as u16)
    }

    /// Adds one record, whose `kind` came from [`Self::kind`], to the user called `user`.
    #[inline]
    pub fn add(&mut self, user: &str, record: DayRecord) -> Result<(), HistoryError> {
        let hash = hash(user.as_bytes());
        let index = (hash >> 58) as usize;
        if self.batches.is_empty() {
            self.batches.resize_with(PARTITIONS, Batch::default);
        }
        self.last = (index, hash);
        let Some(batch) = self.batches.get_mut(index) else {
            return Ok(());
        };
        if batch.rows.is_empty() {
            batch.names.clear();
        }
        // Sorted logs have all of a user's rows together.
        let continues = batch.rows.last().is_some_and(|row| row.hash == hash)
            && batch.names.get(batch.last..) == Some(user.as_bytes());
        if !continues {
            batch.last = batch.names.len();
            batch.names.extend_from_slice(user.as_bytes());
        }
        batch.push(hash, continues, record)?;
        self.flush_full(index)
    }

    /// Adds one more record to the user of the last one.
    #[inline]
    pub(crate) fn add_more(&mut self, record: DayRecord) -> Result<(), HistoryError> {
        let (index, hash) = self.last;
        let Some(batch) = self.batches.get_mut(index) else {
            return Ok(());
        };
        // A batch that became a run has kept the name.
        batch.push(hash, !batch.rows.is_empty(), record)?;
        self.flush_full(index)
    }

    #[inline]
    fn flush_full(&mut self, index: usize) -> Result<(), HistoryError> {
        let full =
            |batch: &Batch| batch.rows.len() >= BATCH_ROWS || batch.names.len() >= 64 * BATCH_ROWS;
        if self.batches.get(index).is_some_and(full) {
            self.flush(index)
        } else {
            Ok(())
        }
    }

    /// Turns a partition's batch into a run.
    fn flush(&mut self, index: usize) -> Result<(), HistoryError> {
        let (Some(batch), Some(partition)) = (
            self.batches.get_mut(index),
            self.shared.partitions.get(index),
        ) else {
            return Ok(());
        };
        if batch.rows.is_empty() {
            return Ok(());
        }
        let mut partition = lock(partition);
        self.scratch.number(batch, &mut partition.names)?;
        let users = partition.names.len();
        let keys = self.scratch.sort(users);
        let mut run = Vec::with_capacity(batch.rows.len() * 4);
        let mut last = 0;
        for group in keys.chunk_by(|a, b| a >> 32 == b >> 32) {
            let rows = group
                .iter()
                .filter_map(|key| batch.rows.get(*key as u32 as usize));
            self.scratch.records.clear();
            self.scratch.records.extend(rows.map(Row::record));
            compact(&mut self.scratch.records)?;
            self.scratch.bytes.clear();
            codec::encode(&self.scratch.records, &mut self.scratch.bytes);
            let user = group.first().map_or(0, |key| key >> 32);
            codec::put(&mut run, user - last);
            codec::put_bytes(&mut run, &self.scratch.bytes);
            last = user;
        }
        self.scratch.sorted = keys;
        batch.rows.clear();
        // The last row's user may have more.
        batch
            .names
            .drain(..std::mem::take(&mut batch.last).min(batch.names.len()));
        run.shrink_to_fit();
        partition.runs.push(run);
        self.shared.account(&mut partition)
    }

    fn flush_all(&mut self) -> Result<(), HistoryError> {
        (0..self.batches.len()).try_for_each(|index| self.flush(index))
    }

    /// All that was added, sorted by user, day and kind.
    pub fn finish(mut self) -> Result<Histories, HistoryError> {
        self.flush_all()?;
        if self.shared.open.load(Ordering::SeqCst) > 0 {
            return Err(HistoryError::NotClosed);
        }
        let kinds = std::mem::take(&mut *lock(&self.shared.kinds));
        let partitions = self
            .shared
            .partitions
            .iter()
            .map(|partition| std::mem::take(&mut *lock(partition)))
            .collect();
        let folder = self.shared.space.folder.clone();
        drop(self);
        merge::finish(kinds, partitions, &folder)
    }
}

impl Gathering {
    /// Counts what a partition holds, and sends it to disk when all of them hold too much.
    fn account(&self, partition: &mut Partition) -> Result<(), HistoryError> {
        let holds = partition.runs.iter().map(Vec::len).sum::<usize>() + partition.names.memory();
        let before = std::mem::replace(&mut partition.held, holds);
        let all = self.held.fetch_add(holds, Ordering::Relaxed) + holds;
        self.held.fetch_sub(before, Ordering::Relaxed);
        if all - before > self.space.memory_bytes {
            let (names, runs) = (
                std::mem::take(&mut partition.names),
                std::mem::take(&mut partition.runs),
            );
            partition.parcels.put(&self.space.folder, &names, &runs)?;
            self.held
                .fetch_sub(std::mem::take(&mut partition.held), Ordering::Relaxed);
        }
        Ok(())
    }
}

impl Batch {
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
        self.rows.push(Row {
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
}

impl Row {
    fn record(&self) -> DayRecord {
        DayRecord {
            amount: self.amount,
            day: self.day,
            count: self.count,
            kind: self.kind,
        }
    }
}

impl Scratch {
    /// Looks up the numbers of the batch's users.
    fn number(&mut self, batch: &Batch, names: &mut Names) -> Result<(), HistoryError> {
        self.keys.clear();
        let (mut start, mut user) = (0, 0);
        for (position, row) in batch.rows.iter().enumerate() {
            if !row.continues {
                let end = row.name_end as usize;
                let name = batch.names.get(start..end).unwrap_or_default();
                user = names.id(name, row.hash).ok_or(HistoryError::TooManyUsers)?;
                start = end;
            }
            self.keys.push(u64::from(user) << 32 | position as u64);
        }
        Ok(())
    }

    /// The keys in order of users and, for each, of rows. Counting beats comparing unless most users are absent.
    fn sort(&mut self, users: usize) -> Vec<u64> {
        let mut sorted = std::mem::take(&mut self.sorted);
        sorted.clear();
        if users > 4 * self.keys.len() {
            sorted.extend_from_slice(&self.keys);
            sorted.sort_unstable();
            return sorted;
        }
        self.counts.clear();
        self.counts.resize(users + 1, 0);
        for key in &self.keys {
            if let Some(count) = self.counts.get_mut((key >> 32) as usize + 1) {
                *count += 1;
            }
        }
        let mut before = 0;
        for count in &mut self.counts {
            before += *count;
            *count = before;
        }
        sorted.resize(self.keys.len(), 0);
        for key in &self.keys {
            if let Some(at) = self.counts.get_mut((key >> 32) as usize) {
                if let Some(slot) = sorted.get_mut(*at as usize) {
                    *slot = *key;
                }
                *at += 1;
            }
        }
        sorted
    }
}
