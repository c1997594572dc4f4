//! A hash of ids that nobody outside of the process can foresee.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::LazyLock;

use foldhash::SharedSeed;
use foldhash::fast::FoldHasher;

/// Seeds of this process. With fixed ones anybody could make up ids that all have one hash, and reading them would take
/// quadratic time. The standard library asks the system for randomness; foldhash alone would take it from addresses.
static SEEDS: LazyLock<(u64, SharedSeed)> = LazyLock::new(|| {
    let random = RandomState::new();
    (random.hash_one(0), SharedSeed::from_u64(random.hash_one(1)))
});

/// Makes hashes that are other ones in every process, so they are never written to a file.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SecretState;

impl BuildHasher for SecretState {
    type Hasher = FoldHasher;

    #[inline]
    fn build_hasher(&self) -> FoldHasher {
        let (of_hasher, shared) = &*SEEDS;
        FoldHasher::with_seed(*of_hasher, shared)
    }
}

/// The hash of a user's id, which decides its partition and its position in a table.
#[inline]
pub(crate) fn hash(name: &[u8]) -> u64 {
    let mut hasher = SecretState.build_hasher();
    hasher.write(name);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use foldhash::fast::FixedState;

    use super::*;

    /// With fixed seeds, sixteen bytes whose first eight cancel the seed are multiplied by 0, whatever the others are.
    #[test]
    fn ids_made_up_to_have_one_hash_have_many() {
        let seed = 0x082e_fa98_ec4e_6c89_u64.rotate_right(16);
        let names: Vec<Vec<u8>> = (0..1_000_u64)
            .map(|i| [seed.to_ne_bytes(), i.to_ne_bytes()].concat())
            .collect();
        let distinct =
            |hash: &dyn Fn(&[u8]) -> u64| names.iter().map(|n| hash(n)).collect::<HashSet<_>>();
        let fixed = |name: &[u8]| {
            let mut hasher = FixedState::with_seed(0).build_hasher();
            hasher.write(name);
            hasher.finish()
        };
        assert_eq!(distinct(&fixed).len(), 1);
        assert_eq!(distinct(&hash).len(), 1_000);
        let low = distinct(&|name| hash(name) & 0xffff).len();
        assert!(low > 900, "{low} of 1000 positions");
    }
}
