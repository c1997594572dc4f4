//! How often users are active: the laws of their counts and gaps by stage and tier, and where activity and churn turn.

use serde::{Deserialize, Serialize};

use super::{Day, Interval};

/// The laws of a card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LawsCard {
    /// The day at whose start users were put into strata, and from which on they were counted.
    pub from: Day,
    /// The day after the last one that was counted.
    pub until: Day,
    /// Strata of fewer users than this are withheld.
    pub min_users: u64,
    /// The most users of a stratum that laws are fitted on.
    pub sample_users: u64,
    /// The strata: each stage, then its tiers where there is a value model.
    pub strata: Vec<StratumCard>,
    /// Strata with users that are withheld, because they are too few, or because they would give such a one away.
    pub withheld: Vec<StratumName>,
    /// What is often said of frequency, held against the log.
    pub claims: Vec<ClaimCard>,
    /// Activity and churn by week of tenure, with their turning points.
    pub series: Vec<TenureCard>,
}

/// A stage, or a tier of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StratumName {
    /// The lifecycle stage.
    pub stage: String,
    /// The value tier; `None` for all users of the stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
}

/// The users of a stratum.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StratumCard {
    /// Which stratum.
    #[serde(flatten)]
    pub name: StratumName,
    /// How many users it has.
    pub users: u64,
    /// How many of them the laws were fitted on.
    pub fitted_users: u64,
    /// The law of their numbers of active days.
    pub counts: CountsCard,
    /// The law of the gaps between their active days; `None` where no gap ended.
    pub gaps: Option<GapsCard>,
}

/// A fitted law.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LawCard {
    /// Its name, such as `negative_binomial`.
    pub law: String,
    /// Its parameters.
    pub parameters: Vec<ParameterCard>,
    /// The logarithm of its likelihood.
    pub log_likelihood: f64,
    /// Akaike's information criterion: lower is better.
    pub aic: f64,
}

impl LawCard {
    /// The value of a parameter.
    pub fn parameter(&self, name: &str) -> Option<f64> {
        let mut parameters = self.parameters.iter();
        parameters.find(|p| p.name == name).map(|p| p.value)
    }
}

/// A parameter of a law.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParameterCard {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: f64,
}

/// The law of the number of active days in the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CountsCard {
    /// The mean number of active days.
    pub mean: f64,
    /// Their variance.
    pub variance: f64,
    /// The laws by AIC, the best first; none where all users have the same number of days.
    pub laws: Vec<LawCard>,
    /// The probability of a distance as large as that of the best law if it were true; above 0.05 it is adequate.
    pub p_adequate: Option<f64>,
    /// The power law of the largest numbers; `None` where no tail has enough users.
    pub tail: Option<TailCard>,
}

/// The power law of the tail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TailCard {
    /// The least number of active days of the tail.
    pub from: u64,
    /// How many users it has.
    pub users: u64,
    /// The exponent.
    pub exponent: f64,
    /// The distance of Kolmogorov and Smirnov.
    pub distance: f64,
    /// The power law against the log-normal law.
    pub log_normal: VuongCard,
    /// The power law against the exponential law.
    pub exponential: VuongCard,
}

/// Vuong's comparison of a power law with another law.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct VuongCard {
    /// Above 0 the power law is nearer to the data, in standard errors.
    pub z: f64,
    /// The probability of a `z` as far from 0 if both were equally near.
    pub p: f64,
}

/// The law of the days between active days.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GapsCard {
    /// Gaps that ended in the window.
    pub ended: u64,
    /// Gaps that were still open at its end, and are censored.
    pub open: u64,
    /// The laws by AIC, the best first.
    pub laws: Vec<LawCard>,
    /// The probability of a distance as large as that of the best law if it were true; `None` where it cannot be
    /// simulated.
    pub p_adequate: Option<f64>,
    /// The shape of the gamma law: 1 for returns at random, above for regular ones, below for clumpy ones.
    pub regularity: Option<Interval>,
    /// The shape of the Weibull law: below 1 silence makes a return less likely.
    pub weibull_shape: Option<Interval>,
}

/// A claim and what the log says to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClaimCard {
    /// Which claim.
    pub claim: Claim,
    /// The stage that it is about.
    pub stage: String,
    /// What became of it.
    pub finding: Finding,
    /// Why, in a sentence without its full stop.
    pub reason: String,
}

/// What is often said of frequency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// Early in their lifecycle the numbers of users' active days follow a Pareto distribution: a power law.
    EarlyPareto,
    /// Late in their lifecycle they follow a normal distribution.
    LateNormal,
}

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// The log speaks for it.
    Confirmed,
    /// The log speaks against it.
    Refuted,
    /// The log does not say.
    Undecided,
}

/// What is counted by week of tenure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TenureSeries {
    /// Active days of each user in the week.
    Activity,
    /// Users whose churn begins in the week, of those who had not churned before.
    Churn,
}

/// A rate by week of tenure. Week 1 holds a user's first active day and the six days after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TenureCard {
    /// What is counted.
    pub series: TenureSeries,
    /// The number of the first week.
    pub first_week: u32,
    /// Events in each week.
    pub events: Vec<u64>,
    /// Users who were observed over the week.
    pub users: Vec<u64>,
    /// The variance of the events is `mean + dispersion mean^2`; `None` where there are too few weeks for a turning point.
    pub dispersion: Option<f64>,
    /// The probability, if nothing changes, of a change as clear as the clearest.
    pub p_any: Option<f64>,
    /// The turning points, in order.
    pub points: Vec<TurningPointCard>,
}

/// A week at which a rate changes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TurningPointCard {
    /// The first week with the new rate.
    pub week: u32,
    /// The first week that is plausible for it.
    pub low: u32,
    /// The last one.
    pub high: u32,
    /// Events of a user and week before it.
    pub before: f64,
    /// The same after it.
    pub after: f64,
    /// The probability of a change as clear by chance, corrected for the number of points.
    pub p: f64,
}
