//! How many users come back, by when they were first active.

use serde::{Deserialize, Serialize};

use crate::history::Day;

/// Users by the period of their first activity, and how many of them were active in each later one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Retention {
    /// The length of a period.
    pub period: Period,
    /// The cohorts, oldest first. The first one holds everybody who was already there when the log began.
    pub cohorts: Vec<Cohort>,
}

/// Users whose first activity fell into one period.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cohort {
    /// The first day of the period.
    pub from: Day,
    /// Users in the cohort.
    pub users: u64,
    /// How many of them were active in the period itself, the next one, and so on, as far as they were observed to
    /// their end.
    pub active: Vec<u64>,
}

/// What cohorts are counted in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// From Monday to Sunday.
    Week,
    /// A calendar month.
    #[default]
    Month,
    /// A calendar quarter.
    Quarter,
    /// A calendar year.
    Year,
}
