//! How a text file is laid out: what separates its columns, and whether its first line names them.

use super::Layout;
use super::records::{for_each_record, plain_csv};
use super::text::head;
use crate::events::config::{Decimal, Delimiter, EventsConfig};
use crate::events::input::csv::split_at_whitespace;
use crate::events::input::csv_record::{Csv, is_number_or_time};
use crate::events::input::log_file::{LogFile, extension};
use crate::events::input::unsupported::check_text;
use crate::init::InitError;

/// What may separate columns, the most usual first.
const DELIMITERS: [u8; 7] = [b',', b';', b'\t', b'|', b'^', b'~', 1];
/// Records by which a delimiter is judged.
const RECORDS: usize = 400;
/// The share of these that must have as many columns as the first one.
const LEAST_SHARE: f64 = 0.9;

/// The first records of a file, split by one delimiter.
struct Split {
    delimiter: Delimiter,
    records: Vec<Vec<String>>,
    /// The share of the records with as many columns as the first.
    share: f64,
}

impl Split {
    fn new(delimiter: Delimiter, records: Vec<Vec<String>>) -> Self {
        let columns = records.first().map_or(0, Vec::len);
        let same = records.iter().filter(|r| r.len() == columns).count();
        Self {
            delimiter,
            share: same as f64 / records.len().max(1) as f64,
            records,
        }
    }

    fn columns(&self) -> usize {
        self.records.first().map_or(0, Vec::len)
    }

    fn is_even(&self) -> bool {
        self.columns() > 1 && self.share >= LEAST_SHARE
    }
}

/// Sets the delimiter of a file, and names of the columns where it has no header.
pub(super) fn find(file: &LogFile, layout: &mut Layout) -> Result<(), InitError> {
    let bytes = head(&file.path)?;
    check_text(&bytes, &file.path)?;
    if bytes.trim_ascii().is_empty() {
        return Err(InitError::Empty {
            path: file.path.clone(),
        });
    }
    if let Some(at) = memchr::memchr(0, &bytes) {
        return Err(InitError::Binary {
            path: file.path.clone(),
            byte: at,
        });
    }
    let split = best(&bytes);
    let is_usual = match split.delimiter {
        Delimiter::Byte(b',') => extension(&file.path) != "tsv",
        Delimiter::Byte(b'\t') => extension(&file.path) == "tsv",
        _ => false,
    };
    layout.delimiter = (!is_usual).then_some(split.delimiter);
    if split.delimiter == Delimiter::Byte(b';') {
        layout.usual_decimal = Decimal::Comma;
    }
    layout.columns = (!has_header(&split.records)).then(|| {
        (1..=split.columns())
            .map(|number| format!("column_{number}"))
            .collect()
    });
    Ok(())
}

/// The delimiter that gives the most columns in nearly all records; whitespace only where no other gives any, and a comma
/// where nothing does.
fn best(bytes: &[u8]) -> Split {
    let terminator = if memchr::memchr(b'\n', bytes).is_none() && bytes.contains(&b'\r') {
        b'\r'
    } else {
        b'\n'
    };
    let limits = EventsConfig::default().record_limits();
    let split = |delimiter: u8| {
        let csv = plain_csv(delimiter, terminator, limits);
        let mut records = first_records(bytes, csv, false, RECORDS);
        // A file of one line that does not end.
        if records.is_empty() {
            records = first_records(bytes, csv, true, 1);
        }
        Split::new(Delimiter::Byte(delimiter), records)
    };
    let splits: Vec<Split> = DELIMITERS.into_iter().map(split).collect();
    let even = splits.into_iter().filter(Split::is_even);
    // Of equals the first one counts, but a comma may as well stand in numbers.
    let best = even.reduce(|best, other| {
        let is_comma = best.delimiter == Delimiter::Byte(b',');
        if other.columns() + usize::from(is_comma) > best.columns() {
            other
        } else {
            best
        }
    });
    best.unwrap_or_else(|| {
        let blank = Split::new(Delimiter::Whitespace, lines_at_whitespace(bytes));
        if blank.is_even() { blank } else { split(b',') }
    })
}

fn first_records(bytes: &[u8], csv: Csv, is_last: bool, most: usize) -> Vec<Vec<String>> {
    let mut records = Vec::new();
    for_each_record(bytes, csv, is_last, |record, fields| {
        let texts = fields
            .iter(record)
            .map(|f| String::from_utf8_lossy(f).trim().to_owned());
        records.push(texts.collect());
        records.len() < most
    });
    records
}

fn lines_at_whitespace(bytes: &[u8]) -> Vec<Vec<String>> {
    let mut fields = Vec::new();
    let mut records = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n').take(RECORDS) {
        split_at_whitespace(line, &mut fields);
        if !fields.is_empty() {
            let text = |field: &std::ops::Range<usize>| {
                String::from_utf8_lossy(line.get(field.clone()).unwrap_or_default()).into_owned()
            };
            records.push(fields.iter().map(text).collect());
        }
    }
    // The last line may be cut.
    if records.len() > 2 {
        records.pop();
    }
    records
}

/// Whether the first record names columns: nowhere has it a number or a time where most of the others have one.
fn has_header(records: &[Vec<String>]) -> bool {
    let Some((first, others)) = records.split_first() else {
        return true;
    };
    let others: Vec<&Vec<String>> = others.iter().filter(|r| r.len() == first.len()).collect();
    let is_data = |text: &String| is_number_or_time(text.as_bytes());
    let holds_data = first.iter().enumerate().any(|(at, text)| {
        let alike = others
            .iter()
            .filter(|r| r.get(at).is_some_and(is_data))
            .count();
        is_data(text) && (alike * 2 > others.len() || others.is_empty())
    });
    !holds_data
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> (String, usize, bool) {
        let split = best(text.as_bytes());
        let delimiter = match split.delimiter {
            Delimiter::Byte(byte) => char::from(byte).to_string(),
            Delimiter::Whitespace => "whitespace".to_owned(),
        };
        (delimiter, split.columns(), has_header(&split.records))
    }

    #[test]
    fn the_delimiter_is_that_of_most_columns_in_all_records() {
        for (text, expected) in [
            ("user,time\na,2024-01-01\nb,2024-01-02\n", (",", 2, true)),
            ("kunde;preis;menge\nA;1,50;2\nB;12,00;1\n", (";", 3, true)),
            ("a;1,5;2,5\nb;1,5;3,5\n", (";", 3, false)),
            ("user\ttime\tnote\na\t1\tx, y\nb\t2\tz\n", ("\t", 3, true)),
            (
                "user|at\nu1|2024-01-01 10:00:00\nu2|2024-01-01 11:00:00\n",
                ("|", 2, true),
            ),
            (
                " id  date n  value\n 00001 19970101  1   11.77\n 00002 19970112  1   12.00\n",
                ("whitespace", 4, true),
            ),
            (
                " 00004 0001 19970101  2   29.33\n 00004 0001 19970118  2   29.73\n",
                ("whitespace", 5, false),
            ),
            (
                "u1\u{1}2024-01-01\nu2\u{1}2024-01-02\n",
                ("\u{1}", 2, false),
            ),
            ("5\n7\n9\n", (",", 1, false)),
            (
                "name,note\n\"a, b\",\"c\nd\"\n\"e\",\"f;g\"\n",
                (",", 2, true),
            ),
            ("user,2024\na,x\nb,y\n", (",", 2, true)),
            ("user,amount\n", (",", 2, true)),
        ] {
            let (delimiter, columns, header) = found(text);
            assert_eq!((delimiter.as_str(), columns, header), expected, "{text}");
        }
    }
}
