//! Two predictions of the same users.

use super::verdict::MIN_CLASS_USERS;
use super::{numbered, share};
use crate::card::{Interval, Paired, Preference};
use crate::train::metrics::{Draws, Figures, Ranking, bootstrap, metrics};

/// Both predictions' figures on the same resampled users; `seed` draws them.
pub(crate) fn paired(users: &[u32], churned: &[bool], p: [&[f64]; 2], seed: u64) -> Paired {
    let (users, count) = numbered(users);
    let rankings = p.map(|p| Ranking::new(p, churned, &users));
    let draws = bootstrap(count, seed, |counts| {
        [rankings[0].figures(counts), rankings[1].figures(counts)]
    });
    let churners = churned.iter().filter(|y| **y).count() as u64;
    let few = churners.min(churned.len() as u64 - churners) < MIN_CLASS_USERS;
    let log_loss_difference = difference(&draws, |f| f.log_loss);
    Paired {
        users: count as u64,
        churn_rate: share(churned),
        a: metrics(&draws, |drawn| &drawn[0]),
        b: metrics(&draws, |drawn| &drawn[1]),
        log_loss_difference,
        auc_difference: difference(&draws, |f| f.auc),
        brier_difference: difference(&draws, |f| f.brier),
        ece_difference: difference(&draws, |f| f.ece),
        preference: match log_loss_difference {
            _ if p[0] == p[1] => Preference::Same,
            d if !few && d.low > 0.0 => Preference::A,
            d if !few && d.high < 0.0 => Preference::B,
            _ => Preference::NotShown,
        },
    }
}

/// A figure of the second less that of the first.
fn difference(draws: &Draws<[Figures; 2]>, figure: fn(&Figures) -> f64) -> Interval {
    draws.interval(|[a, b]| figure(b) - figure(a))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::metrics::evaluate;

    /// 400 users, the probabilities of a good and of a poor model, and what became of the users.
    fn made() -> (Vec<u32>, Vec<bool>, Vec<f64>, Vec<f64>) {
        let share = |i: u32, k: u32| f64::from(i * 7_919 % k) / f64::from(k);
        let good: Vec<f64> = (0..400).map(|i| 0.05 + 0.9 * share(i, 997)).collect();
        let churned = (0..400_u32)
            .map(|i| f64::from(i * 611 % 401) / 401.0 < good[i as usize])
            .collect();
        let poor = good.iter().map(|p| 0.4 + 0.2 * p).collect();
        // Users need not be numbered without gaps.
        ((0..400).map(|i| 3 * i + 7).collect(), churned, good, poor)
    }

    #[test]
    fn equal_predictions_differ_by_nothing_at_all() {
        let (users, churned, good, _) = made();
        let same = paired(&users, &churned, [&good, &good], 7);
        let zero = Interval {
            value: 0.0,
            low: 0.0,
            high: 0.0,
        };
        assert_eq!(same.preference, Preference::Same);
        let all = [
            same.log_loss_difference,
            same.auc_difference,
            same.brier_difference,
            same.ece_difference,
        ];
        assert_eq!(all, [zero; 4]);
        assert!(same.a.log_loss.high - same.a.log_loss.low > 0.01);
    }

    #[test]
    fn the_better_is_found_whichever_comes_first() {
        let (users, churned, good, poor) = made();
        let one = paired(&users, &churned, [&good, &poor], 7);
        let other = paired(&users, &churned, [&poor, &good], 7);
        assert_eq!(
            (one.preference, other.preference),
            (Preference::A, Preference::B)
        );
        let (d, e) = (one.log_loss_difference, other.log_loss_difference);
        assert!((d.value + e.value).abs() < 1e-15 && (d.low + e.high).abs() < 1e-12);
        assert!((one.a.log_loss.value - evaluate(&good, &churned, 1).log_loss.value).abs() < 1e-15);
        assert!((d.value - (one.b.log_loss.value - one.a.log_loss.value)).abs() < 1e-12);
        assert!(one.auc_difference.value.abs() < 1e-12, "the same order");
    }

    #[test]
    fn a_handful_of_churners_shows_nothing() {
        let (users, mut churned, good, poor) = made();
        let mut left = 0;
        for churned in &mut churned {
            left += u32::from(*churned);
            *churned = *churned && left <= 9;
        }
        let few = paired(&users, &churned, [&good, &poor], 7);
        assert!(few.log_loss_difference.high < 0.0, "{few:?}");
        assert_eq!(few.preference, Preference::NotShown);
    }
}
