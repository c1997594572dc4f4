//! The fitting procedure as it would have been carried out at the test date, judged on what then happened.
//!
//! Nothing that was only known later takes part: not even the scales, BG/NBD or the recipe. Nor does any user judge a
//! model that learnt from that user: users fall into parts, each of which is predicted by a fit on the others.

use super::TrainError;
use super::challenger::{CHALLENGER_ROWS, Sample, challenge};
use super::dataset::Dataset;
use super::design::{Matrix, fit_bg_nbd, fit_design};
use super::evaluation::{Judged, JudgedOn, Predictions, evaluation};
use super::horizon::{HorizonInput, Weighed};
use super::logistic::{Fitted, NewtonLogistic, Rows, fit_rows};
use super::origins::part_of;
use super::procedure::{TOLERANCE, choose};
use super::recipe::usable;
use super::rivals::{Rival, best_feature};
use crate::features::Quantity;
use crate::math::{evenly, sigmoid};
use crate::model::{Column, Derived, Design};
use linfa::ParamGuard;

use super::card::Evaluation;

/// Parts of the users, each predicted from the others.
pub(super) const PARTS: u32 = 3;

/// The test rows beside the rows of what was known by then.
struct Court<'a> {
    input: &'a HorizonInput<'a>,
    known: &'a Weighed<'a>,
    test: &'a Dataset,
    asked: &'a Matrix,
    columns: &'a [Column],
}

/// The evaluation, and what was said at the test date; `None` when the log is too short for one.
pub(super) fn judge(input: &HorizonInput<'_>) -> Result<Option<(Evaluation, Predictions)>, TrainError> {
    let Some(test_date) = input.schedule.test else { return Ok(None) };
    let dates = input.schedule.before(test_date);
    let (train, test) = (input.data.at(&dates), input.data.at(&[test_date]));
    let all = |data: &Dataset| (0..data.len()).collect::<Vec<usize>>();
    if !usable(&train, &all(&train)) || !usable(&test, &all(&test)) {
        return Ok(None);
    }
    let bg_nbd = fit_bg_nbd(input.histories, input.labeller, test_date)?;
    let design = fit_design(&train, input.catalogue, bg_nbd);
    let known = input.weighed(&train, &design);
    let asked = Matrix::new(&test, input.catalogue, &design, &known.expansion);
    let table = input.table(&known);
    let choice = choose(&table, &dates, input.config)?;
    let columns = design.columns.get(..input.catalogue.len()).unwrap_or_default();
    if !(0..PARTS).all(|part| usable(known.data, &known.others(part))) {
        return Ok(None);
    }
    let court = Court { input, known: &known, test: &test, asked: &asked, columns };
    let mut start: Option<Fitted> = choice.near.clone();
    let log_odds = court.by_part(|learnt, part| {
        let fitted = table.fit(&choice.recipe, learnt, start.as_ref(), TOLERANCE)?;
        let answers = part.iter().map(|row| fitted.log_odds(&asked.row(*row)[..fitted.weights.len()])).collect();
        start = Some(fitted);
        Ok(answers)
    })?;
    let line = choice.calibration;
    let p: Vec<f64> = log_odds.iter().map(|x| sigmoid(line.intercept + line.slope * x)).collect();
    let rivals = court.rivals(&design)?;
    let slicings = input.slicer.slicings(&test);
    let judged = Judged { users: &test.users, churned: &test.labels, model: &p, rivals, slicings };
    let calibration = choice.rehearsals.first().map(|r| r.date);
    let on = JudgedOn { train: dates, calibration, test: test_date };
    let evaluation = evaluation(&judged, on, input.config.seed);
    Ok(Some((evaluation, Predictions { date: test_date, predicted: p, churned: test.labels })))
}

impl Weighed<'_> {
    /// The rows of all users but those of one part.
    fn others(&self, part: u32) -> Vec<usize> {
        (0..self.data.len()).filter(|row| part_of(self.data.users[*row], PARTS) != part).collect()
    }
}

