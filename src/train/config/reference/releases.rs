//! The keys of `[[releases]]`.

use crate::configuration::reference::Setting;

pub(super) static RELEASES: &[Setting] = &[
    Setting::new(
        "day",
        "date",
        "The first day with the change, as a date or a text: `2026-03-01`. No day comes twice, and none lies after the log.",
    ),
    Setting::new("note", "string", "What changed, for readers.").otherwise("none"),
];
