//! Collecting the records of many users in any order, from any number of threads, in bounded memory.
//!
//! Rows are scattered over partitions by a hash of their user. When a partition's batch is full, the rows become a run: for
//! each user in it the records in their compact form. Runs that together take more than is allowed go to disk with the names
//! they refer to. No order of rows, threads or spills changes what comes out.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::batch::{Batch, RunScratch};
use super::interner::StringInterner;
use super::merge;
use super::secret_hash::hash;
use super::spill::SpillFiles;
use crate::history::{DayRecord, Histories, HistoryError};
use crate::phases::Phases;

/// The most kinds a log may have.
const KIND_LIMIT: usize = 1_000;
/// The most bytes that their names may take: every thread has them all.
const KIND_BYTES: usize = 16 << 20;
/// Partitions: few enough for the buffers being written to stay in the cache, many enough for one's users to do so.
const PARTITIONS: usize = 64;
/// Most logs have few kinds, which are found faster by comparing than by hashing.
const COMPARED_KINDS: usize = 8;

/// How much memory the records of a log may take, and where they go beyond it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryBudget {
    /// Bytes of records, in their compact form, and of users' ids that are held in memory at most.
    pub memory_bytes: usize,
    /// The folder for temporary files, which have no names and vanish with the process, however it ends.
    pub folder: PathBuf,
}

impl MemoryBudget {
    /// An eighth of the memory this process may take, so that the rest is left for what is made of the records.
    pub fn of_machine(folder: PathBuf) -> Self {
        let bytes = usize::try_from(super::memory_limit::limit_bytes() / 8).unwrap_or(usize::MAX);
        Self {
            memory_bytes: bytes,
            folder,
        }
    }
}

impl Default for MemoryBudget {
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
    shared: Arc<SharedBuilder>,
    batches: Vec<Batch>,
    /// The batch of the last record, and its user's hash.
    last: (usize, u64),
    scratch: RunScratch,
    /// The first kinds seen here, and the others.
    compared: Vec<(String, u16)>,
    hashed: HashMap<String, u16>,
}

/// What all builders of one log share.
#[derive(Debug)]
struct SharedBuilder {
    budget: MemoryBudget,
    kinds: Mutex<Vec<String>>,
    partitions: Vec<Mutex<PartitionRuns>>,
    /// Bytes held by all partitions.
    held: AtomicUsize,
    /// Builders of other threads that were not closed yet.
    open: AtomicUsize,
}

impl Default for SharedBuilder {
    fn default() -> Self {
        Self::new(MemoryBudget::default())
    }
}

impl SharedBuilder {
    fn new(budget: MemoryBudget) -> Self {
        Self {
            budget,
            kinds: Mutex::default(),
            partitions: (0..PARTITIONS).map(|_| Mutex::default()).collect(),
            held: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
        }
    }
}

/// The runs of the users of one partition.
#[derive(Debug, Default)]
pub(crate) struct PartitionRuns {
    pub(crate) names: StringInterner,
    /// For each user of a run the difference of its number from the one before, and its records with their length.
    pub(crate) runs: Vec<Vec<u8>>,
    pub(crate) spilled: SpillFiles,
    held: usize,
}

// A panic ends the reading, so what a thread left behind a lock is never used.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl HistoriesBuilder {
    /// A builder that holds no more in memory than `budget` allows.
    pub fn within(budget: MemoryBudget) -> Self {
        Self {
            shared: Arc::new(SharedBuilder::new(budget)),
            ..Self::default()
        }
    }

    /// A builder for another thread, whose records end up in the same histories once it is [closed](Self::close).
    pub fn fork(&self) -> Self {
        // Counted before the thread starts: a fork that is dropped unclosed is noticed however early the end comes.
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
        // Every thread comes here once for each kind, so a scan under a lock is fast enough.
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
    ///
    /// # Errors
    /// [`HistoryError`] where the records of a day add up to too much, where there are too many users or their ids are too
    /// long, and where a temporary file cannot be written.
    #[inline]
    pub fn add(&mut self, user: &str, record: DayRecord) -> Result<(), HistoryError> {
        let hash = hash(user.as_bytes());
        if self.batches.is_empty() {
            self.batches.resize_with(PARTITIONS, Batch::default);
        }
        let index = partition_of_hash(hash);
        self.last = (index, hash);
        self.batches[index].add(user, hash, record)?;
        self.flush_full(index)
    }

    /// Adds one more record to the user of the last one.
    #[inline]
    pub(crate) fn add_more(&mut self, record: DayRecord) -> Result<(), HistoryError> {
        let (index, hash) = self.last;
        self.batches[index].add_more(hash, record)?;
        self.flush_full(index)
    }

    #[inline]
    fn flush_full(&mut self, index: usize) -> Result<(), HistoryError> {
        if self.batches[index].is_full() {
            self.flush(index)
        } else {
            Ok(())
        }
    }

    /// Turns a partition's batch into a run.
    fn flush(&mut self, index: usize) -> Result<(), HistoryError> {
        let batch = &mut self.batches[index];
        if batch.is_empty() {
            return Ok(());
        }
        let mut partition = lock(&self.shared.partitions[index]);
        let run = batch.make_run(&mut partition.names, &mut self.scratch)?;
        partition.runs.push(run);
        self.shared.account(&mut partition)
    }

    fn flush_all(&mut self) -> Result<(), HistoryError> {
        (0..self.batches.len()).try_for_each(|index| self.flush(index))
    }

    /// All that was added, sorted by user, day and kind.
    pub fn finish(self) -> Result<Histories, HistoryError> {
        self.finish_observed(Phases::UNOBSERVED)
    }

    /// [`Self::finish`] in phases that are observed.
    pub fn finish_observed(mut self, phases: Phases<'_>) -> Result<Histories, HistoryError> {
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
        let folder = self.shared.budget.folder.clone();
        drop(self);
        merge::finish(kinds, partitions, &folder, phases)
    }
}

/// The partition of the user whose id has this hash. Tables look at the lowest and the highest bits, so it takes others:
/// otherwise all hashes in a partition's table would be alike in them.
#[inline]
fn partition_of_hash(hash: u64) -> usize {
    (hash >> 40) as usize % PARTITIONS
}

impl SharedBuilder {
    /// Counts what a partition holds, and sends it to disk when all of them hold too much.
    fn account(&self, partition: &mut PartitionRuns) -> Result<(), HistoryError> {
        let holds = partition.runs.iter().map(Vec::len).sum::<usize>() + partition.names.memory();
        let before = std::mem::replace(&mut partition.held, holds);
        let all = self.held.fetch_add(holds, Ordering::Relaxed) + holds;
        // Added before it is taken off: another thread may see too much held for a moment, never too little.
        self.held.fetch_sub(before, Ordering::Relaxed);
        if all - before > self.budget.memory_bytes {
            let (names, runs) = (
                std::mem::take(&mut partition.names),
                std::mem::take(&mut partition.runs),
            );
            partition
                .spilled
                .write(&self.budget.folder, &names, &runs)?;
            self.held
                .fetch_sub(std::mem::take(&mut partition.held), Ordering::Relaxed);
        }
        Ok(())
    }
}
