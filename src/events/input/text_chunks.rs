//! The pieces of a text file: whole records, as many as fit, in bounded memory.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::chunks::{Layout, TextPiece};
use super::csv_record::Limits;
use super::files::LogFile;
use super::open::{Text, open_text, read_error};
use super::preamble::{Beginning, beginning};
use super::record_boundary::{Cut, cut};
use crate::events::EventsError;
use crate::events::config::EventsConfig;

/// Bytes of a piece of text, about; few in tests, so that all of them cross from one piece to the next.
const PIECE_BYTES: usize = if cfg!(test) { 64 } else { 1 << 20 };

/// Bytes of the beginning of a text file that tell how it is written.
const BEGINNING_BYTES: usize = 1 << 20;

/// Hands out the pieces of a text file.
pub(crate) struct TextFeed {
    text: Text,
    pub(crate) layout: Layout,
    limits: Limits,
    names: Arc<Vec<String>>,
    /// What was read and not handed out.
    pending: Vec<u8>,
    lines: u64,
    is_first: bool,
    ended: bool,
    piece_bytes: usize,
}

impl TextFeed {
    pub(crate) fn new(
        file: &LogFile,
        config: &EventsConfig,
        bytes_read: &Arc<AtomicU64>,
    ) -> Result<Self, EventsError> {
        let mut text = open_text(&file.path, bytes_read.clone())?;
        let limits = config.limits();
        let (mut pending, mut wanted) = (Vec::new(), BEGINNING_BYTES);
        let (
            Beginning {
                layout,
                names,
                length,
            },
            ended,
        ) = loop {
            let ended = read_up_to(&mut text, &mut pending, wanted, file)?;
            match beginning(&pending, ended, file, config)? {
                Some(beginning) => break (beginning, ended),
                None => wanted = wanted.saturating_mul(2),
            }
        };
        let rest = pending.split_off(length);
        let lines = lines(&pending, layout);
        let names = Arc::new(names);
        Ok(Self {
            text,
            layout,
            limits,
            names,
            pending: rest,
            lines,
            is_first: true,
            ended,
            piece_bytes: PIECE_BYTES,
        })
    }

    /// The next whole records, after the header.
    pub(crate) fn next(&mut self, file: &LogFile) -> Result<Option<TextPiece>, EventsError> {
        // The columns of a file without rows are looked at too.
        let names_columns = self.is_first && self.layout != Layout::Json;
        let bytes = self.records(file)?.or_else(|| names_columns.then(Vec::new));
        let Some(bytes) = bytes else { return Ok(None) };
        let lines_before = self.lines;
        self.lines += lines(&bytes, self.layout);
        let is_first = std::mem::replace(&mut self.is_first, false);
        let (layout, limits, names) = (self.layout, self.limits, self.names.clone());
        Ok(Some(TextPiece {
            bytes,
            lines_before,
            is_first,
            layout,
            limits,
            names,
        }))
    }

    fn records(&mut self, file: &LogFile) -> Result<Option<Vec<u8>>, EventsError> {
        let mut wanted = self.piece_bytes;
        loop {
            if !self.ended && self.pending.len() < wanted {
                self.ended = read_up_to(&mut self.text, &mut self.pending, wanted, file)?;
            }
            if self.ended && self.pending.len() <= wanted {
                return Ok(Some(std::mem::take(&mut self.pending)).filter(|rest| !rest.is_empty()));
            }
            let piece = self.pending.get(..wanted).unwrap_or(&self.pending);
            match cut(piece, self.layout, self.limits) {
                Cut::At(end) => {
                    let rest = self.pending.split_off(end);
                    return Ok(Some(std::mem::replace(&mut self.pending, rest)));
                }
                Cut::TooLong => return self.too_long(file).map(Some),
                Cut::NotYet => wanted = wanted.saturating_mul(2),
            }
        }
    }

    /// As much of a line beyond the limit as shows that it is; the rest of the line is passed over.
    fn too_long(&mut self, file: &LogFile) -> Result<Vec<u8>, EventsError> {
        let terminator = self.layout.terminator();
        let kept = self.limits.bytes.saturating_add(1).min(self.pending.len());
        let mut rest = self.pending.split_off(kept);
        let mut bytes = std::mem::take(&mut self.pending);
        loop {
            if let Some(end) = memchr::memchr(terminator, &rest) {
                bytes.push(terminator);
                self.pending = rest.split_off(end + 1);
                return Ok(bytes);
            }
            rest.clear();
            if self.ended {
                return Ok(bytes);
            }
            self.ended = read_up_to(&mut self.text, &mut rest, PIECE_BYTES, file)?;
        }
    }
}

