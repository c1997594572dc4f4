//! Notes on what the log covers.

use super::snapshots::Observed;
use crate::history::{Coverage, Day};

/// A note on an end of the log before the as-of day, and one for each hole.
/// `feed` are the events that labels are made of.
pub(crate) fn coverage_notes(
    coverage: &Coverage,
    observed: &Observed,
    as_of: Day,
    feed: &str,
) -> Vec<String> {
    let mut notes = Vec::new();
    if observed.until < as_of {
        let last = observed.until.plus(-1);
        let what = if observed.until < coverage.span.until {
            feed
        } else {
            "The log"
        };
        notes.push(format!(
            "{what} ends on {last}; labels count as observed up to then, not up to {as_of}."
        ));
    }
    for hole in &coverage.holes {
        let (from, last, days) = (hole.days.from, hole.days.until.plus(-1), hole.days.days());
        notes.push(format!(
            "The {days} days from {from} to {last} were not observed: some {:.0} users were to be expected. Label windows \
             that overlap them do not count. If the business was closed, set events.hole = \"keep\".",
            hole.expected_users
        ));
    }
    notes
}
