//! Columns of orders: a bundle has them where it has value kinds, and its churn models do not weigh them.
//!
//! Churn models are fitted without these columns, so that `[value]` changes none of them by a single bit: not the order
//! of their sums, nor the rows that a fit starts from. Here they get their place among the columns of the bundle.

use std::ops::Range;

use super::transform::column;
use crate::features::Catalogue;
use crate::model::{ChurnModel, Column, Preprocessing};
use crate::train::data::context::TrainContext;
use crate::train::data::dataset::Dataset;
use crate::train::data::value_rows::ValueRows;

/// The columns of orders of a bundle: behind all other features, before the derived numbers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OrderColumns {
    places: Range<usize>,
    columns: Vec<Column>,
}

impl OrderColumns {
    /// How the rows' features of orders are standardised. `data` has all features of `catalogue`.
    pub(crate) fn fit(catalogue: &Catalogue, data: &Dataset) -> Self {
        let places = catalogue.orders();
        let features = &catalogue.features()[places.clone()];
        let columns = places.clone().zip(features);
        Self {
            columns: columns
                .map(|(place, f)| column(&f.name, f.scale, data.column(place)))
                .collect(),
            places,
        }
    }

    /// The preprocessing of a bundle, from that of its churn models.
    pub(crate) fn preprocessing(&self, of_churn: &Preprocessing) -> Preprocessing {
        let mut columns = of_churn.columns.clone();
        let first = self.places.start;
        columns.splice(first..first, self.columns.iter().cloned());
        Preprocessing {
            columns,
            bg_nbd: of_churn.bg_nbd,
        }
    }

    /// A churn model over the columns of the bundle: the weights of orders are 0.
    pub(crate) fn churn_model(&self, mut model: ChurnModel) -> ChurnModel {
        let Range { start, end } = self.places;
        let place = |column: usize| match column < start {
            true => column,
            false => column + (end - start),
        };
        let weights = std::iter::repeat_n(0.0, end - start);
        model.weights.splice(start..start, weights);
        for hinge in &mut model.expansion.hinges {
            hinge.column = place(hinge.column);
        }
        for pair in &mut model.expansion.interactions {
            (pair.first, pair.second) = (place(pair.first), place(pair.second));
        }
        model
    }
}

/// The columns and churn models of the bundle, which has features of orders where users have a value.
pub(crate) fn with_orders(
    ctx: &TrainContext<'_>,
    rows: Option<&ValueRows>,
    preprocessing: Preprocessing,
    models: Vec<ChurnModel>,
) -> (Preprocessing, Vec<ChurnModel>) {
    let Some(rows) = rows else {
        return (preprocessing, models);
    };
    let orders = OrderColumns::fit(&ctx.bundle_catalogue, &rows.data);
    let models = models.into_iter().map(|model| orders.churn_model(model));
    (orders.preprocessing(&preprocessing), models.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::{FeatureSchema, Scale};
    use crate::model::{Calibration, Expansion, Hinge, Interaction};

    fn catalogue(value_kinds: &[&str]) -> Catalogue {
        Catalogue::new(FeatureSchema {
            activity: vec!["purchase".into()],
            other_kinds: vec![],
            horizon_days: vec![30],
            amounts: true,
            seasonal_years: 0,
            lead_days: 0,
            value_kinds: value_kinds.iter().map(|kind| (*kind).to_owned()).collect(),
            attributes: Vec::new(),
        })
        .unwrap()
    }

    fn plain(name: &str) -> Column {
        Column {
            feature: name.to_owned(),
            scale: Scale::Log,
            mean: 0.0,
            std_dev: 1.0,
            clip_min: 0.0,
            clip_max: 9.0,
        }
    }

    /// Two rows with a value of its own in each column.
    fn rows(width: usize) -> Dataset {
        Dataset {
            width,
            raw: (0..2 * width).map(|k| k as f64).collect(),
            labels: vec![true, false],
            ..Dataset::default()
        }
    }

    #[test]
    fn columns_of_orders_get_their_place_and_no_weight() {
        let (churn, all) = (catalogue(&[]), catalogue(&["purchase"]));
        let (n, orders) = (churn.len(), all.orders());
        assert_eq!(orders, n..n + 5);
        let fitted = OrderColumns::fit(&all, &rows(all.len()));
        let mut columns: Vec<Column> = churn.features().iter().map(|f| plain(&f.name)).collect();
        columns.push(plain("derived"));
        let of_churn = Preprocessing {
            columns,
            bg_nbd: None,
        };
        let whole = fitted.preprocessing(&of_churn);
        let names: Vec<&str> = whole.columns.iter().map(|c| c.feature.as_str()).collect();
        let expected: Vec<&str> = all.features().iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names[..all.len()], expected);
        assert_eq!(names[all.len()..], ["derived"]);
        let first = &whole.columns[n];
        assert_eq!(first.clip_min, (n as f64).ln_1p(), "the first row's value");
        assert_eq!(first.clip_max, ((n + all.len()) as f64).ln_1p());
        let pair = Interaction {
            first: 0,
            second: n,
            mean: 0.0,
            std_dev: 1.0,
            clip_min: 0.0,
            clip_max: 1.0,
        };
        let hinge = |column| Hinge {
            column,
            knot: 0.0,
            mean: 0.0,
            std_dev: 1.0,
        };
        let model = ChurnModel {
            horizon_days: 30,
            intercept: 0.5,
            expansion: Expansion {
                hinges: vec![hinge(n - 1), hinge(n)],
                interactions: vec![pair],
            },
            weights: (0..n + 4).map(|k| k as f64 + 1.0).collect(),
            calibration: Calibration::IDENTITY,
        };
        let spread = fitted.churn_model(model.clone());
        assert_eq!(spread.weights[..n], model.weights[..n]);
        assert_eq!(spread.weights[n..n + 5], [0.0; 5]);
        assert_eq!(spread.weights[n + 5..], model.weights[n..]);
        let hinges = spread.expansion.hinges.iter().map(|h| h.column);
        assert!(hinges.eq([n - 1, n + 5]));
        let pair = spread.expansion.interactions[0];
        assert_eq!((pair.first, pair.second), (0, n + 5));
        // Without value kinds there is nothing to make room for.
        let none = OrderColumns::fit(&churn, &rows(n));
        assert_eq!(none.churn_model(model.clone()), model);
        assert_eq!(none.preprocessing(&of_churn), of_churn);
    }
}
