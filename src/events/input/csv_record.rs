//! Records of delimited text: where one ends, and what its fields are.
//!
//! The rules are those of RFC 4180, read leniently on one line and strictly beyond it. A quote opens a text only at the
//! beginning of a field, and two of them inside are one; what stands between a closing quote and the next delimiter
//! belongs to the field. A text over several lines is taken for one only where
//! - a quote closes it within the [`RecordLimits`] and before the end of the text,
//! - a delimiter or the end of a line follows that quote, and
//! - the lines that it takes in don't look like rows of the log themselves.
//!
//! Otherwise the quote that opened it is left open by mistake: the row is rejected, and reading goes on behind the line of
//! that quote. So every row that is rejected costs one line, and a text is read in linear time: the lines behind an open
//! quote that were looked at in vain hold only pairs of quotes, none of which is open by itself.

use std::ops::Range;

use crate::events::config::RecordLimits;

/// How delimited text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Csv {
    pub(crate) delimiter: u8,
    pub(crate) terminator: u8,
    /// Whether a backslash before a quote or a backslash in a quoted text makes it part of the text.
    pub(crate) backslash: bool,
    /// The number of columns; 0 while it is not known.
    pub(crate) columns: usize,
    pub(crate) limits: RecordLimits,
}

/// What begins at some place of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A record that ends at `end`; the next one begins at `next`.
    Record { end: usize, next: usize },
    /// A row with a quote at `quote` that is not closed; reading goes on at `next`.
    OpenQuote { quote: usize, next: usize },
    /// A row beyond the limits; reading goes on at `next`, unless the line ends behind these bytes.
    TooLong { next: Option<usize> },
}

impl Csv {
    /// What begins at `from`; `None` where more bytes are needed, which is never so when these are the last.
    pub(crate) fn find(self, bytes: &[u8], from: usize, are_last: bool) -> Option<Found> {
        let rest = bytes.get(from..)?;
        // A record beyond the limit is never searched to its end: reading stays linear.
        let window = rest
            .get(..self.limits.bytes.saturating_add(1))
            .unwrap_or(rest);
        let text = Window {
            bytes: window,
            is_cut: window.len() < rest.len(),
            is_last: are_last,
        };
        let (mut at, mut lines) = (0, 1);
        while let Some(hit) = memchr::memchr2(b'"', self.terminator, window.get(at..)?) {
            let hit = at + hit;
            if window.get(hit) == Some(&self.terminator) {
                return Some(Found::Record {
                    end: from + hit,
                    next: from + hit + 1,
                });
            }
            at = hit + 1;
            if hit == 0 || window.get(hit - 1) == Some(&self.delimiter) {
                match self.close(&text, hit, &mut lines)? {
                    Close::At(end) => at = end,
                    Close::Open { next } => {
                        return Some(Found::OpenQuote {
                            quote: from + hit,
                            next: from + next,
                        });
                    }
                    Close::TooLong => return Some(self.too_long(bytes, from, are_last)),
                }
            }
        }
        match (text.is_full(self.limits), are_last) {
            (true, _) => Some(self.too_long(bytes, from, are_last)),
            (false, true) => Some(Found::Record {
                end: bytes.len(),
                next: bytes.len(),
            }),
            (false, false) => None,
        }
    }

    fn too_long(self, bytes: &[u8], from: usize, are_last: bool) -> Found {
        let limit = from.saturating_add(self.limits.bytes).saturating_add(1);
        let end = bytes
            .get(limit..)
            .and_then(|rest| memchr::memchr(self.terminator, rest));
        Found::TooLong {
            next: end
                .map(|end| limit + end + 1)
                .or(are_last.then_some(bytes.len())),
        }
    }

