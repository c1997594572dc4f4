//! Orders and their amounts, as they were known at a day.

use crate::card::{OrdersCard, SpendCard};
use crate::features::{Extractor, Quantity};
use crate::history::Day;
use crate::model::value::orders::{OrderHistory, OrderPositions, Orders};
use crate::model::value::scorer::LEAST_ORDERS;
use crate::model::{ParetoNbd, Purchases, SpendModel};
use crate::train::TrainError;
use crate::train::data::context::TrainContext;
use crate::train::estimators::gamma_gamma::OrderAmounts;
use crate::train::estimators::{bg_nbd, gamma_gamma, pareto_nbd};

/// How many customers a fit looks at; a part of more, taken evenly.
const MOST_CUSTOMERS: usize = bg_nbd::MOST_CUSTOMERS;

/// The features of orders.
pub(super) const ORDER_QUANTITIES: [Quantity; 5] = [
    Quantity::OrderDays,
    Quantity::OrderRecency,
    Quantity::OrderAge,
    Quantity::OrderAmount,
    Quantity::OrderRepeatAmount,
];

/// When users order and for how much, by orders alone.
#[derive(Clone, Debug)]
pub(super) struct OrderModels {
    pub(super) orders: ParetoNbd,
    pub(super) spend: SpendModel,
    positions: OrderPositions,
    lead_days: f64,
    learnt_days: f64,
}

/// What the card says of them.
#[derive(Clone, Debug)]
pub(super) struct OrderCards {
    pub(super) orders: OrdersCard,
    pub(super) spend: SpendCard,
}

/// What orders alone say of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum ByOrders {
    /// The logarithm of the spend that is expected in the learnt window.
    Customer(f64),
    /// The user has not ordered yet.
    NoOrder,
}

/// The orders of all users that had ordered before a day.
pub(super) fn orders_before(
    ctx: &TrainContext<'_>,
    as_of: Day,
) -> Result<Vec<OrderHistory>, TrainError> {
    let positions = positions(ctx);
    let extractor =
        Extractor::new(&ctx.bundle_catalogue, ctx.histories.kinds()).only(&ORDER_QUANTITIES);
    let looked_at = ctx.histories.evenly(2 * MOST_CUSTOMERS, |history| {
        let mut raw = vec![f64::NAN; ctx.bundle_catalogue.len()];
        extractor.clone().extract(history, as_of, &mut raw);
        match positions.orders(&raw) {
            Orders::Known(orders) => Some(orders),
            Orders::None | Orders::Unknown => None,
        }
    })?;
    Ok(looked_at.into_iter().flatten().collect())
}

#[expect(
    clippy::expect_used,
    reason = "the catalogue of a fit with a value table has the features of orders"
)]
fn positions(ctx: &TrainContext<'_>) -> OrderPositions {
    OrderPositions::new(&ctx.bundle_catalogue).expect("features of orders are in the catalogue")
}

impl OrderModels {
    /// Fits both models on what was known at a day.
    pub(super) fn fit(
        ctx: &TrainContext<'_>,
        as_of: Day,
        learnt_days: u16,
    ) -> Result<(Self, OrderCards), TrainError> {
        let customers = orders_before(ctx, as_of)?;
        let counts: Vec<Purchases> = customers.iter().map(|orders| orders.counts).collect();
        let fitted = pareto_nbd::fit(&counts)?;
        let amounts: Vec<OrderAmounts> = customers.iter().filter_map(amounts).collect();
        let spend = gamma_gamma::fit(&amounts)?;
        let models = Self {
            orders: fitted.params,
            spend: spend.model,
            positions: positions(ctx),
            lead_days: f64::from(ctx.config.churn.lead_days),
            learnt_days: f64::from(learnt_days),
        };
        let orders = OrdersCard {
            customers: fitted.customers as u64,
            repeaters: fitted.repeaters as u64,
            r: fitted.params.r,
            alpha: fitted.params.alpha,
            s: fitted.params.s,
            beta: fitted.params.beta,
            log_likelihood: fitted.log_likelihood,
            dropout_found: fitted.dropout_found,
        };
        let spend = SpendCard {
            gamma_gamma: matches!(spend.model, SpendModel::GammaGamma(_)),
            parameters: spend.gamma_gamma.map(|model| [model.p, model.q, model.v]),
            mean: spend.mean,
            repeaters: spend.repeaters as u64,
            correlation: spend.correlation,
            reason: spend.reason,
        };
        let cards = OrderCards { orders, spend };
        Ok((models, cards))
    }

    /// What orders alone say of a row's raw features.
    pub(super) fn of(&self, raw: &[f64]) -> ByOrders {
        let Orders::Known(orders) = self.positions.orders(raw) else {
            return ByOrders::NoOrder;
        };
        let state = self.orders.state(&orders.counts);
        let until = state.expected_orders(self.lead_days + self.learnt_days);
        let before = state.expected_orders(self.lead_days);
        let orders_to_come = (until - before).max(LEAST_ORDERS);
        ByOrders::Customer(libm::log(orders_to_come * self.spend.amount(&orders)))
    }
}

impl OrderModels {
    /// What a row's user would spend in the learnt window at the rate since the first order, counted over no fewer days than it
    /// has; 0 without an order.
    pub(super) fn past_rate(&self, raw: &[f64]) -> f64 {
        match self.positions.orders(raw) {
            Orders::Known(orders) => {
                let days = orders.counts.age_days().max(self.learnt_days);
                orders.amount * self.learnt_days / days
            }
            Orders::None | Orders::Unknown => 0.0,
        }
    }

    /// The logarithm of the spend of a new customer in the learnt window.
    pub(super) fn new_customer(&self) -> f64 {
        let orders = self
            .orders
            .expected_of_new(self.lead_days + self.learnt_days)
            - self.orders.expected_of_new(self.lead_days);
        libm::log(orders.max(LEAST_ORDERS) * self.spend.mean())
    }
}

fn amounts(orders: &OrderHistory) -> Option<OrderAmounts> {
    let days = f64::from(orders.counts.frequency()) + 1.0;
    OrderAmounts::new(days, orders.amount, orders.repeat_amount)
}
