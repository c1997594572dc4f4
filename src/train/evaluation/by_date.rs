//! Churn at every labelled date, beside what was predicted for it.

use std::collections::BTreeMap;

use crate::card::DateCard;
use crate::history::Day;
use crate::math::mean;
use crate::train::data::dataset::Dataset;
use crate::train::metrics::calibration_curve;

/// Predictions for the users of one date by a model that was fitted on what came before it.
#[derive(Clone, Debug)]
pub(crate) struct DatePredictions {
    pub(crate) date: Day,
    /// The probability given to each user.
    pub(crate) predicted: Vec<f64>,
    /// What became of each.
    pub(crate) churned: Vec<bool>,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    users: f64,
    churners: f64,
}

/// Churn at every date of the rows, with the first of the predictions for those that have some.
pub(crate) fn by_date(data: &Dataset, predictions: &[DatePredictions]) -> Vec<DateCard> {
    let mut counts: BTreeMap<Day, Counts> = BTreeMap::new();
    for (row, (date, churned)) in data.dates.iter().zip(&data.labels).enumerate() {
        let counts = counts.entry(*date).or_default();
        counts.users += data.users_of(row);
        counts.churners += data.users_of(row) * f64::from(*churned);
    }
    let dates = counts.into_iter();
    dates
        .map(|(date, counts)| card(date, counts, predictions))
        .collect()
}

fn card(
    date: Day,
    Counts { users, churners }: Counts,
    predictions: &[DatePredictions],
) -> DateCard {
    let made = predictions
        .iter()
        .find(|p| p.date == date && !p.predicted.is_empty());
    DateCard {
        date,
        users: users.round() as u64,
        churn_rate: churners / users,
        predicted: made.map(|p| mean(&p.predicted)),
        deciles: made.map_or_else(Vec::new, |p| calibration_curve(&p.predicted, &p.churned)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_carry_the_predictions_made_for_them() {
        let data = super::super::baselines::tests::dataset();
        let date = data.dates[1];
        let churned: Vec<bool> = data.at(&[date]).labels;
        let predicted: Vec<f64> = (0..churned.len())
            .map(|i| i as f64 / churned.len() as f64)
            .collect();
        let cards = by_date(
            &data,
            &[DatePredictions {
                date,
                predicted,
                churned,
            }],
        );
        assert_eq!(
            cards.iter().map(|c| c.users).collect::<Vec<_>>(),
            [200, 200]
        );
        assert!(cards[0].predicted.is_none() && cards[0].deciles.is_empty());
        assert_eq!(
            (
                cards[1].deciles.len(),
                cards[1].deciles.iter().map(|d| d.users).sum::<u64>()
            ),
            (10, 200)
        );
        let rate = cards[1]
            .deciles
            .iter()
            .map(|d| d.observed * d.users as f64)
            .sum::<f64>()
            / 200.0;
        assert!((rate - cards[1].churn_rate).abs() < 1e-12);
    }
}
