//! The index gives what the Parquet files give, or is not used.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::history::{
    Amount, Day, DayBounds, DayRecord, Histories, HistoriesBuilder, HistoryError, IndexError,
    MemoryBudget, RollupIndex, Users, read_rollup, write_rollup,
};

/// Users of some blocks, of forty kinds (more than a record's header can number), most of them on one of sixty days.
fn histories_in(mut builder: HistoriesBuilder) -> Histories {
    for user in 0..700_u32 {
        for event in 0..=user % 7 {
            let kind = builder
                .kind(&format!("kind {}", (user * 3 + event) % 40))
                .unwrap();
            let record = DayRecord {
                amount: Amount::from_micros(i64::from(user) * 10_007 - 3_000_000),
                day: Day::new(19_000 + ((user + 11 * event) % 60) as i32).unwrap(),
                count: 1 + event / 3,
                kind,
            };
            builder.add(&format!("u{user}"), record).unwrap();
        }
    }
    builder.finish().unwrap()
}

fn histories() -> Histories {
    histories_in(HistoriesBuilder::default())
}

fn parsed(rollup: &Path) -> Histories {
    let mut builder = HistoriesBuilder::default();
    read_rollup(rollup, DayBounds::default(), Users::All, &mut builder).unwrap();
    builder.finish().unwrap()
}

/// A roll-up with its index.
fn rollup(partitions: usize) -> TempDir {
    let dir = TempDir::new().unwrap();
    let written = write_rollup(dir.path(), &histories(), partitions).unwrap();
    assert!(written.indexed);
    dir
}

fn open(rollup: &Path) -> Result<Option<RollupIndex>, IndexError> {
    RollupIndex::open(rollup, None)
}

#[test]
fn the_index_holds_the_users_of_the_files_bit_for_bit() {
    let dir = rollup(3);
    let (index, parsed) = (open(dir.path()).unwrap().unwrap(), parsed(dir.path()));
    assert_eq!(index.histories, parsed);
    assert_eq!(index.histories.digest().unwrap(), parsed.digest().unwrap());
    assert_eq!(index.counts, DailyCounts::of(&parsed, &[]).unwrap());
    let (first, last) = parsed.span().unwrap();
    assert_eq!((index.span.from, index.span.until), (first, last.plus(1)));
    for position in 0..parsed.len() {
        let (id, history) = parsed.at(position).unwrap().unwrap();
        assert_eq!(index.histories.get(&id).unwrap(), Some(history));
        let none = index.histories.get(&format!("{id}x")).unwrap();
        assert_eq!(none, None);
    }
    for stranger in ["", "a", "u", "v", "\u{10ffff}"] {
        assert_eq!(index.histories.get(stranger).unwrap(), None);
    }
}

#[test]
fn memory_and_disk_give_one_index() {
    let (memory, disk, temp) = (rollup(2), TempDir::new().unwrap(), TempDir::new().unwrap());
    let budget = MemoryBudget {
        memory_bytes: 1,
        folder: temp.path().to_owned(),
    };
    let spilled = histories_in(HistoriesBuilder::within(budget));
    assert!(spilled.is_on_disk());
    write_rollup(disk.path(), &spilled, 2).unwrap();
    let bytes = |dir: &TempDir| fs::read(dir.path().join(INDEX_FILE)).unwrap();
    assert!(bytes(&memory) == bytes(&disk));
}

#[test]
fn a_copy_elsewhere_is_as_good_and_a_roll_up_of_one_file_has_none() {
    let (dir, other) = (rollup(2), TempDir::new().unwrap());
    for entry in fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        let copy = other.path().join(entry.file_name());
        fs::copy(entry.path(), &copy).unwrap();
        let copy = fs::File::options().write(true).open(copy).unwrap();
        copy.set_modified(std::time::UNIX_EPOCH).unwrap();
    }
    assert!(open(other.path()).unwrap().is_some());
    let file = other.path().join("part-00000-of-00002.parquet");
    assert!(open(&file).unwrap().is_none());
    fs::remove_file(other.path().join(INDEX_FILE)).unwrap();
    assert!(open(other.path()).unwrap().is_none());
}

