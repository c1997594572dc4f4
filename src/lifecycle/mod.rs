//! What is asked of users ([`Question`]), who can be asked about ([`Eligibility`]), and where a user stands: exactly one [`Stage`], decided by the first
//! [`Rule`] that fires.
//!
//! Behaviour comes before tenure: a user who is leaving is `Churning` however new or old. The rules are pure
//! functions of a feature vector, so every way to name a user gives the same stage.

pub(crate) mod behaviour;
pub(crate) mod eligibility;
pub(crate) mod question;
pub(crate) mod stage;
pub(crate) mod state;
pub(crate) mod thresholds;

pub use behaviour::{Behaviour, FeaturePositions};
pub use eligibility::{Eligibility, NotEligible, is_inactive};
pub use question::Question;
pub use stage::{Rule, Stage, classify};
pub use state::{CHURNED, INACTIVE, NEW, state_outside, states};
pub use thresholds::{Thresholds, ThresholdsError};
