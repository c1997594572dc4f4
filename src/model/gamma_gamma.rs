//! Gamma-gamma: the mean amount of a user's orders, shrunk towards that of all users.

use serde::{Deserialize, Serialize};

/// The three parameters of the model.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GammaGamma {
    /// Shape of the amounts of one user.
    pub p: f64,
    /// Shape of the distribution of users' scales; above 1 for there to be a mean.
    pub q: f64,
    /// Its scale, in the currency.
    pub v: f64,
}