/// Reads until there are so many bytes; whether the text ended.
fn read_up_to(
    text: &mut Text,
    bytes: &mut Vec<u8>,
    count: usize,
    file: &LogFile,
) -> Result<bool, EventsError> {
    let more = count.saturating_sub(bytes.len()) as u64;
    let read = text.by_ref().take(more).read_to_end(bytes);
    Ok((read.map_err(|source| read_error(&file.path, source))? as u64) < more)
}

/// The names of a text file's columns.
pub(crate) fn column_names(
    file: &LogFile,
    config: &EventsConfig,
) -> Result<Arc<Vec<String>>, EventsError> {
    Ok(TextFeed::new(file, config, &Arc::default())?.names)
}

fn lines(bytes: &[u8], layout: Layout) -> u64 {
    memchr::memchr_iter(layout.terminator(), bytes).count() as u64
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::super::csv_record::{Csv, Fields, Found};
    use super::*;

    /// What a row is read as: its line, and its fields or what it is refused for.
    type Row = (u64, Result<Vec<Vec<u8>>, (&'static str, Vec<u8>)>);

    fn rows(piece: &TextPiece, csv: Csv) -> Vec<Row> {
        let (mut rows, mut fields, mut at) = (Vec::new(), Fields::default(), 0);
        let line = |to: usize| piece.lines_before + 1 + lines(&piece.bytes[..to], piece.layout);
        while at < piece.bytes.len() {
            let rest = &piece.bytes[at..];
            let (row, next) = match csv.find(&piece.bytes, at, true).unwrap() {
                Found::Record { end, next } => {
                    let record = &piece.bytes[at..end];
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
                        Err(("open", piece.bytes[quote..next].to_vec())),
                    ),
                    next,
                ),
                Found::TooLong { next } => (
                    (line(at), Err(("long", rest[..csv.limits.bytes].to_vec()))),
                    next.unwrap_or(piece.bytes.len()),
                ),
            };
            rows.push(row);
            at = next;
        }
        rows
    }

    /// All rows of a text that is cut into pieces of so many bytes, or more where a record needs them.
    fn read(text: &[u8], csv: Csv, piece_bytes: usize) -> Vec<Row> {
        let file = LogFile {
            path: "x".into(),
            shown: "x".into(),
            format: crate::events::Format::Csv,
            bytes: 0,
        };
        let mut feed = TextFeed {
            text: Box::new(Cursor::new(text.to_vec())),
            layout: Layout::Csv(csv),
            limits: csv.limits,
            names: Arc::default(),
            pending: Vec::new(),
            lines: 0,
            is_first: false,
            ended: false,
            piece_bytes,
        };
        let mut all = Vec::new();
        while let Some(piece) = feed.next(&file).unwrap() {
            assert!(
                piece.bytes.len() <= 2 * piece_bytes.max(csv.limits.bytes + 2),
                "{}",
                piece.bytes.len()
            );
            all.extend(rows(&piece, csv));
        }
        all
    }

    fn csv(backslash: bool, columns: usize, bytes: usize, lines: usize) -> Csv {
        Csv {
            delimiter: b',',
            terminator: b'\n',
            backslash,
            columns,
            limits: Limits { bytes, lines },
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
            for piece_bytes in 1..=text.len() + 1 {
                let expected: Vec<_> = expected
                    .iter()
                    .map(|(line, text)| (*line, (*text).to_owned()))
                    .collect();
                assert_eq!(
                    texts(&read(text.as_bytes(), plain, piece_bytes)),
                    expected,
                    "{text:?} by {piece_bytes}"
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
            for piece_bytes in 1..=text.len() + 1 {
                let expected: Vec<_> = expected
                    .iter()
                    .map(|(line, text)| (*line, (*text).to_owned()))
                    .collect();
                assert_eq!(
                    texts(&read(text.as_bytes(), limited, piece_bytes)),
                    expected,
                    "{text:?} by {piece_bytes}"
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
        prop::collection::vec(prop::sample::select(&PARTS[..]), 0..40)
            .prop_map(|parts| parts.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        /// Cutting never changes what is read, however odd the quotes, the limits and the sizes of the pieces are.
        #[test]
        fn cutting_changes_no_row(
            text in odd_text(), piece in 1_usize..90, backslash: bool,
            columns in 0_usize..4, bytes in 1_usize..60, lines in 1_usize..6,
        ) {
            let csv = csv(backslash, columns, bytes, lines);
            let whole = TextPiece {
                bytes: text.clone().into_bytes(),
                lines_before: 0,
                is_first: true,
                layout: Layout::Csv(csv),
                limits: csv.limits,
                names: Arc::default(),
            };
            prop_assert_eq!(read(text.as_bytes(), csv, piece), rows(&whole, csv));
        }
    }
}
