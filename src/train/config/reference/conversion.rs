//! The section on potential users.

use crate::configuration::reference::{Range, Setting};

pub(super) const CONVERSION: &[Setting] = &[
    Setting::new(
        "event",
        "string or list of strings",
        "The kinds of events of which any is conversion. A potential user has none of them before the date.",
    )
    .range(Range::Condition {
        words: "at least one, each once",
        legal: &["\"purchase\"", "[\"purchase\", \"subscribe\"]"],
        illegal: &["[]", "[\"purchase\", \"purchase\"]"],
    }),
    Setting::new(
        "horizon_days",
        "integer or list of integers",
        "Over how many days conversion is predicted, from the date plus `churn.lead_days` on.",
    )
    .unit("days")
    .default("[30]")
    .range(Range::Condition {
        words: "one or more, each 1 to 3660",
        legal: &["1", "[30, 3660]"],
        illegal: &["0", "3661", "[]"],
    }),
    Setting::new(
        "within_days",
        "integer",
        "Potential users are asked about for so many days after their last event.",
    )
    .unit("days")
    .default("180")
    .range(Range::Integers(1, 36_600)),
    Setting::new(
        "repeat",
        "boolean",
        "Whether users are asked about, too, whose last conversion is longer ago than `within_days`.",
    )
    .default("false"),
];
