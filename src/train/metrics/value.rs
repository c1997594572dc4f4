//! How good estimates of spend are: order, level and errors, with intervals by a bootstrap of users.
//!
//! The Gini coefficient and the errors of tenths are those of google/lifetime_value (Wang, Liu and Miao 2019,
//! arXiv:1912.07753; `lifetime_value/metrics.py`). Two things differ: users of equal estimates stand in no order, so that each
//! of them counts with the mean spend of all of them, where a sort would give whatever order the rows had; and tenths are
//! of equal size by rank, where quantiles as bounds fail on equal estimates.

use super::bootstrap::bootstrap;
use crate::card::{DecileCard, IntervalCoverage, ValueMetrics};

/// Tenths of users.
const TENTHS: usize = 10;

/// Estimates below this share of the mean spend count as that much in the deviance, which has no bound as they go to 0.
const LEAST_SHARE_OF_MEAN: f64 = 1e-6;

/// The estimate of a user on the test date, and what was spent; both at least 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spend {
    /// The expected spend within the window.
    pub(crate) expected: f64,
    /// The actual spend within it, net, 0 where more was paid back.
    pub(crate) actual: f64,
}

/// The metrics of estimates, one for each user; `seed` draws the resamples. `None` where nobody spent anything: then
/// there is no order and no level to be judged.
pub(crate) fn value_metrics(users: &[Spend], seed: u64) -> Option<ValueMetrics> {
    let ranking = SpendRanking::new(users)?;
    let draws = bootstrap(users.len(), seed, |counts| ranking.figures(counts));
    let mean = ranking.actual / users.len() as f64;
    let mean_of = |error: &dyn Fn(&Spend) -> f64| {
        users.iter().map(error).sum::<f64>() / users.len() as f64 / mean
    };
    let least = mean * LEAST_SHARE_OF_MEAN;
    Some(ValueMetrics {
        gini: draws.interval(|figures| figures.gini),
        bias: draws.interval(|figures| figures.bias),
        deviance: mean_of(&|user| poisson_deviance(user.expected.max(least), user.actual)),
        mae: mean_of(&|user| (user.expected - user.actual).abs()),
        decile_mape: decile_mape(&deciles(users)),
        top_tenth: share_of_top(&ranking.descending(), users.len() as f64 / TENTHS as f64),
    })
}

/// The deviance of a spend of `actual` where `expected` (above 0) was, as a Poisson variable has it:
/// `2 (y ln(y / m) - y + m)`. It doubles when both double, so that its mean over the mean spend has no unit
/// (McCullagh and Nelder 1989, Generalized Linear Models, 2.3).
pub(crate) fn poisson_deviance(expected: f64, actual: f64) -> f64 {
    let logarithm = if actual > 0.0 {
        actual * libm::log(actual / expected)
    } else {
        0.0
    };
    2.0 * (logarithm - actual + expected)
}

/// What was expected and what came, by tenth of the users; lowest estimates first. Fewer than ten users make a tenth each.
pub(crate) fn deciles(users: &[Spend]) -> Vec<DecileCard> {
    let mut sorted = sorted_by(users, |user| user.expected);
    sorted.reverse();
    let spend = even_in_runs(users, &sorted);
    let tenths = TENTHS.min(users.len());
    let tenth = |k: usize| {
        let (from, until) = (k * users.len() / tenths, (k + 1) * users.len() / tenths);
        let count = (until - from) as f64;
        DecileCard {
            users: (until - from) as u64,
            expected: sorted[from..until]
                .iter()
                .map(|user| users[*user as usize].expected)
                .sum::<f64>()
                / count,
            actual: spend[from..until].iter().sum::<f64>() / count,
        }
    };
    (0..tenths).map(tenth).collect()
}

/// The mean of `|expected - actual| / actual` over tenths. Those in which nobody spent anything are passed over: their error
/// has no bound.
fn decile_mape(deciles: &[DecileCard]) -> f64 {
    let spent = || deciles.iter().filter(|tenth| tenth.actual > 0.0);
    let error = |tenth: &DecileCard| (tenth.expected - tenth.actual).abs() / tenth.actual;
    spent().map(error).sum::<f64>() / spent().count() as f64
}

/// The share of all spend that the 0 %, 1 %, ... 100 % of users had that were to spend most, and that those had who did:
/// the Gini curve and that of the perfect order, as pairs of the share of users and of spend. Empty where nobody spent
/// anything.
pub(crate) fn gini_curves(users: &[Spend]) -> (GiniCurve, GiniCurve) {
    let Some(ranking) = SpendRanking::new(users) else {
        return (Vec::new(), Vec::new());
    };
    let point = |spend: &[f64], percent: u32| {
        let share = f64::from(percent) / 100.0;
        (share, share_of_top(spend, share * users.len() as f64))
    };
    let curve = |spend: &[f64]| (0..=100).map(|percent| point(spend, percent)).collect();
    (curve(&ranking.descending()), curve(&ranking.perfect()))
}

/// Shares of users and of their spend, both growing from 0 to 1.
pub(crate) type GiniCurve = Vec<(f64, f64)>;

/// The share of all spend that the first `top` users had, a part of a user as that part of the spend.
fn share_of_top(spend: &[f64], top: f64) -> f64 {
    let whole = (top as usize).min(spend.len());
    let part = spend
        .get(whole)
        .map_or(0.0, |next| next * (top - whole as f64));
    let total: f64 = spend.iter().sum();
    ((spend[..whole].iter().sum::<f64>() + part) / total).min(1.0)
}

