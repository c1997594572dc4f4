//! What the users of the as-of day are worth, and what follows for tiers and scores.

use std::collections::BTreeMap;

use super::orders::ORDER_QUANTITIES;
use crate::card::{AtRiskCard, Interval, StageValueCard, TierCard};
use crate::features::Extractor;
use crate::history::Block;
use crate::lifecycle::Stage;
use crate::math::quantile_sorted;
use crate::model::value::orders::{OrderHistory, OrderPositions, Orders};
use crate::model::value::scorer::tier_of;
use crate::model::{Bundle, Prediction, RfmCuts, RiskBand, Subject, ValueEstimate, ValueTier};
use crate::phases::Unit;
use crate::train::TrainError;
use crate::train::data::context::TrainContext;
use crate::train::metrics::bootstrap;
use crate::train::settings::TierConfig;

/// One user that has a score on the as-of day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct UserValue {
    pub(super) expected_spend: f64,
    pub(super) residual_value: f64,
    pub(super) value_at_risk: f64,
    pub(super) stage: Stage,
    pub(super) band: RiskBand,
    pub(super) orders: Option<OrderHistory>,
}

/// The values of all users that a bundle scores on the as-of day of its fit, in order of users.
pub(super) fn user_values(
    ctx: &TrainContext<'_>,
    bundle: &Bundle,
) -> Result<Vec<UserValue>, TrainError> {
    let kinds = ctx.histories.kinds();
    let phase = ctx
        .phases
        .begin("value of users", ctx.histories.len() as u64, Unit::Users);
    let extractor = Extractor::new(&ctx.bundle_catalogue, kinds).only(&ORDER_QUANTITIES);
    let positions = OrderPositions::new(&ctx.bundle_catalogue);
    let blocks = ctx.histories.map_blocks(|block: &Block| {
        phase.advance(block.len() as u64);
        let mut predictor = bundle.predictor(kinds);
        let mut extractor = extractor.clone();
        let mut raw = vec![f64::NAN; ctx.bundle_catalogue.len()];
        let mut values = Vec::new();
        for (_, _, history) in block.iter() {
            let prediction = predictor.predict(Subject::History(history), ctx.as_of, 0)?;
            let Prediction::Scored(score) = prediction else {
                continue;
            };
            let (Some(value), Some(longest)) = (&score.value, score.horizons.last()) else {
                continue;
            };
            extractor.extract(history, ctx.as_of, &mut raw);
            let orders = positions.map(|positions| positions.orders(&raw));
            let ValueEstimate {
                expected_spend,
                residual_value,
                value_at_risk,
                ..
            } = *value;
            values.push(UserValue {
                expected_spend,
                residual_value,
                value_at_risk,
                stage: score.stage,
                band: longest.band,
                orders: match orders {
                    Some(Orders::Known(orders)) => Some(orders),
                    _ => None,
                },
            });
        }
        Ok::<_, TrainError>(values)
    })?;
    let mut all = Vec::new();
    for block in blocks {
        all.extend(block?);
    }
    Ok(all)
}

/// The tiers of the configuration with their bounds: the residual value that the share of users of each and of those above
/// it reaches. Equal values are in one tier.
pub(super) fn tiers(config: &[TierConfig], users: &[UserValue]) -> Vec<ValueTier> {
    let mut sorted: Vec<f64> = users.iter().map(|user| user.residual_value).collect();
    sorted.sort_by(f64::total_cmp);
    let mut tiers: Vec<ValueTier> = Vec::with_capacity(config.len());
    for tier in config.iter().rev() {
        let bound = tier.top_share.map_or(0.0, |share| {
            quantile_sorted(&sorted, 1.0 - share).unwrap_or_default()
        });
        // Where values are equal across a share, the tier above begins just beyond them.
        let least = tiers.last().map_or(0.0, |below| next_above(below.from));
        tiers.push(ValueTier {
            name: tier.name.clone(),
            from: if tiers.is_empty() {
                0.0
            } else {
                bound.max(least)
            },
        });
    }
    tiers.reverse();
    tiers
}

/// The next number above one that is not negative.
fn next_above(x: f64) -> f64 {
    f64::from_bits(x.to_bits() + 1)
}

/// The cut points of the scores: fifths of the users with orders.
pub(super) fn rfm_cuts(users: &[UserValue]) -> RfmCuts {
    let cuts = |of: fn(&OrderHistory) -> f64| -> Vec<f64> {
        let mut sorted: Vec<f64> = users
            .iter()
            .filter_map(|u| u.orders.as_ref().map(of))
            .collect();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.last().copied();
        let fifths = [0.2, 0.4, 0.6, 0.8].into_iter();
        let mut cuts: Vec<f64> = fifths
            .filter_map(|q| quantile_sorted(&sorted, q))
            .filter(|cut| Some(*cut) < last)
            .collect();
        cuts.dedup();
        cuts
    };
    RfmCuts {
        recency_days: cuts(|orders| orders.recency_days),
        orders: cuts(|orders| f64::from(orders.counts.frequency()) + 1.0),
        amount: cuts(|orders| orders.amount),
    }
}

