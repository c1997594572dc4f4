//! Forecasts of how far a fit's churn rate will be off at a day, from how far it is off at dates that are known: the last
//! window, its trend, and the same season of earlier years. Each counts only as far as it would have helped at the dates of
//! the backtest.

use std::collections::BTreeMap;

use super::backtest::Fold;
use crate::card::ForecastMethod;
use crate::history::Day;
use crate::math::mean;
use crate::train::data::snapshots::anniversaries;
use crate::train::settings::MOST_ANNIVERSARIES;

/// Variance in log-odds of what a forecast leaves of the churn rate's shift where nothing is known: that of public logs (some
/// 130 dates). It counts as one fold beside those observed.
const SHIFT_PRIOR_VARIANCE: f64 = 0.03;

/// A variance observed at so many folds with the prior's, which counts as one fold.
fn with_prior(observed: f64, folds: f64) -> f64 {
    (observed * (folds - 1.0) + SHIFT_PRIOR_VARIANCE) / folds
}

/// A figure counts only as far as its square exceeds its variance this many times: two standard errors.
const PRIOR_WEIGHT: f64 = 4.0;

/// The fewest independent folds that a forecast is believed from. One date is no rule.
pub(crate) const LEAST_FOLDS: f64 = 2.0;

/// By date, what must be added to all log-odds of a fit for its mean probability to be the churn rate of that date's known rows.
pub(crate) type KnownShifts = BTreeMap<Day, f64>;

/// The forecasts of the shift at the day `asked` by each method that the known dates allow.
pub(crate) fn forecasts(
    known: &KnownShifts,
    asked: Day,
    window_days: i32,
) -> BTreeMap<ForecastMethod, f64> {
    let mut forecasts = BTreeMap::new();
    let own: Vec<Day> = anniversaries(asked, MOST_ANNIVERSARIES).collect();
    let seasons: Vec<f64> = own
        .iter()
        .filter_map(|date| known.get(date))
        .copied()
        .collect();
    if !seasons.is_empty() {
        forecasts.insert(ForecastMethod::SameSeason, mean(&seasons));
    }
    let mut latest = known.iter().rev().filter(|(date, _)| !own.contains(date));
    let Some((newest, last)) = latest.next() else {
        return forecasts;
    };
    forecasts.insert(ForecastMethod::LastWindow, *last);
    let apart = |(date, _): &(&Day, &f64)| newest.since(**date) >= window_days;
    if let Some((date, before)) = latest.find(apart) {
        let slope = (last - before) / f64::from(newest.since(*date));
        let trend = last + slope * f64::from(asked.since(*newest));
        forecasts.insert(ForecastMethod::Trend, trend);
    }
    forecasts
}

/// How much of each method's forecast is added to the log-odds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Forecaster {
    /// The method that is used, and the share of its forecast that is.
    pub(crate) method: Option<(ForecastMethod, f64)>,
    /// What is added whatever the forecast: the part of the folds' shifts that keeps coming back.
    pub(crate) lasting: f64,
}

impl Forecaster {
    /// The shift at a day with these forecasts.
    pub(crate) fn shift(&self, forecasts: &BTreeMap<ForecastMethod, f64>) -> f64 {
        self.lasting + self.forecast(forecasts)
    }

    fn forecast(&self, forecasts: &BTreeMap<ForecastMethod, f64>) -> f64 {
        let method = self
            .method
            .and_then(|(method, share)| Some(share * forecasts.get(&method)?));
        method.unwrap_or(0.0)
    }

