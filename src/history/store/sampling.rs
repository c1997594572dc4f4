//! Which users of a log are read.

use std::fmt;
use std::str::FromStr;

use crate::math::splitmix::splitmix64;

/// All users of a log or a part that depends on their ids alone, so that every program that reads it takes the same ones.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Users {
    /// Everybody.
    #[default]
    All,
    /// A share of them, above 0 and up to 1: those whose 64-bit FNV-1a hash, through the finaliser of splitmix64, is below
    /// the share of the largest possible one.
    Share(f64),
    /// The partition with this number of so many, as [`partition_of`] makes them.
    Partition(Partition),
}

/// One of several partitions, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    number: usize,
    of: usize,
}

impl Partition {
    /// Its number, from 0.
    pub fn number(self) -> usize {
        self.number
    }

    /// How many there are.
    pub fn of(self) -> usize {
        self.of
    }
}

impl Users {
    /// Whether the user called `user` is read.
    pub fn has(self, user: &str) -> bool {
        match self {
            Self::All => true,
            // Mixed once more, so that a share and a partition have nothing to do with each other.
            Self::Share(share) => splitmix64(fnv_1a(user)) as f64 <= share * u64::MAX as f64,
            Self::Partition(Partition { number, of }) => partition_of(user, of) == number,
        }
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Partition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text
            .split_once('/')
            .and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((number, of)) if number < of => Ok(Self { number, of }),
            _ => Err(format!(
                "`{text}` is no partition; write it like 0/16, the first of sixteen"
            )),
        }
    }
}

/// The partition of `user` among `partitions`: the 64-bit FNV-1a hash of the id's UTF-8 bytes, modulo `partitions`.
///
/// <http://www.isthe.com/chongo/tech/comp/fnv/>. Stable for ever, so that other programs can find a user's file.
pub fn partition_of(user: &str, partitions: usize) -> usize {
    (fnv_1a(user) % partitions.max(1) as u64) as usize
}

/// The 64-bit FNV-1a hash of the id's UTF-8 bytes.
fn fnv_1a(user: &str) -> u64 {
    user.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids() -> impl Iterator<Item = String> {
        (0..20_000).map(|i| format!("U{i:07}"))
    }

    #[test]
    fn a_share_is_about_as_large_as_it_says_and_part_of_a_larger_one() {
        for share in [0.05, 0.5] {
            let taken = ids().filter(|id| Users::Share(share).has(id)).count() as f64;
            assert!((taken / 20_000.0 - share).abs() < 0.01, "{taken}");
        }
        assert!(ids().all(|id| !Users::Share(0.05).has(&id) || Users::Share(0.5).has(&id)));
        assert!(ids().all(|id| Users::Share(1.0).has(&id) && Users::All.has(&id)));
    }

    #[test]
    fn partitions_share_the_users_out_and_are_independent_of_shares() {
        let partition = |number| Users::Partition(Partition { number, of: 4 });
        for id in ids() {
            assert_eq!(
                (0..4).filter(|number| partition(*number).has(&id)).count(),
                1
            );
        }
        let of_first: Vec<String> = ids().filter(|id| partition(0).has(id)).collect();
        let taken = of_first
            .iter()
            .filter(|id| Users::Share(0.25).has(id))
            .count() as f64;
        assert!((taken / of_first.len() as f64 - 0.25).abs() < 0.03);
    }

    #[test]
    fn partitions_are_written_as_a_fraction() {
        assert_eq!("3/8".parse::<Partition>().unwrap().to_string(), "3/8");
        for wrong in ["8/8", "3", "a/b", "-1/2", "0/0"] {
            assert!(
                wrong.parse::<Partition>().unwrap_err().contains("0/16"),
                "{wrong}"
            );
        }
    }
}
