//! The daily roll-up as Parquet: the contract between Ebb and SQL engines.
//!
//! One row for each user, day and kind, which any engine writes with one `GROUP BY`:
//!
//! | column | type | meaning |
//! | --- | --- | --- |
//! | `user` | text or number | the user's id |
//! | `day` | date, `YYYY-MM-DD` text, or timestamp at midnight | the day in the log's time zone, in the years 1900 to 2199 |
//! | `kind` | text | the kind of event |
//! | `count` | integer of any type, at least 1 | how many events |
//! | `amount` | double, float, decimal or integer; null is 0; the column may be absent | the sum of their amounts |
//!
//! Several rows for one user, day and kind add up, so partial roll-ups of one log can lie side by side.

pub(crate) mod index;
pub(crate) mod read;
pub(crate) mod row_groups;
pub(crate) mod rows;
#[cfg(test)]
mod tests;
pub(crate) mod write;

use std::path::Path;

#[cfg(feature = "train")]
pub(crate) use index::INDEX_FILE;
pub use index::open::{IndexError, RollupIndex};
pub use read::{RollupRead, StrayRows, read_rollup};
#[cfg(feature = "train")]
pub(crate) use read::{check_complete, read_rollup_file};
pub use write::{RollupWritten, rollup_destination, write_rollup, write_rollup_observed};

/// The columns a roll-up must have.
pub(crate) const REQUIRED: [&str; 4] = ["user", "day", "kind", "count"];

/// The column a roll-up may have.
pub(crate) const AMOUNT: &str = "amount";

/// The partition and partition count in a name such as `part-00000-of-00004.parquet`.
fn part_of_name(name: &str) -> Option<(usize, usize)> {
    let (part, of) = name
        .strip_prefix("part-")?
        .strip_suffix(".parquet")?
        .split_once("-of-")?;
    let five_digits = |text: &str| text.len() == 5 && text.bytes().all(|b| b.is_ascii_digit());
    (five_digits(part) && five_digits(of)).then_some((part.parse().ok()?, of.parse().ok()?))
}

/// The partition and partition count in the name of a file.
pub(crate) fn part_of_path(path: &Path) -> Option<(usize, usize)> {
    part_of_name(path.file_name()?.to_str()?)
}

/// The name of partition `part` of `of`.
fn part_name(part: usize, of: usize) -> String {
    format!("part-{part:05}-of-{of:05}.parquet")
}
