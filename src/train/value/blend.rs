//! The blend of the regression and of orders times amounts, and how it did on rows.

use super::orders::ByOrders;

/// What both models expect of a row, as logarithms of the spend in the learnt window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Expected {
    pub(super) log_regression: Option<f64>,
    pub(super) by_orders: ByOrders,
}

impl Expected {
    /// The logarithm of the blended spend: a geometric mean with the weight `share` of the regression. Of users without an
    /// order the regression alone says something, where there is one.
    pub(super) fn log_spend(&self, share: f64, new_customer: f64) -> f64 {
        match (self.log_regression, self.by_orders) {
            (Some(regression), ByOrders::Customer(orders)) => {
                share * regression + (1.0 - share) * orders
            }
            (Some(regression), ByOrders::NoOrder) => regression,
            (None, ByOrders::Customer(orders)) => orders,
            (None, ByOrders::NoOrder) => new_customer,
        }
    }
}
