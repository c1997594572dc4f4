//! From the runs of all partitions to histories in order of users: sorted in memory, or merged on disk.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::Path;

use rayon::prelude::*;

use super::blocks::{BLOCK_USERS, BlockLocation, Blocks};
use super::builder::PartitionRuns;
use super::interner::StringInterner;
use super::secret_hash::hash;
use super::spill::{SpillStream, SpillWriter, SpilledRuns, damaged};
use crate::history::{DayRecord, Histories, HistoryError, Totals, codec, compact};
use crate::phases::{Phase, Phases, Unit};

/// The histories of all partitions' users.
pub(crate) fn finish(
    kinds: Vec<String>,
    partitions: Vec<PartitionRuns>,
    folder: &Path,
    phases: Phases<'_>,
) -> Result<Histories, HistoryError> {
    let mut order: Vec<(String, usize)> = kinds.into_iter().zip(0..).collect();
    order.sort_unstable();
    let mut numbers = vec![0; order.len()];
    for (new, (_, old)) in order.iter().enumerate() {
        numbers[*old] = new as u16;
    }
    let kinds = order.into_iter().map(|(name, _)| name).collect();
    let in_order = numbers.is_sorted();
    let merge = Merge {
        numbers: &numbers,
        in_order,
        folder,
        phases,
    };
    if partitions
        .iter()
        .all(|partition| partition.spilled.is_empty())
    {
        merge.in_memory(kinds, partitions)
    } else {
        merge.on_disk(kinds, partitions)
    }
}

/// The users of one partition with their records, by number.
struct Segment {
    names: StringInterner,
    /// Where each user's records end in `bytes`.
    ends: Vec<usize>,
    bytes: Vec<u8>,
    totals: Totals,
}

impl Segment {
    /// Appends a user as a block holds it: the id and the records, each with its length.
    fn put(&self, user: u32, into: &mut Vec<u8>) {
        let user_at = user as usize;
        let start = if user_at == 0 {
            0
        } else {
            self.ends[user_at - 1]
        };
        codec::put_bytes(into, self.names.get(user));
        codec::put_bytes(into, &self.bytes[start..self.ends[user_at]]);
    }
}

/// The records that one run holds of one user.
struct RunPart {
    user: u32,
    run: u32,
    start: usize,
}

struct Merge<'a> {
    /// For each kind by number of appearance its place in the order of names.
    numbers: &'a [u16],
    /// Whether kinds appeared in the order of their names, so that runs have their final numbers.
    in_order: bool,
    folder: &'a Path,
    phases: Phases<'a>,
}

