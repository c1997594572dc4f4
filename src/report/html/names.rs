//! What things in a card are called on the page.

use super::text::{capital, words};
use crate::card::{BaselineCard, HorizonCard};

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

/// What the best single feature is; recency is named by what it is called anyway.
pub(crate) fn rival_detail(h: &HorizonCard, baseline: &BaselineCard) -> String {
    let named = baseline
        .feature
        .as_ref()
        .filter(|_| baseline.name != "recency_only");
    let known = |name: &String| {
        h.effects
            .iter()
            .find(|e| e.feature == *name)
            .map(|e| description(&e.description))
    };
    named
        .map(|name| known(name).unwrap_or_else(|| words(name)))
        .unwrap_or_default()
}

/// Why a user was not asked about at a date.
pub(crate) fn drop_reason(name: &str) -> String {
    match name {
        "not_yet_seen" => "Not yet seen: nothing had happened before the date".to_owned(),
        "no_activity" => "No activity: events of other kinds only".to_owned(),
        "inactive" => "Inactive: the last activity was too long ago".to_owned(),
        "already_churned" => "Already churned, and no activity since".to_owned(),
        other => capital(&words(other)),
    }
}

/// What a lifecycle stage means.
pub(crate) fn stage(name: &str) -> String {
    match name {
        "acquisition" => "Acquisition: just arrived".to_owned(),
        "exploration" => "Exploration: trying things out".to_owned(),
        "growth" => "Growth: settled in, not yet long-standing".to_owned(),
        "mature" => "Mature: long-standing".to_owned(),
        "churning" => "Churning: behaves as leavers do".to_owned(),
        other => capital(&words(other)),
    }
}