    /// Where the text that a quote opens is closed; `None` where more bytes are needed.
    fn close(self, text: &Window<'_>, quote: usize, lines: &mut usize) -> Option<Close> {
        let window = text.bytes;
        let end = self.closing_quote(window, quote + 1);
        // A quote at the very end may be the first of two.
        let end = end.filter(|end| *end < window.len() || text.is_whole(self.limits));
        let inside = window.get(quote + 1..end.unwrap_or(window.len()))?;
        let first_line = memchr::memchr(self.terminator, inside).map(|at| quote + 1 + at + 1);
        let Some(next) = first_line else {
            return match end {
                Some(end) => Some(Close::At(end)),
                None if text.is_full(self.limits) => Some(Close::TooLong),
                None => text.is_last.then_some(Close::Open { next: window.len() }),
            };
        };
        *lines += memchr::memchr_iter(self.terminator, inside).count();
        // A quote left open by mistake would take in the rest of the file.
        if *lines > self.limits.lines {
            return Some(Close::Open { next });
        }
        let Some(end) = end else {
            return (text.is_last || text.is_full(self.limits)).then_some(Close::Open { next });
        };
        // The line of the closing quote has to be there to the end, or as far as the limit goes.
        let line_end = memchr::memchr(self.terminator, window.get(end..)?).map(|at| end + at);
        if line_end.is_none() && !text.is_last && !text.is_full(self.limits) {
            return None;
        }
        let line_end = line_end.unwrap_or(window.len());
        let is_closed = self.ends_field(window.get(end..line_end)?);
        let is_rows = || {
            window
                .get(next..line_end)
                .is_some_and(|lines| self.are_rows(lines, end - 1 - next))
        };
        Some(if !is_closed || is_rows() {
            Close::Open { next }
        } else {
            Close::At(end)
        })
    }

    /// The place behind the quote that closes a text.
    pub(crate) fn closing_quote(self, window: &[u8], from: usize) -> Option<usize> {
        let mut at = from;
        loop {
            let rest = window.get(at..)?;
            let hit = if self.backslash {
                memchr::memchr2(b'"', b'\\', rest)
            } else {
                memchr::memchr(b'"', rest)
            };
            at += hit?;
            match (window.get(at), window.get(at + 1)) {
                (Some(b'"'), Some(b'"')) | (Some(b'\\'), Some(b'"' | b'\\')) => at += 2,
                (Some(b'"'), _) => return Some(at + 1),
                _ => at += 1,
            }
        }
    }

    /// Whether what follows a closing quote on its line ends the field.
    fn ends_field(self, behind: &[u8]) -> bool {
        let blank = |byte: &&u8| matches!(**byte, b' ' | b'\t') && **byte != self.delimiter;
        let behind = &behind[behind.iter().take_while(blank).count()..];
        behind.is_empty() || behind.first() == Some(&self.delimiter) || behind == b"\r"
    }

    /// Whether lines that a quoted text takes in look like rows: all have as many columns as the log, and one column has a
    /// number or a time in all of them. The text ends at `inside`, and so on the last line, whose rest has columns of the
    /// text's own row, which do not count.
    fn are_rows(self, lines: &[u8], inside: usize) -> bool {
        if self.columns < 2 {
            return false;
        }
        let (mut numeric, mut from): (Option<Vec<bool>>, usize) = (None, 0);
        for line in lines.split(|byte| *byte == self.terminator) {
            let text = line.get(..inside.saturating_sub(from)).unwrap_or(line);
            from += line.len() + 1;
            if line.trim_ascii().is_empty() {
                continue;
            }
            if memchr::memchr_iter(self.delimiter, line).count() + 1 != self.columns {
                return false;
            }
            let found = text
                .split(|byte| *byte == self.delimiter)
                .map(is_number_or_time);
            match &mut numeric {
                None => numeric = Some(found.collect()),
                Some(all) => all
                    .iter_mut()
                    .zip(found)
                    .for_each(|(all, this)| *all &= this),
            }
        }
        numeric.is_some_and(|columns| columns.contains(&true))
    }
}

/// Whether a field begins with a digit, past a sign, and has more digits than letters, as numbers and times do.
pub(crate) fn is_number_or_time(field: &[u8]) -> bool {
    // Quotes and a sign come before the digits.
    let field = field.trim_ascii();
    let field = field.strip_prefix(b"\"").unwrap_or(field);
    let field = field.strip_prefix(b"-").unwrap_or(field);
    let digits = field.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = field
        .iter()
        .filter(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii())
        .count();
    field.first().is_some_and(u8::is_ascii_digit) && digits > letters
}

