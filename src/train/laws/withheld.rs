//! Which strata are shown.

use std::collections::BTreeMap;

use crate::card::StratumName;

/// For each stratum, with its number of users, whether it is shown: it has enough of them, and nothing that is not shown can be
/// had by subtraction. The users of a shown stage less those of its shown tiers are the users of the others and those
/// without a tier: nobody, or enough of them. Where they are too few, the smallest tiers that are shown are withheld with
/// them.
pub(super) fn shown(strata: &[(&StratumName, u64)], min_users: u64) -> Vec<bool> {
    let mut shown: Vec<bool> = strata
        .iter()
        .map(|(_, users)| *users >= min_users)
        .collect();
    let mut tiers_of: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, (name, _)) in strata.iter().enumerate() {
        if name.tier.is_some() {
            tiers_of.entry(&name.stage).or_default().push(at);
        }
    }
    for (stage, (name, total)) in strata.iter().enumerate() {
        let tiers = tiers_of.get(name.stage.as_str());
        let Some(tiers) = tiers.filter(|_| name.tier.is_none() && shown[stage]) else {
            continue;
        };
        let mut visible: Vec<usize> = tiers.iter().copied().filter(|at| shown[*at]).collect();
        visible.sort_by_key(|at| std::cmp::Reverse(strata[*at].1));
        let sum: u64 = visible.iter().map(|at| strata[*at].1).sum();
        let mut hidden = total.saturating_sub(sum);
        while hidden > 0 && hidden < min_users {
            let Some(smallest) = visible.pop() else {
                break;
            };
            shown[smallest] = false;
            hidden += strata[smallest].1;
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::splitmix::splitmix64;

    fn names(tiers: usize) -> Vec<StratumName> {
        let name = |stage: &str, tier: Option<usize>| StratumName {
            stage: stage.to_owned(),
            tier: tier.map(|tier| format!("tier {tier}")),
        };
        ["growth", "mature"]
            .into_iter()
            .flat_map(|stage| {
                let of = (0..tiers).map(move |tier| name(stage, Some(tier)));
                std::iter::once(name(stage, None)).chain(of)
            })
            .collect()
    }

    fn of(users: &[u64], min_users: u64) -> Vec<bool> {
        let names = names(users.len() / 2 - 1);
        let strata: Vec<_> = names.iter().zip(users.iter().copied()).collect();
        shown(&strata, min_users)
    }

    #[test]
    fn a_tier_that_subtraction_would_give_is_hidden_with_another() {
        // Growth: 100 - 60 - 31 = 9. Mature: nothing is hidden.
        let users = [100, 60, 31, 9, 100, 40, 30, 30];
        let expected = [true, true, false, false, true, true, true, true];
        assert_eq!(of(&users, 30), expected);
        // Two small tiers hide each other; a stage that is withheld gives nothing away.
        let users = [100, 60, 20, 20, 29, 15, 14, 0];
        let expected = [true, true, false, false, false, false, false, false];
        assert_eq!(of(&users, 30), expected);
        // Three users have no tier.
        let users = [103, 60, 40, 70, 70, 0];
        assert_eq!(of(&users, 30), [true, true, false, true, true, false]);
    }

    /// Of every small stage: whoever knows what is shown can tell the users of no group of fewer than `min_users` apart, and no
    /// tier is withheld without need.
    #[test]
    fn no_difference_of_what_is_shown_counts_too_few_users() {
        let mut complementary = 0;
        for state in 0..20_000_u64 {
            let draw = |k: u64| splitmix64(splitmix64(state) ^ k) % 12;
            let tiers = [draw(1), draw(2), draw(3)];
            let total = tiers.iter().sum::<u64>() + draw(4) / 6;
            let users = [&[total], &tiers[..], &[50], &[20, 20, 10]].concat();
            let shown = of(&users, 5);
            for (users, shown) in users.iter().zip(&shown) {
                assert!(!shown || *users >= 5);
            }
            // Every subset of the shown tiers that an attacker may subtract from the stage.
            let visible: Vec<u64> = (1..4).filter(|at| shown[*at]).map(|at| users[at]).collect();
            if shown[0] {
                for subset in 0..1_u32 << visible.len() {
                    let chosen = visible
                        .iter()
                        .enumerate()
                        .filter(|(k, _)| subset >> k & 1 == 1);
                    let rest = total - chosen.map(|(_, users)| users).sum::<u64>();
                    assert!(rest == 0 || rest >= 5, "{users:?} {shown:?}");
                }
            }
            let hidden: Vec<u64> = (1..4)
                .filter(|at| !shown[*at])
                .map(|at| users[at])
                .collect();
            if let Some(largest) = hidden.iter().filter(|users| **users >= 5).max() {
                complementary += 1;
                let sum: u64 = total - visible.iter().sum::<u64>();
                assert!(
                    !shown[0] || sum - largest < 5,
                    "{users:?} {shown:?}: needless"
                );
            }
        }
        assert!(complementary > 1_000, "{complementary}");
    }
}
