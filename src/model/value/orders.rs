//! What an estimate reads of a feature vector: the orders of one user.

use crate::features::{Catalogue, Quantity};
use crate::model::Purchases;
use crate::model::bg_nbd::MOST_ACTIVE_DAYS;

/// The positions of the features of orders in a vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OrderPositions {
    days: usize,
    recency: usize,
    age: usize,
    amount: usize,
    repeat_amount: usize,
}

/// The orders of one user, as far as a feature vector has them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Orders {
    /// At least one.
    Known(OrderHistory),
    /// None yet.
    None,
    /// The vector lacks them, or they contradict each other.
    Unknown,
}

/// The orders of a user who has some.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct OrderHistory {
    /// Days with an order after the first one, the days to the last one and since the first one.
    pub(crate) counts: Purchases,
    /// Days since the last order.
    pub(crate) recency_days: f64,
    /// Total amount.
    pub(crate) amount: f64,
    /// Mean amount of the days with an order after the first one; NaN where there is none.
    pub(crate) repeat_amount: f64,
}

impl OrderPositions {
    /// The positions in a catalogue; `None` where it has no orders.
    pub(crate) fn new(catalogue: &Catalogue) -> Option<Self> {
        Some(Self {
            days: catalogue.position(Quantity::OrderDays)?,
            recency: catalogue.position(Quantity::OrderRecency)?,
            age: catalogue.position(Quantity::OrderAge)?,
            amount: catalogue.position(Quantity::OrderAmount)?,
            repeat_amount: catalogue.position(Quantity::OrderRepeatAmount)?,
        })
    }

    /// The orders that a vector describes.
    pub(crate) fn orders(&self, vector: &[f64]) -> Orders {
        let days = vector[self.days];
        if days == 0.0 {
            return Orders::None;
        }
        let (recency_days, age, amount) =
            (vector[self.recency], vector[self.age], vector[self.amount]);
        let repeat_amount = vector[self.repeat_amount];
        let again = (days - 1.0).round().clamp(0.0, f64::from(MOST_ACTIVE_DAYS)) as u32;
        let lacks = days.is_nan() || recency_days.is_nan() || age.is_nan() || amount.is_nan();
        if lacks || (again > 0 && repeat_amount.is_nan()) {
            return Orders::Unknown;
        }
        let last_day = if again == 0 { 0.0 } else { age - recency_days };
        match Purchases::new(again, last_day, age) {
            Some(counts) => Orders::Known(OrderHistory {
                counts,
                recency_days,
                amount,
                repeat_amount,
            }),
            None => Orders::Unknown,
        }
    }
}
