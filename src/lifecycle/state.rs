//! Where users stand: their stages, and the states of those who have none.

use super::{NotEligible, Stage};

/// Users not yet active.
pub const NEW: &str = "new";
/// Users whose last activity is too long ago.
pub const INACTIVE: &str = "inactive";
/// Users for whom the churn event has happened.
pub const CHURNED: &str = "churned";

/// The names of all states, in the order of a user's way through them.
pub fn states() -> impl Iterator<Item = &'static str> {
    std::iter::once(NEW)
        .chain(Stage::ALL.map(Stage::name))
        .chain([INACTIVE, CHURNED])
}

/// The state of a user who cannot be asked about.
pub fn state_outside(reason: NotEligible) -> &'static str {
    match reason {
        NotEligible::NotYetSeen | NotEligible::NoActivity => NEW,
        NotEligible::Inactive => INACTIVE,
        // Nobody has converted where churn is asked about.
        NotEligible::AlreadyChurned | NotEligible::AlreadyConverted => CHURNED,
    }
}
