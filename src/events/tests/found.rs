//! Which files of a folder are read, and what is said of the others.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use crate::events::tests::*;

/// A row of a user of this number.
fn row(n: usize) -> String {
    format!("u{n},2024-01-{:02},buy,{n}\n", n + 1)
}

fn log(n: usize) -> String {
    format!("user,at,what,price\n{}", row(n))
}

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let dir = TempDir::new().unwrap();
    for (name, bytes) in files {
        let path = dir.path().join("logs").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    dir
}

fn read(dir: &TempDir) -> Result<(Histories, QualityReport), EventsError> {
    read_paths(dir, "'logs'")
}

fn read_paths(dir: &TempDir, paths: &str) -> Result<(Histories, QualityReport), EventsError> {
    read_dir(dir.path(), &format!("paths = [{paths}]\n{PLAIN}"), None)
}

fn read_files(report: &QualityReport) -> Vec<(&str, Format)> {
    report
        .files
        .iter()
        .map(|file| (file.file.as_str(), file.format))
        .collect()
}

fn left_out(report: &QualityReport) -> Vec<(&str, LeftOutReason)> {
    report
        .left_out
        .iter()
        .map(|file| (file.file.as_str(), file.reason))
        .collect()
}

#[test]
fn every_file_of_a_folder_is_read_or_named() {
    let zstd = zstd::encode_all(log(6).as_bytes(), 1).unwrap();
    let json = "{\"user\":\"u5\",\"at\":\"2024-01-06\",\"what\":\"buy\",\"price\":5}\n";
    let dir = folder(&[
        ("a.csv", log(0).as_bytes()),
        ("a.csv.1", log(1).as_bytes()),
        ("a.csv.2.gz", &gzip(log(2).as_bytes())),
        ("a.csv-20240101", log(3).as_bytes()),
        ("part-0000", log(4).as_bytes()),
        ("sub/part-0001", json.as_bytes()),
        ("sub/packed", &zstd),
        ("_SUCCESS", b""),
        (".a.csv.crc", b"crc"),
        (".hidden/a.csv", log(7).as_bytes()),
        ("a.csv.bz2", b"BZh91AY&SY\0\0"),
        ("b", b"BZh91AY&SY\0\0"),
        ("a.csv.bak", log(0).as_bytes()),
        ("README.md", b"# Logs, by day\n"),
        ("nothing", b""),
    ]);
    let (_, report) = read(&dir).unwrap();
    assert_eq!((report.events, report.users, report.duplicates), (7, 7, 0));
    let csv = |name| (name, Format::Csv);
    assert_eq!(
        read_files(&report),
        [
            csv("logs/a.csv"),
            csv("logs/a.csv-20240101"),
            csv("logs/a.csv.1"),
            csv("logs/a.csv.2.gz"),
            csv("logs/part-0000"),
            csv("logs/sub/packed"),
            ("logs/sub/part-0001", Format::Jsonl),
        ]
    );
    assert_eq!(
        left_out(&report),
        [
            ("logs/.a.csv.crc", LeftOutReason::Hidden),
            ("logs/.hidden", LeftOutReason::Hidden),
            ("logs/README.md", LeftOutReason::NotALog),
            ("logs/_SUCCESS", LeftOutReason::Hidden),
            ("logs/a.csv.bak", LeftOutReason::Copy),
            ("logs/a.csv.bz2", LeftOutReason::NotSupported),
            ("logs/b", LeftOutReason::NotSupported),
            ("logs/nothing", LeftOutReason::Empty),
        ]
    );
    let text = report.render();
    assert!(
        text.contains("left out        logs/README.md has no known ending"),
        "{text}"
    );
    assert!(
        text.contains("                3 more files left out"),
        "{text}"
    );
    assert_eq!(
        serde_json::json!(report)["left_out"][5]["reason"],
        "not_supported"
    );
    let none = folder(&[("a.bz2", b"BZh91AY&SY"), ("_SUCCESS", b"")]);
    let text = read(&none).unwrap_err().to_string();
    assert!(
        text.contains("logs/a.bz2 is compressed by bzip2, which is not read"),
        "{text}"
    );
}