/// The tiers on the card.
pub(super) fn tier_cards(tiers: &[ValueTier], users: &[UserValue], seed: u64) -> Vec<TierCard> {
    let of: Vec<usize> = tiers_of(tiers, users);
    let residual = group_totals(&of, tiers.len(), users, seed);
    let cards = tiers.iter().zip(residual).enumerate();
    cards
        .map(|(position, (tier, residual_value))| {
            let own = || of.iter().zip(users).filter(move |(t, _)| **t == position);
            TierCard {
                name: tier.name.clone(),
                from: tier.from,
                users: own().count() as u64,
                expected_spend: total(own().map(|(_, u)| u.expected_spend)),
                residual_value,
                value_at_risk: total(own().map(|(_, u)| u.value_at_risk)),
            }
        })
        .collect()
}

/// The sum of amounts, which is 0 without any: that of the standard library is then -0.
fn total(amounts: impl Iterator<Item = f64>) -> f64 {
    amounts.fold(0.0, |total, amount| total + amount)
}

fn tiers_of(tiers: &[ValueTier], users: &[UserValue]) -> Vec<usize> {
    let tier = |user: &UserValue| tier_of(tiers, user.residual_value);
    users.iter().map(tier).collect()
}

/// The total residual value of groups of users, with its interval by a bootstrap of users.
fn group_totals(of: &[usize], groups: usize, users: &[UserValue], seed: u64) -> Vec<Interval> {
    let draws = bootstrap(users.len(), seed, |counts| {
        let mut totals = vec![0.0; groups];
        for ((group, user), count) in of.iter().zip(users).zip(counts) {
            totals[*group] += f64::from(*count) * user.residual_value;
        }
        totals
    });
    (0..groups)
        .map(|group| draws.interval(|totals| totals[group]))
        .collect()
}

/// Value and value at risk by tier and risk band.
pub(super) fn at_risk(tiers: &[ValueTier], users: &[UserValue]) -> Vec<AtRiskCard> {
    let of = tiers_of(tiers, users);
    let bands = [RiskBand::High, RiskBand::Medium, RiskBand::Low];
    let pairs = tiers
        .iter()
        .enumerate()
        .flat_map(|(position, tier)| bands.map(|band| (position, tier, band)));
    pairs
        .map(|(position, tier, band)| {
            let own = || {
                let all = of.iter().zip(users);
                all.filter(move |(t, user)| **t == position && user.band == band)
            };
            AtRiskCard {
                tier: tier.name.clone(),
                band: band.name().to_owned(),
                users: own().count() as u64,
                residual_value: total(own().map(|(_, u)| u.residual_value)),
                value_at_risk: total(own().map(|(_, u)| u.value_at_risk)),
            }
        })
        .collect()
}

/// Value by lifecycle stage.
pub(super) fn stages(users: &[UserValue], seed: u64) -> Vec<StageValueCard> {
    let position = |stage: Stage| {
        Stage::ALL
            .iter()
            .position(|s| *s == stage)
            .unwrap_or_default()
    };
    let of: Vec<usize> = users.iter().map(|user| position(user.stage)).collect();
    let residual = group_totals(&of, Stage::ALL.len(), users, seed);
    let mut counted: BTreeMap<usize, (u64, f64)> = BTreeMap::new();
    for (stage, user) in of.iter().zip(users) {
        let (count, at_risk) = counted.entry(*stage).or_default();
        *count += 1;
        *at_risk += user.value_at_risk;
    }
    let cards = Stage::ALL.iter().zip(residual).enumerate();
    cards
        .map(|(position, (stage, residual_value))| {
            let (users, value_at_risk) = counted.get(&position).copied().unwrap_or_default();
            StageValueCard {
                stage: stage.name().to_owned(),
                users,
                residual_value,
                value_at_risk,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_at_risk_is_zero_and_not_minus_zero() {
        let everybody = ValueTier {
            name: "all".to_owned(),
            from: 0.0,
        };
        let cells = at_risk(&[everybody], &[]);
        assert_eq!(cells.len(), 3);
        let mut amounts = cells
            .iter()
            .flat_map(|c| [c.residual_value, c.value_at_risk]);
        assert!(amounts.all(|amount| amount == 0.0 && amount.is_sign_positive()));
    }
}
