//! From a user's orders and the regression's answer to an estimate.

use super::estimate::{Rfm, ValueEstimate, ValueStatus};
use super::orders::{OrderHistory, OrderPositions, Orders};
use super::residual::{DiscountedOrders, ResidualTime};
use super::{RfmCuts, SpendModel, ValueModel, ValueTier};
use crate::features::Catalogue;
use crate::model::pareto_nbd::OrderState;
use crate::model::predict::plan::CompiledModel;
use crate::model::{BundleSpec, Derived};

/// The most probable churn that a value at risk is computed with: what a user is worth in the other case follows from a value that
/// hardly contains it, the rarer it is. In simulations with known lives, values at risk up to here were those that came.
const MOST_CHURN: f64 = 0.9;

/// The least expected number of orders that an estimate is divided by.
pub(crate) const LEAST_ORDERS: f64 = 1e-12;

/// What an estimate looks up over and over; made once for each bundle.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ValuePlan {
    pub(crate) regression: Option<CompiledModel>,
    positions: OrderPositions,
    time: ResidualTime,
    lead_days: f64,
    /// Days from the as-of day to the end of the longest churn horizon.
    risk_days: f64,
    /// Whether churn is silence; else it is an event that nothing comes after.
    silence: bool,
}

/// An estimate before it is rounded up into an answer: the spend, and the orders that it is shared out by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spend {
    status: ValueStatus,
    state: OrderState,
    /// Expected spend within the learnt window, and within the horizon.
    learnt: f64,
    expected: f64,
    /// Spend for each expected order.
    per_order: f64,
}

impl ValuePlan {
    /// The plan of a bundle with a value model; `None` without one.
    pub(crate) fn new(
        spec: &BundleSpec,
        catalogue: &Catalogue,
        derived: &[Derived],
    ) -> Option<Self> {
        let model = spec.value.as_ref()?;
        let positions = OrderPositions::new(catalogue)?;
        let longest = spec.schema.horizon_days.last().copied().unwrap_or_default();
        let risk_days = f64::from(spec.lead_days) + f64::from(longest);
        let compiled = |regression: &super::SpendRegression| {
            CompiledModel::of_spend(regression, catalogue, derived)
        };
        Some(Self {
            regression: model.regression.as_ref().map(compiled),
            positions,
            time: ResidualTime::new(model, spec.lead_days, risk_days),
            lead_days: f64::from(spec.lead_days),
            risk_days,
            silence: spec.churn_event.is_none(),
        })
    }

    /// The expected spend of a user. `log_spend` is the regression's linear predictor, where there is one. `None` where the
    /// vector lacks the user's orders.
    pub(crate) fn spend(
        &self,
        model: &ValueModel,
        vector: &[f64],
        log_spend: Option<f64>,
    ) -> Option<Spend> {
        let (status, state, amount) = match self.positions.orders(vector) {
            Orders::Known(orders) => {
                let state = model.orders.state(&orders.counts);
                let amount = model.spend.amount(&orders);
                (ValueStatus::Estimated, state, amount)
            }
            Orders::None => {
                let state = model.orders.new_customer();
                (ValueStatus::NoSpend, state, model.spend.mean())
            }
            Orders::Unknown => return None,
        };
        let orders = |days: f64| {
            let before = state.expected_orders(self.lead_days);
            let until = state.expected_orders(self.lead_days + days);
            (until - before).max(LEAST_ORDERS)
        };
        let learnt = orders(f64::from(model.learnt_days));
        let by_orders = learnt * amount;
        let share = match status {
            // Pareto/NBD says when customers order again, not who becomes one.
            ValueStatus::NoSpend => 1.0,
            _ => model.regression_share,
        };
        let blend = match log_spend {
            Some(log_spend) => libm::exp(share * log_spend + (1.0 - share) * libm::log(by_orders)),
            None => by_orders,
        };
        let per_order = model.level * blend / learnt;
        let horizon = if model.horizon_days == model.learnt_days {
            learnt
        } else {
            orders(f64::from(model.horizon_days))
        };
        Some(Spend {
            status,
            state,
            learnt: per_order * learnt,
            expected: per_order * horizon,
            per_order,
        })
    }

    fn discounted(&self, spend: &Spend) -> DiscountedOrders {
        let silence_days = self.silence.then_some(self.risk_days);
        DiscountedOrders::new(&self.time, &spend.state, silence_days)
    }

    /// The residual value of a user.
    pub(crate) fn residual(&self, model: &ValueModel, spend: &Spend) -> f64 {
        model.margin * spend.per_order * self.time.orders(&spend.state)
    }

    /// The whole estimate. `churn` is the churn probability of the longest horizon; the tier is that of the value itself.
    pub(crate) fn estimate<'m>(
        &self,
        model: &'m ValueModel,
        vector: &[f64],
        spend: Option<Spend>,
        churn: f64,
    ) -> ValueEstimate<'m> {
        let Some(spend) = spend else {
            return ValueEstimate::unknown(model.horizon_days);
        };
        let orders = self.discounted(&spend);
        let residual_value = model.margin * spend.per_order * orders.all;
        let churn = churn.min(MOST_CHURN);
        let (low, high) = model.intervals.of(spend.learnt);
        let longer = spend.expected / spend.learnt;
        let tier = tier_of(&model.tiers, residual_value);
        let until = self.lead_days + f64::from(model.horizon_days);
        let before = spend.state.expected_orders(self.lead_days);
        let rfm = match self.positions.orders(vector) {
            Orders::Known(orders) => Some(model.rfm.of(&orders)),
            _ => None,
        };
        ValueEstimate {
            status: spend.status,
            horizon_days: model.horizon_days,
            expected_spend: spend.expected,
            low: low * longer,
            high: high * longer,
            residual_value,
            value_at_risk: orders.at_risk(residual_value, churn),
            p_alive: spend.state.p_alive(),
            expected_orders: spend.state.expected_orders(until) - before,
            tier: Some(tier),
            tier_name: &model.tiers[tier].name,
            rfm,
            reasons: Vec::new(),
        }
    }
}

impl SpendModel {
    /// The expected amount of an order of a user who has some.
    pub(crate) fn amount(&self, orders: &OrderHistory) -> f64 {
        match self {
            Self::Mean(mean) => *mean,
            Self::GammaGamma(model) => {
                let repeats = f64::from(orders.counts.frequency());
                let mean = if repeats > 0.0 {
                    orders.repeat_amount
                } else {
                    0.0
                };
                model.expected_amount(repeats, mean)
            }
        }
    }

    /// The mean amount of an order of all users.
    pub(crate) fn mean(&self) -> f64 {
        match self {
            Self::Mean(mean) => *mean,
            Self::GammaGamma(model) => model.population_mean(),
        }
    }
}

/// The highest tier whose bound a residual value reaches.
pub(crate) fn tier_of(tiers: &[ValueTier], residual_value: f64) -> usize {
    let reached = tiers.iter().position(|tier| residual_value >= tier.from);
    reached.unwrap_or(tiers.len() - 1)
}

impl RfmCuts {
    /// The scores of a user with orders.
    pub(crate) fn of(&self, orders: &OrderHistory) -> Rfm {
        let above = |cuts: &[f64], value: f64| cuts.partition_point(|cut| *cut < value) as u8;
        let days = f64::from(orders.counts.frequency()) + 1.0;
        Rfm {
            recency: 5 - above(&self.recency_days, orders.recency_days),
            frequency: 1 + above(&self.orders, days),
            monetary: 1 + above(&self.amount, orders.amount),
        }
    }
}
