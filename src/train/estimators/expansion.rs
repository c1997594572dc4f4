//! Hinges and interactions of columns, from data.

use super::transform::{Matrix, Moments, moments};
use crate::features::{Catalogue, Quantity};
use crate::math::{evenly, quantile_sorted};
use crate::model::{Derived, Expansion, Hinge, Interaction, Preprocessing};

/// Hinges at these quantiles of every column that varies enough to have them.
const KNOTS: [f64; 3] = [0.25, 0.5, 0.75];

/// Rows from which hinges and interactions get their knots, means and ranges at most.
const EXPANSION_ROWS: usize = 20_000;

/// The hinges of the columns `hinge_columns` and the interactions of the columns `interaction_columns`, from standardised rows of `width` columns.
pub(crate) fn fit_expansion(
    z: &[f64],
    width: usize,
    hinge_columns: &[usize],
    interaction_columns: &[usize],
) -> Expansion {
    let rows = z.len() / width.max(1);
    let taken: Vec<usize> = evenly(rows, EXPANSION_ROWS).collect();
    let values = |column: usize| taken.iter().map(move |row| z[row * width + column]);
    let mut hinges = Vec::new();
    for &column in hinge_columns {
        let mut sorted: Vec<f64> = values(column).collect();
        sorted.sort_by(f64::total_cmp);
        let inside = |knot: &f64| sorted.first().is_some_and(|clip_min| clip_min < knot);
        let mut knots: Vec<f64> = KNOTS
            .iter()
            .filter_map(|q| quantile_sorted(&sorted, *q))
            .filter(inside)
            .collect();
        knots.dedup();
        for knot in knots {
            let Moments {
                mean,
                std_dev,
                clip_min,
                clip_max,
            } = moments(values(column).map(|z| (z - knot).max(0.0)));
            if clip_max - clip_min > 1e-9 {
                hinges.push(Hinge {
                    column,
                    knot,
                    mean,
                    std_dev,
                });
            }
        }
    }
    let mut interactions = Vec::new();
    for (k, &first) in interaction_columns.iter().enumerate() {
        for &second in &interaction_columns[k..] {
            let Moments {
                mean,
                std_dev,
                clip_min,
                clip_max,
            } = moments(values(first).zip(values(second)).map(|(a, b)| a * b));
            if clip_max - clip_min > 1e-9 {
                interactions.push(Interaction {
                    first,
                    second,
                    mean,
                    std_dev,
                    clip_min,
                    clip_max,
                });
            }
        }
    }
    Expansion {
        hinges,
        interactions,
    }
}

/// The hinges and interactions of a horizon's model, from rows of standardised columns.
pub(crate) fn expand(
    catalogue: &Catalogue,
    preprocessing: &Preprocessing,
    horizon_days: u16,
    standardised: &Matrix,
) -> Expansion {
    let hinges = hinge_columns(catalogue, preprocessing, horizon_days);
    let interactions = interaction_columns(catalogue, preprocessing, horizon_days);
    fit_expansion(
        &standardised.values,
        standardised.width,
        &hinges,
        &interactions,
    )
}

/// The hinges and interactions of a regression of spend, from rows of standardised columns of a catalogue with orders. Its
/// window may be longer than any horizon that the features were made for, so all columns have hinges.
pub(crate) fn expand_for_spend(
    catalogue: &Catalogue,
    preprocessing: &Preprocessing,
    standardised: &Matrix,
) -> Expansion {
    let hinges: Vec<usize> = (0..preprocessing.columns.len()).collect();
    let interactions = spend_interaction_columns(catalogue);
    fit_expansion(
        &standardised.values,
        standardised.width,
        &hinges,
        &interactions,
    )
}

