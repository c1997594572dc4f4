//! Where records of a text end, so that a file can be cut between them.

use super::chunks::Layout;
use super::csv_record::Found;
use crate::events::config::RecordLimits;

/// Where a text can be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Here, behind whole records.
    At(usize),
    /// More bytes are needed.
    NotYet,
    /// The first record is beyond the limits, and its line goes on behind these bytes.
    TooLong,
}

/// Where to cut `bytes`, which begin with a record and don't end the text: behind as many records as possible.
///
/// Both parts are read like the whole: what decides on a record lies before its end, and a quote that is open by mistake
/// is also open where the text ends sooner.
pub(crate) fn cut(bytes: &[u8], layout: Layout, limits: RecordLimits) -> Cut {
    let last_end = |bytes| memchr::memrchr(layout.terminator(), bytes).map(|at| at + 1);
    let quote = memchr::memchr(b'"', bytes);
    let (Layout::Csv(csv), Some(quote)) = (layout, quote) else {
        return match last_end(bytes) {
            Some(end) => Cut::At(end),
            None if bytes.len() > limits.bytes => Cut::TooLong,
            None => Cut::NotYet,
        };
    };
    // Lines before the first quote are records.
    let mut end = bytes.get(..quote).and_then(last_end).unwrap_or(0);
    let mut is_too_long = false;
    while let Some(found) = csv.find(bytes, end, false) {
        match found {
            Found::Record { next, .. }
            | Found::OpenQuote { next, .. }
            | Found::TooLong { next: Some(next) } => end = next,
            Found::TooLong { next: None } => {
                is_too_long = true;
                break;
            }
        }
    }
    match end {
        0 if is_too_long => Cut::TooLong,
        0 => Cut::NotYet,
        end => Cut::At(end),
    }
}
