//! Files whose beginning is not what it should be, and compressed files with something between or behind.

use crate::events::tests::*;

fn message(name: &str, bytes: &[u8]) -> String {
    read_bytes(name, bytes, PLAIN).unwrap_err().to_string()
}

const LOG: &str = "user,at,what,price\nu1,2024-03-01,buy,1\nu2,2024-03-02,\"buy\nmore\",2\n";

#[test]
fn a_first_line_that_is_no_header_is_told_by_its_cause() {
    for (name, text, expected) in [
        (
            "log.csv",
            LOG.replace(',', ";"),
            "the header has no comma but 3 `;`; set `events.delimiter` = \";\"",
        ),
        (
            "log.csv",
            LOG.replace(',', "\t"),
            "the header has no comma but 3 tabs; set `events.delimiter` = \"tab\"",
        ),
        (
            "log.tsv",
            LOG.to_owned(),
            "the header has no tab but 3 commas; set `events.delimiter` = \",\"",
        ),
        (
            "log.csv",
            LOG.replace(',', " "),
            "no comma but 3 blanks; set `events.delimiter` = \"whitespace\"",
        ),
        (
            "log.csv",
            "user;at;what;price,eur\n".to_owned(),
            "the header has 1 comma but 3 `;`",
        ),
        (
            "log.csv",
            LOG.split_once('\n').unwrap().1.to_owned(),
            "set the columns",
        ),
        (
            "log.csv",
            "{\"user\":1,\"at\":2}\n".to_owned(),
            "the first line is a JSON object; set `events.format`",
        ),
        (
            "log.csv",
            "user,\"at,what\nu,v,w\n".to_owned(),
            "is no header: it opens a quote and does not close it",
        ),
    ] {
        let expected = match expected {
            "set the columns" => {
                "the first line looks like data, not like a header: there is no column `user`, and \
                                  `2024-03-01` is no name of a column; name the columns of files without a header in \
                                  `events.columns`"
            }
            expected => expected,
        };
        let found = message(name, text.as_bytes());
        assert!(found.contains(expected), "{found}");
    }
    // A misspelt name is still that, though other columns have numbers for names.
    let found = message("log.csv", b"User,at,what,price,2023\n");
    assert!(found.contains("did you mean `User`?"), "{found}");
}

#[test]
fn files_that_are_no_text_are_told_by_what_they_are() {
    let utf16: Vec<u8> = LOG.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = LOG.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for (bytes, expected) in [
        (
            b"PK\x03\x04\x14\0\x06\0\x1b[31mxl/".as_slice(),
            "a ZIP archive or an Excel workbook (.xlsx)",
        ),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0",
            "an old Excel workbook (.xls)",
        ),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"PAR1\x15\x04\x15\0", "Parquet"),
        (b"BZh91AY&SY\x1b\0", "compressed by bzip2"),
        (b"\xfd7zXZ\0\0", "compressed by xz"),
        (&utf16, "the text is UTF-16"),
        (&big, "the text is UTF-16"),
    ] {
        let packed = gzip(bytes);
        for bytes in [bytes, &packed] {
            let found = message("log.csv", bytes);
            assert!(
                found.contains(expected) && !found.contains(char::is_control),
                "{found}"
            );
        }
    }
    let found = message("log.csv", b"us\x1b[31mer,a\0t\nx,y\n");
    assert!(
        found.contains("the columns are us\\u{1b}[31mer, a\\u{0}t"),
        "{found}"
    );
    // Words that begin like the marks of other formats are words.
    for name in ["ORC", "PAR1", "BZh"] {
        let log = format!("{name},user,at,what,price\n1,u,2024-01-01,buy,1\n");
        assert_eq!(read_csv(&log, PLAIN).unwrap().1.events, 1);
    }
}

#[test]
fn lines_that_end_by_carriage_returns_may_quote_newlines() {
    let log = LOG
        .replace("\"buy\nmore\"", "<>")
        .replace('\n', "\r")
        .replace("<>", "\"buy\nmore\"")
        + "u3,,buy,3\r";
    let (_, report) = read_csv(&log, PLAIN).unwrap();
    assert_eq!(
        (report.events, report.kinds[1].kind.as_str()),
        (2, "buy\nmore")
    );
    assert_eq!(refusals(&report), [("empty_time", 1, vec![4])]);
    // Some carriage returns in a text do not end lines.
    let (_, report) = read_csv(&LOG.replace("\nmore", "\rmore\r"), PLAIN).unwrap();
    assert_eq!(report.events, 2);
}

#[test]
fn members_frames_and_padding_are_read_as_the_reference_tools_do() {
    let (one, two) = LOG.split_at(30);
    let zstd = |text: &str| zstd::encode_all(text.as_bytes(), 1).unwrap();
    let skippable = b"\x5a\x2a\x4d\x18\x05\0\0\0hello".to_vec();
    let expected = read_csv(LOG, PLAIN).unwrap();
    for (name, bytes) in [
        (
            "zeros behind",
            [gzip(LOG.as_bytes()), vec![0; 300_000]].concat(),
        ),
        (
            "zeros between",
            [gzip(one.as_bytes()), vec![0; 512], gzip(two.as_bytes())].concat(),
        ),
        (
            "members",
            [gzip(one.as_bytes()), gzip(b""), gzip(two.as_bytes())].concat(),
        ),
        (
            "a frame to skip first",
            [skippable.clone(), zstd(LOG)].concat(),
        ),
        (
            "frames to skip",
            [zstd(one), skippable.clone(), zstd(two), skippable].concat(),
        ),
    ] {
        let (histories, report) = read_bytes("log.csv", &bytes, PLAIN).unwrap();
        assert_eq!(
            (histories, report.events),
            (expected.0.clone(), 2),
            "{name}"
        );
    }
    for junk in [1, 3, 4, 70, 400_000] {
        for (packed, junk) in [
            (gzip(LOG.as_bytes()), vec![b'j'; junk]),
            (zstd(LOG), vec![b'j'; junk]),
        ] {
            let error = read_bytes("log.csv", &[packed, junk.clone()].concat(), PLAIN).unwrap_err();
            assert!(
                matches!(error, EventsError::TrailingBytes { bytes, .. } if bytes == junk.len() as u64),
                "{error}"
            );
        }
    }
    let text = message(
        "log.csv.gz",
        &[gzip(LOG.as_bytes()), b"junk".to_vec()].concat(),
    );
    assert!(
        text.contains("there are 4 bytes after the end of the compressed data"),
        "{text}"
    );
}
