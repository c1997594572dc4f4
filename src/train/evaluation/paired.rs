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
