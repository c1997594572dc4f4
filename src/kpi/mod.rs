//! Key performance indicators of a log: by week, month or quarter, of everybody and of groups of users.
//!
//! [`compute`] goes once through all histories and returns [`Row`]s. Periods are half-open ranges of days. Users are grouped by
//! what was known of them before a period began. A figure that counts fewer users than [`Definitions::min_users`] is withheld.
//! `docs/kpi.md` defines every indicator.

mod bootstrap;
mod cell;
mod compute;
#[cfg(feature = "train")]
mod costs;
mod groups;
mod life;
mod lifecycle_rows;
mod money_rows;
mod period;
mod rows;
mod settings;
mod suppress;
mod survival;
#[cfg(test)]
mod tests;
mod text;

pub use compute::{
    Definitions, KpiError, KpiRequest, Observation, Report, Tally, cell_count, compute, report,
    tally,
};
#[cfg(feature = "train")]
pub use costs::{CostsError, read_costs};
pub use groups::SliceBy;
pub use money_rows::Costs;
pub use period::{Period, PeriodKind};
pub use rows::{Problem, Row};
pub use settings::{ActivationStep, CostsConfig, KpiConfig};
pub use text::table;
