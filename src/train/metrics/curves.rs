//! The curves that are drawn: calibration, gains, ROC, precision-recall.

use crate::card::CurvePoint;
use crate::math::wilson_interval;

const BINS: usize = 10;

/// Predicted against observed churn in ten bins of equal size, lowest risk first.
pub(crate) fn calibration_curve(p: &[f64], y: &[bool]) -> Vec<CurvePoint> {
    let mut pairs: Vec<(f64, bool)> = p.iter().copied().zip(y.iter().copied()).collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let bins = BINS.min(pairs.len());
    let bin = |k: usize| &pairs[k * pairs.len() / bins..(k + 1) * pairs.len() / bins];
    let point = |bin: &[(f64, bool)]| {
        let users = bin.len() as u64;
        let observed = bin.iter().filter(|b| b.1).count() as f64 / users as f64;
        let (low, high) = wilson_interval(observed, users);
        CurvePoint {
            predicted: bin.iter().map(|b| b.0).sum::<f64>() / users as f64,
            observed,
            low,
            high,
            users,
        }
    };
    (0..bins).map(bin).map(point).collect()
}

/// Users and churners among the riskiest, growing by one run of equal probability at a time.
fn runs(p: &[f64], y: &[bool]) -> Vec<(u64, u64)> {
    let mut pairs: Vec<(f64, bool)> = p.iter().copied().zip(y.iter().copied()).collect();
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut runs: Vec<(u64, u64)> = Vec::new();
    let (mut taken, mut caught) = (0, 0);
    for (i, (p, churned)) in pairs.iter().enumerate() {
        taken += 1;
        caught += u64::from(*churned);
        if pairs.get(i + 1).is_none_or(|next| next.0 != *p) {
            runs.push((taken, caught));
        }
    }
    runs
}

/// The share of all churners among the riskiest 1 %, 2 %, ... 100 % of users: the gains curve. Users of equal
/// probability are taken in no order, so each brings the same part of their churners.
pub(crate) fn gains(p: &[f64], y: &[bool]) -> Vec<f64> {
    let runs = runs(p, y);
    let (users, churners) = runs.last().copied().unwrap_or_default();
    let reached = |percent: u64| {
        let first = (users * percent).div_ceil(100);
        let at = runs.partition_point(|run| run.0 < first);
        let below = if at == 0 { (0, 0) } else { runs[at - 1] };
        // Without rows there is no run at all.
        let run = runs.get(at).copied().unwrap_or(below);
        let part = (first - below.0) as f64 / (run.0 - below.0).max(1) as f64;
        below.1 as f64 + part * (run.1 - below.1) as f64
    };
    (1..=100)
        .map(|percent| reached(percent) / churners.max(1) as f64)
        .collect()
}

/// The ROC curve from (0, 0) to (1, 1) in about `most` points: the share of retained users and of churners above every
/// probability, to four decimals.
pub(crate) fn roc(p: &[f64], y: &[bool], most: usize) -> Vec<(f64, f64)> {
    let runs = runs(p, y);
    let (users, churners) = runs.last().copied().unwrap_or_default();
    let point = |(taken, caught): &(u64, u64)| {
        let retained = (users - churners).max(1) as f64;
        (
            (taken - caught) as f64 / retained,
            *caught as f64 / churners.max(1) as f64,
        )
    };
    let all = std::iter::once((0.0, 0.0))
        .chain(runs.iter().map(point))
        .collect();
    subsampled(
        all,
        |point| point.0 + point.1,
        2.0 / most.saturating_sub(2).max(1) as f64,
    )
}

/// The precision-recall curve in about `most` points: for every probability the share of churners above it, and
/// their share of all above it, to four decimals. Shares of fewer than 1 % of the churners are left out: they
/// say nothing but noise.
pub(crate) fn precision_recall(p: &[f64], y: &[bool], most: usize) -> Vec<(f64, f64)> {
    let runs = runs(p, y);
    let churners = runs.last().map_or(0, |run| run.1).max(1) as f64;
    let point =
        |(taken, caught): &(u64, u64)| (*caught as f64 / churners, *caught as f64 / *taken as f64);
    let all = runs
        .iter()
        .map(point)
        .filter(|point| point.0 >= 0.01)
        .collect();
    subsampled(
        all,
        |point| point.0,
        1.0 / most.saturating_sub(2).max(1) as f64,
    )
}

