//! All metrics of some predictions in one pass over them.

use super::line::calibration_line;
use crate::math::{logit, sigmoid};

/// The metrics of some predictions. What a single class leaves open is not finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Figures {
    pub(crate) log_loss: f64,
    pub(crate) auc: f64,
    pub(crate) brier: f64,
    pub(crate) ece: f64,
    pub(crate) bias: f64,
    pub(crate) average_precision: f64,
    pub(crate) calibration_slope: f64,
    pub(crate) calibration_intercept: f64,
}

/// Bins of equal size of the calibration error.
const BINS: f64 = 10.0;

/// What every figure needs of one prediction, worked out once.
#[derive(Clone, Copy, Debug)]
struct Row {
    user: u32,
    churned: bool,
    /// Whether its probability is another one than that of the row before.
    starts_run: bool,
    loss: f64,
    /// Probability minus outcome.
    residual: f64,
    log_odds: f64,
    /// The derivatives of the loss on the calibration line.
    gradient: f64,
    hessian_weight: f64,
}

/// Predictions sorted by probability. Every figure is a weighted sum over them, so that resampling is one pass
/// without a logarithm.
#[derive(Clone, Debug)]
pub(crate) struct Ranking {
    rows: Vec<Row>,
    line: (f64, f64),
}

/// The weight of rows that count so often.
fn weight(row: &Row, counts: &[u16]) -> f64 {
    f64::from(counts[row.user as usize])
}

/// The prior of the calibration line for (0, 1), in rows: enough to give a line where all predictions are equal.
const PRIOR: f64 = 1e-6;

impl Ranking {
    /// Predictions, outcomes, and to which of the resampled users each row belongs.
    pub(crate) fn new(p: &[f64], churned: &[bool], users: &[u32]) -> Self {
        let line = calibration_line(p, churned, PRIOR);
        let mut sorted: Vec<(f64, bool, u32)> = p
            .iter()
            .zip(churned)
            .zip(users)
            .map(|((p, y), user)| (*p, *y, *user))
            .collect();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut last = f64::NAN;
        let row = |(p, churned, user): (f64, bool, u32)| {
            let clamped = p.clamp(1e-6, 1.0 - 1e-6);
            let log_odds = logit(p);
            let q = sigmoid(line.0 + line.1 * log_odds);
            Row {
                user,
                churned,
                starts_run: std::mem::replace(&mut last, p) != p,
                loss: -libm::log(if churned { clamped } else { 1.0 - clamped }),
                residual: p - f64::from(churned),
                log_odds,
                gradient: q - f64::from(churned),
                hessian_weight: (q * (1.0 - q)).max(1e-12),
            }
        };
        Self {
            rows: sorted.into_iter().map(row).collect(),
            line,
        }
    }

    /// The metrics with every user counted `counts[user]` times.
    ///
    /// The calibration line is one Newton step away from that of all rows, which is as good as refitting it to first order
    /// (Moulton and Zeger 1991, Computational Statistics & Data Analysis 11).
    pub(crate) fn figures(&self, counts: &[u16]) -> Figures {
        let (total, churners) = self.rows.iter().fold((0.0, 0.0), |(total, churners), row| {
            let w = weight(row, counts);
            (total + w, churners + w * f64::from(row.churned))
        });
        let (mut loss, mut squares, mut bias) = (0.0, 0.0, 0.0);
        let mut gaps = [0.0; BINS as usize];
        let mut ranks = Ranks {
            total,
            churners,
            ..Ranks::default()
        };
        let (mut ga, mut gb, mut haa, mut hab, mut hbb) = (0.0, 0.0, PRIOR, 0.0, PRIOR);
        for row in &self.rows {
            let w = weight(row, counts);
            if row.starts_run {
                ranks.close();
            }
            let bin = (ranks.seen() / total * BINS) as usize;
            if let Some(gap) = gaps.get_mut(bin.min(BINS as usize - 1)) {
                *gap += w * row.residual;
            }
            ranks.add(w, row.churned);
            loss += w * row.loss;
            squares += w * row.residual * row.residual;
            bias += w * row.residual;
            let (gradient, hessian_weight) = (w * row.gradient, w * row.hessian_weight);
            ga += gradient;
            gb += gradient * row.log_odds;
            haa += hessian_weight;
            hab += hessian_weight * row.log_odds;
            hbb += hessian_weight * row.log_odds * row.log_odds;
        }
        ranks.close();
        ga += PRIOR * self.line.0;
        gb += PRIOR * (self.line.1 - 1.0);
        let determinant = haa * hbb - hab * hab;
        Figures {
            log_loss: loss / total,
            auc: ranks.wins / ((total - churners) * churners),
            brier: squares / total,
            ece: gaps.iter().map(|g| g.abs()).sum::<f64>() / total,
            bias: bias / total,
            average_precision: ranks.area / churners,
            calibration_slope: self.line.1 - (haa * gb - hab * ga) / determinant,
            calibration_intercept: self.line.0 - (hbb * ga - hab * gb) / determinant,
        }
    }
}

/// Sums over runs of equal probability, lowest first.
#[derive(Clone, Copy, Debug, Default)]
struct Ranks {
    total: f64,
    churners: f64,
    /// Weights below the run at hand, and in it.
    retained_below: f64,
    churners_below: f64,
    retained: f64,
    churned_in_run: f64,
    /// Pairs of a churner and a retained user in the right order; ties count half (Mann and Whitney 1947).
    wins: f64,
    /// Recall times precision, summed over the runs.
    area: f64,
}