/// Recency, frequency and age, of activity and of orders, and the amounts of orders, as far as a catalogue has them; of the
/// half-lives the longest, which is nearest to the window of the spend.
fn spend_interaction_columns(catalogue: &Catalogue) -> Vec<usize> {
    let half_lives = catalogue
        .features()
        .iter()
        .filter_map(|f| match f.quantity {
            Quantity::DecayedDays(half_life) => Some(half_life),
            _ => None,
        });
    let quantities = [
        Quantity::Recency,
        Quantity::ActiveDays,
        Quantity::Tenure,
        Quantity::OrderRecency,
        Quantity::OrderDays,
        Quantity::OrderAmount,
        Quantity::OrderRepeatAmount,
    ];
    let decayed = half_lives.max().map(Quantity::DecayedDays);
    let quantities = quantities.into_iter().chain(decayed);
    quantities.filter_map(|q| catalogue.position(q)).collect()
}

/// The columns that get hinges in the model of a horizon: all but those made for other horizons.
fn hinge_columns(
    catalogue: &Catalogue,
    preprocessing: &Preprocessing,
    horizon_days: u16,
) -> Vec<usize> {
    let h = horizon_days;
    let near = |w: u16| (h.div_ceil(4)..=h.saturating_mul(4)).contains(&w);
    let own = |quantity| match quantity {
        Quantity::ActiveDaysIn(w) | Quantity::EventsIn(w) | Quantity::AmountIn(w) => near(w),
        Quantity::DecayedDays(w) => {
            [h.div_ceil(2), h, h.saturating_mul(2), h.saturating_mul(4)].contains(&w)
        }
        Quantity::Trend(w, _) | Quantity::KindCountIn(_, w) => w == h,
        Quantity::ActiveDaysInSeason(season) => season.horizon_days().is_none_or(|w| w == h),
        _ => true,
    };
    let features = catalogue.features().iter().map(|f| own(f.quantity));
    let derived = preprocessing
        .derived(catalogue)
        .into_iter()
        .map(|d| !matches!(d, Derived::Silent(days) if days != h));
    features
        .chain(derived)
        .enumerate()
        .filter_map(|(column, own)| own.then_some(column))
        .collect()
}

