//! Where records of a text end, so that a file can be cut between them.

use super::feed::Layout;

/// The end of the last whole record of `bytes`, which begin with a record; `None` when not even the first is whole.
pub(super) fn last_record_end(bytes: &[u8], layout: Layout) -> Option<usize> {
    let Layout::Csv { delimiter, terminator } = layout else {
        return memchr::memrchr(b'\n', bytes).map(|at| at + 1);
    };
    if memchr::memchr(b'"', bytes).is_none() {
        return memchr::memrchr(terminator, bytes).map(|at| at + 1);
    }
    quoted_record_end(bytes, delimiter, terminator)
}

/// The same where quotes may hide a terminator. As for the reader of the records, a quote opens a text only at the beginning
/// of a field, and two of them inside of one are one.
fn quoted_record_end(bytes: &[u8], delimiter: u8, terminator: u8) -> Option<usize> {
    let (mut end, mut at, mut starts_field) = (None, 0, true);
    while let Some(byte) = bytes.get(at) {
        at += 1;
        if *byte == b'"' && starts_field {
            at = after_quotes(bytes, at)?.max(at);
            starts_field = false;
        } else if *byte == terminator {
            end = Some(at);
            starts_field = true;
        } else {
            starts_field = *byte == delimiter;
        }
        if at >= bytes.len() {
            break;
        }
    }
    end
}

/// The place after the quote that closes the text beginning at `from`; that of the end where none does.
fn after_quotes(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let Some(quote) = memchr::memchr(b'"', bytes.get(at..)?) else { return Some(bytes.len()) };
        at += quote + 1;
        if bytes.get(at) != Some(&b'"') {
            return Some(at);
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COMMAS: Layout = Layout::Csv { delimiter: b',', terminator: b'\n' };

    #[test]
    fn records_end_at_terminators_outside_of_quotes() {
        let cases = [
            ("a,b\nc", Some(4)),
            ("a,b", None),
            ("a,\"b\nc\"\nd", Some(8)),
            ("a,\"b\nc", None),
            ("x\na,\"b\nc", Some(2)),
            ("a,5\" pipe\nb,\"", Some(10)),
            ("a,\"b\"\"\n\"\nc", Some(9)),
            ("a,\"b\"c\"\nd", Some(8)),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(last_record_end(text.as_bytes(), COMMAS), expected, "{text:?}");
        }
        assert_eq!(last_record_end(b"a\"\nb\"\nc", Layout::Json), Some(6));
        assert_eq!(last_record_end(b"a\rb", Layout::Csv { delimiter: b';', terminator: b'\r' }), Some(2));
    }

    fn records(bytes: &[u8]) -> Vec<csv::ByteRecord> {
        let mut csv = super::super::text::reader(b',', b'\n').from_reader(bytes);
        csv.byte_records().map(Result::unwrap).collect()
    }

    proptest! {
        /// Cutting where we say so never changes what the reader makes of a text, however odd its quotes are.
        #[test]
        fn cutting_between_records_changes_none(text in "[a,\"\n ]{0,60}", at in 0_usize..60) {
            let bytes = text.as_bytes();
            let end = last_record_end(&bytes[..at.min(bytes.len())], COMMAS).unwrap_or(0);
            let mut parts = records(&bytes[..end]);
            parts.extend(records(&bytes[end..]));
            prop_assert_eq!(parts, records(bytes));
        }
    }
}