#[test]
fn an_index_beside_other_files_is_not_used() {
    let is_stale = |dir: &TempDir| matches!(open(dir.path()), Err(IndexError::Stale));
    let part = "part-00001-of-00002.parquet";
    // One more file, one less, another content, and the same content under another name.
    let dir = rollup(2);
    fs::copy(dir.path().join(part), dir.path().join("more.parquet")).unwrap();
    assert!(is_stale(&dir));
    fs::remove_file(dir.path().join("more.parquet")).unwrap();
    assert!(open(dir.path()).unwrap().is_some(), "the negative control");
    fs::rename(dir.path().join(part), dir.path().join("other.parquet")).unwrap();
    assert!(is_stale(&dir));
    fs::remove_file(dir.path().join("other.parquet")).unwrap();
    assert!(is_stale(&dir));
    // The part of a roll-up in which one event of one user has another amount.
    let (dir, other) = (rollup(2), TempDir::new().unwrap());
    let mut builder = HistoriesBuilder::default();
    read_rollup(dir.path(), DayBounds::default(), Users::All, &mut builder).unwrap();
    let record = DayRecord {
        amount: Amount::from_micros(1_000_000),
        day: Day::new(19_000).unwrap(),
        count: 1,
        kind: builder.kind("kind 0").unwrap(),
    };
    builder.add("u0", record).unwrap();
    write_rollup(other.path(), &builder.finish().unwrap(), 2).unwrap();
    for part in ["part-00000-of-00002.parquet", part] {
        fs::copy(other.path().join(part), dir.path().join(part)).unwrap();
    }
    assert!(is_stale(&dir));
}

#[test]
fn days_that_have_not_come_yet_are_left_to_the_reader_of_the_files() {
    let dir = rollup(1);
    let until = parsed(dir.path()).span().unwrap().1.plus(1);
    let open = |future| RollupIndex::open(dir.path(), Some(future));
    assert!(open(until).unwrap().is_some());
    let error = open(until.plus(-1)).unwrap_err();
    assert!(matches!(error, IndexError::Future { last } if last == until.plus(-1)));
}

#[test]
fn rows_that_would_be_set_aside_leave_no_index_behind() {
    let dir = rollup(1);
    let mut builder = HistoriesBuilder::default();
    read_rollup(dir.path(), DayBounds::default(), Users::All, &mut builder).unwrap();
    let record = DayRecord {
        amount: Amount::default(),
        day: Day::new(21_000).unwrap(),
        count: 1,
        kind: builder.kind("kind 0").unwrap(),
    };
    builder.add("u0", record).unwrap();
    let written = write_rollup(dir.path(), &builder.finish().unwrap(), 1).unwrap();
    assert!(!written.indexed && open(dir.path()).unwrap().is_none());
    let empty = HistoriesBuilder::default().finish().unwrap();
    assert!(!write_rollup(dir.path(), &empty, 1).unwrap().indexed);
}

#[test]
fn every_changed_byte_and_every_lost_end_is_noticed() {
    let dir = rollup(1);
    let path = dir.path().join(INDEX_FILE);
    let whole = fs::read(&path).unwrap();
    let head_end = PRELUDE_BYTES + u32::from_le_bytes(whole[12..16].try_into().unwrap()) as usize;
    // All of what stands before the head, and samples of the rest.
    let places = (0..PRELUDE_BYTES)
        .chain((PRELUDE_BYTES..head_end).step_by(97))
        .chain((head_end..whole.len()).step_by(331))
        .chain(whole.len() - 9..whole.len());
    for place in places {
        let mut damaged = whole.clone();
        damaged[place] ^= 1 << (place % 8);
        fs::write(&path, &damaged).unwrap();
        assert!(open(dir.path()).is_err(), "byte {place}");
        fs::write(&path, &whole[..place]).unwrap();
        assert!(open(dir.path()).is_err(), "{place} bytes");
    }
    fs::write(&path, [&whole[..], b"more"].concat()).unwrap();
    assert!(open(dir.path()).is_err());
    fs::write(&path, &whole).unwrap();
    assert!(open(dir.path()).unwrap().is_some(), "the negative control");
}

/// The index with another head and body, whose hashes are right.
fn forge(whole: &[u8], head: impl Fn(&mut Head), body: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let head_bytes = u32::from_le_bytes(whole[12..16].try_into().unwrap()) as usize;
    let (old_head, old_body) = whole[PRELUDE_BYTES..].split_at(head_bytes);
    let mut new_head: Head = serde_json::from_slice(old_head).unwrap();
    head(&mut new_head);
    let new_head = serde_json::to_vec(&new_head).unwrap();
    let mut new_body = old_body.to_vec();
    body(&mut new_body);
    let prelude = Prelude {
        head_bytes: new_head.len() as u32,
        head_hash: twox_hash::XxHash64::oneshot(0, &new_head),
        body_bytes: new_body.len() as u64,
        body_hash: twox_hash::XxHash64::oneshot(0, &new_body),
    };
    [&prelude.to_bytes()[..], &new_head, &new_body].concat()
}

