//! Dates in the past as dress rehearsals: what a hyperparameters learnt by then, held against what happened next.
//!
//! A rehearsal at a date knows only labels whose windows ended by that date, and nobody is asked about from whom it
//! learnt: users fall into two halves, each of which is predicted from the other.

use serde::{Deserialize, Serialize};

use super::candidate::{Hyperparameters, Table, usable};
use crate::history::Day;
use crate::math::{evenly, log_loss_of_logit, mean, sigmoid};
use crate::train::TrainError;
use crate::train::data::dataset::Dataset;
use crate::train::estimators::logistic::Fitted;

/// What a hyperparameters said at one date in the past, and what happened.
#[derive(Clone, Debug)]
pub(crate) struct Rehearsal {
    pub(crate) date: Day,
    pub(crate) log_odds: Vec<f64>,
    pub(crate) churned: Vec<bool>,
    /// What must be added to all log-odds for the mean probability to be the churn rate.
    pub(crate) shift: f64,
}

impl Rehearsal {
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

    /// The probabilities as they were given.
    pub(crate) fn predicted(&self) -> Vec<f64> {
        self.log_odds.iter().map(|x| sigmoid(*x)).collect()
    }
}

/// How one rehearsal went, for the card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BacktestFold {
    /// Labels were known up to this day, and the users active before it were predicted.
    pub cutoff: Day,
    /// Users who were asked about.
    pub users: u64,
    /// The share of them that churned.
    pub churn_rate: f64,
    /// Log loss, before anything is put right.
    pub log_loss: f64,
    /// What had to be added to all log-odds for the mean probability to be the churn rate.
    pub shift: f64,
}

/// Rows that half of the users are learnt from in a rehearsal at most.
const ROWS: usize = 6_000;

/// The mean gradient at which a rehearsed fit is close enough to its optimum to be compared.
const TOLERANCE: f64 = 1e-4;

/// Which half a user belongs to.
pub(crate) fn part_of(user: u32, parts: u32) -> u32 {
    // Knuth's multiplicative hash: neighbours in the log fall into different parts.
    (user.wrapping_mul(2_654_435_761) >> 16) % parts
}

/// Rows to learn from at a date, and rows to be asked about: no user is on both sides, and no label window of the one
/// side reaches into one of the other.
fn sides(data: &Dataset, date: Day, window_days: i32, half: u32) -> (Vec<usize>, Vec<usize>) {
    let own = |row: &usize| part_of(data.users[*row], 2) == half;
    let known = |row: &usize| date.since(data.dates[*row]) >= window_days;
    let learnt = (0..data.len())
        .filter(|row| !own(row) && known(row))
        .collect();
    let asked = (0..data.len())
        .filter(|row| own(row) && data.dates[*row] == date)
        .collect();
    (learnt, asked)
}

/// Rehearses every hyperparameters at a date; `None` where too little was known by then, or nobody can be judged. `near` is where
/// fits start from, and the last of them: it decides how soon they are done, not where they end.
pub(crate) fn rehearse(
    table: &Table<'_>,
    date: Day,
    candidates: &[Hyperparameters],
    near: &mut Option<Fitted>,
) -> Result<Option<Vec<Rehearsal>>, TrainError> {
    let data = table.data;
    let mut answers = vec![(Vec::new(), Vec::new()); candidates.len()];
    for half in 0..2 {
        let (learnt, asked) = sides(data, date, table.window_days, half);
        if !usable(data, &learnt) || !usable(data, &asked) {
            return Ok(None);
        }
        let learnt: Vec<usize> = evenly(learnt.len(), ROWS).map(|k| learnt[k]).collect();
        for (hyperparameters, (log_odds, churned)) in candidates.iter().zip(&mut answers) {
            let fitted = table.fit(hyperparameters, &learnt, near.as_ref(), TOLERANCE)?;
            log_odds.extend(asked.iter().map(|row| table.log_odds(&fitted, *row)));
            churned.extend(asked.iter().map(|row| data.labels[*row]));
            if hyperparameters.nonlinear_terms || near.is_none() {
                *near = Some(fitted);
            }
        }
    }
    Ok(Some(
        answers
            .into_iter()
            .map(|(log_odds, churned)| Rehearsal::new(date, log_odds, churned))
            .collect(),
    ))
}

/// The dates that can be rehearsed, newest first, at least half a window apart.
pub(crate) fn origins(dates: &[Day], window_days: i32) -> Vec<Day> {
    let mut taken: Vec<Day> = Vec::new();
    for date in dates.iter().rev().copied() {
        let known = dates.iter().any(|d| date.since(*d) >= window_days);
        let apart = taken
            .last()
            .is_none_or(|last| 2 * last.since(date) >= window_days - 1);
        if known && apart {
            taken.push(date);
        }
    }
    taken
}

/// What must be added to all log-odds for the mean probability to equal the churn rate.
fn base_rate_shift(log_odds: &[f64], churned: &[bool]) -> f64 {
    let observed = churned.iter().filter(|y| **y).count() as f64;
    let mut shift = 0.0;
    for _ in 0..50 {
        let p = log_odds.iter().map(|x| sigmoid(x + shift));
        let (sum, bend) = p.fold((0.0, 1e-9), |(sum, bend), p| {
            (sum + p, bend + p * (1.0 - p))
        });
        let step = ((observed - sum) / bend).clamp(-1.0, 1.0);
        shift += step;
        if step.abs() < 1e-12 {
            break;
        }
    }
    shift
}

impl From<&Rehearsal> for BacktestFold {
    fn from(r: &Rehearsal) -> Self {
        let churned = r.churned.iter().filter(|y| **y).count();
        Self {
            cutoff: r.date,
            users: r.churned.len() as u64,
            churn_rate: churned as f64 / r.churned.len().max(1) as f64,
            log_loss: r.loss(),
            shift: r.shift,
        }
    }
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
            let (learnt, asked) = sides(&data, date, 30, half);
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
        let (learnt, _) = sides(&data, date, 30, 0);
        let (_, other) = sides(&data, date, 30, 1);
        assert!(
            learnt
                .iter()
                .any(|row| other.iter().any(|o| data.users[*o] == data.users[*row]))
        );
    }

    #[test]
    fn origins_are_dates_with_something_to_learn_from_half_a_window_apart() {
        let (_, dates) = data();
        let taken = origins(&dates, 30);
        assert_eq!(taken.first(), dates.last());
        assert_eq!(
            taken.last(),
            Some(&dates[2]),
            "the first date with a whole window before it"
        );
        assert!(taken.windows(2).all(|two| two[0].since(two[1]) == 15));
        assert!(
            origins(&dates, 60)
                .windows(2)
                .all(|two| two[0].since(two[1]) == 30)
        );
        assert!(origins(&dates[..1], 30).is_empty());
    }

    #[test]
    fn the_shift_makes_the_mean_probability_the_churn_rate() {
        let log_odds: Vec<f64> = (0..100).map(|k| f64::from(k) / 10.0 - 6.0).collect();
        let churned: Vec<bool> = (0..100).map(|k| k % 4 == 0).collect();
        let r = Rehearsal::new(Day::new(0).unwrap(), log_odds, churned);
        let p: Vec<f64> = r.log_odds.iter().map(|x| sigmoid(x + r.shift)).collect();
        assert!((mean(&p) - 0.25).abs() < 1e-9 && (mean(&r.predicted()) - 0.25).abs() > 0.05);
    }
}