    /// A forecaster from folds that are worth `effective` independent ones, newest first.
    pub(crate) fn new(folds: &[Fold], effective: f64) -> Self {
        if effective < LEAST_FOLDS {
            return Self::default();
        }
        let earned =
            ForecastMethod::ALL.map(|method| (method, Earned::new(folds, method, effective)));
        let best = earned
            .into_iter()
            .filter(|(_, earned)| earned.share > 0.0)
            .max_by(|a, b| a.1.saved.total_cmp(&b.1.saved));
        let mut forecaster = Self {
            method: best.map(|(method, earned)| (method, earned.share)),
            lasting: 0.0,
        };
        let left: Vec<f64> = folds
            .iter()
            .map(|fold| fold.shift - forecaster.forecast(&fold.forecasts))
            .collect();
        forecaster.lasting = lasting_shift(&left, effective);
        forecaster
    }
}

/// What a method would have been worth at the folds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Earned {
    /// The share of its forecast that is worth adding, 0 to 1.
    share: f64,
    /// By how much that share would have lessened the sum of the squared shifts.
    saved: f64,
}

impl Earned {
    const NOTHING: Self = Self {
        share: 0.0,
        saved: 0.0,
    };

    /// Least squares of the shifts on the forecasts, through the origin; shrunk by its variance.
    fn new(folds: &[Fold], method: ForecastMethod, effective: f64) -> Self {
        let pairs: Vec<(f64, f64)> = folds
            .iter()
            .filter_map(|fold| Some((*fold.forecasts.get(&method)?, fold.shift)))
            .collect();
        let independent = effective * pairs.len() as f64 / folds.len() as f64;
        let squares: f64 = pairs.iter().map(|(forecast, _)| forecast * forecast).sum();
        if independent < LEAST_FOLDS || squares < 1e-9 {
            return Self::NOTHING;
        }
        let products: f64 = pairs.iter().map(|(forecast, shift)| forecast * shift).sum();
        let share = (products / squares).clamp(0.0, 1.0);
        let left: f64 = pairs
            .iter()
            .map(|(f, s)| (s - share * f) * (s - share * f))
            .sum();
        // The share itself has used up one of the pairs.
        let observed = left / (pairs.len() as f64 - 1.0);
        let variance = with_prior(observed, independent);
        let mean_square = squares / pairs.len() as f64;
        let doubt = variance / independent / mean_square / (share * share).max(1e-12);
        let share = share * (1.0 - PRIOR_WEIGHT * doubt).max(0.0);
        let before: f64 = pairs.iter().map(|(_, s)| s * s).sum();
        let after: f64 = pairs
            .iter()
            .map(|(f, s)| (s - share * f) * (s - share * f))
            .sum();
        Self {
            share,
            saved: before - after,
        }
    }
}

/// The share of a lasting shift that is taken to last on.
const SHIFT_PERSISTENCE: f64 = 0.5;

