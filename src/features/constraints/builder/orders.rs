//! Rules of features of orders.

use super::Builder;
use crate::features::Quantity;
use crate::features::constraints::rule::Rule;

impl Builder<'_> {
    /// The rules of one feature of orders.
    pub(super) fn order_feature(&mut self, feature: usize, quantity: Quantity) {
        use Quantity as Q;
        match quantity {
            Q::OrderDays => self.order_days(feature),
            Q::OrderRecency => {
                self.count(feature, 1.0);
                self.order(Some(feature), self.at(Q::OrderAge));
                self.order(self.at(Q::RecencyAny), Some(feature));
                if self.are_orders_active() {
                    self.order(self.at(Q::Recency), Some(feature));
                }
                self.needs(feature, Q::OrderDays, 1.0);
            }
            Q::OrderAge => {
                self.count(feature, 1.0);
                self.order(Some(feature), self.at(Q::Tenure));
                if self.are_orders_active() {
                    self.order(Some(feature), self.at(Q::ActiveAge));
                }
                self.needs(feature, Q::OrderDays, 1.0);
            }
            Q::OrderAmount => {
                self.range(feature, 0.0, f64::INFINITY);
                self.rule(self.at(Q::OrderDays).map(|days| Rule::Spent {
                    amount: feature,
                    days,
                }));
                self.amounts_of_activity(feature);
            }
            _ => {
                self.range(feature, 0.0, f64::INFINITY);
                self.needs(feature, Q::OrderDays, 2.0);
                let of = self.at(Q::OrderDays).zip(self.at(Q::OrderAmount));
                self.rule(of.map(|(days, whole)| Rule::RepeatAmount {
                    mean: feature,
                    days,
                    whole,
                }));
            }
        }
    }

    fn order_days(&mut self, feature: usize) {
        self.count(feature, 0.0);
        if self.are_orders_active() {
            self.order(Some(feature), self.at(Quantity::ActiveDays));
        }
        let ages = self
            .at(Quantity::OrderRecency)
            .zip(self.at(Quantity::OrderAge));
        let days = feature;
        self.rule(ages.map(|(recency, age)| Rule::Room { days, recency, age }));
        self.rule(ages.map(|(recency, age)| Rule::OneDay { days, recency, age }));
    }

    /// Where orders are made of activity, all of it, they leave out the days whose amounts are not above 0.
    fn amounts_of_activity(&mut self, orders: usize) {
        let schema = self.catalogue.schema();
        let all = schema.activity.iter();
        if self.are_orders_active() && all.clone().all(|kind| schema.value_kinds.contains(kind)) {
            self.order(self.at(Quantity::Amount), Some(orders));
            self.order(self.at(Quantity::AmountMax), Some(orders));
        }
    }

    /// Whether every day with an order is an active one.
    fn are_orders_active(&self) -> bool {
        let schema = self.catalogue.schema();
        let mut kinds = schema.value_kinds.iter();
        kinds.all(|kind| schema.activity.contains(kind))
    }
}
