//! A user's gaps in a window of days, with what is known of each.
//!
//! The gap that was open when the window begins is watched from then on; the one that is open when it ends is censored. The
//! j-th gap of a user weighs 1/j, so that busy users count for little more than others. That weight is known when the gap
//! begins. One over the number of a user's gaps is not: a user with short gaps has many of them, so that short gaps would
//! weigh less because they are short, and every law would be too long.

use super::gaps::{Known, Term};

/// The days of a window on which a user was active, as gaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserGaps {
    /// Days from the last active day before the window to the window's first day; 1 or more.
    waited: usize,
    /// Days of each gap that ended, the first since before the window.
    ended: Vec<usize>,
    /// Days after the last active day that were seen to be silent.
    open: usize,
}

impl UserGaps {
    /// The gaps of a user whose last active day before the window lies `waited` days before its first day, and who was then
    /// active on the days `active` of the `window` days, counted from 0 and increasing.
    pub fn new(waited: usize, active: &[usize], window: usize) -> Self {
        let waited = waited.max(1);
        let before = std::iter::once(None).chain(active.iter().copied().map(Some));
        let gap = |(day, before): (&usize, Option<usize>)| match before {
            None => day + waited,
            Some(before) => day - before,
        };
        Self {
            waited,
            ended: active.iter().zip(before).map(gap).collect(),
            open: match active.last() {
                Some(last) => window - 1 - last,
                None => waited + window - 1,
            },
        }
    }

    /// How many gaps ended.
    pub fn ended(&self) -> usize {
        self.ended.len()
    }

    /// Days from the last active day before the window to the window's first day.
    pub(super) fn waited(&self) -> usize {
        self.waited
    }

    /// Each gap: its weight, its days, the days that it was known to be longer than or as long as, and whether it ended. Of an
    /// open gap the days are the least that it can have.
    pub(super) fn gaps(&self) -> impl Iterator<Item = Gap> + '_ {
        let ended = self.ended.iter().map(|days| (*days, true));
        let all = ended.chain([(self.open + 1, false)]);
        all.enumerate().map(|(k, (days, ended))| Gap {
            weight: 1.0 / (k + 1) as f64,
            days,
            from: if k == 0 { self.waited } else { 1 },
            ended,
        })
    }
}

/// One gap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Gap {
    pub(super) weight: f64,
    pub(super) days: usize,
    pub(super) from: usize,
    pub(super) ended: bool,
}

/// Where the time of a gap of so many whole days begins; it ends where that of one day more begins.
pub(super) fn edge(days: usize) -> f64 {
    if days <= 1 { 0.0 } else { days as f64 - 0.5 }
}

/// The weights of all users' gaps by days.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct GapWeights {
    /// Of gaps that ended.
    pub(super) ended: Vec<f64>,
    /// Of gaps of that many days or more, less those that were watched only from that many days on.
    pub(super) beyond: Vec<f64>,
}

impl GapWeights {
    pub(super) fn of(users: &[UserGaps]) -> Self {
        let mut weights = Self::default();
        let put = |to: &mut Vec<f64>, days: usize, weight: f64| {
            if to.len() <= days {
                to.resize(days + 1, 0.0);
            }
            to[days] += weight;
        };
        for gap in users.iter().flat_map(UserGaps::gaps) {
            let days = if gap.ended {
                &mut weights.ended
            } else {
                &mut weights.beyond
            };
            put(days, gap.days, gap.weight);
            if gap.from > 1 {
                put(&mut weights.beyond, gap.from, -gap.weight);
            }
        }
        weights
    }

    /// What the weights are multiplied by, so that they add up to the number of users: users are what is independent.
    pub(super) fn scale(users: &[UserGaps]) -> f64 {
        let all: f64 = users
            .iter()
            .flat_map(UserGaps::gaps)
            .map(|gap| gap.weight)
            .sum();
        users.len() as f64 / all.max(f64::MIN_POSITIVE)
    }

    /// The terms of a likelihood.
    pub(super) fn terms(&self, scale: f64) -> Vec<Term> {
        let ended = self.ended.iter().enumerate();
        let ended = ended.map(|(days, w)| (Known::Between(edge(days), edge(days + 1)), scale * w));
        let beyond = self.beyond.iter().enumerate();
        let beyond = beyond.map(|(days, w)| (Known::Beyond(edge(days)), scale * w));
        ended.chain(beyond).filter(|(_, w)| *w != 0.0).collect()
    }
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::super::gaps::fit_gaps;
    use super::super::random::generator;
    use super::*;

    #[test]
    fn gaps_begin_before_the_window_and_end_after_it() {
        let user = UserGaps::new(5, &[0, 3, 4], 10);
        let of = |gap: Gap| (gap.days, gap.from, gap.ended);
        let gaps: Vec<_> = user.gaps().map(of).collect();
        assert_eq!(
            gaps,
            [(5, 5, true), (3, 1, true), (1, 1, true), (6, 1, false)]
        );
        let weights: Vec<f64> = user.gaps().map(|gap| gap.weight).collect();
        assert_eq!(weights, [1.0, 0.5, 1.0 / 3.0, 0.25]);
        // Silent all the time: 5 days before the window, 10 in it.
        let silent: Vec<_> = UserGaps::new(5, &[], 10).gaps().map(of).collect();
        assert_eq!(silent, [(15, 5, false)]);
        // Active on the last day: the open gap has a day or more, which says nothing.
        let last = UserGaps::new(1, &[9], 10);
        assert_eq!(last.gaps().map(of).last(), Some((1, 1, false)));
        assert_eq!(edge(1), 0.0);
    }

    /// Users who return on any day with the same probability: the mean gap is 1 / 0.1.
    #[test]
    fn weights_that_are_known_beforehand_do_not_bias() {
        let mut random = generator(11, 0);
        let users: Vec<UserGaps> = (0..3_000)
            .map(|_| {
                let active: Vec<usize> = (0..40)
                    .filter(|_| random.gen_range(0.0..1.0) < 0.1)
                    .collect();
                UserGaps::new(random.gen_range(1..20), &active, 40)
            })
            .collect();
        let mean = |terms: &[Term]| {
            let fitted = fit_gaps(terms, 3_000.0);
            let exponential = fitted.iter().find(|f| f.law.name() == "exponential");
            exponential.unwrap().law.parameters()[0].1
        };
        let weights = GapWeights::of(&users);
        // An exponential time in days whose first begins at 0 has the mean 9.99 where a tenth ends on each day.
        let got = mean(&weights.terms(GapWeights::scale(&users)));
        assert!((got - 10.0).abs() < 0.45, "{got}");
        // The negative control: one over the number of a user's gaps.
        let biased: Vec<Term> = users
            .iter()
            .flat_map(|user| {
                let n = (user.ended() + 1) as f64;
                user.gaps().flat_map(move |gap| {
                    let low = edge(gap.days);
                    let known = match gap.ended {
                        true => Known::Between(low, edge(gap.days + 1)),
                        false => Known::Beyond(low),
                    };
                    [(known, 1.0 / n), (Known::Beyond(edge(gap.from)), -1.0 / n)]
                })
            })
            .collect();
        assert!(mean(&biased) > 12.0, "{}", mean(&biased));
    }
}