/// The rows of the users of one part.
fn part_rows(users: &[u32], part: u32) -> Vec<usize> {
    (0..users.len()).filter(|row| part_of(users[*row], PARTS) == part).collect()
}

impl Court<'_> {
    /// Asks about every part of the test rows after learning from the known rows of all other users.
    fn by_part(
        &self,
        mut ask: impl FnMut(&[usize], &[usize]) -> Result<Vec<f64>, TrainError>,
    ) -> Result<Vec<f64>, TrainError> {
        let mut answers = vec![f64::NAN; self.test.len()];
        for part in 0..PARTS {
            let learnt = self.known.others(part);
            let rows = part_rows(&self.test.users, part);
            for (row, answer) in rows.iter().zip(ask(&learnt, &rows)?) {
                answers[*row] = answer;
            }
        }
        Ok(answers)
    }

    fn rivals(&self, design: &Design) -> Result<Vec<Rival>, TrainError> {
        let features = self.input.catalogue.features();
        let mut rivals = vec![Rival::new("base_rate", vec![self.known.data.churn_rate(); self.test.len()])];
        let best = best_feature(self.known.data, self.columns);
        let recency = self.input.catalogue.position(Quantity::Recency);
        for (name, position) in [("recency_only", recency), ("best_single", best)] {
            if let Some((position, feature)) = position.and_then(|p| Some((p, features.get(p)?))) {
                let predicted = self.by_part(|learnt, part| self.single(position, learnt, part))?;
                rivals.push(Rival::new(name, predicted).on(&feature.name));
            }
        }
        let derived = design.derived(self.input.catalogue);
        let silent = Derived::Silent(self.input.horizon_days);
        if self.input.silence && derived.contains(&silent) {
            let rate = self.known.data.churn_rate();
            let told = |raw| design.derive(self.input.catalogue, raw, silent).unwrap_or(rate);
            rivals.push(Rival::new("bg_nbd", self.test.rows().map(told).collect()));
        }
        if self.input.challenger {
            rivals.push(Rival::new("random_forest", self.by_part(|learnt, part| self.forest(learnt, part))?));
        }
        Ok(rivals)
    }

    /// A logistic model on one feature alone.
    fn single(&self, position: usize, learnt: &[usize], part: &[usize]) -> Result<Vec<f64>, TrainError> {
        let values: Vec<f64> = learnt.iter().map(|row| self.known.matrix.row(*row)[position]).collect();
        let labels: Vec<bool> = learnt.iter().map(|row| self.known.data.labels[*row]).collect();
        let weights = vec![1.0; labels.len()];
        let rows = Rows { values: &values, width: 1, labels: &labels, weights: &weights };
        let fitted = NewtonLogistic::default().check().and_then(|params| fit_rows(&params, &rows, None));
        let horizon_days = self.input.horizon_days;
        let fitted = fitted.map_err(|source| TrainError::Logistic { horizon_days, source })?;
        Ok(part.iter().map(|row| sigmoid(fitted.log_odds(&[self.asked.row(*row)[position]]))).collect())
    }

    /// A random forest on the features.
    fn forest(&self, learnt: &[usize], part: &[usize]) -> Result<Vec<f64>, TrainError> {
        let width = self.columns.len();
        let learnt: Vec<usize> = evenly(learnt.len(), CHALLENGER_ROWS).map(|k| learnt[k]).collect();
        let rows = |matrix: &Matrix, rows: &[usize]| -> Vec<f64> {
            rows.iter().flat_map(|row| &matrix.row(*row)[..width]).copied().collect()
        };
        let z = rows(&self.known.matrix, &learnt);
        let churned: Vec<bool> = learnt.iter().map(|row| self.known.data.labels[*row]).collect();
        let asked = rows(self.asked, part);
        challenge(Sample { z: &z, width, churned: &churned }, &asked, self.input.config.seed)
    }
}
