//! Distinct names with numbers in order of appearance, laid out for millions of them.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

/// Two random words of this process, the second one odd. With fixed ones anybody could make up ids that all have one
/// hash, and reading them would take quadratic time.
static SECRET: LazyLock<(u64, u64)> = LazyLock::new(|| {
    let state = RandomState::new();
    (state.hash_one(0), state.hash_one(1) | 1)
});

/// A hash of a user's id, which decides its partition and its place in a table. Never written to a file: it is another
/// one in every process.
pub(crate) fn hash(name: &[u8]) -> u64 {
    let secret = *SECRET;
    let (chunks, rest) = name.as_chunks::<8>();
    let mut tail = [0; 8];
    for (to, from) in tail.iter_mut().zip(rest) {
        *to = *from;
    }
    let word = |hash, chunk: &[u8; 8]| fold(secret, hash, u64::from_le_bytes(*chunk));
    let body = chunks.iter().fold(name.len() as u64, word);
    word(body, &tail)
}

/// Another hash for a hash that does not depend on the process, for its place in a table.
#[cfg_attr(
    not(feature = "train"),
    expect(dead_code, reason = "only the log readers have such hashes")
)]
pub(crate) fn keyed(hash: u64) -> u64 {
    fold(*SECRET, hash, 0)
}

/// A full multiplication folded to 64 bits.
fn fold((add, times): (u64, u64), hash: u64, word: u64) -> u64 {
    let product = u128::from(hash ^ word ^ add) * u128::from(times);
    (product as u64) ^ ((product >> 64) as u64)
}

/// Distinct names, numbered in order of appearance.
#[derive(Debug, Default)]
pub(crate) struct Names {
    bytes: Vec<u8>,
    /// Where each name ends in `bytes`.
    ends: Vec<usize>,
    /// An open-addressing table: the upper half of a name's hash, and its number plus 1; 0 where free.
    slots: Vec<(u32, u32)>,
}

impl Names {
    /// How many names there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The name with this number.
    pub(crate) fn get(&self, id: u32) -> &[u8] {
        let id = id as usize;
        let start = id
            .checked_sub(1)
            .and_then(|before| self.ends.get(before))
            .copied()
            .unwrap_or(0);
        self.ends
            .get(id)
            .and_then(|end| self.bytes.get(start..*end))
            .unwrap_or_default()
    }

    /// The number of a name with this hash, a new one when it was not seen before; `None` when there are too many.
    pub(crate) fn id(&mut self, name: &[u8], hash: u64) -> Option<u32> {
        if self.ends.len() * 8 >= self.slots.len() * 5 {
            self.grow();
        }
        let (mask, tag) = (self.slots.len() - 1, (hash >> 32) as u32);
        let mut at = hash as usize & mask;
        loop {
            let (known, number) = self.slots.get(at).copied()?;
            if number == 0 {
                break;
            }
            if known == tag && self.get(number - 1) == name {
                return Some(number - 1);
            }
            at = (at + 1) & mask;
        }
        let id = u32::try_from(self.ends.len())
            .ok()
            .filter(|id| *id < u32::MAX - 1)?;
        self.bytes.extend_from_slice(name);
        self.ends.push(self.bytes.len());
        *self.slots.get_mut(at)? = (tag, id + 1);
        Some(id)
    }

    fn grow(&mut self) {
        let size = (self.slots.len() * 2).max(16);
        self.slots = vec![(0, 0); size];
        for id in 0..self.ends.len() as u32 {
            let hash = hash(self.get(id));
            let mut at = hash as usize & (size - 1);
            while self.slots.get(at).is_some_and(|slot| slot.1 != 0) {
                at = (at + 1) & (size - 1);
            }
            if let Some(slot) = self.slots.get_mut(at) {
                *slot = ((hash >> 32) as u32, id + 1);
            }
        }
    }

    /// Bytes of memory in use, about.
    pub(crate) fn memory(&self) -> usize {
        self.bytes.capacity()
            + self.ends.capacity() * size_of::<usize>()
            + self.slots.len() * size_of::<(u32, u32)>()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    #[test]
    fn names_keep_their_numbers() {
        let (mut names, mut expected) = (Names::default(), HashMap::new());
        for i in 0..20_000_u32 {
            let name = format!("user {}", i.wrapping_mul(2_654_435_761) % 7_000);
            let next = expected.len() as u32;
            let number = *expected.entry(name.clone()).or_insert(next);
            assert_eq!(
                names.id(name.as_bytes(), hash(name.as_bytes())),
                Some(number)
            );
            assert_eq!(names.get(number), name.as_bytes());
        }
        assert_eq!(names.len(), expected.len());
        assert_eq!(names.id(b"", hash(b"")), Some(expected.len() as u32));
        assert_eq!(names.get(1_000_000), b"");
    }

    /// The hash with the words it had when they were fixed.
    fn fixed(hash: u64, word: u64) -> u64 {
        fold((0x243f_6a88_85a3_08d3, 0x9e37_79b9_7f4a_7c15), hash, word)
    }

    #[test]
    fn names_made_up_to_have_one_hash_have_many() {
        // Eight letters, then the eight bytes that bring the hash of fixed words to one value.
        let names: Vec<Vec<u8>> = (0..1_000_u64)
            .map(|i| {
                let first = format!("u{i:07}").into_bytes();
                let state = fixed(16, u64::from_le_bytes(first.clone().try_into().unwrap()));
                [first, state.to_le_bytes().to_vec()].concat()
            })
            .collect();
        let word =
            |name: &[u8], at: usize| u64::from_le_bytes(name[at..at + 8].try_into().unwrap());
        let old = |name: &Vec<u8>| fixed(fixed(16, word(name, 0)), word(name, 8));
        let distinct =
            |hash: &dyn Fn(&Vec<u8>) -> u64| names.iter().map(hash).collect::<HashSet<_>>().len();
        assert_eq!(distinct(&old), 1);
        assert_eq!(distinct(&|name| hash(name)), 1_000);
        let low: HashSet<u64> = names.iter().map(|name| hash(name) & 0xffff).collect();
        assert!(low.len() > 900, "{} of 1000 places", low.len());
    }

    #[test]
    fn names_of_one_hash_are_told_apart() {
        let mut names = Names::default();
        assert_eq!(
            (names.id(b"a", 5), names.id(b"b", 5), names.id(b"a", 5)),
            (Some(0), Some(1), Some(0))
        );
    }
}
