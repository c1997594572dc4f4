//! What a table of attributes holds, and what of it could not be used.

use std::fmt;

use serde::Serialize;

use super::rejection::RejectionReason;
use super::report::{PLACES_SHOWN, RejectedRows, RowLocation};
use crate::math::thousands;

/// What a table of attributes holds, and what of it could not be used.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AttributesQuality {
    /// Rows read.
    pub rows: u64,
    /// Rows rejected, by reason; reasons without rows are left out.
    pub rejected: Vec<RejectedRows>,
    /// Rows on or after the as-of day, which were not kept.
    pub rows_after_as_of: u64,
    /// The columns with attributes.
    pub columns: Vec<AttributeColumnQuality>,
    /// Users of the log with a row.
    pub users: u64,
    /// Users with a row who are not among those of the log.
    pub users_not_in_log: u64,
    /// Columns that never change, of which some users have several values, with how many users; the greatest value is used.
    pub contradicted: Vec<(String, u64)>,
    /// Columns with days whose value changes of none of the users, with how many users have one.
    pub never_changed: Vec<(String, u64)>,
}

/// So few users may have a value each that never changes by chance.
const LEAST_UNCHANGED: u64 = 50;

/// One column of attributes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AttributeColumnQuality {
    /// The name.
    pub name: String,
    /// `category` or `number`.
    pub kind: &'static str,
    /// How many categories there are.
    pub categories: u64,
}

impl AttributesQuality {
    /// Counts a rejected row.
    pub(crate) fn reject(&mut self, reason: RejectionReason, place: RowLocation) {
        let rows = RejectedRows::of_reason(&mut self.rejected, reason);
        rows.rows += 1;
        if rows.first.len() < PLACES_SHOWN {
            rows.first.push(place);
        }
    }

    /// What a fit should be warned of.
    pub fn warnings(&self) -> Vec<String> {
        let contradicted = self.contradicted.iter().map(|(name, users)| {
            format!(
                "{} users have several values of the attribute `{name}`, which attributes.static says never changes: the greatest is used",
                thousands(*users)
            )
        });
        let many = |(_, users): &&(String, u64)| *users >= LEAST_UNCHANGED;
        let unchanged = self.never_changed.iter().filter(many).map(|(name, users)| {
            format!(
                "the attribute `{name}` changes of none of {} users: values that were filled in afterwards say what came later, and no \
                 check can see that. Give a history of changes, or name it in attributes.static if it never changes",
                thousands(*users)
            )
        });
        contradicted.chain(unchanged).collect()
    }
}

impl fmt::Display for AttributesQuality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |f: &mut fmt::Formatter<'_>, name: &str, count: u64, note: &str| {
            let text = format!("{name:<18}{:>15}   {note}", thousands(count));
            writeln!(f, "{}", text.trim_end())
        };
        let columns: Vec<String> = self
            .columns
            .iter()
            .map(|column| match column.kind {
                "category" => format!("{} ({} categories)", column.name, column.categories),
                kind => format!("{} ({kind})", column.name),
            })
            .collect();
        line(f, "attributes", self.rows, &columns.join(", "))?;
        line(f, "  users", self.users, "of the log have attributes")?;
        if self.users_not_in_log > 0 {
            line(
                f,
                "  not in the log",
                self.users_not_in_log,
                "users with attributes",
            )?;
        }
        if self.rows_after_as_of > 0 {
            line(
                f,
                "  later",
                self.rows_after_as_of,
                "rows on or after the as-of day, not used",
            )?;
        }
        for (name, users) in &self.contradicted {
            line(
                f,
                "  contradictions",
                *users,
                &format!("users with several values of {name}; the greatest is used"),
            )?;
        }
        Ok(())
    }
}