/// The part of the folds' mean shift that is taken to last on, shrunk by its variance.
fn lasting_shift(shifts: &[f64], effective_folds: f64) -> f64 {
    let middle = mean(shifts);
    let squares: f64 = shifts.iter().map(|s| (s - middle) * (s - middle)).sum();
    let observed = squares / (shifts.len() as f64 - 1.0).max(1.0);
    let variance = with_prior(observed, effective_folds);
    let doubt = PRIOR_WEIGHT * variance / effective_folds / (middle * middle).max(1e-12);
    SHIFT_PERSISTENCE * middle * (1.0 - doubt).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: i32) -> Day {
        Day::new(number).unwrap()
    }

    /// Folds half a window of 30 days apart, newest first: what one method forecast, and the shift that came.
    fn folds(method: ForecastMethod, pairs: &[(f64, f64)]) -> Vec<Fold> {
        let fold = |(k, (forecast, shift)): (usize, &(f64, f64))| Fold {
            date: day(1_000 - 15 * k as i32),
            log_odds: Vec::new(),
            churned: Vec::new(),
            shift: *shift,
            fits: Vec::new(),
            forecasts: BTreeMap::from([(method, *forecast)]),
        };
        pairs.iter().enumerate().map(fold).collect()
    }

    /// Worked out by hand: a line through 0.1 at 40 days before the asked day and 0.4 a window of 30 days before that.
    #[test]
    fn every_method_reads_what_it_is_named_for() {
        let known = KnownShifts::from([
            (day(1_000 - 2 * 365), -0.6),
            (day(1_000 - 365), -0.8),
            (day(900), 0.9),
            (day(930), 0.4),
            (day(945), 0.2),
            (day(960), 0.1),
        ]);
        let made = forecasts(&known, day(1_000), 30);
        let of = |method| made[&method];
        assert_eq!(of(ForecastMethod::LastWindow), 0.1);
        assert!((of(ForecastMethod::Trend) - (0.1 - 0.01 * 40.0)).abs() < 1e-12);
        assert!((of(ForecastMethod::SameSeason) + 0.7).abs() < 1e-12);
        // Another day has no anniversary among the dates, and two dates within a window have no trend.
        let other = forecasts(&known, day(1_001), 70);
        assert!(!other.contains_key(&ForecastMethod::SameSeason));
        let near = KnownShifts::from([(day(945), 0.2), (day(960), 0.1)]);
        let methods: Vec<ForecastMethod> = forecasts(&near, day(1_000), 30).into_keys().collect();
        assert_eq!(methods, [ForecastMethod::LastWindow]);
        assert!(forecasts(&KnownShifts::new(), day(1_000), 30).is_empty());
    }

    /// The season swings; its forecast is right but for noise.
    const RIGHT: [(f64, f64); 8] = [
        (0.8, 0.75),
        (0.6, 0.7),
        (0.3, 0.2),
        (0.0, 0.05),
        (-0.4, -0.3),
        (-0.6, -0.7),
        (-0.5, -0.45),
        (-0.2, -0.3),
    ];

    #[test]
    fn a_forecast_that_came_true_is_used_and_one_that_did_not_is_not() {
        let right = Forecaster::new(&folds(ForecastMethod::SameSeason, &RIGHT), 4.5);
        let (method, share) = right.method.unwrap();
        assert_eq!(method, ForecastMethod::SameSeason);
        assert!((0.8..=1.0).contains(&share), "{share}");
        let at = |value| right.shift(&BTreeMap::from([(ForecastMethod::SameSeason, value)]));
        assert!((at(1.0) - at(0.0) - share).abs() < 1e-12);
        // The negative control: the same forecasts, in an order in which they were wrong.
        let mut shuffled = RIGHT;
        let shifts = [4, 7, 0, 5, 2, 1, 6, 3].map(|k: usize| RIGHT[k].1);
        for (pair, shift) in shuffled.iter_mut().zip(shifts) {
            pair.1 = shift;
        }
        let wrong = Forecaster::new(&folds(ForecastMethod::SameSeason, &shuffled), 4.5);
        assert_eq!(wrong.method, None, "{wrong:?}");
        // A forecast is never turned round or stretched.
        let against = RIGHT.map(|(f, s)| (-f, s));
        let against = Forecaster::new(&folds(ForecastMethod::Trend, &against), 4.5);
        assert_eq!(against.method, None);
        let small = RIGHT.map(|(f, s)| (f / 1.3, s));
        let stretched = Forecaster::new(&folds(ForecastMethod::Trend, &small), 4.5);
        assert!(
            (0.7..=1.0).contains(&stretched.method.unwrap().1),
            "{stretched:?}"
        );
    }

    #[test]
    fn one_date_is_no_rule() {
        let once = folds(ForecastMethod::SameSeason, &RIGHT[..1]);
        assert_eq!(Forecaster::new(&once, 1.0), Forecaster::default());
        // Two dates half a window apart are one and a half.
        let near = folds(ForecastMethod::SameSeason, &RIGHT[..2]);
        assert_eq!(Forecaster::new(&near, 1.5), Forecaster::default());
        // A method with a forecast at one of many dates has been seen once.
        let mut lone = folds(ForecastMethod::SameSeason, &RIGHT);
        for fold in &mut lone[1..] {
            fold.forecasts.clear();
        }
        assert_eq!(Forecaster::new(&lone, 4.5).method, None);
    }
}
