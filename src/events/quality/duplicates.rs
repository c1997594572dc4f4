use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use crate::history::keyed;

/// Distinct rows that are remembered one by one; beyond it a sample is.
const EXACT_LIMIT: usize = 1_000_000;

/// Counts rows equal to an earlier row, by 64-bit hashes, in bounded memory.
///
/// When there are more distinct rows than the limit, only hashes with so many low zero bits are kept: a sample that
/// depends on the rows alone, not on their order, from which the count is scaled up.
#[derive(Debug)]
pub(crate) struct Duplicates {
    limit: usize,
    /// How many low bits of a remembered hash are zero.
    sampled_bits: u32,
    seen: HashSet<u64, BuildHasherDefault<Keyed>>,
    /// For each hash that came again: how often it did.
    repeats: HashMap<u64, u64, BuildHasherDefault<Keyed>>,
    compared: u64,
}

impl Default for Duplicates {
    fn default() -> Self {
        Self::with_limit(EXACT_LIMIT)
    }
}

impl Duplicates {
    fn with_limit(limit: usize) -> Self {
        Self {
            limit,
            sampled_bits: 0,
            seen: HashSet::default(),
            repeats: HashMap::default(),
            compared: 0,
        }
    }

    fn add(&mut self, hash: u64) {
        self.compared += 1;
        if hash.trailing_zeros() < self.sampled_bits {
            return;
        }
        if !self.seen.insert(hash) {
            *self.repeats.entry(hash).or_default() += 1;
        } else if self.seen.len() > self.limit {
            self.sampled_bits += 1;
            let bits = self.sampled_bits;
            self.seen.retain(|hash| hash.trailing_zeros() >= bits);
            self.repeats.retain(|hash, _| hash.trailing_zeros() >= bits);
        }
    }

    /// Takes note of rows by the hashes of their raw fields.
    pub(crate) fn add_all(&mut self, hashes: &[u64]) {
        hashes.iter().for_each(|hash| self.add(*hash));
    }

    /// How many rows equal an earlier one, and whether that is an estimate.
    pub(crate) fn count(&self) -> (u64, bool) {
        (
            self.repeats.values().sum::<u64>() << self.sampled_bits,
            self.sampled_bits > 0,
        )
    }

    /// How many rows were compared.
    pub(crate) fn compared(&self) -> u64 {
        self.compared
    }
}

/// Takes hashes of rows, which are the same in every process, to places in a table, which are not: nobody can make up
/// rows that all have one place.
#[derive(Debug, Default)]
pub(crate) struct Keyed(u64);

impl Hasher for Keyed {
    fn finish(&self) -> u64 {
        keyed(self.0)
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = hash_bytes(self.0, bytes);
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

/// Mixes `bytes` into the hash `seed`, eight at a time, by multiplication folded to 64 bits.
pub(crate) fn hash_bytes(seed: u64, bytes: &[u8]) -> u64 {
    let (chunks, rest) = bytes.as_chunks::<8>();
    let mut tail = [0; 8];
    for (to, from) in tail.iter_mut().zip(rest) {
        *to = *from;
    }
    let body = chunks
        .iter()
        .fold(seed, |hash, chunk| fold(hash, u64::from_le_bytes(*chunk)));
    fold(fold(body, u64::from_le_bytes(tail)), bytes.len() as u64)
}

fn fold(hash: u64, word: u64) -> u64 {
    // Odd constants of high entropy, from the digits of pi and of the golden ratio.
    let product =
        u128::from(hash ^ word ^ 0x243f_6a88_85a3_08d3) * u128::from(0x9e37_79b9_7f4a_7c15_u64);
    (product as u64) ^ ((product >> 64) as u64).rotate_left(17)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_are_counted_exactly_up_to_the_limit() {
        let mut duplicates = Duplicates::default();
        for row in ["a,b", "a,b", "ab,", "a,b", "", ""] {
            duplicates.add(hash_bytes(0, row.as_bytes()));
        }
        assert_eq!((duplicates.count(), duplicates.compared()), ((3, false), 6));
    }

    #[test]
    fn beyond_the_limit_the_count_is_a_close_estimate_in_any_order() {
        let rows: Vec<u64> = (0..100_000_u64)
            .map(|i| hash_bytes(0, &(i % 80_000).to_le_bytes()))
            .collect();
        let (mut forward, mut backward) =
            (Duplicates::with_limit(4_000), Duplicates::with_limit(4_000));
        rows.iter().for_each(|hash| forward.add(*hash));
        rows.iter().rev().for_each(|hash| backward.add(*hash));
        let (count, estimated) = forward.count();
        assert!(estimated && (15_000..25_000).contains(&count), "{count}");
        assert_eq!(forward.count(), backward.count());
        assert!(forward.seen.len() <= 4_000);
    }

    #[test]
    fn rows_that_differ_have_different_hashes() {
        let mut seen = HashSet::new();
        for length in 1..40 {
            for byte in 0..=255_u8 {
                let mut row = vec![byte; length];
                row.push(b'x');
                assert!(seen.insert(hash_bytes(0, &row)));
            }
        }
    }
}
