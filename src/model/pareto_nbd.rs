//! Pareto/NBD: from how often and how lately a user ordered, whether the user is still there and how much is to come.

use serde::{Deserialize, Serialize};

/// The four parameters of the model, time in days.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParetoNbd {
    /// Shape of the gamma distribution of order rates among users.
    pub r: f64,
    /// Its inverse scale, in days: the mean rate is `r / alpha` orders a day.
    pub alpha: f64,
    /// Shape of the gamma distribution of drop-out rates among users.
    pub s: f64,
    /// Its inverse scale, in days.
    pub beta: f64,
}