impl Merge<'_> {
    fn in_memory(
        &self,
        kinds: Vec<String>,
        partitions: Vec<PartitionRuns>,
    ) -> Result<Histories, HistoryError> {
        let merging = self.merging(&partitions);
        let segment = |partition| {
            let segment = self.segment(partition)?;
            merging.advance(1);
            Ok(segment)
        };
        let segments: Vec<Segment> = partitions
            .into_par_iter()
            .map(segment)
            .collect::<Result<_, HistoryError>>()?;
        let totals = sum(kinds.len(), segments.iter().map(|segment| &segment.totals));
        let ordering = self.ordering(&totals);
        let mut order: Vec<(u128, u32, u32)> = Vec::new();
        for (number, segment) in segments.iter().enumerate() {
            let users = 0..segment.names.len() as u32;
            order.extend(users.map(|user| (prefix(segment.names.get(user)), number as u32, user)));
        }
        let name = |at: &(u128, u32, u32)| segments[at.1 as usize].names.get(at.2);
        // Most ids differ in their first sixteen bytes, so few comparisons look an id up.
        order.par_sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| name(a).cmp(name(b))));
        // Blocks are cut in the order of ids, whatever partitions their users come from: equal logs have equal blocks.
        let block = |users: &[(u128, u32, u32)]| {
            let mut bytes = Vec::new();
            for (_, segment, user) in users {
                segments[*segment as usize].put(*user, &mut bytes);
            }
            ordering.advance(users.len() as u64);
            bytes.into_boxed_slice()
        };
        let blocks: Vec<Box<[u8]>> = order.par_chunks(BLOCK_USERS).map(block).collect();
        Ok(Histories::new(kinds, totals, Blocks::Memory(blocks)))
    }

    fn on_disk(
        &self,
        kinds: Vec<String>,
        partitions: Vec<PartitionRuns>,
    ) -> Result<Histories, HistoryError> {
        let merging = self.merging(&partitions);
        let sorted = |partition| {
            let sorted = self.sorted(partition)?;
            merging.advance(1);
            Ok(sorted)
        };
        let sorted: Vec<(SpillStream, Totals)> = partitions
            .into_par_iter()
            .map(sorted)
            .collect::<Result<_, HistoryError>>()?;
        let totals = sum(kinds.len(), sorted.iter().map(|(_, totals)| totals));
        let ordering = self.ordering(&totals);
        let mut heap = Heap::default();
        for (stream, _) in sorted {
            heap.push(stream, Vec::new())?;
        }
        // All partitions are sorted: the next user is the first one of some partition.
        let (mut written, mut index) = (SpillWriter::new(self.folder)?, Vec::new());
        let (mut block, mut users, mut first) = (Vec::new(), 0, Vec::new());
        while let Some((name, stream, entry)) = heap.pop() {
            if users == 0 {
                first = name;
            }
            block.extend_from_slice(&entry);
            users += 1;
            if users == BLOCK_USERS {
                index.push(BlockLocation::new(
                    written.put(&block)?,
                    block.len(),
                    &first,
                ));
                block.clear();
                ordering.advance(users as u64);
                users = 0;
            }
            heap.push(stream, entry)?;
        }
        if users > 0 {
            index.push(BlockLocation::new(
                written.put(&block)?,
                block.len(),
                &first,
            ));
        }
        ordering.advance(users as u64);
        Ok(Histories::new(
            kinds,
            totals,
            Blocks::Disk {
                file: written.into_file()?,
                index,
            },
        ))
    }

    /// The phase in which the records of each user are put together.
    fn merging(&self, partitions: &[PartitionRuns]) -> Phase<'_> {
        let all = partitions.len() as u64;
        self.phases
            .begin("merging the records of users", all, Unit::Partitions)
    }

    /// The phase in which all users get their order.
    fn ordering(&self, totals: &Totals) -> Phase<'_> {
        let users = totals.users as u64;
        self.phases.begin("ordering users", users, Unit::Users)
    }

    /// A partition's users in a file, sorted by id.
    fn sorted(&self, partition: PartitionRuns) -> Result<(SpillStream, Totals), HistoryError> {
        let segment = self.segment(partition)?;
        let mut order: Vec<(u128, u32)> = (0..segment.names.len() as u32)
            .map(|user| (prefix(segment.names.get(user)), user))
            .collect();
        let name = |user: u32| segment.names.get(user);
        order.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| name(a.1).cmp(name(b.1))));
        let mut written = SpillWriter::new(self.folder)?;
        let mut entry = Vec::new();
        for (_, user) in order {
            entry.clear();
            segment.put(user, &mut entry);
            let length = u32::try_from(entry.len())
                .map_err(|_| HistoryError::LongName { bytes: entry.len() })?;
            written.put(&length.to_le_bytes())?;
            written.put(&entry)?;
        }
        Ok((written.into_stream()?, segment.totals))
    }

    /// Puts the parts of each user of a partition together.
    fn segment(&self, partition: PartitionRuns) -> Result<Segment, HistoryError> {
        let PartitionRuns {
            mut names,
            runs,
            spilled,
            ..
        } = partition;
        let spilled = spilled.read()?;
        let (mut slices, mut parts): (Vec<&[u8]>, Vec<RunPart>) = (Vec::new(), Vec::new());
        let damaged = || damaged(self.folder);
        for SpilledRuns { names: texts, runs } in &spilled {
            let numbers = renumber(texts, &mut names)?;
            let mut rest = runs.as_slice();
            while !rest.is_empty() {
                let run = codec::take_bytes(&mut rest).ok_or_else(damaged)?;
                slices.push(run);
                let user = |local: usize| numbers.get(local).copied();
                parts_of(run, slices.len() - 1, user, &mut parts).ok_or_else(damaged)?;
            }
        }
        // What stayed in memory counts users from 0 since the last spill, and `names` held them before the spilled ones.
        for run in &runs {
            slices.push(run);
            parts_of(
                run,
                slices.len() - 1,
                |local| u32::try_from(local).ok(),
                &mut parts,
            )
            .ok_or_else(damaged)?;
        }
        // Every run is sorted already, which a stable sort takes advantage of.
        parts.sort_by_key(|part| part.user);
        self.encode(names, &slices, &parts).ok_or_else(damaged)?
    }

    fn encode(
        &self,
        names: StringInterner,
        runs: &[&[u8]],
        parts: &[RunPart],
    ) -> Option<Result<Segment, HistoryError>> {
        let (mut bytes, mut ends) = (Vec::new(), Vec::with_capacity(names.len()));
        let mut records: Vec<DayRecord> = Vec::new();
        let mut totals = Totals::of_kinds(self.numbers.len());
        for group in parts.chunk_by(|a, b| a.user == b.user) {
            records.clear();
            let mut left = 0;
            for part in group {
                let mut part_bytes = runs.get(part.run as usize)?.get(part.start..)?;
                codec::decode(&mut part_bytes, &mut records)?;
                left = part_bytes.len();
            }
            if let ([part], true) = (group, self.in_order) {
                // Nothing to put together: what was encoded for the run is what would be encoded here.
                let part_bytes = runs.get(part.run as usize)?.get(part.start..)?;
                bytes.extend_from_slice(part_bytes.get(..part_bytes.len() - left)?);
                totals.add(names.get(part.user), &records);
                ends.push(bytes.len());
                continue;
            }
            for record in &mut records {
                record.kind = *self.numbers.get(usize::from(record.kind))?;
            }
            if let Err(error) = compact(&mut records) {
                return Some(Err(error));
            }
            totals.add(names.get(group.first()?.user), &records);
            codec::encode(&records, &mut bytes);
            ends.push(bytes.len());
        }
        // A temporary file that was damaged may lack users.
        if ends.len() != names.len() {
            return None;
        }
        bytes.shrink_to_fit();
        Some(Ok(Segment {
            names,
            ends,
            bytes,
            totals,
        }))
    }
}

