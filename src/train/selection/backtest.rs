//! Rolling-origin backtest: what a candidate fitted at a date in the past predicts, beside what happened next.
//!
//! A fit at a date knows only labels whose windows ended by that date, and predicts no user that it was fitted on:
//! users are divided into two halves, each of which is predicted from the other.

use std::collections::{BTreeMap, BTreeSet};

use super::forecast::{KnownShifts, forecasts};
use crate::card::{BacktestFold, ForecastMethod, Hyperparameters};
use crate::history::Day;
use crate::math::{evenly, log_loss_of_logit, mean, sigmoid};
use crate::phases::Phase;
use crate::train::data::dataset::{Dataset, user_part};
use crate::train::estimators::newton::{Fitted, NewtonError};
use crate::train::estimators::training_rows::{Sample, TrainingRows};

/// What a candidate predicted at one date in the past, and what happened.
#[derive(Clone, Debug)]
pub(crate) struct Fold {
    pub(crate) date: Day,
    pub(crate) log_odds: Vec<f64>,
    pub(crate) churned: Vec<bool>,
    /// What must be added to all log-odds for the mean probability to be the churn rate.
    pub(crate) shift: f64,
    /// The fits to the two halves of the users.
    pub(crate) fits: Vec<Fitted>,
    /// What each method would have forecast for the shift; empty until [`Fold::forecast`].
    pub(crate) forecasts: BTreeMap<ForecastMethod, f64>,
}

impl Fold {
    fn new(date: Day, answers: Answers) -> Self {
        let Answers {
            log_odds,
            churned,
            fits,
        } = answers;
        let shift = base_rate_shift(&log_odds, &churned);
        Self {
            date,
            log_odds,
            churned,
            shift,
            fits,
            forecasts: BTreeMap::new(),
        }
    }

    /// Forecasts the shift from what the fits knew. Only the folds of the selected candidate need it.
    pub(crate) fn forecast(&mut self, rows: &TrainingRows<'_>) {
        let halves = self.fits.iter().zip(0..);
        let shifts: Vec<KnownShifts> = halves
            .map(|(fitted, half)| {
                let sides = sides(rows, self.date, half);
                known_shifts(rows, &sample(rows.data, &sides), fitted)
            })
            .collect();
        self.forecasts = forecasts(&mean_shifts(&shifts), self.date, rows.window_days);
    }

    /// The loss of every row.
    pub(crate) fn losses(&self) -> Vec<f64> {
        let loss = |(x, y): (&f64, &bool)| log_loss_of_logit(*x, *y);
        self.log_odds.iter().zip(&self.churned).map(loss).collect()
    }

    pub(crate) fn loss(&self) -> f64 {
        mean(&self.losses())
    }

    /// The fold on the card, beside what `forecast` would have been added to its log-odds.
    pub(crate) fn card(&self, forecast: f64) -> BacktestFold {
        let churned = self.churned.iter().filter(|y| **y).count();
        BacktestFold {
            cutoff: self.date,
            users: self.churned.len() as u64,
            churn_rate: churned as f64 / self.churned.len().max(1) as f64,
            log_loss: self.loss(),
            shift: self.shift,
            forecast,
        }
    }

    /// The probabilities before calibration.
    pub(crate) fn predicted(&self) -> Vec<f64> {
        self.log_odds.iter().map(|x| sigmoid(*x)).collect()
    }
}

/// Rows at regular dates that half of the users give to a fit at most.
const MOST_ROWS: usize = 6_000;

/// Rows of a fit that are all fitted, however little the older ones count.
const UNTHINNED_ROWS: usize = 2_000;

/// Rows of each anniversary that half of the users give to a fit at most.
const MOST_ANNIVERSARY_ROWS: usize = 600;

/// The mean gradient at which a fit is close enough to its optimum to be compared.
const TOLERANCE: f64 = 1e-4;

/// Fits of a candidate at one date: one for each half of the users.
pub(crate) const FITS_OF_A_FOLD: usize = 2;

/// The backtest of some candidates at one date.
#[derive(Clone, Debug)]
pub(crate) struct Backtested {
    /// One fold for each candidate; `None` where too little was known by then, or too few users can be judged.
    pub(crate) folds: Option<Vec<Fold>>,
    /// The latest fit, for later ones to start from.
    pub(crate) warm_start: Option<Fitted>,
}

