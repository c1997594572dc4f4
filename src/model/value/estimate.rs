//! What an estimate says.

use crate::model::Reason;

/// What is known of a user's value.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueEstimate<'m> {
    /// What the estimate rests on.
    pub status: ValueStatus,
    /// Days of the expected spend.
    pub horizon_days: u16,
    /// Expected spend within the horizon, in the currency; NaN where it is unknown, and so are all others.
    pub expected_spend: f64,
    /// The lower end of the interval of the spend.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// Margin times the discounted spend of all months to come.
    pub residual_value: f64,
    /// The part of it that a churn within the longest churn horizon would cost, times its probability.
    pub value_at_risk: f64,
    /// The probability that the user still orders at all, by Pareto/NBD.
    pub p_alive: f64,
    /// On how many days of the horizon the user is expected to order.
    pub expected_orders: f64,
    /// The tier, by its position in the bundle; `None` where the value is unknown.
    pub tier: Option<usize>,
    /// Its name.
    pub tier_name: &'m str,
    /// Recency, frequency and monetary scores; `None` where they are unknown.
    pub rfm: Option<Rfm>,
    /// What feature groups add to the logarithm of the spend by the regression, largest effect first; as many as were to be
    /// explained. Empty where the model has no regression.
    pub reasons: Vec<Reason<'m>>,
}

/// What an estimate rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueStatus {
    /// The user's own orders.
    Estimated,
    /// There is no order yet: the value of a new customer.
    NoSpend,
    /// A feature vector without the features of orders.
    Unknown,
}

/// Scores from 1, the lowest, to 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rfm {
    /// How lately the last order was.
    pub recency: u8,
    /// How many days with an order there were.
    pub frequency: u8,
    /// How much was spent in total.
    pub monetary: u8,
}

impl ValueEstimate<'_> {
    /// The answer for a feature vector without the features of orders.
    pub(crate) fn unknown(horizon_days: u16) -> Self {
        Self {
            status: ValueStatus::Unknown,
            horizon_days,
            expected_spend: f64::NAN,
            low: f64::NAN,
            high: f64::NAN,
            residual_value: f64::NAN,
            value_at_risk: f64::NAN,
            p_alive: f64::NAN,
            expected_orders: f64::NAN,
            tier: None,
            tier_name: "",
            rfm: None,
            reasons: Vec::new(),
        }
    }
}

impl Rfm {
    /// The three scores in their order, such as `5-4-3`.
    pub fn text(self) -> String {
        let Self {
            recency,
            frequency,
            monetary,
        } = self;
        format!("{recency}-{frequency}-{monetary}")
    }
}

/// What a contribution to the logarithm of a spend multiplies the spend by.
pub fn factor(contribution: f64) -> f64 {
    libm::exp(contribution)
}

/// Such a factor in words: `x 1.8`, and close to 1 with two decimals.
pub fn factor_words(contribution: f64) -> String {
    match factor(contribution) {
        factor if factor >= 9.95 => format!("x {factor:.0}"),
        factor if (0.9..1.1).contains(&factor) => format!("x {factor:.2}"),
        factor if factor >= 0.095 => format!("x {factor:.1}"),
        factor if factor >= 0.0095 => format!("x {factor:.2}"),
        _ => "x <0.01".to_owned(),
    }
}

impl ValueStatus {
    /// The status's name in files and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Estimated => "estimated",
            Self::NoSpend => "no_spend",
            Self::Unknown => "unknown",
        }
    }
}