/// The interval of a user, and what came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Interval {
    /// The lower bound of the spend.
    pub(crate) low: f64,
    /// The upper bound.
    pub(crate) high: f64,
    /// The actual spend.
    pub(crate) actual: f64,
    /// To which of the groups the user belongs.
    pub(crate) group: usize,
}

impl Interval {
    fn covers(&self) -> bool {
        self.low <= self.actual && self.actual <= self.high
    }
}

/// The share of users whose spend lay inside of its interval, bounds included: of everybody first, then of each group that has
/// a user, by its name.
pub(crate) fn interval_coverage(users: &[Interval], groups: &[String]) -> Vec<IntervalCoverage> {
    let coverage = |name: &str, chosen: Vec<&Interval>| {
        let covered = chosen.iter().filter(|user| user.covers()).count();
        (!chosen.is_empty()).then(|| IntervalCoverage {
            group: name.to_owned(),
            users: chosen.len() as u64,
            share: covered as f64 / chosen.len() as f64,
        })
    };
    let of_group = |(group, name): (usize, &String)| {
        coverage(
            name,
            users.iter().filter(|user| user.group == group).collect(),
        )
    };
    let everybody = coverage(IntervalCoverage::EVERYBODY, users.iter().collect());
    let by_group = groups.iter().enumerate().filter_map(of_group);
    everybody.into_iter().chain(by_group).collect()
}

/// The positions of users by a figure, highest first.
fn sorted_by(users: &[Spend], figure: impl Fn(&Spend) -> f64) -> Vec<u32> {
    let mut sorted: Vec<u32> = (0..users.len() as u32).collect();
    sorted.sort_by(|a, b| figure(&users[*b as usize]).total_cmp(&figure(&users[*a as usize])));
    sorted
}

/// The spend of sorted users, where those of equal estimates share theirs evenly.
fn even_in_runs(users: &[Spend], sorted: &[u32]) -> Vec<f64> {
    let at = |user: &u32| users[*user as usize];
    let mut spend = Vec::with_capacity(sorted.len());
    for run in sorted.chunk_by(|a, b| at(a).expected == at(b).expected) {
        let total: f64 = run.iter().map(|user| at(user).actual).sum();
        spend.resize(spend.len() + run.len(), total / run.len() as f64);
    }
    spend
}

/// The figures that have an interval.
#[derive(Clone, Copy, Debug, PartialEq)]
struct SpendFigures {
    gini: f64,
    bias: f64,
}

/// Users by estimate and by spend, so that resampling is one pass over each.
#[derive(Debug)]
struct SpendRanking<'a> {
    users: &'a [Spend],
    by_expected: Vec<u32>,
    by_actual: Vec<u32>,
    /// The total spend, above 0.
    actual: f64,
}

impl<'a> SpendRanking<'a> {
    fn new(users: &'a [Spend]) -> Option<Self> {
        assert!(
            users
                .iter()
                .all(|user| user.expected >= 0.0 && user.actual >= 0.0),
            "spend and its estimates are floored at 0"
        );
        let actual: f64 = users.iter().map(|user| user.actual).sum();
        (actual > 0.0).then(|| Self {
            users,
            by_expected: sorted_by(users, |user| user.expected),
            by_actual: sorted_by(users, |user| user.actual),
            actual,
        })
    }

    /// The spend of users, the highest estimate first.
    fn descending(&self) -> Vec<f64> {
        even_in_runs(self.users, &self.by_expected)
    }

    /// The spend of users, the highest spend first.
    fn perfect(&self) -> Vec<f64> {
        let spend = |user: &u32| self.users[*user as usize].actual;
        self.by_actual.iter().map(spend).collect()
    }

    /// The figures with every user counted `counts[user]` times.
    fn figures(&self, counts: &[u16]) -> SpendFigures {
        let (mut expected, mut actual) = (0.0, 0.0);
        for (user, count) in self.users.iter().zip(counts) {
            expected += f64::from(*count) * user.expected;
            actual += f64::from(*count) * user.actual;
        }
        let model = self.raw_gini(&self.by_expected, |user| user.expected, counts, actual);
        let perfect = self.raw_gini(&self.by_actual, |user| user.actual, counts, actual);
        SpendFigures {
            gini: model / perfect,
            bias: expected / actual - 1.0,
        }
    }

    /// Twice the mean of the cumulative shares of spend, minus 1: `gini_from_gain` of the source. Runs of one figure are
    /// summed as a whole: the k-th of its `n` users adds k / n of the run's spend.
    fn raw_gini(
        &self,
        sorted: &[u32],
        figure: impl Fn(&Spend) -> f64,
        counts: &[u16],
        actual: f64,
    ) -> f64 {
        let at = |user: u32| (&self.users[user as usize], f64::from(counts[user as usize]));
        let (mut before, mut area, mut total) = (0.0, 0.0, 0.0);
        let (mut users, mut spend) = (0.0, 0.0);
        for (position, user) in sorted.iter().enumerate() {
            let (row, count) = at(*user);
            users += count;
            spend += count * row.actual;
            let next = sorted.get(position + 1);
            if next.is_none_or(|next| figure(at(*next).0) != figure(row)) {
                area += users * before + spend * (users + 1.0) / 2.0;
                before += std::mem::take(&mut spend);
                total += std::mem::take(&mut users);
            }
        }
        2.0 * area / actual / total - 1.0
    }
}

#[cfg(test)]
mod tests;