fn sum<'t>(kinds: usize, parts: impl Iterator<Item = &'t Totals>) -> Totals {
    parts.fold(Totals::of_kinds(kinds), |sum, part| sum.with(part.clone()))
}

/// The numbers among `names` of names that were spilled, in the order of these.
fn renumber(mut texts: &[u8], names: &mut StringInterner) -> Result<Vec<u32>, HistoryError> {
    let mut numbers = Vec::new();
    while let Some(name) = codec::take_bytes(&mut texts) {
        numbers.push(
            names
                .number(name, hash(name))
                .ok_or(HistoryError::TooManyUsers)?,
        );
    }
    Ok(numbers)
}

/// Notes where a run has whose records; `None` when it is damaged.
fn parts_of(
    run: &[u8],
    number: usize,
    user_of: impl Fn(usize) -> Option<u32>,
    into: &mut Vec<RunPart>,
) -> Option<()> {
    let (mut rest, mut local) = (run, 0);
    while !rest.is_empty() {
        local += codec::take(&mut rest)?;
        let records = codec::take_bytes(&mut rest)?;
        let start = run.len() - rest.len() - records.len();
        into.push(RunPart {
            user: user_of(usize::try_from(local).ok()?)?,
            run: number as u32,
            start,
        });
    }
    Some(())
}

/// The first sixteen bytes as a number that sorts as they do.
fn prefix(name: &[u8]) -> u128 {
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(name) {
        *to = *from;
    }
    u128::from_be_bytes(bytes)
}

/// The next user of each partition, the first by name on top.
#[derive(Default)]
struct Heap {
    next: BinaryHeap<Reverse<(Vec<u8>, usize)>>,
    streams: Vec<Option<(SpillStream, Vec<u8>)>>,
    free: Vec<usize>,
}

impl Heap {
    /// Reads a stream's next user, if there is one, into `entry`.
    fn push(&mut self, mut stream: SpillStream, mut entry: Vec<u8>) -> Result<(), HistoryError> {
        if stream.is_at_end() {
            return Ok(());
        }
        stream.read(&mut entry)?;
        let name = codec::take_bytes(&mut entry.as_slice());
        let name = name.ok_or_else(|| stream.damaged())?.to_vec();
        let slot = Some((stream, entry));
        let number = match self.free.pop() {
            Some(number) => {
                self.streams[number] = slot;
                number
            }
            None => {
                self.streams.push(slot);
                self.streams.len() - 1
            }
        };
        self.next.push(Reverse((name, number)));
        Ok(())
    }

    /// The stream with the next user, and that user's entry.
    fn pop(&mut self) -> Option<(Vec<u8>, SpillStream, Vec<u8>)> {
        let Reverse((name, number)) = self.next.pop()?;
        let (stream, entry) = self.streams[number].take()?;
        self.free.push(number);
        Some((name, stream, entry))
    }
}