/// A candidate's predictions at a date.
#[derive(Clone, Debug, Default)]
struct Answers {
    log_odds: Vec<f64>,
    churned: Vec<bool>,
    /// The fit to each half of the users, without its curvature.
    fits: Vec<Fitted>,
}

/// Backtests every candidate at a date.
pub(crate) fn backtest(
    rows: &TrainingRows<'_>,
    date: Day,
    candidates: &[Hyperparameters],
    mut warm_start: Option<Fitted>,
    phase: &Phase<'_>,
) -> Result<Backtested, NewtonError> {
    let data = rows.data;
    let mut answers = vec![Answers::default(); candidates.len()];
    for half in 0..FITS_OF_A_FOLD as u32 {
        let sides = sides(rows, date, half);
        let predicted = &sides.predicted;
        if !data.usable(&sides.known) || !data.usable(predicted) {
            return Ok(Backtested {
                folds: None,
                warm_start,
            });
        }
        let sample = sample(data, &sides);
        for (candidate, answers) in candidates.iter().zip(&mut answers) {
            let fitted = rows.fit(candidate, &sample, date, warm_start.as_ref(), TOLERANCE)?;
            phase.advance(1);
            let log_odds = predicted.iter().map(|row| rows.log_odds(&fitted, *row));
            answers.log_odds.extend(log_odds);
            let churned = predicted.iter().map(|row| data.labels[*row]);
            answers.churned.extend(churned);
            answers.fits.push(Fitted {
                weights: fitted.weights.clone(),
                curvature: Vec::new(),
                ..fitted
            });
            // A fit of few terms has no curvature that others could start from.
            if !fitted.curvature.is_empty() || warm_start.is_none() {
                warm_start = Some(fitted);
            }
        }
    }
    let folds = answers.into_iter().map(|answers| Fold::new(date, answers));
    Ok(Backtested {
        folds: Some(folds.collect()),
        warm_start,
    })
}

/// The shift of a fit at each date of the rows that it knows.
pub(crate) fn known_shifts(
    rows: &TrainingRows<'_>,
    sample: &Sample,
    fitted: &Fitted,
) -> KnownShifts {
    let mut by_date: BTreeMap<Day, (Vec<f64>, Vec<bool>)> = BTreeMap::new();
    for row in &sample.rows {
        let (log_odds, churned) = by_date.entry(rows.data.dates[*row]).or_default();
        log_odds.push(rows.log_odds(fitted, *row));
        churned.push(rows.data.labels[*row]);
    }
    let enough = by_date.into_iter().filter(|(_, (_, churned))| {
        let churners = churned.iter().filter(|y| **y).count();
        churners.min(churned.len() - churners) >= LEAST_OF_A_CLASS
    });
    enough
        .map(|(date, (log_odds, churned))| (date, base_rate_shift(&log_odds, &churned)))
        .collect()
}

/// A date's shift is not looked at with fewer churners, or retained users.
const LEAST_OF_A_CLASS: usize = 10;

/// The mean shift at each date over several fits that all know it.
pub(crate) fn mean_shifts(fits: &[KnownShifts]) -> KnownShifts {
    let Some((first, others)) = fits.split_first() else {
        return KnownShifts::new();
    };
    let in_all = first.iter().filter_map(|(date, shift)| {
        let others: Option<Vec<f64>> = others.iter().map(|s| s.get(date).copied()).collect();
        let sum = shift + others?.iter().sum::<f64>();
        Some((*date, sum / fits.len() as f64))
    });
    in_all.collect()
}

/// Rows on the two sides of a backtest.
pub(crate) struct Sides {
    /// Rows of regular dates to fit on.
    pub(crate) known: Vec<usize>,
    /// Rows to fit on of the date's anniversaries that are not regular dates.
    pub(crate) anniversaries: Vec<usize>,
    /// Rows to predict.
    pub(crate) predicted: Vec<usize>,
}

/// The rows to fit on at a date and those to predict: no user is on both sides, and no label window of the one side
/// reaches into one of the other.
pub(crate) fn sides(rows: &TrainingRows<'_>, date: Day, half: u32) -> Sides {
    let data = rows.data;
    let own = |row: &usize| user_part(data.users[*row], 2) == half;
    let known = |row: &usize| !own(row) && rows.is_known(data.dates[*row], date);
    let all = 0..data.len();
    let (regular, anniversaries) = all
        .clone()
        .filter(known)
        .partition(|row| rows.is_regular(data.dates[*row]));
    Sides {
        known: regular,
        anniversaries,
        predicted: all
            .filter(|row| own(row) && data.dates[*row] == date)
            .collect(),
    }
}

