//! The fitting procedure as it would have been carried out at the test date, judged on what then happened.
//!
//! Nothing that was only known later takes part: not even the scales, BG/NBD or the hyperparameters. Nor does any user judge a
//! model that learnt from that user: users fall into parts, each of which is predicted by a fit on the others.

use super::baselines::{Baseline, best_feature};
use super::{Judged, JudgedOn, Predictions, evaluation};
use crate::card::untested::Untested;
use crate::card::verdict::RANDOM_FOREST;
use crate::features::Quantity;
use crate::history::Day;
use crate::math::{evenly, sigmoid};
use crate::model::{Column, Derived, Preprocessing};
use crate::train::TrainError;
use crate::train::data::dataset::Dataset;
use crate::train::estimators::logistic::{Fitted, NewtonLogistic, Rows, fit_rows};
use crate::train::estimators::random_forest::{CHALLENGER_ROWS, Sample, challenge};
use crate::train::estimators::transform::{Matrix, fit_bg_nbd, fit_design};
use crate::train::horizon::{HorizonInput, Weighed};
use crate::train::selection::backtest::part_of;
use crate::train::selection::candidate::{LEAST_ROWS, usable};
use crate::train::selection::search::{TOLERANCE, choose};
use linfa::ParamGuard;

use crate::card::Evaluation;

/// Parts of the users, each predicted from the others.
pub(crate) const PARTS: u32 = 3;

/// The test rows beside the rows of what was known by then.
struct Court<'a> {
    input: &'a HorizonInput<'a>,
    known: &'a Weighed<'a>,
    test: &'a Dataset,
    asked: &'a Matrix,
    columns: &'a [Column],
}

/// What judging came to.
pub(crate) enum Judgement {
    /// The evaluation, and what was said at the test date.
    Judged(Box<Evaluation>, Predictions),
    /// Nothing, and why.
    Untested(Untested),
}

/// Judges the procedure on the newest labelled date.
pub(crate) fn judge(input: &HorizonInput<'_>) -> Result<Judgement, TrainError> {
    let Some(test_date) = input.schedule.test else {
        return Ok(Judgement::Untested(no_date(input)));
    };
    let dates = input.schedule.before(test_date);
    let (train, test) = (input.data.at(&dates), input.data.at(&[test_date]));
    if let Some(why) =
        not_to_judge_on(&test, test_date).or_else(|| not_to_learn_from(&train, test_date))
    {
        return Ok(Judgement::Untested(why));
    }
    let bg_nbd = fit_bg_nbd(input.histories, input.labeller, test_date)?;
    let design = fit_design(&train, input.catalogue, bg_nbd);
    let known = input.weighed(&train, &design);
    let asked = Matrix::new(&test, input.catalogue, &design, &known.expansion);
    let table = input.table(&known);
    let choice = choose(&table, &dates, input.config)?;
    let columns = design
        .columns
        .get(..input.catalogue.len())
        .unwrap_or_default();
    let court = Court {
        input,
        known: &known,
        test: &test,
        asked: &asked,
        columns,
    };
    let mut start: Option<Fitted> = choice.near.clone();
    let log_odds = court.by_part(|learnt, part| {
        let fitted = table.fit(&choice.hyperparameters, learnt, start.as_ref(), TOLERANCE)?;
        let answers = part
            .iter()
            .map(|row| fitted.log_odds(&asked.row(*row)[..fitted.weights.len()]))
            .collect();
        start = Some(fitted);
        Ok(answers)
    })?;
    let line = choice.calibration;
    let p: Vec<f64> = log_odds
        .iter()
        .map(|x| sigmoid(line.intercept + line.slope * x))
        .collect();
    let baselines = court.baselines(&design)?;
    let slicings = input.slicer.slicings(&test);
    let judged = Judged {
        users: &test.users,
        churned: &test.labels,
        model: &p,
        baselines,
        slicings,
    };
    let calibration = choice.rehearsals.first().map(|r| r.date);
    let on = JudgedOn {
        train: dates,
        calibration,
        test: test_date,
    };
    let evaluation = evaluation(&judged, on, input.config.seed);
    let predictions = Predictions {
        date: test_date,
        predicted: p,
        churned: test.labels,
    };
    Ok(Judgement::Judged(Box::new(evaluation), predictions))
}

/// Why there is no earlier date to learn from.
fn no_date(input: &HorizonInput<'_>) -> Untested {
    let (dates, window_days) = (&input.schedule.fit, input.schedule.window_days);
    let newest = dates.last().copied();
    let first = input.histories.span().map(|(first, _)| first);
    let span_days = newest
        .zip(first)
        .map_or(0, |(newest, first)| newest.plus(window_days).since(first));
    // A day of past before the earlier date, its window, and that of the newest.
    let needed_days = 2 * window_days + 1;
    if span_days < needed_days {
        return Untested::TooFewDays {
            span_days,
            needed_days,
        };
    }
    Untested::DatesTooClose {
        dates: dates.len(),
        window_days,
    }
}

/// What is wrong with the rows to judge on.
fn not_to_judge_on(test: &Dataset, date: Day) -> Option<Untested> {
    let users = test.len();
    if users < LEAST_ROWS {
        return Some(Untested::TooFewUsers {
            date,
            users,
            least: LEAST_ROWS,
        });
    }
    let churned = test.labels.first().copied().unwrap_or_default();
    test.labels
        .iter()
        .all(|label| *label == churned)
        .then_some(Untested::OneClass {
            date,
            users,
            churned,
        })
}

