//! Rolling-origin backtest: what a candidate fitted at a date in the past predicts, beside what happened next.
//!
//! A fit at a date knows only labels whose windows ended by that date, and predicts no user that it was fitted on:
//! users are divided into two halves, each of which is predicted from the other.

use crate::card::{BacktestFold, Hyperparameters};
use crate::history::Day;
use crate::math::{evenly, log_loss_of_logit, mean, sigmoid};
use crate::train::data::dataset::{Dataset, user_part};
use crate::train::estimators::logistic::{Fitted, LogisticError};
use crate::train::estimators::training_rows::TrainingRows;

/// What a candidate predicted at one date in the past, and what happened.
#[derive(Clone, Debug)]
pub(crate) struct Fold {
    pub(crate) date: Day,
    pub(crate) log_odds: Vec<f64>,
    pub(crate) churned: Vec<bool>,
    /// What must be added to all log-odds for the mean probability to be the churn rate.
    pub(crate) shift: f64,
}

impl Fold {
    fn new(date: Day, log_odds: Vec<f64>, churned: Vec<bool>) -> Self {
        let shift = base_rate_shift(&log_odds, &churned);
        Self {
            date,
            log_odds,
            churned,
            shift,
        }
    }

    /// The loss of every row.
    pub(crate) fn losses(&self) -> Vec<f64> {
        let loss = |(x, y): (&f64, &bool)| log_loss_of_logit(*x, *y);
        self.log_odds.iter().zip(&self.churned).map(loss).collect()
    }

    pub(crate) fn loss(&self) -> f64 {
        mean(&self.losses())
    }

    /// The probabilities before calibration.
    pub(crate) fn predicted(&self) -> Vec<f64> {
        self.log_odds.iter().map(|x| sigmoid(*x)).collect()
    }
}

impl From<&Fold> for BacktestFold {
    fn from(fold: &Fold) -> Self {
        let churned = fold.churned.iter().filter(|y| **y).count();
        Self {
            cutoff: fold.date,
            users: fold.churned.len() as u64,
            churn_rate: churned as f64 / fold.churned.len().max(1) as f64,
            log_loss: fold.loss(),
            shift: fold.shift,
        }
    }
}

/// Rows that half of the users give to a fit at most.
const MOST_ROWS: usize = 6_000;

/// The mean gradient at which a fit is close enough to its optimum to be compared.
const TOLERANCE: f64 = 1e-4;

/// The backtest of some candidates at one date.
#[derive(Clone, Debug)]
pub(crate) struct Backtested {
    /// One fold for each candidate; `None` where too little was known by then, or too few users can be judged.
    pub(crate) folds: Option<Vec<Fold>>,
    /// The latest fit, for later ones to start from.
    pub(crate) warm_start: Option<Fitted>,
}

/// Backtests every candidate at a date.
pub(crate) fn backtest(
    rows: &TrainingRows<'_>,
    date: Day,
    candidates: &[Hyperparameters],
    mut warm_start: Option<Fitted>,
) -> Result<Backtested, LogisticError> {
    let data = rows.data;
    let mut answers = vec![(Vec::new(), Vec::new()); candidates.len()];
    for half in 0..2 {
        let Sides { known, predicted } = sides(data, date, rows.window_days, half);
        if !data.usable(&known) || !data.usable(&predicted) {
            return Ok(Backtested {
                folds: None,
                warm_start,
            });
        }
        let known: Vec<usize> = evenly(known.len(), MOST_ROWS).map(|k| known[k]).collect();
        for (candidate, (log_odds, churned)) in candidates.iter().zip(&mut answers) {
            let fitted = rows.fit(candidate, &known, warm_start.as_ref(), TOLERANCE)?;
            log_odds.extend(predicted.iter().map(|row| rows.log_odds(&fitted, *row)));
            churned.extend(predicted.iter().map(|row| data.labels[*row]));
            // Wide fits start from wide ones only, and most candidates are wide.
            if candidate.nonlinear_terms || warm_start.is_none() {
                warm_start = Some(fitted);
            }
        }
    }
    let folds = answers
        .into_iter()
        .map(|(log_odds, churned)| Fold::new(date, log_odds, churned));
    Ok(Backtested {
        folds: Some(folds.collect()),
        warm_start,
    })
}

