//! Distinct texts with numbers in order of appearance, laid out for millions of them.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::secret_hash::hash;

/// Distinct texts, numbered in order of appearance.
#[derive(Debug, Default)]
pub(crate) struct StringInterner {
    /// All texts, one after the other: an allocation for each would take more memory than most ids do.
    bytes: Vec<u8>,
    /// Where each text ends in `bytes`.
    ends: Vec<usize>,
    /// The numbers of the texts by their hashes.
    numbers: HashTable<u32>,
}

impl StringInterner {
    /// How many texts there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The text with this number, which [`Self::number`] has given.
    pub(crate) fn get(&self, number: u32) -> &[u8] {
        text(&self.bytes, &self.ends, number)
    }

    /// The number of a text with this hash, a new one when it was not seen before; `None` when there are too many.
    pub(crate) fn number(&mut self, name: &[u8], name_hash: u64) -> Option<u32> {
        let Self {
            bytes,
            ends,
            numbers,
        } = self;
        let is_name = |number: &u32| text(bytes, ends, *number) == name;
        let rehash = |number: &u32| hash(text(bytes, ends, *number));
        match numbers.entry(name_hash, is_name, rehash) {
            Entry::Occupied(known) => Some(*known.get()),
            Entry::Vacant(free) => {
                let number = u32::try_from(ends.len()).ok()?;
                bytes.extend_from_slice(name);
                ends.push(bytes.len());
                free.insert(number);
                Some(number)
            }
        }
    }

    /// Bytes of memory in use, about.
    pub(crate) fn memory(&self) -> usize {
        self.bytes.capacity()
            + self.ends.capacity() * size_of::<usize>()
            + self.numbers.allocation_size()
    }
}

fn text<'b>(bytes: &'b [u8], ends: &[usize], number: u32) -> &'b [u8] {
    let number = number as usize;
    let start = if number == 0 { 0 } else { ends[number - 1] };
    &bytes[start..ends[number]]
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn names_keep_their_numbers() {
        let (mut names, mut expected) = (StringInterner::default(), HashMap::new());
        for i in 0..20_000_u32 {
            let name = format!("user {}", i.wrapping_mul(2_654_435_761) % 7_000);
            let next = expected.len() as u32;
            let number = *expected.entry(name.clone()).or_insert(next);
            assert_eq!(
                names.number(name.as_bytes(), hash(name.as_bytes())),
                Some(number)
            );
            assert_eq!(names.get(number), name.as_bytes());
        }
        assert_eq!(names.len(), expected.len());
        assert_eq!(names.number(b"", hash(b"")), Some(expected.len() as u32));
        assert_eq!(names.get(expected.len() as u32), b"");
    }

    #[test]
    fn names_of_one_hash_are_told_apart() {
        let mut names = StringInterner::default();
        let numbers = [b"a", b"b", b"a"].map(|name| names.number(name, 5));
        assert_eq!(numbers, [Some(0), Some(1), Some(0)]);
    }
}