/// What is wrong with the rows to learn from, of all users and of those who teach about each part.
fn not_to_learn_from(train: &Dataset, date: Day) -> Option<Untested> {
    let teachers = std::iter::once((0..train.len()).collect())
        .chain((0..PARTS).map(|part| others(train, part)));
    let unusable: Vec<Vec<usize>> = teachers.filter(|rows| !usable(train, rows)).collect();
    let rows = unusable.iter().map(Vec::len).min()?;
    if rows < LEAST_ROWS {
        return Some(Untested::TooFewEarlier {
            date,
            rows,
            least: LEAST_ROWS,
        });
    }
    let churned = train.labels.iter().filter(|churned| **churned).count();
    Some(Untested::TooFewOfAClass {
        date,
        rows: train.len(),
        churned,
    })
}

/// The rows of all users but those of one part.
fn others(data: &Dataset, part: u32) -> Vec<usize> {
    (0..data.len())
        .filter(|row| part_of(data.users[*row], PARTS) != part)
        .collect()
}

/// The rows of the users of one part.
fn part_rows(users: &[u32], part: u32) -> Vec<usize> {
    (0..users.len())
        .filter(|row| part_of(users[*row], PARTS) == part)
        .collect()
}

impl Court<'_> {
    /// Asks about every part of the test rows after learning from the known rows of all other users.
    fn by_part(
        &self,
        mut ask: impl FnMut(&[usize], &[usize]) -> Result<Vec<f64>, TrainError>,
    ) -> Result<Vec<f64>, TrainError> {
        let mut answers = vec![f64::NAN; self.test.len()];
        for part in 0..PARTS {
            let learnt = others(self.known.data, part);
            let rows = part_rows(&self.test.users, part);
            for (row, answer) in rows.iter().zip(ask(&learnt, &rows)?) {
                answers[*row] = answer;
            }
        }
        Ok(answers)
    }

    fn baselines(&self, design: &Preprocessing) -> Result<Vec<Baseline>, TrainError> {
        let features = self.input.catalogue.features();
        let mut baselines = vec![Baseline::new(
            "base_rate",
            vec![self.known.data.churn_rate(); self.test.len()],
        )];
        let best = best_feature(self.known.data, self.columns);
        let recency = self.input.catalogue.position(Quantity::Recency);
        for (name, position) in [("recency_only", recency), ("best_single", best)] {
            if let Some((position, feature)) = position.and_then(|p| Some((p, features.get(p)?))) {
                let predicted = self.by_part(|learnt, part| self.single(position, learnt, part))?;
                baselines.push(Baseline::new(name, predicted).on(&feature.name));
            }
        }
        let derived = design.derived(self.input.catalogue);
        let silent = Derived::Silent(self.input.horizon_days);
        if self.input.silence && derived.contains(&silent) {
            let rate = self.known.data.churn_rate();
            let told = |raw| {
                design
                    .derive(self.input.catalogue, raw, silent)
                    .unwrap_or(rate)
            };
            baselines.push(Baseline::new(
                "bg_nbd",
                self.test.rows().map(told).collect(),
            ));
        }
        if self.input.random_forest {
            baselines.push(Baseline::new(
                RANDOM_FOREST,
                self.by_part(|learnt, part| self.forest(learnt, part))?,
            ));
        }
        Ok(baselines)
    }

    /// A logistic model on one feature alone.
    fn single(
        &self,
        position: usize,
        learnt: &[usize],
        part: &[usize],
    ) -> Result<Vec<f64>, TrainError> {
        let values: Vec<f64> = learnt
            .iter()
            .map(|row| self.known.matrix.row(*row)[position])
            .collect();
        let labels: Vec<bool> = learnt
            .iter()
            .map(|row| self.known.data.labels[*row])
            .collect();
        let weights = vec![1.0; labels.len()];
        let rows = Rows {
            values: &values,
            width: 1,
            labels: &labels,
            weights: &weights,
        };
        let fitted = NewtonLogistic::default()
            .check()
            .and_then(|params| fit_rows(&params, &rows, None));
        let horizon_days = self.input.horizon_days;
        let fitted = fitted.map_err(|source| TrainError::Logistic {
            horizon_days,
            source,
        })?;
        Ok(part
            .iter()
            .map(|row| sigmoid(fitted.log_odds(&[self.asked.row(*row)[position]])))
            .collect())
    }

    /// A random forest on the features.
    fn forest(&self, learnt: &[usize], part: &[usize]) -> Result<Vec<f64>, TrainError> {
        let width = self.columns.len();
        let learnt: Vec<usize> = evenly(learnt.len(), CHALLENGER_ROWS)
            .map(|k| learnt[k])
            .collect();
        let rows = |matrix: &Matrix, rows: &[usize]| -> Vec<f64> {
            rows.iter()
                .flat_map(|row| &matrix.row(*row)[..width])
                .copied()
                .collect()
        };
        let z = rows(&self.known.matrix, &learnt);
        let churned: Vec<bool> = learnt
            .iter()
            .map(|row| self.known.data.labels[*row])
            .collect();
        let asked = rows(self.asked, part);
        challenge(
            Sample {
                z: &z,
                width,
                churned: &churned,
            },
            &asked,
            self.input.config.seed,
        )
    }
}
