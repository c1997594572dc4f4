//! What is written, and what is not overwritten.

use super::*;

#[test]
fn an_incomplete_roll_up_is_refused() {
    let dir = TempDir::new().unwrap();
    write_rollup(dir.path(), &histories(&ROWS), 3).unwrap();
    fs::remove_file(dir.path().join("part-00001-of-00003.parquet")).unwrap();
    let message = read(dir.path(), None).unwrap_err().to_string();
    assert!(
        message.contains("part-00001-of-00003.parquet is missing"),
        "{message}"
    );
}

#[cfg(unix)]
#[test]
fn a_roll_up_takes_the_place_of_another_in_one_step() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("rollup");
    write_rollup(&path, &histories(&ROWS), 3).unwrap();
    let begun = crate::output::Folder::open(&path).unwrap();
    assert!(!begun.was_replaced());
    write_rollup(&path, &histories(&ROWS), 2).unwrap();
    // What was begun on the earlier one is known to be outdated.
    assert!(begun.was_replaced() && begun.open_file("part-00000-of-00003.parquet").is_err());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    // Two parts and the index.
    assert_eq!(fs::read_dir(&path).unwrap().count(), 3);
}

#[test]
fn a_folder_of_anything_else_is_not_overwritten() {
    let dir = TempDir::new().unwrap();
    write_rollup(dir.path(), &histories(&ROWS), 4).unwrap();
    fs::write(
        dir.path().join(".part-00000-of-00004.parquet.tmp"),
        "left behind",
    )
    .unwrap();
    assert_eq!(
        write_rollup(dir.path(), &histories(&ROWS), 2).unwrap(),
        RollupWritten {
            files: 2,
            rows: 4,
            indexed: true
        }
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
    assert_eq!(read(dir.path(), None).unwrap().0, histories(&ROWS));
    fs::write(dir.path().join("thesis.txt"), "years of work").unwrap();
    let message = write_rollup(dir.path(), &histories(&ROWS), 2)
        .unwrap_err()
        .to_string();
    assert!(message.contains("thesis.txt"), "{message}");
}

#[test]
fn partitions_are_fnv_1a_for_ever() {
    // Test vectors of the hash's authors: "" and "foobar".
    assert_eq!(partition_of("", 1 << 32), 0x8422_2325);
    assert_eq!(partition_of("foobar", 1 << 32), 0xf739_67e8);
    assert_eq!(partition_of("anyone", 0), 0);
}

#[test]
fn sums_too_large_for_a_double_survive() {
    let large = [
        ("a", 1, "k", 1, 1e12),
        ("a", 1, "k", 1, 1e12),
        ("a", 1, "k", 1, 0.000_001),
        ("b", 1, "k", 1, -0.1),
    ];
    let dir = TempDir::new().unwrap();
    write_rollup(dir.path(), &histories(&large), 1).unwrap();
    assert_eq!(read(dir.path(), None).unwrap().0, histories(&large));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_is_written_is_read_back(
        rows in prop::collection::vec(("[a-zé \"]{1,3}", -9_000_i32..60_000, "x|y|z,", 1_u32..9, -1e9_f64..1e9), 0..60),
        partitions in 1_usize..5,
    ) {
        let rows: Vec<_> = rows.iter().map(|r| (r.0.clone(), r.1, r.2.as_str(), r.3, r.4)).collect();
        let all = histories(&rows);
        let (one, two) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        write_rollup(one.path(), &all, partitions).unwrap();
        write_rollup(two.path(), &all, partitions).unwrap();
        prop_assert_eq!(&read(one.path(), None).unwrap().0, &all);
        // The same bytes again, and the same histories from the files in the opposite order.
        let mut builder = HistoriesBuilder::default();
        for part in (0..partitions).rev() {
            let name = part_name(part, partitions);
            prop_assert_eq!(fs::read(one.path().join(&name)).unwrap(), fs::read(two.path().join(&name)).unwrap());
            read_rollup(&one.path().join(&name), DayBounds::default(), Users::All, &mut builder).unwrap();
        }
        prop_assert_eq!(&builder.finish().unwrap(), &all);
    }
}
