//! Predictions for dates by models that had not seen them, with the forecast that would have been added.

use crate::card::{DateCard, HorizonCard};
use crate::history::Day;
use crate::math::{logit, sigmoid};

/// What was predicted for a date by a model that had not seen it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beforehand {
    /// The date.
    pub(crate) date: Day,
    /// The mean probability as the model gave it.
    pub(crate) model: f64,
    /// The same with the shift that would have been forecast for the date.
    pub(crate) share: f64,
}

/// The least movement that is drawn.
const LEAST_MOVE: f64 = 0.002;

impl Beforehand {
    /// The prediction for a date of the horizon; `None` where none was made.
    pub(crate) fn new(h: &HorizonCard, d: &DateCard) -> Option<Self> {
        let model = d.predicted?;
        let tested = h.evaluation.as_ref().is_some_and(|e| e.test == d.date);
        let fold = h.backtest.iter().find(|fold| fold.cutoff == d.date);
        // The prediction of the test date is calibrated, those of folds are not yet.
        let share = match fold {
            Some(fold) if !tested => shifted(d, fold.forecast).unwrap_or(model),
            _ => model,
        };
        let date = d.date;
        Some(Self { date, model, share })
    }

    /// From where to where the forecast moved it; `None` where it did not to be seen.
    pub(crate) fn moved(&self) -> Option<(f64, f64)> {
        ((self.share - self.model).abs() >= LEAST_MOVE).then_some((self.model, self.share))
    }
}

/// The mean probability after an addition to all log-odds, from the tenths of a date; `None` without tenths.
fn shifted(d: &DateCard, shift: f64) -> Option<f64> {
    let users: u64 = d.deciles.iter().map(|c| c.users).sum();
    let sum = |moved: fn(f64, f64) -> f64| -> f64 {
        let tenths = d.deciles.iter();
        tenths
            .map(|c| c.users as f64 * moved(c.predicted, shift))
            .sum()
    };
    let moved = |p: f64, shift: f64| sigmoid(logit(p) + shift);
    // Added to the exact mean, so that no shift moves nothing.
    let change = (sum(moved) - sum(|p, _| p)) / users as f64;
    (users > 0 && change.is_finite()).then_some(d.predicted? + change)
}

#[cfg(test)]
mod tests {
    use super::super::tests::card;
    use super::*;

    #[test]
    fn the_forecast_moves_folds_but_not_the_test_date() {
        let mut h = card().horizons.remove(0);
        let test = h.evaluation.as_ref().unwrap().test;
        let fold = h.backtest[0].clone();
        h.backtest[0].cutoff = test;
        let of = |h: &HorizonCard, date: Day| {
            let dated = h.by_date.iter().find(|d| d.date == date);
            Beforehand::new(h, dated.unwrap())
        };
        let tested = of(&h, test).unwrap();
        assert!(
            tested.moved().is_none(),
            "the test date's prediction has its forecast"
        );
        h.backtest[0] = fold.clone();
        let moved = |h: &HorizonCard| of(h, fold.cutoff).unwrap().moved();
        for (forecast, sign) in [(0.5, 1.0), (-0.5, -1.0)] {
            h.backtest[0].forecast = forecast;
            let (from, to) = moved(&h).unwrap();
            assert!(from == 0.42 && (to - from) * sign > 0.05, "{from} to {to}");
            assert!(
                (to - from).abs() < 0.125,
                "a log-odds moves a share by a quarter at most"
            );
        }
        h.backtest[0].forecast = 0.0;
        assert!(moved(&h).is_none());
    }
}