#[test]
fn a_file_counts_once_by_whatever_name() {
    let dir = folder(&[("b.csv", log(0).as_bytes())]);
    let logs = dir.path().join("logs");
    symlink("b.csv", logs.join("a.csv")).unwrap();
    fs::hard_link(logs.join("b.csv"), logs.join("c.csv")).unwrap();
    symlink(".", logs.join("circle")).unwrap();
    symlink("..", logs.join("up")).unwrap();
    let (_, report) = read_paths(&dir, "'logs', 'logs/../logs/b.csv', 'logs', 'log*'").unwrap();
    assert_eq!((report.events, report.duplicates), (1, 0));
    let read_already = |name| (name, LeftOutReason::ReadAlready);
    let names = [
        read_already("logs/a.csv"),
        read_already("logs/c.csv"),
        read_already("logs/circle"),
    ];
    assert!(
        names.iter().all(|name| left_out(&report).contains(name)),
        "{:?}",
        report.left_out
    );
    // Another file of the same content is another file.
    fs::write(logs.join("d.csv"), log(0)).unwrap();
    let (_, report) = read(&dir).unwrap();
    assert_eq!((report.events, report.duplicates), (2, 1));
}

#[test]
fn what_is_no_file_is_rejected() {
    for (target, expected) in [
        ("/dev/zero", "is a device, not a file"),
        ("/nowhere", "is a link to /nowhere, which does not exist"),
        ("socket", "is a socket, not a file"),
    ] {
        let dir = folder(&[("a.csv", log(0).as_bytes())]);
        let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
        let target = if target == "socket" {
            dir.path().join(target)
        } else {
            PathBuf::from(target)
        };
        symlink(target, dir.path().join("logs/b.csv")).unwrap();
        for paths in ["'logs'", "'logs/b.csv'", "'logs/*.csv'"] {
            let text = read_paths(&dir, paths).unwrap_err().to_string();
            assert!(
                text.contains("logs/b.csv: ") && text.contains(expected),
                "{paths}: {text}"
            );
        }
    }
}

#[test]
fn names_need_not_be_text() {
    use std::os::unix::ffi::OsStrExt;
    let dir = folder(&[]);
    let logs = dir.path().join("logs");
    fs::create_dir(&logs).unwrap();
    fs::write(
        logs.join(std::ffi::OsStr::from_bytes(b"a\xff\x1b[31m\n.csv")),
        log(0) + "only\n",
    )
    .unwrap();
    let (_, report) = read(&dir).unwrap();
    assert_eq!(report.events, 1);
    assert_eq!(report.files[0].file, "logs/a\u{fffd}\\u{1b}[31m\\n.csv");
    assert!(!report.render().contains('\u{1b}'));
}

#[test]
fn raw_events_beside_a_roll_up_are_an_error() {
    let dir = folder(&[("a.csv", log(0).as_bytes())]);
    let (histories, _) = read(&dir).unwrap();
    crate::history::write_rollup(&dir.path().join("logs/rollup"), &histories, 1).unwrap();
    for paths in ["'logs'", "'logs/rollup', 'logs/a.csv'"] {
        let text = read_paths(&dir, paths).unwrap_err().to_string();
        assert!(
            text.contains("is a roll-up, and") && text.contains("a.csv holds raw events"),
            "{text}"
        );
    }
    let (_, report) = read_paths(&dir, "'logs/rollup'").unwrap();
    // The index of users beside it is neither read nor worth a line.
    assert_eq!((report.events, report.files.len()), (1, 1));
    assert!(report.left_out.is_empty(), "{:?}", report.left_out);
    assert!(dir.path().join("logs/rollup/_users.index").exists());
}