/// The bytes of a record, as far as the limit and what was read go.
struct Window<'t> {
    bytes: &'t [u8],
    /// Whether the text goes on behind the window.
    is_cut: bool,
    /// Whether the text ends with the window, unless it is cut.
    is_last: bool,
}

impl Window<'_> {
    /// Whether a record that does not end in the window is beyond the limit.
    fn is_full(&self, limits: RecordLimits) -> bool {
        self.is_cut || self.bytes.len() > limits.bytes
    }

    /// Whether the text ends with the window.
    fn is_whole(&self, limits: RecordLimits) -> bool {
        self.is_last && !self.is_full(limits)
    }
}

enum Close {
    /// Right behind the closing quote.
    At(usize),
    /// Nowhere; the line of the opening quote ends at `next`.
    Open { next: usize },
    /// Beyond the limit, on the same line.
    TooLong,
}

/// The fields of a record.
#[derive(Default)]
pub(crate) struct Fields {
    /// Where each field is: in the record, or where it has escapes in `unescaped`.
    fields: Vec<(bool, Range<usize>)>,
    unescaped: Vec<u8>,
    /// Whether text follows a closing quote, which no writer of such files does.
    pub(crate) is_malformed: bool,
}

impl Fields {
    pub(crate) fn len(&self) -> usize {
        self.fields.len()
    }

    /// A field of the record that was split last.
    pub(crate) fn get<'f>(&'f self, record: &'f [u8], field: usize) -> Option<&'f [u8]> {
        Some(self.bytes(record, self.fields.get(field)?))
    }

    fn bytes<'f>(
        &'f self,
        record: &'f [u8],
        (in_record, range): &(bool, Range<usize>),
    ) -> &'f [u8] {
        let source = if *in_record {
            record
        } else {
            self.unescaped.as_slice()
        };
        &source[range.clone()]
    }

    /// All fields of the record that was split last.
    pub(crate) fn iter<'f>(&'f self, record: &'f [u8]) -> impl Iterator<Item = &'f [u8]> {
        self.fields.iter().map(|field| self.bytes(record, field))
    }

    /// Splits a record, which has no line end behind it.
    pub(crate) fn split(&mut self, record: &[u8], csv: Csv) {
        self.fields.clear();
        self.unescaped.clear();
        self.is_malformed = false;
        let mut at = 0;
        loop {
            let rest = &record[at..];
            if rest.first() == Some(&b'"') {
                at = self.quoted(record, at, csv);
            } else {
                let end = memchr::memchr(csv.delimiter, rest).map_or(record.len(), |end| at + end);
                self.fields.push((true, at..end));
                at = end;
            }
            if at >= record.len() {
                break;
            }
            // Past the delimiter; behind one at the very end there is an empty field.
            at += 1;
        }
    }

    /// Adds the field that begins with the quote at `quote`; where it ends.
    fn quoted(&mut self, record: &[u8], quote: usize, csv: Csv) -> usize {
        let close = csv
            .closing_quote(record, quote + 1)
            .unwrap_or(record.len() + 1);
        let rest = record.get(close..).unwrap_or_default();
        let end = memchr::memchr(csv.delimiter, rest).map_or(record.len(), |end| close + end);
        let inside = quote + 1..close - 1;
        let text = record.get(inside.clone()).unwrap_or_default();
        let tail = record.get(close..end).unwrap_or_default();
        self.is_malformed |= !tail.trim_ascii().is_empty();
        let has_escapes = memchr::memchr(b'"', text).is_some()
            || csv.backslash && memchr::memchr(b'\\', text).is_some();
        if !has_escapes && tail.is_empty() {
            self.fields.push((true, inside));
            return end;
        }
        let from = self.unescaped.len();
        let mut bytes = text.iter().peekable();
        while let Some(byte) = bytes.next() {
            let escaped = match (byte, bytes.peek()) {
                (b'"', Some(b'"')) => bytes.next(),
                (b'\\', Some(b'"' | b'\\')) if csv.backslash => bytes.next(),
                _ => None,
            };
            self.unescaped.push(*escaped.unwrap_or(byte));
        }
        self.unescaped.extend_from_slice(tail);
        self.fields.push((false, from..self.unescaped.len()));
        end
    }
}