/// Rows on the two sides of a backtest.
struct Sides {
    /// Rows to fit on.
    known: Vec<usize>,
    /// Rows to predict.
    predicted: Vec<usize>,
}

/// The rows to fit on at a date and those to predict: no user is on both sides, and no label window of the one side
/// reaches into one of the other.
fn sides(data: &Dataset, date: Day, window_days: i32, half: u32) -> Sides {
    let own = |row: &usize| user_part(data.users[*row], 2) == half;
    let ended = |row: &usize| date.since(data.dates[*row]) >= window_days;
    let rows = 0..data.len();
    Sides {
        known: rows.clone().filter(|row| !own(row) && ended(row)).collect(),
        predicted: rows
            .filter(|row| own(row) && data.dates[*row] == date)
            .collect(),
    }
}

/// The dates that can be backtested, newest first, at least half a window apart.
pub(crate) fn cutoffs(dates: &[Day], window_days: i32) -> Vec<Day> {
    let mut cutoffs: Vec<Day> = Vec::new();
    for date in dates.iter().rev().copied() {
        let known = dates.iter().any(|d| date.since(*d) >= window_days);
        let apart = cutoffs
            .last()
            .is_none_or(|last| 2 * last.since(date) >= window_days - 1);
        if known && apart {
            cutoffs.push(date);
        }
    }
    cutoffs
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

    /// 200 users at twelve dates, 15 days apart.
    fn data() -> (Dataset, Vec<Day>) {
        let dates: Vec<Day> = (0..12).map(|k| Day::new(100 + 15 * k).unwrap()).collect();
        let rows = || (0..200_u32).flat_map(|user| dates.iter().map(move |date| (user, *date)));
        let data = Dataset {
            width: 0,
            raw: Vec::new(),
            labels: rows().map(|(user, _)| user % 3 == 0).collect(),
            users: rows().map(|(user, _)| user).collect(),
            dates: rows().map(|(_, date)| date).collect(),
        };
        (data, dates)
    }

    #[test]
    fn no_user_and_no_label_window_is_on_both_sides() {
        let (data, dates) = data();
        let date = dates[8];
        let mut asked_about = BTreeSet::new();
        for half in 0..2 {
            let Sides {
                known: learnt,
                predicted: asked,
            } = sides(&data, date, 30, half);
            let users = |rows: &[usize]| {
                rows.iter()
                    .map(|row| data.users[*row])
                    .collect::<BTreeSet<u32>>()
            };
            assert!(users(&learnt).is_disjoint(&users(&asked)));
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
        let learnt = sides(&data, date, 30, 0).known;
        let other = sides(&data, date, 30, 1).predicted;
        assert!(
            learnt
                .iter()
                .any(|row| other.iter().any(|o| data.users[*o] == data.users[*row]))
        );
    }

    #[test]
    fn cutoffs_are_dates_with_something_to_learn_from_half_a_window_apart() {
        let (_, dates) = data();
        let taken = cutoffs(&dates, 30);
        assert_eq!(taken.first(), dates.last());
        assert_eq!(
            taken.last(),
            Some(&dates[2]),
            "the first date with a whole window before it"
        );
        assert!(taken.windows(2).all(|two| two[0].since(two[1]) == 15));
        assert!(
            cutoffs(&dates, 60)
                .windows(2)
                .all(|two| two[0].since(two[1]) == 30)
        );
        assert!(cutoffs(&dates[..1], 30).is_empty());
    }

    #[test]
    fn the_shift_makes_the_mean_probability_the_churn_rate() {
        let log_odds: Vec<f64> = (0..100).map(|k| f64::from(k) / 10.0 - 6.0).collect();
        let churned: Vec<bool> = (0..100).map(|k| k % 4 == 0).collect();
        let r = Fold::new(Day::new(0).unwrap(), log_odds, churned);
        let p: Vec<f64> = r.log_odds.iter().map(|x| sigmoid(x + r.shift)).collect();
        assert!((mean(&p) - 0.25).abs() < 1e-9 && (mean(&r.predicted()) - 0.25).abs() > 0.05);
    }
}
