//! The sections on the log and on the question.

use crate::configuration::reference::{Range, Setting};

const STRING: &str = "string";
const STRINGS: &str = "string or list of strings";
const INTEGER: &str = "integer";
const NUMBER: &str = "number";
/// A column or an expression.
const MAPPING: &str = "string or `{ expr }`";

/// A day as text.
const DATE: Range = Range::Condition {
    words: "`YYYY-MM-DD` in 1900 to 2199",
    legal: &["\"1900-01-01\"", "\"2199-12-31\""],
    illegal: &["\"1899-12-31\"", "\"2200-01-01\"", "\"yesterday\""],
};

pub(super) const EVENTS: &[Setting] = &[
    Setting::new(
        "paths",
        STRINGS,
        "Files, folders or patterns, relative to the folder of the configuration: CSV, JSON Lines or Parquet, as they are or \
         compressed with gzip or zstd. `-` is standard input.",
    )
    .otherwise("required, unless the command line names files"),
    Setting::new("user", MAPPING, "The user's id.").otherwise("required, except for a roll-up"),
    Setting::new("time", MAPPING, "The time of the event.")
        .otherwise("required, except for a roll-up"),
    Setting::new(
        "time_format",
        STRING,
        "How times are written: `rfc3339`, `epoch_s`, `epoch_ms`, `epoch_us`, `epoch_ns`, or a pattern of strftime. Not used \
         for columns that hold dates or timestamps by their own type.",
    )
    .otherwise("ISO 8601; a time without an offset is local to `timezone`"),
    Setting::new("kind", MAPPING, "The kind of event.")
        .otherwise("all events are of the one kind in `churn.activity`"),
    Setting::new(
        "amount",
        MAPPING,
        "The amount of money, or any other quantity that adds up.",
    )
    .otherwise("there are no features of amounts"),
    Setting::new(
        "decimal",
        STRING,
        "What separates the fraction of amounts that are written as text. Once it is set, groups of three digits may be \
         separated too: `1.234,50` and `1 234,50`, or `1,234.50`.",
    )
    .otherwise("a point, and no groups")
    .range(Range::OneOf(&[".", ","])),
    Setting::new("timezone", STRING, "The IANA time zone whose days are counted.")
        .default("\"UTC\""),
    Setting::new(
        "on_bad_row",
        STRING,
        "What happens to rows that cannot be used: they are counted and the first ones shown, or the first one is an error.",
    )
    .default("\"report\"")
    .range(Range::OneOf(&["report", "fail"])),
    Setting::new(
        "max_rejected_share",
        NUMBER,
        "The largest share of rows that may be rejected for a model to be fitted, rows without a user apart.",
    )
    .unit("share of rows")
    .default("0.2")
    .range(Range::Closed(0.0, 1.0)),
    Setting::new(
        "max_rows_without_user_share",
        NUMBER,
        "The largest share of rows without a user for a model to be fitted.",
    )
    .unit("share of rows")
    .default("0.5")
    .range(Range::Closed(0.0, 1.0)),
    Setting::new("format", STRING, "The format of the files.")
        .otherwise("by their names and contents")
        .range(Range::OneOf(&["csv", "jsonl", "parquet", "rollup"])),
    Setting::new("delimiter", STRING, "What separates the columns of a text file.")
        .otherwise("a comma; a tab in `.tsv` files")
        .range(Range::Condition {
            words: "one ASCII character, `tab` or `whitespace`",
            legal: &["\";\"", "\"tab\"", "\"whitespace\""],
            illegal: &["\"ab\"", "'\"'", "\"\""],
        }),
    Setting::new(
        "columns",
        STRINGS,
        "The names of the columns of text files without a header line.",
    )
    .otherwise("the first line of each file"),
    Setting::new(
        "from",
        STRING,
        "The first day that the log covers; rows before it are set aside.",
    )
    .otherwise("by the log's own traffic")
    .range(DATE),
    Setting::new(
        "until",
        STRING,
        "The day after the last one that the log covers; rows from it on are set aside.",
    )
    .otherwise("by the log's own traffic")
    .range(DATE),
    Setting::new(
        "stray",
        STRING,
        "What happens to rows on days that the log does not cover.",
    )
    .default("\"set_aside\"")
    .range(Range::OneOf(&["set_aside", "keep", "fail"])),
    Setting::new(
        "hole",
        STRING,
        "What happens to days inside of the log that were not observed: no label window may overlap them, or their silence \
         counts, or they are an error.",
    )
    .default("\"exclude\"")
    .range(Range::OneOf(&["exclude", "keep", "fail"])),
    Setting::new(
        "escape",
        STRING,
        "What makes a quote inside of a quoted text part of it: a second quote or a backslash.",
    )
    .otherwise("by the beginning of each file")
    .range(Range::OneOf(&["\"", "\\"])),
    Setting::new(
        "max_record_bytes",
        INTEGER,
        "The longest record of a text file; a longer one is rejected.",
    )
    .unit("bytes")
    .default("1048576")
    .range(Range::IntegersFrom(1)),
    Setting::new(
        "max_record_lines",
        INTEGER,
        "The most lines of a record of a text file; a quoted text with more counts as one that is not closed.",
    )
    .unit("lines")
    .default("1000")
    .range(Range::IntegersFrom(1)),
];

pub(super) const CHURN: &[Setting] = &[
    Setting::new(
        "activity",
        STRINGS,
        "The kinds of events that count as staying.",
    )
    .range(Range::Condition {
        words: "at least one",
        legal: &["[\"visit\"]", "[\"visit\", \"purchase\"]"],
        illegal: &["[]"],
    }),
    Setting::new(
        "horizon_days",
        "integer or list of integers",
        "The horizons, each with a model of its own. Churn is no activity in as many days from the as-of day on.",
    )
    .unit("days")
    .range(Range::Condition {
        words: "at least one, each 1 to 3660",
        legal: &["[1]", "[30, 3660]"],
        illegal: &["[]", "[0]", "[30, 3661]"],
    }),
    Setting::new(
        "active_within_days",
        INTEGER,
        "Users with activity in the last so many days before a date are described and scored at that date.",
    )
    .unit("days")
    .range(Range::Integers(1, 36_600)),
    Setting::new(
        "lead_days",
        INTEGER,
        "Days between the as-of day and the start of the horizon, in which there is time to act.",
    )
    .unit("days")
    .default("0")
    .range(Range::Integers(0, 3_660)),
    Setting::new(
        "churn_event",
        STRING,
        "The kind of event that is churn, such as `cancellation`.",
    )
    .otherwise("churn is silence")
    .range(Range::Condition {
        words: "a kind that `activity` does not hold",
        legal: &["\"cancellation\""],
        illegal: &["\"purchase\""],
    }),
];
