//! What each column does in a fitted model.

use super::training_rows::TrainingRows;
use crate::card::EffectCard;
use crate::features::Catalogue;
use crate::model::{ChurnModel, Preprocessing};

/// What one standard deviation of each column adds to the log-odds, on average over the users of the newest date:
/// with hinges and interactions in a model it is not the same for every user. Largest effect first.
pub(crate) fn effects(
    catalogue: &Catalogue,
    preprocessing: &Preprocessing,
    model: &ChurnModel,
    rows: &TrainingRows<'_>,
) -> Vec<EffectCard> {
    let slopes = average_slopes(preprocessing.columns.len(), model, rows);
    let features = catalogue
        .features()
        .iter()
        .map(|f| (f.name.clone(), f.description.clone(), f.group));
    let derived = preprocessing.derived(catalogue);
    let derived = derived
        .iter()
        .map(|d| (d.name(), d.description(), d.group()));
    let mut effects: Vec<EffectCard> = features
        .chain(derived)
        .zip(slopes)
        .map(|((feature, description, group), slope)| EffectCard {
            feature,
            description,
            group,
            standardized_effect: slope,
        })
        .collect();
    let size = |effect: &EffectCard| effect.standardized_effect.abs();
    effects.sort_by(|a, b| size(b).total_cmp(&size(a)));
    effects
}

/// The slope of each column's contribution through the origin: least squares over the users of the newest date.
fn average_slopes(columns: usize, model: &ChurnModel, rows: &TrainingRows<'_>) -> Vec<f64> {
    let (mut products, mut squares) = (vec![0.0; columns], vec![0.0; columns]);
    let newest = rows.data.dates.iter().max();
    let dates = rows.data.dates.iter().enumerate();
    for (row, _) in dates.filter(|(_, date)| Some(*date) == newest) {
        let z = &rows.matrix.row(row)[..columns];
        for ((k, contribution), z) in model.contributions(z).into_iter().enumerate().zip(z) {
            products[k] += contribution * z;
            squares[k] += z * z;
        }
    }
    let calibrated = model.calibration.slope;
    let slope = |(product, square): (f64, f64)| {
        // A column that is the same for every user has no effect.
        if square > 0.0 {
            calibrated * product / square
        } else {
            0.0
        }
    };
    products.into_iter().zip(squares).map(slope).collect()
}
