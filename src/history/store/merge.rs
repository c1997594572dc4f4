//! From the runs of all partitions to histories in order of users: sorted in memory, or merged on disk.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::Path;

use rayon::prelude::*;

use super::builder::Partition;
use super::histories::{BLOCK_USERS, Blocks, Place};
use super::interner::{Names, hash};
use super::spill::{Parcel, Sequence, Written, failed};
use crate::history::{DayRecord, Histories, HistoryError, Totals, codec, compact};

/// The histories of all partitions' users.
pub(crate) fn finish(
    kinds: Vec<String>,
    partitions: Vec<Partition>,
    folder: &Path,
) -> Result<Histories, HistoryError> {
    let mut order: Vec<(String, usize)> = kinds.into_iter().zip(0..).collect();
    order.sort_unstable();
    let mut numbers = vec![0; order.len()];
    for (new, (_, old)) in order.iter().enumerate() {
        if let Some(number) = numbers.get_mut(*old) {
            *number = new as u16;
        }
    }
    let kinds = order.into_iter().map(|(name, _)| name).collect();
    let in_order = numbers.is_sorted();
    let merge = Merge {
        numbers: &numbers,
        in_order,
        folder,
    };
    if partitions
        .iter()
        .all(|partition| partition.parcels.is_empty())
    {
        merge.in_memory(kinds, partitions)
    } else {
        merge.on_disk(kinds, partitions)
    }
}

/// The users of one partition with their records, by number.
struct Segment {
    names: Names,
    /// Where each user's records end in `bytes`.
    ends: Vec<usize>,
    bytes: Vec<u8>,
    totals: Totals,
}

impl Segment {
    /// Appends a user as a block holds it: the id and the records, each with its length.
    fn put(&self, user: u32, into: &mut Vec<u8>) {
        let user_at = user as usize;
        let start = user_at
            .checked_sub(1)
            .and_then(|before| self.ends.get(before))
            .copied()
            .unwrap_or(0);
        codec::put_bytes(into, self.names.get(user));
        codec::put_bytes(
            into,
            self.ends
                .get(user_at)
                .and_then(|end| self.bytes.get(start..*end))
                .unwrap_or_default(),
        );
    }
}

/// The records that one run holds of one user.
struct Piece {
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
}

