//! The section on what is known of users beside the log.

use crate::configuration::reference::{Range, Setting};

const STRING: &str = "string";
const STRINGS: &str = "string or list of strings";

pub(super) const ATTRIBUTES: &[Setting] = &[
    Setting::new(
        "paths",
        STRINGS,
        "Files, folders or patterns, relative to the folder of the configuration: CSV or Parquet, as they are or compressed \
         with gzip or zstd.",
    )
    .range(Range::Condition {
        words: "at least one, and not `-`",
        legal: &["\"attributes.csv\""],
        illegal: &["[]", "\"-\""],
    }),
    Setting::new("user", STRING, "The column with the user's id, as in the log.").range(
        Range::Condition {
            words: "not empty",
            legal: &["\"user_id\""],
            illegal: &["\"\""],
        },
    ),
    Setting::new(
        "from",
        STRING,
        "The column with the day from which on the values of a row hold, until the user's next row. A value is seen from the \
         day after on. Required unless all columns are in `static`.",
    )
    .otherwise("all columns are in `static`"),
    Setting::new(
        "from_format",
        STRING,
        "How the days or times of `from` are written, as `events.time_format`.",
    )
    .otherwise("ISO 8601"),
    Setting::new(
        "columns",
        "table",
        "The columns that are weighed, and whether their values are categories or numbers: `{ plan = \"category\", age = \"number\" }`.",
    )
    .otherwise("there are none but those of `static`"),
    Setting::new(
        "static",
        STRINGS,
        "Columns that never change, such as a country: their values hold always. They are categories unless `columns` says \
         otherwise. Of several values of one user the greatest is used, and that is warned of.",
    )
    .otherwise("there are none"),
    Setting::new(
        "decimal",
        STRING,
        "What separates the fraction of numbers that are written as text, as `events.decimal`.",
    )
    .otherwise("a point, and no groups")
    .range(Range::OneOf(&[".", ","])),
    Setting::new("format", STRING, "The format of the files.")
        .otherwise("by their names and contents")
        .range(Range::OneOf(&["csv", "parquet"])),
    Setting::new(
        "delimiter",
        STRING,
        "What separates the columns of text files: one ASCII character, or `tab`.",
    )
    .otherwise("a comma, or a tab in `.tsv` files"),
    Setting::new(
        "escape",
        STRING,
        "What makes a quote inside of a quoted text part of it: a second quote, or a backslash.",
    )
    .otherwise("by the beginning of each file")
    .range(Range::OneOf(&["\"", "\\"])),
];
