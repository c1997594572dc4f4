use std::collections::BTreeMap;

/// The order of features of the models that have answered by each name or label since the start.
///
/// A matrix without a feature hash is read in the model's order. That is safe only while there has been one order.
#[derive(Debug, Default)]
pub(crate) struct FeatureOrders(BTreeMap<String, FeatureOrder>);

#[derive(Debug)]
struct FeatureOrder {
    feature_hash: String,
    has_changed: bool,
}

impl FeatureOrders {
    /// Notes the order of the model that answers by this name or label from now on.
    pub(crate) fn follow(&mut self, name: &str, feature_hash: &str) {
        let order = self.0.get(name);
        if order.is_some_and(|order| order.feature_hash == feature_hash) {
            return;
        }
        let order = FeatureOrder {
            feature_hash: feature_hash.to_owned(),
            has_changed: order.is_some(),
        };
        self.0.insert(name.to_owned(), order);
    }

    /// Whether there has been more than one order under this name or label.
    pub(crate) fn has_changed(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|order| order.has_changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_that_changed_once_has_changed_for_ever() {
        let mut orders = FeatureOrders::default();
        orders.follow("stable", "a");
        orders.follow("stable", "a");
        assert!(!orders.has_changed("stable") && !orders.has_changed("canary"));
        orders.follow("stable", "b");
        orders.follow("stable", "a");
        orders.follow("stable", "a");
        assert!(orders.has_changed("stable"));
    }
}