impl Ranks {
    fn seen(&self) -> f64 {
        self.retained_below + self.churners_below + self.retained + self.churned_in_run
    }

    fn add(&mut self, w: f64, churned: bool) {
        if churned {
            self.churned_in_run += w
        } else {
            self.retained += w
        }
    }

    fn close(&mut self) {
        let taken = self.total - self.retained_below - self.churners_below;
        if self.churned_in_run > 0.0 {
            self.wins += self.churned_in_run * (self.retained_below + self.retained / 2.0);
            self.area += self.churned_in_run * (self.churners - self.churners_below) / taken;
        }
        self.retained_below += std::mem::take(&mut self.retained);
        self.churners_below += std::mem::take(&mut self.churned_in_run);
    }
}

/// How likely a churner's value lies above a retained user's; ties count half.
pub(crate) fn area_under_roc(values: &[f64], churned: &[bool]) -> f64 {
    let mut sorted: Vec<(f64, bool)> = values
        .iter()
        .copied()
        .zip(churned.iter().copied())
        .collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let churners = churned.iter().filter(|y| **y).count() as f64;
    let total = sorted.len() as f64;
    let mut ranks = Ranks {
        total,
        churners,
        ..Ranks::default()
    };
    let mut last = f64::NAN;
    for (value, churned) in sorted {
        if std::mem::replace(&mut last, value) != value {
            ranks.close();
        }
        ranks.add(1.0, churned);
    }
    ranks.close();
    ranks.wins / ((total - churners) * churners)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_a_user_twice_is_having_them_twice() {
        let p = [0.1, 0.4, 0.4, 0.35, 0.8, 0.65, 0.2, 0.8, 0.9, 0.55];
        let y = [
            false, false, true, true, true, true, false, false, true, false,
        ];
        let users = [0, 1, 2, 2, 3, 4, 5, 6, 7, 8];
        let counts = [1, 0, 2, 1, 3, 1, 1, 0, 2];
        let resampled = Ranking::new(&p, &y, &users).figures(&counts);
        let (mut many_p, mut many_y) = (Vec::new(), Vec::new());
        for ((p, y), user) in p.iter().zip(y).zip(users) {
            for _ in 0..counts[user as usize] {
                many_p.push(*p);
                many_y.push(y);
            }
        }
        let alone: Vec<u32> = (0..many_p.len() as u32).collect();
        let copied = Ranking::new(&many_p, &many_y, &alone).figures(&vec![1; alone.len()]);
        // All but the calibration line, which is only stepped towards.
        let exact = |f: Figures| {
            [
                f.log_loss,
                f.auc,
                f.brier,
                f.ece,
                f.bias,
                f.average_precision,
            ]
        };
        for (resampled, copied) in exact(resampled).iter().zip(exact(copied)) {
            assert!((resampled - copied).abs() < 1e-12, "{resampled} {copied}");
        }
    }

    /// The two ways to the same line: refitted on the resample, and one step from that of all rows.
    #[test]
    fn one_step_of_the_line_is_close_to_refitting_it() {
        let n = 4_000_usize;
        let p: Vec<f64> = (0..n)
            .map(|i| sigmoid((i % 97) as f64 / 20.0 - 2.4))
            .collect();
        let y: Vec<bool> = (0..n)
            .map(|i| (i * 7_919 % 1_000) as f64 / 1_000.0 < p[i])
            .collect();
        let users: Vec<u32> = (0..n as u32).collect();
        let counts: Vec<u16> = (0..n).map(|i| (i * 31 % 3) as u16).collect();
        let ranking = Ranking::new(&p, &y, &users);
        let Figures {
            calibration_slope: slope,
            calibration_intercept: intercept,
            ..
        } = ranking.figures(&counts);
        let repeated: Vec<usize> = (0..n)
            .flat_map(|i| vec![i; usize::from(counts[i])])
            .collect();
        let again = |rows: &[usize]| {
            let p: Vec<f64> = rows.iter().map(|i| p[*i]).collect();
            let y: Vec<bool> = rows.iter().map(|i| y[*i]).collect();
            calibration_line(&p, &y, PRIOR)
        };
        let (a, b) = again(&repeated);
        let moved = (b - ranking.line.1).abs() + (a - ranking.line.0).abs();
        assert!(
            moved > 1e-3,
            "the resample must move the line, or closeness says nothing: {moved}"
        );
        assert!(
            (slope - b).abs() < 0.1 * moved && (intercept - a).abs() < 0.1 * moved,
            "{slope} {b} {intercept} {a}"
        );
    }

    #[test]
    fn equal_predictions_rank_nobody_and_still_have_a_line() {
        let y: Vec<bool> = (0..100).map(|i| i % 4 == 0).collect();
        let users: Vec<u32> = (0..100).collect();
        let f = Ranking::new(&[0.25; 100], &y, &users).figures(&[1; 100]);
        assert!(
            (f.auc - 0.5).abs() < 1e-12
                && (f.average_precision - 0.25).abs() < 1e-12
                && f.bias.abs() < 1e-12
                && f.ece < 0.2
        );
        assert!(
            (f.log_loss - 0.562_335).abs() < 1e-5
                && (f.calibration_slope - 1.0).abs() < 1e-6
                && f.calibration_intercept.abs() < 1e-6
        );
    }
}
