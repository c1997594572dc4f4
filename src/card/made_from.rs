//! What a bundle was made from.

use serde::{Deserialize, Serialize};

use crate::history::Day;

/// Everything that decides what a fit writes: a fit of the same gives the same bundle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MadeFrom {
    /// Version of the trainer.
    pub ebb_version: String,
    /// SHA-256 of the configuration file.
    pub config_hash: String,
    /// The as-of day that was given; `None` where it followed from the log.
    pub as_of: Option<Day>,
    /// The share of the users that was given.
    pub sample_users: Option<f64>,
    /// Whether the random forest was fitted.
    pub random_forest: bool,
    /// Version of the bundle whose tiers were kept; `None` where none was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// How many files the log had.
    pub files: usize,
    /// Their bytes on the disk.
    pub bytes: u64,
    /// A hash of their names and contents.
    pub files_hash: String,
}

impl MadeFrom {
    /// What is other than it was for an `earlier` bundle, a sentence each; nothing where a fit would give the same bundle.
    pub fn changes_since(&self, earlier: &Self) -> Vec<String> {
        // All of it, so that a new field cannot be forgotten.
        let Self {
            ebb_version,
            config_hash,
            as_of,
            sample_users,
            random_forest,
            previous,
            files,
            bytes,
            files_hash,
        } = self;
        let mut changes = Vec::new();
        if *ebb_version != earlier.ebb_version {
            let before = &earlier.ebb_version;
            changes.push(format!("this is ebb {ebb_version}, and it was {before}"));
        }
        if *config_hash != earlier.config_hash {
            changes.push("the configuration file has changed".to_owned());
        }
        if *as_of != earlier.as_of {
            let day = |day: Option<Day>| day.map_or("none".to_owned(), |day| day.to_string());
            let (now, before) = (day(*as_of), day(earlier.as_of));
            changes.push(format!("the as-of day given is {now}, and it was {before}"));
        }
        if *sample_users != earlier.sample_users {
            changes.push("another share of the users is asked for".to_owned());
        }
        if *random_forest != earlier.random_forest {
            let now = if *random_forest { "is" } else { "is not" };
            changes.push(format!("a random forest {now} asked for"));
        }
        if *previous != earlier.previous {
            changes.push("another bundle is given as the previous one".to_owned());
        }
        if *files_hash != earlier.files_hash {
            let before = (earlier.files, earlier.bytes);
            let s = if *files == 1 { "" } else { "s" };
            let now = format!("{files} file{s} of {bytes} bytes");
            changes.push(if (*files, *bytes) == before {
                format!("the log has changed, though it is {now} as before")
            } else {
                let (old_files, old_bytes) = before;
                format!("the log has changed: {now}, {old_files} of {old_bytes} bytes before")
            });
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made_from() -> MadeFrom {
        MadeFrom {
            ebb_version: "0.5.0".to_owned(),
            config_hash: "aa".to_owned(),
            as_of: None,
            sample_users: None,
            random_forest: false,
            previous: None,
            files: 2,
            bytes: 100,
            files_hash: "bb".to_owned(),
        }
    }

    #[test]
    fn every_difference_is_a_sentence() {
        let now = made_from();
        assert_eq!(now.changes_since(&now), [] as [&str; 0]);
        let change = |change: fn(&mut MadeFrom)| {
            let mut earlier = made_from();
            change(&mut earlier);
            now.changes_since(&earlier)
        };
        let day = |m: &mut MadeFrom| m.as_of = Some("2024-02-01".parse().unwrap());
        for (changes, expected) in [
            (
                change(|m| m.ebb_version = "0.4.0".into()),
                "this is ebb 0.5.0, and it was 0.4.0",
            ),
            (
                change(|m| m.config_hash.push('a')),
                "the configuration file has changed",
            ),
            (
                change(day),
                "the as-of day given is none, and it was 2024-02-01",
            ),
            (
                change(|m| m.sample_users = Some(0.5)),
                "another share of the users is asked for",
            ),
            (
                change(|m| m.random_forest = true),
                "a random forest is not asked for",
            ),
            (
                change(|m| m.previous = Some("0123456789ab".to_owned())),
                "another bundle is given as the previous one",
            ),
            (
                change(|m| m.files_hash.push('b')),
                "the log has changed, though it is 2 files of 100 bytes as before",
            ),
        ] {
            assert_eq!(changes, [expected]);
        }
        let grown = change(|m| {
            m.bytes = 90;
            m.files_hash.clear();
            m.ebb_version.clear();
        });
        assert_eq!(grown.len(), 2);
        assert_eq!(
            grown[1],
            "the log has changed: 2 files of 100 bytes, 2 of 90 bytes before"
        );
    }
}
