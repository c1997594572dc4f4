//! Where the rate of a series changes, and whether that can be chance.

use rayon::prelude::*;

use super::random::{generator, negative_binomial};
use super::segmentation::{Segmentation, Series, segmentations};

/// Turning points of a series, at most.
pub const MOST_POINTS: usize = 4;

/// Steps of a stretch, at least.
pub const LEAST_STEPS: usize = 2;

/// The largest p-value of a turning point, after Holm's correction.
pub const SIGNIFICANCE: f64 = 0.01;

/// Simulated series for each number of points: enough for a p-value of 0.01 after Holm's correction over four.
const DRAWS: u64 = 999;

/// After so many of them a p-value above [`CLEARLY_CHANCE`] is not made more precise.
const FIRST_DRAWS: u64 = 199;

/// See [`FIRST_DRAWS`].
const CLEARLY_CHANCE: f64 = 0.05;

/// Log-likelihood below the best place within which a place is plausible: half the 95 % quantile of chi-squared with one
/// degree of freedom.
const PLAUSIBLE: f64 = 1.92;

/// How counts scatter around what is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noise {
    /// More than independent events would, by as much as the series shows.
    NegativeBinomial,
    /// As independent events do. Real series scatter more, so that this finds changes where there are none.
    Poisson,
}

/// A change of the rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TurningPoint {
    /// The first step with the new rate.
    pub start: usize,
    /// The first place that is plausible for it.
    pub low: usize,
    /// The last one.
    pub high: usize,
    /// Events per exposure before it, back to the last change.
    pub before: f64,
    /// The same after it, up to the next one.
    pub after: f64,
    /// The probability of a change as clear as this by chance, corrected for their number.
    pub p: f64,
}

/// The turning points of a series and how they were found.
#[derive(Clone, Debug, PartialEq)]
pub struct Turning {
    /// The turning points in order.
    pub points: Vec<TurningPoint>,
    /// The probability, without any change, of one as clear as the clearest.
    pub p_any: f64,
    /// The variance of the counts is `mean + dispersion mean^2`; 0 for Poisson noise.
    pub dispersion: f64,
}

/// The turning points of a series; `None` where it is too short for one, and for its scatter to be seen beside it.
///
/// A number of points is compared with one point fewer: the ratio of the likelihoods of the best segmentations, over the
/// scatter that the finer one leaves, beside the same of series that are simulated with one point fewer. Holm's
/// correction is over the four numbers, then over the points.
pub fn turning_points(series: &Series, noise: Noise, seed: u64) -> Option<Turning> {
    let found = segmentations(series, MOST_POINTS, LEAST_STEPS);
    let tests: Vec<Test> = (1..found.len())
        .map_while(|points| Test::new(series, &found, points, noise, seed))
        .collect();
    let p_values: Vec<f64> = tests.iter().map(|test| test.p(test.statistic)).collect();
    let adjusted = holm(&p_values);
    let significant = |points: &usize| adjusted[points - 1] <= SIGNIFICANCE;
    let mut most = (1..=tests.len()).rev().filter(significant);
    let points = most.find_map(|points| {
        let points = points_of(series, &found[points], &tests[points - 1]);
        let all = points.iter().all(|point| point.p <= SIGNIFICANCE);
        all.then_some(points)
    });
    let points = points.unwrap_or_default();
    // What scatters is what the points that were found leave.
    let test = tests.get(points.len().saturating_sub(1))?;
    Some(Turning {
        points,
        p_any: p_values[0],
        dispersion: test.dispersion,
    })
}

/// The comparison of a number of points with one point fewer.
struct Test {
    statistic: f64,
    /// What likelihoods are measured in: the variance left by the finer segmentation, over that of independent events.
    scatter: f64,
    dispersion: f64,
    /// The statistics of simulated series.
    simulated: Vec<f64>,
}

impl Test {
    fn new(
        series: &Series,
        found: &[Segmentation],
        points: usize,
        noise: Noise,
        seed: u64,
    ) -> Option<Self> {
        let (coarse, fine) = (&found[points - 1], &found[points]);
        let expected = series.expected(&fine.starts);
        let freedom = freedom(series, points)?;
        let dispersion = match noise {
            Noise::NegativeBinomial => dispersion(series.events(), &expected, freedom),
            Noise::Poisson => 0.0,
        };
        let ratio = |series: &Series, coarse: &Segmentation, fine: &Segmentation| {
            let scatter = match noise {
                Noise::NegativeBinomial => scatter(series, fine, freedom),
                Noise::Poisson => 1.0,
            };
            let ratio = 2.0 * (fine.log_likelihood - coarse.log_likelihood);
            (ratio / scatter, scatter)
        };
        let (statistic, scatter) = ratio(series, coarse, fine);
        let without = series.expected(&coarse.starts);
        let draw = |number: u64| {
            let mut random = generator(seed ^ (points as u64) << 56, number);
            let events = without
                .iter()
                .map(|m| negative_binomial(*m, dispersion, &mut random));
            let series = series.with_events(events.collect());
            let found = segmentations(&series, points, LEAST_STEPS);
            found
                .get(points)
                .map_or(0.0, |fine| ratio(&series, &found[points - 1], fine).0)
        };
        let mut test = Self {
            statistic,
            scatter,
            dispersion,
            simulated: (0..FIRST_DRAWS).into_par_iter().map(draw).collect(),
        };
        if test.p(statistic) <= CLEARLY_CHANCE {
            let more = (FIRST_DRAWS..DRAWS).into_par_iter().map(draw);
            test.simulated.par_extend(more);
        }
        Some(test)
    }