impl Merge<'_> {
    fn in_memory(
        &self,
        kinds: Vec<String>,
        partitions: Vec<Partition>,
    ) -> Result<Histories, HistoryError> {
        let segments: Vec<Segment> = partitions
            .into_par_iter()
            .map(|partition| self.segment(partition))
            .collect::<Result<_, _>>()?;
        let mut order: Vec<(u128, u32, u32)> = Vec::new();
        for (number, segment) in segments.iter().enumerate() {
            let users = 0..segment.names.len() as u32;
            order.extend(users.map(|user| (prefix(segment.names.get(user)), number as u32, user)));
        }
        let name = |at: &(u128, u32, u32)| {
            segments
                .get(at.1 as usize)
                .map_or(&[][..], |s| s.names.get(at.2))
        };
        order.par_sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| name(a).cmp(name(b))));
        let block = |users: &[(u128, u32, u32)]| {
            let mut bytes = Vec::new();
            for (_, segment, user) in users {
                if let Some(segment) = segments.get(*segment as usize) {
                    segment.put(*user, &mut bytes);
                }
            }
            bytes.into_boxed_slice()
        };
        let blocks: Vec<Box<[u8]>> = order.par_chunks(BLOCK_USERS).map(block).collect();
        let totals = segments
            .iter()
            .fold(Totals::of_kinds(kinds.len()), |sum, part| {
                sum.with(part.totals.clone())
            });
        Ok(Histories::new(kinds, totals, Blocks::Memory(blocks)))
    }

    fn on_disk(
        &self,
        kinds: Vec<String>,
        partitions: Vec<Partition>,
    ) -> Result<Histories, HistoryError> {
        let sorted: Vec<(Sequence, Totals)> = partitions
            .into_par_iter()
            .map(|partition| self.sorted(partition))
            .collect::<Result<_, _>>()?;
        let totals = sorted
            .iter()
            .fold(Totals::of_kinds(kinds.len()), |sum, part| {
                sum.with(part.1.clone())
            });
        let mut heap = Heap::default();
        for (sequence, _) in sorted {
            heap.push(sequence, Vec::new())?;
        }
        let (mut written, mut index) = (Written::new(self.folder)?, Vec::new());
        let (mut block, mut users, mut first) = (Vec::new(), 0, Vec::new());
        while let Some(Reverse((name, number))) = heap.next.pop() {
            let Some((sequence, entry)) = heap.take(number) else {
                continue;
            };
            if users == 0 {
                first = name;
            }
            block.extend_from_slice(&entry);
            users += 1;
            if users == BLOCK_USERS {
                index.push(Place::new(written.put(&block)?, block.len(), &first));
                block.clear();
                users = 0;
            }
            heap.push(sequence, entry)?;
        }
        if users > 0 {
            index.push(Place::new(written.put(&block)?, block.len(), &first));
        }
        Ok(Histories::new(
            kinds,
            totals,
            Blocks::Disk {
                places: written.places()?,
                index,
            },
        ))
    }

    /// A partition's users in a file, sorted by id.
    fn sorted(&self, partition: Partition) -> Result<(Sequence, Totals), HistoryError> {
        let segment = self.segment(partition)?;
        let mut order: Vec<(u128, u32)> = (0..segment.names.len() as u32)
            .map(|user| (prefix(segment.names.get(user)), user))
            .collect();
        let name = |user: u32| segment.names.get(user);
        order.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| name(a.1).cmp(name(b.1))));
        let mut written = Written::new(self.folder)?;
        let mut entry = Vec::new();
        for (_, user) in order {
            entry.clear();
            segment.put(user, &mut entry);
            let length = u32::try_from(entry.len())
                .map_err(|_| HistoryError::LongName { bytes: entry.len() })?;
            written.put(&length.to_le_bytes())?;
            written.put(&entry)?;
        }
        Ok((written.rewind()?, segment.totals))
    }

    /// Puts the pieces of each user of a partition together.
    fn segment(&self, partition: Partition) -> Result<Segment, HistoryError> {
        let Partition {
            mut names,
            runs,
            parcels,
            ..
        } = partition;
        let parcels = parcels.read()?;
        let (mut slices, mut pieces): (Vec<&[u8]>, Vec<Piece>) = (Vec::new(), Vec::new());
        let damaged = || failed(self.folder, std::io::ErrorKind::InvalidData.into());
        for Parcel { names: texts, runs } in &parcels {
            let numbers = renumber(texts, &mut names)?;
            let mut rest = runs.as_slice();
            while !rest.is_empty() {
                let run = codec::take_bytes(&mut rest).ok_or_else(damaged)?;
                slices.push(run);
                let user = |local: usize| numbers.get(local).copied();
                pieces_of(run, slices.len() - 1, user, &mut pieces).ok_or_else(damaged)?;
            }
        }
        // What stayed in memory counts users as they came after the last parcel: `names` held them first.
        for run in &runs {
            slices.push(run);
            pieces_of(
                run,
                slices.len() - 1,
                |local| u32::try_from(local).ok(),
                &mut pieces,
            )
            .ok_or_else(damaged)?;
        }
        // Every run is sorted already, which a stable sort takes advantage of.
        pieces.sort_by_key(|piece| piece.user);
        self.encode(names, &slices, &pieces).ok_or_else(damaged)?
    }

    fn encode(
        &self,
        names: Names,
        runs: &[&[u8]],
        pieces: &[Piece],
    ) -> Option<Result<Segment, HistoryError>> {
        let (mut bytes, mut ends) = (Vec::new(), Vec::with_capacity(names.len()));
        let mut records: Vec<DayRecord> = Vec::new();
        let mut totals = Totals::of_kinds(self.numbers.len());
        for group in pieces.chunk_by(|a, b| a.user == b.user) {
            records.clear();
            let mut left = 0;
            for piece in group {
                let mut piece_bytes = runs.get(piece.run as usize)?.get(piece.start..)?;
                codec::decode(&mut piece_bytes, &mut records)?;
                left = piece_bytes.len();
            }
            if let ([piece], true) = (group, self.in_order) {
                // Nothing to put together: what was encoded for the run is what would be encoded here.
                let piece_bytes = runs.get(piece.run as usize)?.get(piece.start..)?;
                bytes.extend_from_slice(piece_bytes.get(..piece_bytes.len() - left)?);
                totals.add(names.get(piece.user), &records);
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
        bytes.shrink_to_fit();
        Some(Ok(Segment {
            names,
            ends,
            bytes,
            totals,
        }))
    }
}

/// The numbers among `names` of a parcel's names, in the order of the parcel.
fn renumber(mut texts: &[u8], names: &mut Names) -> Result<Vec<u32>, HistoryError> {
    let mut numbers = Vec::new();
    while let Some(name) = codec::take_bytes(&mut texts) {
        numbers.push(
            names
                .id(name, hash(name))
                .ok_or(HistoryError::TooManyUsers)?,
        );
    }
    Ok(numbers)
}

/// Notes where a run has whose records; `None` when it is damaged.
fn pieces_of(
    run: &[u8],
    number: usize,
    user_of: impl Fn(usize) -> Option<u32>,
    into: &mut Vec<Piece>,
) -> Option<()> {
    let (mut rest, mut local) = (run, 0);
    while !rest.is_empty() {
        local += codec::take(&mut rest)?;
        let records = codec::take_bytes(&mut rest)?;
        let start = run.len() - rest.len() - records.len();
        into.push(Piece {
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
    sequences: Vec<Option<(Sequence, Vec<u8>)>>,
    free: Vec<usize>,
}

impl Heap {
    /// Reads a sequence's next user, if there is one, into `entry`.
    fn push(&mut self, mut sequence: Sequence, mut entry: Vec<u8>) -> Result<(), HistoryError> {
        if sequence.is_at_end() {
            return Ok(());
        }
        sequence.read(&mut entry)?;
        let name = codec::take_bytes(&mut entry.as_slice())
            .unwrap_or_default()
            .to_vec();
        let number = self.free.pop().unwrap_or(self.sequences.len());
        if number == self.sequences.len() {
            self.sequences.push(None);
        }
        if let Some(slot) = self.sequences.get_mut(number) {
            *slot = Some((sequence, entry));
        }
        self.next.push(Reverse((name, number)));
        Ok(())
    }

    fn take(&mut self, number: usize) -> Option<(Sequence, Vec<u8>)> {
        self.free.push(number);
        self.sequences.get_mut(number)?.take()
    }
}