/// The columns that get interactions: recency, frequency, age and rhythm, the things of which one changes what
/// another means.
fn interaction_columns(
    catalogue: &Catalogue,
    preprocessing: &Preprocessing,
    horizon_days: u16,
) -> Vec<usize> {
    let features = [
        Quantity::Recency,
        Quantity::ActiveDays,
        Quantity::Tenure,
        Quantity::GapMean,
        Quantity::DecayedDays(horizon_days),
        Quantity::RecencyShare,
        Quantity::Overdue,
    ];
    let silent = preprocessing
        .derived(catalogue)
        .iter()
        .position(|d| *d == Derived::Silent(horizon_days));
    let features = features.into_iter().filter_map(|q| catalogue.position(q));
    features
        .chain(silent.map(|k| catalogue.len() + k))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::FeatureSchema;
    use crate::model::BgNbd;
    use crate::train::data::dataset::Dataset;
    use crate::train::estimators::transform::fit_preprocessing;

    #[test]
    fn hinges_lie_inside_the_columns_that_have_an_inside() {
        // A ramp, a flag and a constant.
        let z: Vec<f64> = (0..100)
            .flat_map(|i| [f64::from(i) / 10.0, f64::from(i % 2), 4.0])
            .collect();
        let expansion = fit_expansion(&z, 3, &[0, 1, 2], &[0, 1]);
        let of = |column| {
            expansion
                .hinges
                .iter()
                .filter(|k| k.column == column)
                .map(|k| k.knot)
                .collect::<Vec<_>>()
        };
        assert_eq!(of(0).len(), 3);
        assert!(of(0).iter().all(|knot| (0.0..9.9).contains(knot)));
        assert!(
            of(1).iter().all(|knot| *knot < 1.0),
            "nothing lies above the top"
        );
        assert_eq!(of(2), [0.0; 0]);
        assert_eq!(expansion.interactions.len(), 3);
        let mut row = vec![9.9, 1.0, 4.0];
        expansion.extend(&mut row, 0);
        assert!(row.iter().all(|x| x.is_finite()));
    }

    #[test]
    fn a_horizon_has_hinges_on_what_is_its_own() {
        let schema = |horizon_days: &[u16]| FeatureSchema {
            activity: vec!["purchase".into()],
            other_kinds: vec!["visit".into()],
            horizon_days: horizon_days.to_vec(),
            amounts: true,
            seasonal_years: 0,
            lead_days: 0,
            value_kinds: Vec::new(),
        };
        let bare = Preprocessing {
            columns: Vec::new(),
            bg_nbd: Some(BgNbd {
                r: 1.0,
                alpha: 9.0,
                a: 1.0,
                b: 2.0,
            }),
        };
        let alone = Catalogue::new(schema(&[30])).unwrap();
        assert_eq!(
            hinge_columns(&alone, &bare, 30).len(),
            alone.len() + 3,
            "one horizon: everything"
        );
        let several = Catalogue::new(schema(&[14, 30, 90])).unwrap();
        let of = |h| hinge_columns(&several, &bare, h);
        let names = |h| {
            of(h)
                .iter()
                .filter_map(|c| Some(several.features().get(*c)?.name.clone()))
                .collect::<Vec<_>>()
        };
        assert!(
            names(30).contains(&"visit_count_30d".to_owned())
                && !names(90).contains(&"visit_count_30d".to_owned())
        );
        assert!([14, 30, 90].iter().all(
            |h| of(*h).len() < several.len() && names(*h).contains(&"recency_days".to_owned())
        ));
    }

    #[test]
    fn spend_has_hinges_on_all_columns_and_interactions_of_orders() {
        let schema = |value_kinds: &[&str]| FeatureSchema {
            activity: vec!["purchase".into()],
            other_kinds: vec![],
            horizon_days: vec![14, 30],
            amounts: true,
            seasonal_years: 0,
            lead_days: 0,
            value_kinds: value_kinds.iter().map(|kind| (*kind).to_owned()).collect(),
        };
        let catalogue = Catalogue::new(schema(&["purchase"])).unwrap();
        let width = catalogue.len();
        let data = Dataset {
            width,
            // Every column has values of its own.
            raw: (0..200 * width).map(|k| (k * k % 997) as f64).collect(),
            labels: vec![false; 200],
            ..Dataset::default()
        };
        let preprocessing = fit_preprocessing(&data, &catalogue, None);
        let rows = Matrix::new(&data, &catalogue, &preprocessing, &Expansion::default());
        let expansion = expand_for_spend(&catalogue, &preprocessing, &rows);
        let hinged = |column| expansion.hinges.iter().any(|hinge| hinge.column == column);
        assert!(catalogue.orders().all(hinged));
        let varied = (0..width)
            .filter(|k| preprocessing.columns[*k].clip_max > preprocessing.columns[*k].clip_min);
        assert!(varied.clone().count() > width / 2 && varied.clone().all(hinged));
        // Eight columns, each with itself and every other one.
        assert_eq!(expansion.interactions.len(), 8 * 9 / 2);
        let names = |catalogue: &Catalogue| -> Vec<String> {
            let columns = spend_interaction_columns(catalogue).into_iter();
            columns
                .map(|k| catalogue.features()[k].name.clone())
                .collect()
        };
        assert_eq!(
            names(&catalogue),
            [
                "recency_days",
                "active_days",
                "tenure_days",
                "recency_order_days",
                "order_days",
                "order_amount",
                "order_repeat_amount",
                "active_days_half_life_120d"
            ]
        );
        // Churn models have none of them: without value kinds there are no such columns.
        let churn = Catalogue::new(schema(&[])).unwrap();
        assert!(names(&churn).iter().all(|name| !name.contains("order")));
    }
}
