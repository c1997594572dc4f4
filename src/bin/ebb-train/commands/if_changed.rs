//! `fit --if-changed`: whether a fit would make the bundle that is there already.

use ebb::card::{Card, MadeFrom};
use ebb::events::{LogFingerprint, RejectionReason};
use ebb::history::{Day, FUTURE_DAYS};
use ebb::model::{self, Bundle};
use ebb::train::config::Config;
use serde_json::Value;

use super::fit::Args;
use super::log::today;
use crate::outcome::{Failure, failed, usage};
use crate::progress::ProgressDisplay;

/// What a fit with these arguments is going to be made from.
pub(super) fn made_from(
    args: &Args,
    config: &Config,
    previous: Option<&Bundle>,
    display: &ProgressDisplay,
) -> Result<MadeFrom, Failure> {
    let found = LogFingerprint::of(
        &config.events,
        &config.folder,
        &args.log.events,
        display.phases(),
    );
    let log = found.map_err(|e| if e.is_setting() { usage(e) } else { failed(e) })?;
    // Of both tables, since a change of either is a change of what the bundle is made from.
    let mut files_hash = log.hash;
    let (mut files, mut bytes) = (log.files, log.bytes);
    if let Some(attributes) = &config.attributes {
        let found = attributes.fingerprint(&config.folder, display.phases());
        let table = found.map_err(|e| if e.is_setting() { usage(e) } else { failed(e) })?;
        files_hash = format!("{files_hash} {}", table.hash);
        (files, bytes) = (files + table.files, bytes + table.bytes);
    }
    Ok(MadeFrom {
        ebb_version: env!("CARGO_PKG_VERSION").to_owned(),
        config_hash: config.train.hash.clone(),
        as_of: args.as_of,
        sample_users: args.sample_users,
        random_forest: args.random_forest,
        previous: previous.map(|bundle| bundle.version().to_owned()),
        files,
        bytes,
        files_hash,
    })
}

/// What is there of an earlier fit.
pub(super) enum Earlier {
    /// The bundle that a fit would make.
    Same { version: String, card: Box<Card> },
    /// Another one or none, for these reasons.
    Other(Vec<String>),
}

/// Compares the bundle in the place of the new one with what that is made from.
pub(super) fn earlier(args: &Args, config: &Config, now: &MadeFrom) -> Result<Earlier, Failure> {
    let other = |reason: String| Ok(Earlier::Other(vec![reason]));
    let out = args.out.display();
    if !args.out.exists() {
        return other(format!("there is no bundle at {out} yet"));
    }
    let saved = match model::load(&args.out) {
        Ok(saved) => saved,
        Err(error) => return other(format!("the bundle at {out} cannot be used: {error}")),
    };
    let Ok(card) = serde_json::from_str::<Card>(&saved.card) else {
        return other(format!("the card at {out} is that of another version"));
    };
    let Some(before) = &card.made_from else {
        return other(format!(
            "the bundle at {out} was not made with --if-changed, so that it does not say what it was made from"
        ));
    };
    let mut changes = now.changes_since(before);
    changes.extend(clock_change(&card, today(&config.train.timezone)?));
    if !args.allow_below_baseline && !card.weak_horizons().is_empty() {
        changes.push(
            "the model there does not beat recency alone, and --allow-below-baseline is not given"
                .to_owned(),
        );
    }
    if let Some(quality) = args.log.quality.as_deref().filter(|path| !path.exists()) {
        changes.push(format!("there is no {}", quality.display()));
    }
    if !changes.is_empty() {
        return Ok(Earlier::Other(changes));
    }
    Ok(Earlier::Same {
        version: saved.bundle.version().to_owned(),
        card: Box::new(card),
    })
}

/// Whether rows may be set aside today that were not then, or the other way round: those that lie in the future.
fn clock_change(card: &Card, today: Option<Day>) -> Option<String> {
    let future = future_rows(&card.data_quality);
    if future > 0 {
        return Some(format!(
            "{future} rows lay in the future, and some of them may not any more"
        ));
    }
    let is_ahead = today.is_some_and(|today| card.last_day >= today.plus(FUTURE_DAYS));
    is_ahead.then(|| {
        format!(
            "the last day of the log, {}, lies in the future",
            card.last_day
        )
    })
}

/// The rows that were set aside because they lay in the future.
fn future_rows(quality: &Value) -> u64 {
    let lists = ["rejected", "set_aside"].map(|list| quality.get(list).and_then(Value::as_array));
    let reasons = lists.into_iter().flatten().flatten();
    let name = RejectionReason::InTheFuture.name();
    reasons
        .filter(|reason| reason.get("reason").and_then(Value::as_str) == Some(name))
        .filter_map(|reason| reason.get("rows").and_then(Value::as_u64))
        .sum()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_of_the_future_are_found_by_their_name() {
        let name = RejectionReason::InTheFuture.name();
        assert_eq!(json!(RejectionReason::InTheFuture), name);
        let quality = json!({
            "rejected": [{"reason": "no_user", "rows": 5}],
            "set_aside": [{"reason": name, "rows": 7}],
        });
        assert_eq!(future_rows(&quality), 7);
        assert_eq!(future_rows(&json!({})), 0);
    }
}