/// The first point, then each that lies at least `step` further than the one kept before it, and the last.
fn subsampled(
    points: Vec<(f64, f64)>,
    along: impl Fn(&(f64, f64)) -> f64,
    step: f64,
) -> Vec<(f64, f64)> {
    let mut kept: Vec<(f64, f64)> = Vec::new();
    let last = points.len().saturating_sub(1);
    for (i, point) in points.into_iter().enumerate() {
        let far = kept
            .last()
            .is_none_or(|before| along(&point) - along(before) >= step * (1.0 - 1e-9));
        if far || i == last {
            kept.push(point);
        }
    }
    kept.into_iter()
        .map(|(x, y)| (round(x), round(y)))
        .collect()
}

/// To four decimals: finer than anyone draws, and shorter to write.
pub(crate) fn round(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered() -> (Vec<f64>, Vec<bool>) {
        (
            (0..1000).map(|i| f64::from(i) / 1000.0).collect(),
            (0..1000).map(|i| i >= 700).collect(),
        )
    }

    #[test]
    fn curves_end_where_they_must() {
        let (p, y) = ordered();
        let gained = gains(&p, &y);
        assert_eq!((gained[29], gained[99]), (1.0, 1.0));
        assert!((gained[14] - 0.5).abs() < 1e-12);
        assert_eq!(
            calibration_curve(&p, &y)
                .iter()
                .map(|c| c.users)
                .sum::<u64>(),
            1000
        );
        let curve = roc(&p, &y, 100);
        assert_eq!((curve[0], *curve.last().unwrap()), ((0.0, 0.0), (1.0, 1.0)));
        let corner = curve
            .iter()
            .any(|(retained, churners)| *retained < 0.03 && *churners > 0.97);
        assert!(
            curve.len() <= 100 && corner,
            "a perfect order passes by the corner: {curve:?}"
        );
        let curve = precision_recall(&p, &y, 100);
        assert!(curve.len() <= 100 && curve[0].0 >= 0.01);
        assert_eq!((curve[0].1, *curve.last().unwrap()), (1.0, (1.0, 0.3)));
    }

    #[test]
    fn users_of_one_probability_are_taken_in_no_order() {
        let y: Vec<bool> = (0..200).map(|i| i < 50).collect();
        let flat = gains(&[0.25; 200], &y);
        assert!(
            flat.iter()
                .enumerate()
                .all(|(i, share)| (share - (i + 1) as f64 / 100.0).abs() < 1e-12),
            "{flat:?}"
        );
        assert_eq!(roc(&[0.25; 200], &y, 100), [(0.0, 0.0), (1.0, 1.0)]);
        assert_eq!(precision_recall(&[0.25; 200], &y, 100), [(1.0, 0.25)]);
        // Two runs: the first half of users holds 40 of 50 churners, evenly.
        let p: Vec<f64> = (0..200)
            .map(|i| if (10..110).contains(&i) { 0.9 } else { 0.1 })
            .collect();
        let halves = gains(&p, &y);
        assert!(
            (halves[24] - 0.4).abs() < 1e-12 && (halves[49] - 0.8).abs() < 1e-12,
            "{halves:?}"
        );
    }

    #[test]
    fn areas_under_the_drawn_curves_are_close_to_the_metrics() {
        let p: Vec<f64> = (0..3_000).map(|i| f64::from(i % 1_000) / 1_000.0).collect();
        let y: Vec<bool> = (0..3_000)
            .map(|i| (i * 7_919) % 1_000 < i % 1_000)
            .collect();
        let area = |curve: &[(f64, f64)]| -> f64 {
            curve
                .windows(2)
                .map(|w| (w[1].0 - w[0].0) * (w[0].1 + w[1].1) / 2.0)
                .sum()
        };
        let auc = super::super::area_under_roc(&p, &y);
        assert!((area(&roc(&p, &y, 100)) - auc).abs() < 0.003, "{auc}");
        assert!((area(&roc(&p, &y, 50)) - auc).abs() < 0.005);
    }

    #[test]
    fn bins_are_as_equal_as_they_can_be() {
        let sizes = |n: usize| -> Vec<u64> {
            let p: Vec<f64> = (0..n).map(|i| i as f64 / n as f64).collect();
            calibration_curve(&p, &vec![false; n])
                .iter()
                .map(|c| c.users)
                .collect()
        };
        assert_eq!(sizes(101), [10, 10, 10, 10, 10, 10, 10, 10, 10, 11]);
        assert_eq!((sizes(3), sizes(0)), (vec![1, 1, 1], vec![]));
    }
}