    /// The share of simulated statistics that are as large, this series counted with them.
    fn p(&self, statistic: f64) -> f64 {
        let larger = self.simulated.iter().filter(|s| **s >= statistic).count();
        (larger + 1) as f64 / (self.simulated.len() + 1) as f64
    }
}

/// Steps less what is fitted to them: a rate for each stretch, and each point.
fn freedom(series: &Series, points: usize) -> Option<f64> {
    let fitted = 2 * points + 1;
    (series.len() > fitted + 1).then(|| (series.len() - fitted) as f64)
}

/// Pearson's statistic over its degrees of freedom.
fn scatter(series: &Series, fine: &Segmentation, freedom: f64) -> f64 {
    let expected = series.expected(&fine.starts);
    // Counts that hardly scatter must not make a small change look large.
    (pearson(series.events(), &expected, 0.0) / freedom).max(0.1)
}

fn pearson(events: &[f64], expected: &[f64], dispersion: f64) -> f64 {
    let terms = events.iter().zip(expected).filter(|(_, m)| **m > 0.0);
    terms
        .map(|(y, m)| (y - m) * (y - m) / (m + dispersion * m * m))
        .sum()
}

/// The dispersion at which Pearson's statistic is what it should be; 0 where counts scatter no more than Poisson.
fn dispersion(events: &[f64], expected: &[f64], freedom: f64) -> f64 {
    if pearson(events, expected, 0.0) <= freedom {
        return 0.0;
    }
    let (mut low, mut high) = (0.0, 1.0);
    while pearson(events, expected, high) > freedom && high < 1e6 {
        high *= 4.0;
    }
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if pearson(events, expected, middle) > freedom {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// Holm's correction (1979, Scandinavian Journal of Statistics 6), in the order of the p-values.
fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let (mut adjusted, mut largest) = (vec![0.0; p_values.len()], 0.0_f64);
    for (rank, k) in order.into_iter().enumerate() {
        let times = (p_values.len() - rank) as f64;
        largest = largest.max((times * p_values[k]).min(1.0));
        adjusted[k] = largest;
    }
    adjusted
}

/// The points of a segmentation, each held against the segmentation without it.
fn points_of(series: &Series, found: &Segmentation, test: &Test) -> Vec<TurningPoint> {
    let rates = series.rates(&found.starts);
    let without = |k: usize| {
        let mut starts = found.starts.clone();
        starts.remove(k);
        let ratio = 2.0 * (found.log_likelihood - series.log_likelihood(&starts));
        test.p(ratio / test.scatter)
    };
    let p_values: Vec<f64> = (0..found.starts.len()).map(without).collect();
    let point = |(k, p): (usize, f64)| {
        let (low, high) = plausible(series, found, k, test.scatter);
        TurningPoint {
            start: found.starts[k],
            low,
            high,
            before: rates[k],
            after: rates[k + 1],
            p,
        }
    };
    holm(&p_values).into_iter().enumerate().map(point).collect()
}

/// The first and the last place of a point that are plausible, the other points where they are.
fn plausible(series: &Series, found: &Segmentation, k: usize, scatter: f64) -> (usize, usize) {
    let from = if k == 0 { 0 } else { found.starts[k - 1] } + LEAST_STEPS;
    let until = found.starts.get(k + 1).copied().unwrap_or(series.len()) - LEAST_STEPS;
    let near = |place: &usize| {
        let mut starts = found.starts.clone();
        starts[k] = *place;
        found.log_likelihood - series.log_likelihood(&starts) <= PLAUSIBLE * scatter.max(1.0)
    };
    let places: Vec<usize> = (from..=until).filter(near).collect();
    let ends = places.first().copied().zip(places.last().copied());
    ends.unwrap_or((found.starts[k], found.starts[k]))
}

#[cfg(test)]
mod tests {
    use super::super::segmentation::tests::coal;
    use super::*;

    /// A series around a level with negative-binomial noise.
    fn simulated(levels: &[f64], dispersion: f64, seed: u64) -> Series {
        let mut random = generator(seed, 0);
        let exposure: Vec<f64> = (0..levels.len()).map(|k| 900.0 - 10.0 * k as f64).collect();
        let means = levels.iter().zip(&exposure).map(|(level, e)| level * e);
        let events = means.map(|m| negative_binomial(m, dispersion, &mut random));
        Series::new(&events.collect::<Vec<_>>(), &exposure)
    }

    #[test]
    fn the_change_in_coal_mining_is_significant_and_has_its_place() {
        let turning = turning_points(&coal(), Noise::NegativeBinomial, 7).unwrap();
        let first = turning.points[0];
        assert_eq!((first.start, turning.p_any), (41, 0.001));
        assert!(
            first.p <= 0.01 && first.low <= 41 && first.high >= 41,
            "{first:?}"
        );
        assert!(first.low >= 34 && first.high <= 47, "{first:?}");
        assert!((first.before - 3.097_56).abs() < 1e-4, "{first:?}");
        // The same seed gives the same figures.
        assert_eq!(
            turning_points(&coal(), Noise::NegativeBinomial, 7),
            Some(turning)
        );
    }

    #[test]
    fn planted_changes_are_found_in_scattered_counts() {
        let levels: Vec<f64> = (0..60)
            .map(|k| if (20..40).contains(&k) { 0.8 } else { 0.5 })
            .collect();
        let series = simulated(&levels, 0.01, 3);
        let turning = turning_points(&series, Noise::NegativeBinomial, 7).unwrap();
        let starts: Vec<usize> = turning.points.iter().map(|p| p.start).collect();
        assert_eq!(starts.len(), 2, "{turning:?}");
        for (point, planted) in turning.points.iter().zip([20, 40]) {
            assert!(point.low <= planted && planted <= point.high, "{point:?}");
            assert!(point.p <= SIGNIFICANCE);
        }
        assert!(
            turning.dispersion > 0.003 && turning.dispersion < 0.03,
            "{turning:?}"
        );
    }

    /// The negative control: noise that is taken for independent events finds changes in scattered counts without any.
    #[test]
    fn poisson_noise_cries_wolf_and_negative_binomial_noise_does_not() {
        let alarms = |noise| {
            let alarm = |seed: &u64| {
                let series = simulated(&[0.5; 52], 0.02, 100 + seed);
                let turning = turning_points(&series, noise, *seed).unwrap();
                !turning.points.is_empty()
            };
            (0..12).filter(alarm).count()
        };
        assert_eq!(alarms(Noise::NegativeBinomial), 0);
        assert!(alarms(Noise::Poisson) >= 10, "{}", alarms(Noise::Poisson));
    }

    /// 200 series without a change: p-values are uniform (the statistic of Kolmogorov and Smirnov stays below
    /// its 1 % bound), and hardly any has a turning point.
    #[test]
    #[ignore = "takes half a minute"]
    fn p_values_without_a_change_are_uniform() {
        let mut p_values = Vec::new();
        let mut alarms = 0;
        for seed in 0..200_u64 {
            let series = simulated(
                &[0.4; 60],
                [0.0, 0.01, 0.05][seed as usize % 3],
                1_000 + seed,
            );
            let turning = turning_points(&series, Noise::NegativeBinomial, seed).unwrap();
            alarms += usize::from(!turning.points.is_empty());
            p_values.push(turning.p_any);
        }
        p_values.sort_by(f64::total_cmp);
        let n = p_values.len() as f64;
        let gaps = p_values.iter().enumerate().map(|(k, p)| {
            let k = k as f64;
            (p - k / n).abs().max(((k + 1.0) / n - p).abs())
        });
        let distance = gaps.fold(0.0, f64::max);
        println!("distance {distance}, {alarms} alarms");
        assert!(distance < 1.63 / n.sqrt(), "{distance}");
        assert!(alarms <= 10, "{alarms} of 200");
    }

    #[test]
    fn a_short_series_has_no_turning_points() {
        let short = Series::new(&[5.0, 9.0, 1.0, 2.0], &[1.0; 4]);
        assert_eq!(turning_points(&short, Noise::NegativeBinomial, 1), None);
        let silent = Series::new(&[0.0; 30], &[9.0; 30]);
        let turning = turning_points(&silent, Noise::NegativeBinomial, 1).unwrap();
        assert_eq!((turning.points, turning.p_any), (Vec::new(), 1.0));
    }

    #[test]
    fn corrections_are_those_of_holm() {
        assert_eq!(holm(&[0.01, 0.04, 0.03]), [0.03, 0.06, 0.06]);
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
    }
}