/// Some of the rows to fit on. Anniversaries are few dates, so more of their rows are taken, and count less each.
fn sample(data: &Dataset, sides: &Sides) -> Sample {
    let Sides {
        known,
        anniversaries,
        ..
    } = sides;
    let mut rows: Vec<usize> = evenly(known.len(), MOST_ROWS).map(|k| known[k]).collect();
    let share = rows.len() as f64 / known.len() as f64;
    let mut counts: Vec<f64> = rows.iter().map(|row| data.counts[*row]).collect();
    let dates: BTreeSet<Day> = anniversaries.iter().map(|row| data.dates[*row]).collect();
    for date in dates {
        let own = anniversaries.iter().copied();
        let own: Vec<usize> = own.filter(|row| data.dates[*row] == date).collect();
        let stood_for: f64 = own.iter().map(|row| data.counts[*row]).sum();
        let taken = evenly(own.len(), MOST_ANNIVERSARY_ROWS).map(|k| own[k]);
        let before = rows.len();
        rows.extend(taken);
        let count = share * stood_for / (rows.len() - before) as f64;
        counts.resize(rows.len(), count);
    }
    Sample {
        rows,
        counts,
        unthinned_rows: UNTHINNED_ROWS,
    }
}

/// What must be added to all log-odds for the mean probability to equal the churn rate.
fn base_rate_shift(log_odds: &[f64], churned: &[bool]) -> f64 {
    let observed = churned.iter().filter(|y| **y).count() as f64;
    let mut shift = 0.0;
    for _ in 0..50 {
        let p = log_odds.iter().map(|x| sigmoid(x + shift));
        let (sum, hessian_weight) = p.fold((0.0, 1e-9), |(sum, hessian_weight), p| {
            (sum + p, hessian_weight + p * (1.0 - p))
        });
        let step = ((observed - sum) / hessian_weight).clamp(-1.0, 1.0);
        shift += step;
        if step.abs() < 1e-12 {
            break;
        }
    }
    shift
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// 200 users at twelve dates, 15 days apart, and at the anniversary of the ninth.
    fn data() -> (Dataset, Vec<Day>) {
        let dates: Vec<Day> = (0..12).map(|k| Day::new(500 + 15 * k).unwrap()).collect();
        let all = [&[dates[8].plus(-365)], dates.as_slice()].concat();
        let rows = || (0..200_u32).flat_map(|user| all.iter().map(move |date| (user, *date)));
        let data = Dataset {
            width: 0,
            raw: Vec::new(),
            labels: rows().map(|(user, _)| user % 3 == 0).collect(),
            users: rows().map(|(user, _)| user).collect(),
            dates: rows().map(|(_, date)| date).collect(),
            counts: vec![1.0; 200 * 13],
            user_step: 1,
        };
        (data, dates)
    }

    #[test]
    fn no_user_and_no_label_window_is_on_both_sides() {
        let (data, dates) = data();
        let training = TrainingRows::of_dates(&data, &dates, 30);
        let date = dates[8];
        let mut asked_about = BTreeSet::new();
        for half in 0..2 {
            let Sides {
                known: learnt,
                anniversaries,
                predicted: asked,
            } = sides(&training, date, half);
            let users = |rows: &[usize]| {
                rows.iter()
                    .map(|row| data.users[*row])
                    .collect::<BTreeSet<u32>>()
            };
            assert!(users(&learnt).is_disjoint(&users(&asked)));
            assert!(users(&anniversaries).is_disjoint(&users(&asked)));
            assert_eq!(users(&anniversaries), users(&learnt));
            let own = |row: &usize| data.dates[*row] == date.plus(-365);
            assert!(anniversaries.iter().all(own));
            let next = sides(&training, dates[9], half);
            assert!(next.anniversaries.is_empty(), "another day's anniversary");
            assert!(asked.iter().all(|row| data.dates[*row] == date));
            assert!(learnt.iter().all(|row| date.since(data.dates[*row]) >= 30));
            let newest = learnt.iter().map(|row| data.dates[*row]).max();
            assert_eq!(
                newest,
                Some(date.plus(-30)),
                "a window that ends on the date is known on it"
            );
            assert!((60..140).contains(&users(&asked).len()), "halves, about");
            asked_about.extend(users(&asked));
        }
        assert_eq!(asked_about.len(), 200, "everybody is asked about once");
        // The negative controls: were halves or windows not kept apart, users and windows would be on both sides.
        let all: Vec<usize> = (0..data.len()).collect();
        assert!(
            all.iter()
                .any(|row| (1..30).contains(&date.since(data.dates[*row])))
        );
        let learnt = sides(&training, date, 0).known;
        let other = sides(&training, date, 1).predicted;
        assert!(
            learnt
                .iter()
                .any(|row| other.iter().any(|o| data.users[*o] == data.users[*row]))
        );
    }

    #[test]
    fn anniversaries_count_as_much_as_their_rows_would_among_the_others() {
        let (mut data, dates) = data();
        let of = |date: Day, data: &Dataset| -> Vec<usize> {
            (0..data.len())
                .filter(|row| data.dates[*row] == date)
                .collect()
        };
        let anniversary = of(dates[8].plus(-365), &data);
        let known: Vec<usize> = dates.iter().flat_map(|date| of(*date, &data)).collect();
        let sample = |data: &Dataset, known: &[usize], anniversaries: &[usize]| {
            let sides = Sides {
                known: known.to_vec(),
                anniversaries: anniversaries.to_vec(),
                predicted: Vec::new(),
            };
            sample(data, &sides)
        };
        let all = sample(&data, &known, &anniversary);
        assert_eq!((all.rows.len(), all.counts), (2_600, vec![1.0; 2_600]));
        // A tenth of the users was taken at the anniversary: each stands for ten.
        for row in &anniversary {
            data.counts[*row] = 10.0;
        }
        let tenth = sample(&data, &known, &anniversary[..20]);
        assert_eq!(tenth.counts[2_400..], [10.0; 20]);
        // Of more regular rows than are looked at, each is worth a part.
        let many: Vec<usize> = known.iter().cycle().take(24_000).copied().collect();
        let thinned = sample(&data, &many, &anniversary[..20]);
        assert_eq!(thinned.rows.len(), MOST_ROWS + 20);
        assert_eq!(thinned.counts[MOST_ROWS..], [2.5; 20]);
        // Of the oldest date half of the rows were taken: each stands for two here, too.
        let oldest = of(dates[0], &data);
        for row in &oldest {
            data.counts[*row] = 2.0;
        }
        let halved = sample(&data, &known, &[]);
        for (row, count) in halved.rows.iter().zip(&halved.counts) {
            let expected = if oldest.contains(row) { 2.0 } else { 1.0 };
            assert_eq!(*count, expected);
        }
    }

    #[test]
    fn shifts_are_known_of_dates_with_enough_of_both_classes_in_every_fit() {
        let (data, dates) = data();
        let training = TrainingRows::of_dates(&data, &dates, 30);
        let fitted = Fitted {
            intercept: 0.0,
            weights: Vec::new(),
            objective: 0.0,
            steps: 0,
            curvature: Vec::new(),
        };
        let rows: Vec<usize> = (0..data.len()).collect();
        let shifts = known_shifts(&training, &training.whole(rows.clone()), &fitted);
        let rate: f64 = 67.0 / 200.0;
        assert_eq!(shifts.len(), 13);
        assert!(
            shifts
                .values()
                .all(|s| (s - (rate / (1.0 - rate)).ln()).abs() < 1e-9)
        );
        let few = known_shifts(
            &training,
            &training.whole(rows[..13 * 27].to_vec()),
            &fitted,
        );
        assert!(few.is_empty(), "nine churners a date");
        let (first, second) = (Day::new(1).unwrap(), Day::new(2).unwrap());
        let fits = [
            KnownShifts::from([(first, 0.2), (second, 0.5)]),
            KnownShifts::from([(first, 0.4)]),
        ];
        let mean = mean_shifts(&fits);
        assert!(mean.len() == 1 && (mean[&first] - 0.3).abs() < 1e-12);
    }

    #[test]
    fn the_shift_makes_the_mean_probability_the_churn_rate() {
        let log_odds: Vec<f64> = (0..100).map(|k| f64::from(k) / 10.0 - 6.0).collect();
        let churned: Vec<bool> = (0..100).map(|k| k % 4 == 0).collect();
        let answers = Answers {
            log_odds,
            churned,
            fits: Vec::new(),
        };
        let r = Fold::new(Day::new(0).unwrap(), answers);
        let p: Vec<f64> = r.log_odds.iter().map(|x| sigmoid(x + r.shift)).collect();
        assert!((mean(&p) - 0.25).abs() < 1e-9 && (mean(&r.predicted()) - 0.25).abs() > 0.05);
    }
}
