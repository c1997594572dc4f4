//! The rows of the test date beside those that were known by then.
//!
//! Nothing that was only known later takes part: not even the scales, BG/NBD or the hyperparameters. Nor is any user
//! predicted by a model that was fitted on that user: users are divided into parts, each of which is predicted by a fit on
//! the others.

use crate::card::Untested;
use crate::history::Day;
use crate::model::Preprocessing;
use crate::train::data::context::TrainContext;
use crate::train::data::dataset::{Dataset, MIN_ROWS, user_part};
use crate::train::data::snapshots::Schedule;
use crate::train::estimators::newton::Fitted;
use crate::train::estimators::training_rows::TrainingRows;
use crate::train::estimators::transform::Matrix;
use crate::train::settings::MOST_ANNIVERSARIES;

/// Parts of the users, each predicted from the others.
pub(crate) const USER_PARTS: u32 = 3;

/// Labelled rows divided in time: what was known by the test date, and what was to be predicted on it.
#[derive(Clone, Debug)]
pub(crate) struct Split {
    /// The regular dates whose label windows had ended by the test date.
    pub(crate) known_dates: Vec<Day>,
    /// The rows of all dates whose label windows had ended by then; some of them only a backtest learns from.
    pub(crate) known: Dataset,
    /// The dates that a fit for the test date may learn from.
    learnt: Vec<Day>,
    pub(crate) test_date: Day,
    pub(crate) test: Dataset,
}

impl Split {
    /// Divides the rows at the newest labelled date; where nothing can be judged there, the error says why.
    pub(crate) fn new(
        ctx: &TrainContext<'_>,
        schedule: &Schedule,
        data: &Dataset,
    ) -> Result<Self, Untested> {
        let Some(test_date) = schedule.test else {
            return Err(no_date(ctx, schedule));
        };
        let known_dates = schedule.before(test_date);
        let mut ended: Vec<Day> = schedule.dates();
        ended.retain(|date| test_date.since(*date) >= schedule.window_days);
        let split = Self {
            known: data.at(&ended),
            learnt: schedule.learnt_at(test_date, MOST_ANNIVERSARIES),
            known_dates,
            test_date,
            test: data.at(&[test_date]),
        };
        match not_to_judge_on(&split.test, test_date).or_else(|| split.not_to_learn_from()) {
            Some(untested) => Err(untested),
            None => Ok(split),
        }
    }

    /// For each part of the users the known rows of all others, and the test rows of the part.
    pub(crate) fn folds(&self) -> Vec<Fold> {
        let fold = |part| Fold {
            known: self.others(part),
            predicted: part_rows(&self.test.users, part),
        };
        (0..USER_PARTS).map(fold).collect()
    }

    /// The rows to learn from.
    fn rows(&self) -> impl Iterator<Item = usize> {
        let learnt = |row: &usize| self.learnt.contains(&self.known.dates[*row]);
        (0..self.known.len()).filter(learnt)
    }

    /// The rows to learn from of all users but those of one part.
    fn others(&self, part: u32) -> Vec<usize> {
        let other = |row: &usize| user_part(self.known.users[*row], USER_PARTS) != part;
        self.rows().filter(other).collect()
    }

    /// What is wrong with the rows to learn from, those of all users and those that each part is predicted from.
    fn not_to_learn_from(&self) -> Option<Untested> {
        let (known, date) = (&self.known, self.test_date);
        let parts = (0..USER_PARTS).map(|part| self.others(part));
        let sets = std::iter::once(self.rows().collect()).chain(parts);
        let unusable: Vec<Vec<usize>> = sets.filter(|rows| !known.usable(rows)).collect();
        let rows = unusable.iter().map(Vec::len).min()?;
        if rows < MIN_ROWS {
            return Some(Untested::TooFewEarlier {
                date,
                rows,
                least: MIN_ROWS,
            });
        }
        let churned = self.rows().filter(|row| known.labels[*row]).count();
        Some(Untested::TooFewOfAClass {
            date,
            rows: self.rows().count(),
            churned,
        })
    }
}

/// Row positions of a fit and of what it predicts; no user is in both.
#[derive(Clone, Debug)]
pub(crate) struct Fold {
    /// Known rows to fit on.
    pub(crate) known: Vec<usize>,
    /// Test rows to predict.
    pub(crate) predicted: Vec<usize>,
}

/// The test rows with the design matrix that the known rows gave them.
#[derive(Clone, Debug)]
pub(crate) struct Holdout<'a> {
    pub(crate) known: &'a TrainingRows<'a>,
    pub(crate) test: &'a Dataset,
    pub(crate) test_date: Day,
    pub(crate) test_matrix: Matrix,
    pub(crate) folds: Vec<Fold>,
}

impl<'a> Holdout<'a> {
    pub(crate) fn new(
        ctx: &TrainContext<'_>,
        preprocessing: &Preprocessing,
        known: &'a TrainingRows<'a>,
        split: &'a Split,
    ) -> Self {
        Self {
            known,
            test: &split.test,
            test_date: split.test_date,
            test_matrix: Matrix::new(&split.test, &ctx.catalogue, preprocessing, &known.expansion),
            folds: split.folds(),
        }
    }

    /// One value for each test row, from those that `predict` gives for the rows of each part.
    pub(crate) fn out_of_fold<E>(
        &self,
        mut predict: impl FnMut(&Fold) -> Result<Vec<f64>, E>,
    ) -> Result<Vec<f64>, E> {
        let mut all = vec![f64::NAN; self.test.len()];
        for fold in &self.folds {
            for (row, value) in fold.predicted.iter().zip(predict(fold)?) {
                all[*row] = value;
            }
        }
        Ok(all)
    }
}

impl Holdout<'_> {
    /// The log-odds of each test row by the fit of its part.
    pub(crate) fn log_odds(&self, fits: &[Fitted]) -> Vec<f64> {
        assert_eq!(fits.len(), self.folds.len(), "one fit for each part");
        let mut log_odds = vec![f64::NAN; self.test.len()];
        for (fold, fitted) in self.folds.iter().zip(fits) {
            for row in &fold.predicted {
                log_odds[*row] = fitted.predictor(self.test_matrix.row(*row));
            }
        }
        log_odds
    }
}

/// Why there is no earlier date to learn from.
fn no_date(ctx: &TrainContext<'_>, schedule: &Schedule) -> Untested {
    let (dates, window_days) = (&schedule.regular, schedule.window_days);
    let newest = dates.last().copied();
    let span_days = newest.map_or(0, |newest| {
        newest.plus(window_days).since(ctx.observed.first)
    });
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
pub(crate) fn not_to_judge_on(test: &Dataset, date: Day) -> Option<Untested> {
    let users = test.len();
    if users < MIN_ROWS {
        return Some(Untested::TooFewUsers {
            date,
            users,
            least: MIN_ROWS,
        });
    }
    let churned = test.labels[0];
    test.labels
        .iter()
        .all(|label| *label == churned)
        .then_some(Untested::OneClass {
            date,
            users,
            churned,
        })
}

/// The rows of the users of one part.
fn part_rows(users: &[u32], part: u32) -> Vec<usize> {
    (0..users.len())
        .filter(|row| user_part(users[*row], USER_PARTS) == part)
        .collect()
}
