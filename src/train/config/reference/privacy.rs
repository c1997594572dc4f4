//! The section on what may be published about groups of users.

use crate::configuration::reference::{Range, Setting};

pub(super) const PRIVACY: &[Setting] = &[Setting::new(
    "min_users",
    "integer",
    "The fewest users that a published cell may count. A cell with fewer is withheld, and the number of withheld cells is said.",
)
.unit("users")
.default("10")
.range(Range::Integers(2, 1_000_000))];
