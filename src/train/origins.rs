//! Dates in the past as dress rehearsals: what a recipe learnt by then, held against what happened next.
//!
//! A rehearsal at a date knows only labels whose windows ended by that date, and nobody is asked about from whom it
//! learnt: users fall into two halves, each of which is predicted from the other.

use serde::{Deserialize, Serialize};

use super::TrainError;
use super::logistic::Fitted;
use super::recipe::{Recipe, Table, usable};
use crate::history::Day;
use crate::math::{evenly, log_loss_of_logit, mean, sigmoid};

/// What a recipe said at one date in the past, and what happened.
#[derive(Clone, Debug)]
pub(super) struct Rehearsal {
    pub(super) date: Day,
    pub(super) log_odds: Vec<f64>,
    pub(super) churned: Vec<bool>,
    /// What must be added to all log-odds for the mean probability to be the churn rate.
    pub(super) shift: f64,
}

impl Rehearsal {
    fn new(date: Day, log_odds: Vec<f64>, churned: Vec<bool>) -> Self {
        let shift = base_rate_shift(&log_odds, &churned);
        Self { date, log_odds, churned, shift }
    }

    /// The loss of every row.
    pub(super) fn losses(&self) -> Vec<f64> {
        let loss = |(x, y): (&f64, &bool)| log_loss_of_logit(*x, *y);
        self.log_odds.iter().zip(&self.churned).map(loss).collect()
    }

    pub(super) fn loss(&self) -> f64 {
        mean(&self.losses())
    }

    /// The probabilities as they were given.
    pub(super) fn predicted(&self) -> Vec<f64> {
        self.log_odds.iter().map(|x| sigmoid(*x)).collect()
    }
}

/// How one rehearsal went, for the card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OriginCard {
    /// The date.
    pub date: Day,
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
pub(super) fn part_of(user: u32, parts: u32) -> u32 {
    // Knuth's multiplicative hash: neighbours in the log fall into different parts.
    (user.wrapping_mul(2_654_435_761) >> 16) % parts
}

/// Rehearses every recipe at a date; `None` where too little was known by then, or nobody can be judged. `near` is where
/// fits start from, and the last of them: it decides how soon they are done, not where they end.
pub(super) fn rehearse(
    table: &Table<'_>,
    date: Day,
    recipes: &[Recipe],
    near: &mut Option<Fitted>,
) -> Result<Option<Vec<Rehearsal>>, TrainError> {
    let data = table.data;
    let rows = |keep: &dyn Fn(usize) -> bool| -> Vec<usize> { (0..data.len()).filter(|row| keep(*row)).collect() };
    let mut answers = vec![(Vec::new(), Vec::new()); recipes.len()];
    for half in 0..2 {
        let own = |row: usize| part_of(data.users[row], 2) == half;
        let known = |row: usize| date.since(data.dates[row]) >= table.window_days;
        let learnt = rows(&|row| !own(row) && known(row));
        let asked = rows(&|row| own(row) && data.dates[row] == date);
        if !usable(data, &learnt) || !usable(data, &asked) {
            return Ok(None);
        }
        let learnt: Vec<usize> = evenly(learnt.len(), ROWS).map(|k| learnt[k]).collect();
        for (recipe, (log_odds, churned)) in recipes.iter().zip(&mut answers) {
            let fitted = table.fit(recipe, &learnt, near.as_ref(), TOLERANCE)?;
            log_odds.extend(asked.iter().map(|row| table.log_odds(&fitted, *row)));
            churned.extend(asked.iter().map(|row| data.labels[*row]));
            if recipe.expanded || near.is_none() {
                *near = Some(fitted);
            }
        }
    }
    Ok(Some(answers.into_iter().map(|(log_odds, churned)| Rehearsal::new(date, log_odds, churned)).collect()))
}

/// The dates that can be rehearsed, newest first, at least half a window apart.
pub(super) fn origins(dates: &[Day], window_days: i32) -> Vec<Day> {
    let mut taken: Vec<Day> = Vec::new();
    for date in dates.iter().rev().copied() {
        let known = dates.iter().any(|d| date.since(*d) >= window_days);
        let apart = taken.last().is_none_or(|last| 2 * last.since(date) >= window_days - 1);
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
        let (sum, bend) = p.fold((0.0, 1e-9), |(sum, bend), p| (sum + p, bend + p * (1.0 - p)));
        let step = ((observed - sum) / bend).clamp(-1.0, 1.0);
        shift += step;
        if step.abs() < 1e-12 {
            break;
        }
    }
    shift
}

impl From<&Rehearsal> for OriginCard {
    fn from(r: &Rehearsal) -> Self {
        let churned = r.churned.iter().filter(|y| **y).count();
        Self {
            date: r.date,
            users: r.churned.len() as u64,
            churn_rate: churned as f64 / r.churned.len().max(1) as f64,
            log_loss: r.loss(),
            shift: r.shift,
        }
    }
}
