//! Patterns of times that are tried on the values of a column.

use std::sync::LazyLock;

/// A pattern that is tried.
pub(super) struct Pattern {
    pub(super) format: String,
    /// The same with day and month exchanged.
    pub(super) swapped: Option<String>,
    /// Marks that a text must have.
    marks: Vec<char>,
    pub(super) has_clock: bool,
    pub(super) is_instant: bool,
}

impl Pattern {
    pub(super) fn may_read(&self, text: &str) -> bool {
        self.marks.iter().all(|mark| text.contains(*mark))
    }
}

/// All patterns.
pub(super) static PATTERNS: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    let clocks = [
        "",
        " %H:%M",
        " %H:%M:%S",
        " %H:%M:%S%.f",
        " %I:%M %p",
        " %I:%M:%S %p",
        " %I:%M%p",
        "T%H:%M:%S",
        ", %H:%M",
        ", %H:%M:%S",
        ", %I:%M %p",
        ", %I:%M:%S %p",
        ":%H:%M:%S",
        " at %H:%M",
        " %H.%M",
    ];
    let zones = ["", " %z", "%z", " UTC", " GMT", "Z"];
    let mut patterns = Vec::new();
    for (date, swapped, marks) in dates() {
        for clock in clocks {
            for zone in zones
                .iter()
                .filter(|zone| zone.is_empty() || !clock.is_empty())
            {
                let mut marks = marks.clone();
                if clock.contains(':') {
                    marks.push(':');
                }
                patterns.push(Pattern {
                    format: format!("{date}{clock}{zone}"),
                    swapped: swapped.as_ref().map(|date| format!("{date}{clock}{zone}")),
                    marks,
                    has_clock: !clock.is_empty(),
                    is_instant: !zone.is_empty(),
                });
            }
        }
    }
    for (format, is_instant) in [
        ("%a %b %d %H:%M:%S %Y", false),
        ("%a %b %d %H:%M:%S %z %Y", true),
        ("%a %b %d %H:%M:%S %Z %Y", true),
        ("%a %b %d %Y %H:%M:%S", false),
        ("%H:%M:%S %d.%m.%Y", false),
        ("%H:%M %d.%m.%Y", false),
    ] {
        patterns.push(Pattern {
            format: format.to_owned(),
            swapped: None,
            marks: vec![':'],
            has_clock: true,
            is_instant,
        });
    }
    patterns
});

/// Dates, the same with day and month exchanged, and the marks that they need.
fn dates() -> Vec<(String, Option<String>, Vec<char>)> {
    let mut dates = Vec::new();
    for mark in ['.', '/', '-'] {
        for (one, other) in [("d", "m"), ("m", "d")] {
            for year in ["Y", "y"] {
                let date = |one: &str, other: &str| format!("%{one}{mark}%{other}{mark}%{year}");
                dates.push((date(one, other), Some(date(other, one)), vec![mark]));
            }
        }
        dates.push((format!("%Y{mark}%m{mark}%d"), None, vec![mark]));
    }
    for date in [
        "%d %b %Y",
        "%d-%b-%Y",
        "%d-%b-%y",
        "%d/%b/%Y",
        "%b %d, %Y",
        "%b %d %Y",
        "%B %d, %Y",
        "%d %B %Y",
        "%a, %d %b %Y",
        "%a, %b %d, %Y",
        "%A, %B %d, %Y",
        "%A, %d %B %Y",
        "%d %b %y",
        "%d. %b %Y",
        "%Y %b %d",
        "%Y-%b-%d",
    ] {
        let marks = date
            .chars()
            .filter(|c| matches!(c, ',' | '/' | '-'))
            .take(1)
            .collect();
        dates.push((date.to_owned(), None, marks));
    }
    dates
}
