//! Names in a card as words on the page.

use super::text::{capital, words};
use crate::card::{BaselineCard, EffectCard};

/// A feature's description as a name: without its full stop.
pub(crate) fn description(description: &str) -> String {
    description.trim_end_matches('.').to_owned()
}

/// A baseline's name.
pub(crate) fn baseline(baseline: &BaselineCard) -> String {
    match baseline.name.as_str() {
        "bg_nbd" => "BG/NBD".to_owned(),
        "best_single" => "Best single feature".to_owned(),
        other => capital(&words(other)),
    }
}

/// The name of a simpler estimate of spend.
pub(crate) fn spend_baseline(name: &str) -> String {
    match name {
        "past_rate" => "Past spend at the same rate".to_owned(),
        other => capital(&words(other)),
    }
}

/// The description of the one feature that a baseline uses; empty for recency, which its name says, and for baselines
/// of several features.
pub(crate) fn baseline_feature(effects: &[EffectCard], baseline: &BaselineCard) -> String {
    let Some(feature) = &baseline.feature else {
        return String::new();
    };
    if baseline.name == "recency_only" {
        return String::new();
    }
    let effect = effects.iter().find(|e| e.feature == *feature);
    effect.map_or_else(|| words(feature), |e| description(&e.description))
}

/// The reason for a pair of user and date that gave no row.
pub(crate) fn drop_reason(name: &str) -> String {
    match name {
        "not_yet_seen" => "Not yet seen: no event before the date".to_owned(),
        "no_activity" => "No activity: events of other kinds only".to_owned(),
        "inactive" => "Inactive: the last activity was too long ago".to_owned(),
        "already_churned" => "Already churned, and no activity since".to_owned(),
        other => capital(&words(other)),
    }
}

/// A lifecycle stage with its meaning.
pub(crate) fn stage(name: &str) -> String {
    match name {
        "acquisition" => "Acquisition: new".to_owned(),
        "exploration" => "Exploration: first weeks".to_owned(),
        "growth" => "Growth: past the first weeks, not yet long-standing".to_owned(),
        "mature" => "Mature: long-standing".to_owned(),
        "churning" => "Churning: inactive, overdue or less active than before".to_owned(),
        other => capital(&words(other)),
    }
}
