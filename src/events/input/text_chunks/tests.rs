use std::io::Cursor;

use proptest::prelude::*;

use super::super::csv_record::{Csv, Fields, Found};
use super::*;

/// What a row is read as: its line, and its fields or what it is rejected for.
type Row = (u64, Result<Vec<Vec<u8>>, (&'static str, Vec<u8>)>);

fn rows(chunk: &TextChunk, csv: Csv) -> Vec<Row> {
    let (mut rows, mut fields, mut at) = (Vec::new(), Fields::default(), 0);
    let line = |to: usize| chunk.lines_before + 1 + lines(&chunk.bytes[..to], chunk.layout);
    while at < chunk.bytes.len() {
        let rest = &chunk.bytes[at..];
        let (row, next) = match csv.find(&chunk.bytes, at, true).unwrap() {
            Found::Record { end, next } => {
                let record = &chunk.bytes[at..end];
                fields.split(record, csv);
                (
                    (
                        line(at),
                        Ok(fields.iter(record).map(<[u8]>::to_vec).collect()),
                    ),
                    next,
                )
            }
            Found::OpenQuote { quote, next } => (
                (
                    line(quote),
                    Err(("open", chunk.bytes[quote..next].to_vec())),
                ),
                next,
            ),
            Found::TooLong { next } => (
                (line(at), Err(("long", rest[..csv.limits.bytes].to_vec()))),
                next.unwrap_or(chunk.bytes.len()),
            ),
        };
        rows.push(row);
        at = next;
    }
    rows
}

/// All rows of a text that is cut into chunks of so many bytes, or more where a record needs them.
fn read(text: &[u8], csv: Csv, chunk_bytes: usize) -> Vec<Row> {
    let file = LogFile {
        path: "x".into(),
        shown: "x".into(),
        format: crate::events::Format::Csv,
        bytes: 0,
    };
    let mut feed = TextChunks {
        text: Box::new(Cursor::new(text.to_vec())),
        layout: Layout::Csv(csv),
        limits: csv.limits,
        names: Arc::default(),
        pending: Vec::new(),
        lines: 0,
        is_first: false,
        ended: false,
        chunk_bytes,
    };
    let mut all = Vec::new();
    while let Some(chunk) = feed.next(&file).unwrap() {
        assert!(
            chunk.bytes.len() <= 2 * chunk_bytes.max(csv.limits.bytes + 2),
            "{}",
            chunk.bytes.len()
        );
        all.extend(rows(&chunk, csv));
    }
    all
}

fn csv(backslash: bool, columns: usize, bytes: usize, lines: usize) -> Csv {
    Csv {
        delimiter: b',',
        terminator: b'\n',
        backslash,
        columns,
        limits: RecordLimits { bytes, lines },
    }
}

fn texts(rows: &[Row]) -> Vec<(u64, String)> {
    let text = |row: &Row| match &row.1 {
        Ok(fields) => fields
            .iter()
            .map(|f| String::from_utf8_lossy(f))
            .collect::<Vec<_>>()
            .join("|"),
        Err((reason, from)) => {
            format!("{reason}: {}", String::from_utf8_lossy(from).trim_end())
        }
    };
    rows.iter().map(|row| (row.0, text(row))).collect()
}

#[test]
fn quotes_that_are_not_closed_cost_one_line() {
    let plain = csv(false, 3, 1 << 20, 1_000);
    for (text, expected) in [
        // Legal texts over several lines, and sloppy quotes within one.
        ("a,\"b\nc\",d\ne,f,g\n", vec![(1, "a|b\nc|d"), (3, "e|f|g")]),
        (
            "a,\"b\n\"\"\n\" ,d\r\n1,2,3",
            vec![(1, "a|b\n\"\n |d\r"), (4, "1|2|3")],
        ),
        ("a,\"say \"hi\" now\",d\n", vec![(1, "a|say hi\" now\"|d")]),
        (
            "a,5\" pipe,\nb,\"\",\n",
            vec![(1, "a|5\" pipe|"), (2, "b||")],
        ),
        // A quote that nothing closes, that one amid text would close, or that one behind other rows would.
        (
            "a,b,\"c\n1,2,3\n4,5,6\n",
            vec![(1, "open: \"c"), (2, "1|2|3"), (3, "4|5|6")],
        ),
        (
            "a,b,\"c\n1,2,\"d\"\n4,5,6\n",
            vec![(1, "open: \"c"), (2, "1|2|d"), (3, "4|5|6")],
        ),
        (
            "a,b,\"c\n1,2,d\"\n4,5,6\n",
            vec![(1, "open: \"c"), (2, "1|2|d\""), (3, "4|5|6")],
        ),
        ("a,b,\"c", vec![(1, "open: \"c")]),
        // Of two quotes in a row the second may be the open one.
        (
            "a,\"b\nx\",\"c\n1,2,3\n",
            vec![(2, "open: \"c"), (3, "1|2|3")],
        ),
        // Lines inside that look like rows only by their commas, or by what follows the text, are text.
        ("a,\"b\nc,d\",1\n", vec![(1, "a|b\nc,d|1")]),
        ("a,\"b\n1\",1\n", vec![(1, "a|b\n1|1")]),
        (
            "a,b,\"one, two, three\nfour, five, six\"\n",
            vec![(1, "a|b|one, two, three\nfour, five, six")],
        ),
    ] {
        for chunk_bytes in 1..=text.len() + 1 {
            let expected: Vec<_> = expected
                .iter()
                .map(|(line, text)| (*line, (*text).to_owned()))
                .collect();
            assert_eq!(
                texts(&read(text.as_bytes(), plain, chunk_bytes)),
                expected,
                "{text:?} by {chunk_bytes}"
            );
        }
    }
}

#[test]
fn records_beyond_the_limits_are_passed_over() {
    let limited = csv(false, 2, 8, 2);
    for (text, expected) in [
        (
            "abcd,efg\nabcd,efgh\n1,2\n",
            vec![(1, "abcd|efg"), (2, "long: abcd,efg"), (3, "1|2")],
        ),
        (
            "\"abcdefghijklmn\",x\n1,2\n",
            vec![(1, "long: \"abcdefg"), (2, "1|2")],
        ),
        ("a,\"b\nc\"\n1,2\n", vec![(1, "a|b\nc"), (3, "1|2")]),
        (
            "a,\"b\nc\nd\"\n1,2\n",
            vec![(1, "open: \"b"), (2, "c"), (3, "d\""), (4, "1|2")],
        ),
        (
            "a,\"b\nccccccccc\n1,2",
            vec![(1, "open: \"b"), (2, "long: cccccccc"), (3, "1|2")],
        ),
    ] {
        for chunk_bytes in 1..=text.len() + 1 {
            let expected: Vec<_> = expected
                .iter()
                .map(|(line, text)| (*line, (*text).to_owned()))
                .collect();
            assert_eq!(
                texts(&read(text.as_bytes(), limited, chunk_bytes)),
                expected,
                "{text:?} by {chunk_bytes}"
            );
        }
    }
}

#[test]
fn backslashes_escape_where_they_are_to() {
    let text = b"\"say \\\"hi\\\"\",\"C:\\\\\"\n\"a\\b\"\"\",\\\"\n";
    let fields = |backslash| texts(&read(text, csv(backslash, 2, 99, 9), 5));
    assert_eq!(
        fields(true),
        [
            (1, "say \"hi\"|C:\\".to_owned()),
            (2, "a\\b\"|\\\"".to_owned())
        ]
    );
    assert_ne!(fields(false), fields(true));
}

/// Texts of all that matters, quotes and line ends more often than the rest.
fn odd_text() -> impl Strategy<Value = String> {
    const PARTS: [&str; 17] = [
        "a", "1", ",", ",", "\"", "\"", "\"", "\"\"", ",\"", "\",", "\\\"", "\\", " ", "\r\n",
        "\n", "\n", "1,1\n",
    ];
    prop::collection::vec(prop::sample::select(&PARTS[..]), 0..40).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// Cutting never changes what is read, however odd the quotes, the limits and the sizes of the chunks are.
    #[test]
    fn cutting_changes_no_row(
        text in odd_text(), chunk in 1_usize..90, backslash: bool,
        columns in 0_usize..4, bytes in 1_usize..60, lines in 1_usize..6,
    ) {
        let csv = csv(backslash, columns, bytes, lines);
        let whole = TextChunk {
            bytes: text.clone().into_bytes(),
            lines_before: 0,
            is_first: true,
            layout: Layout::Csv(csv),
            limits: csv.limits,
            names: Arc::default(),
        };
        prop_assert_eq!(read(text.as_bytes(), csv, chunk), rows(&whole, csv));
    }
}