#[test]
fn another_version_is_not_used() {
    let dir = rollup(1);
    let path = dir.path().join(INDEX_FILE);
    let whole = fs::read(&path).unwrap();
    let other = forge(&whole, |head| head.program = "0.0.1".into(), |_| {});
    fs::write(&path, other).unwrap();
    let message = open(dir.path()).unwrap_err().to_string();
    assert!(message.contains("version 0.0.1"), "{message}");
    let mut other = whole.clone();
    other[8] += 1;
    fs::write(&path, other).unwrap();
    let message = open(dir.path()).unwrap_err().to_string();
    assert!(message.contains("(format 2)"), "{message}");
    fs::write(&path, forge(&whole, |_| {}, |_| {})).unwrap();
    assert!(open(dir.path()).unwrap().is_some(), "the negative control");
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_not_opened() {
    let dir = rollup(1);
    let path = dir.path().join(INDEX_FILE);
    fs::remove_file(&path).unwrap();
    // A pipe without a writer, at which opening would wait.
    let mode = rustix::fs::Mode::from_raw_mode(0o644);
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    assert!(matches!(open(dir.path()), Err(IndexError::Foreign)));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(open(dir.path()), Err(IndexError::Foreign)));
}

#[test]
fn parts_that_do_not_fit_together_are_damage() {
    let dir = rollup(1);
    let path = dir.path().join(INDEX_FILE);
    let whole = fs::read(&path).unwrap();
    let forged = [
        forge(&whole, |head| head.blocks += 1, |_| {}),
        forge(&whole, |head| head.blocks = usize::MAX, |_| {}),
        forge(&whole, |head| head.blocks = 0, |_| {}),
        forge(&whole, |head| head.totals.users += 256, |_| {}),
        forge(&whole, |head| drop(head.kinds.pop()), |_| {}),
        forge(&whole, |_| {}, Vec::clear),
        forge(&whole, |_| {}, |body| body.extend([0; 8])),
        forge(
            &whole,
            |_| {},
            |body| {
                let last = body.len() - 8;
                body[last..].copy_from_slice(&u64::MAX.to_le_bytes());
            },
        ),
        forge(
            &whole,
            |_| {},
            |body| {
                let last = body.len() - 16;
                body.copy_within(last + 8.., last);
            },
        ),
    ];
    for (number, forged) in forged.into_iter().enumerate() {
        fs::write(&path, forged).unwrap();
        let error = open(dir.path()).err();
        assert!(matches!(error, Some(IndexError::Damaged(_))), "{number}");
    }
    // A record of a kind that the head does not have is found where it is looked at.
    let fewer = forge(
        &whole,
        |head| {
            head.kinds.truncate(1);
            let totals = serde_json::to_value(&head.totals).unwrap();
            let mut totals = totals.as_object().unwrap().clone();
            totals["kinds"].as_array_mut().unwrap().truncate(1);
            head.totals = serde_json::from_value(totals.into()).unwrap();
        },
        |_| {},
    );
    fs::write(&path, fewer).unwrap();
    let index = open(dir.path()).unwrap().unwrap();
    let found: Vec<_> = (0..700)
        .map(|user| index.histories.get(&format!("u{user}")))
        .collect();
    let is_damage = |found: &Result<_, HistoryError>| matches!(found, Err(HistoryError::Damaged));
    assert!(found.iter().any(is_damage) && !found.iter().all(is_damage));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Bytes with right hashes that are no users: found or not, but no panic.
    #[test]
    fn a_body_of_anything_does_no_harm(place in 0_usize..4_000, bytes in prop::collection::vec(any::<u8>(), 1..40)) {
        thread_local! {
            static DIR: TempDir = rollup(1);
        }
        DIR.with(|dir| {
            let path = dir.path().join(INDEX_FILE);
            let whole = fs::read(&path).unwrap();
            let forged = forge(&whole, |_| {}, |body| {
                body[place..place + bytes.len()].copy_from_slice(&bytes);
            });
            fs::write(&path, forged).unwrap();
            if let Ok(Some(index)) = open(dir.path()) {
                for user in 0..700 {
                    let _ = index.histories.get(&format!("u{user}"));
                }
            }
            fs::write(&path, whole).unwrap();
        });
    }
}
