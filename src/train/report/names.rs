//! What things in a card are called on the page.

use super::super::card::Card;
use super::text::{capital, words};
use crate::features::{Catalogue, FeatureSchema};

/// The sentences of features, by name.
#[derive(Clone, Debug)]
pub(super) struct FeatureNames {
    catalogue: Option<Catalogue>,
}

impl FeatureNames {
    /// The catalogue that the card's names come from. A card does not say which kinds beside activity have
    /// features, so all kinds that it mentions are given some: more sentences than needed do no harm.
    pub(super) fn of(card: &Card) -> Self {
        let activity = &card.question.activity;
        let kinds = card.data_quality.get("kinds").and_then(|k| k.as_array()).into_iter().flatten();
        let kinds = kinds.filter_map(|k| k.get("kind")?.as_str()).map(str::to_owned);
        let mut horizon_days = card.question.horizon_days.clone();
        horizon_days.sort_unstable();
        horizon_days.dedup();
        let schema = FeatureSchema {
            activity: activity.clone(),
            other_kinds: kinds.filter(|k| !activity.contains(k)).collect(),
            horizon_days,
            amounts: true,
        };
        Self { catalogue: Catalogue::new(schema).ok() }
    }

    /// `Days since the last purchase` for `recency_days`; the name in words where there is no sentence.
    pub(super) fn sentence(&self, name: &str) -> String {
        let known = self.catalogue.as_ref().and_then(|c| c.features().get(c.position_of(name).ok()?));
        known.map_or_else(|| capital(&words(name)), |f| f.sentence.trim_end_matches('.').to_owned())
    }
}

/// A baseline's name.
pub(super) fn baseline(name: &str) -> String {
    match name {
        "base_rate" => "Base rate".to_owned(),
        "recency_only" => "Recency only".to_owned(),
        other => capital(&words(other)),
    }
}

/// Why a user was not asked about at a date.
pub(super) fn drop_reason(name: &str) -> String {
    match name {
        "not_yet_seen" => "Not yet seen: nothing had happened before the date".to_owned(),
        "no_activity" => "No activity: events of other kinds only".to_owned(),
        "inactive" => "Inactive: the last activity was too long ago".to_owned(),
        "already_churned" => "Already churned, and no activity since".to_owned(),
        other => capital(&words(other)),
    }
}

/// What a lifecycle stage means.
pub(super) fn stage(name: &str) -> String {
    match name {
        "acquisition" => "Acquisition: just arrived".to_owned(),
        "exploration" => "Exploration: trying things out".to_owned(),
        "growth" => "Growth: settled in, not yet long-standing".to_owned(),
        "mature" => "Mature: long-standing".to_owned(),
        "churning" => "Churning: behaves as leavers do".to_owned(),
        other => capital(&words(other)),
    }
}
