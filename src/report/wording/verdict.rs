//! The verdict on a model, in words.

use crate::card::{Evaluation, RANDOM_FOREST, Strength, Verdict};

/// The strength of a verdict in a word or two.
pub(crate) fn strength(strength: Strength) -> &'static str {
    match strength {
        Strength::Strong => "strong",
        Strength::Modest => "modest",
        Strength::NotShown => "not shown",
    }
}

/// The verdict on a judged model in a sentence without its full stop.
pub(crate) fn verdict(verdict: &Verdict, e: &Evaluation) -> String {
    let Verdict {
        strength,
        baseline,
        log_loss_difference: d,
        strong_gain: _,
        min_class_users,
    } = verdict;
    let name = baseline_name(e, baseline);
    let (churners, users) = (e.churners(), e.users);
    if churners.min(users.saturating_sub(churners)) < *min_class_users {
        return format!(
            "Not shown to be better than its strongest baseline, {name}: {churners} of {users} users churned, and with \
             fewer than {min_class_users} of either class no difference can be told from chance"
        );
    }
    let [value, low, high] = [d.value, d.low, d.high].map(difference);
    let interval = format!("its log loss is {value} (95 % interval: {low} to {high})");
    match strength {
        Strength::Strong => {
            format!("Clearly better than its strongest baseline, {name}: {interval}")
        }
        Strength::Modest => {
            format!("Better than its strongest baseline, {name}, but not by much: {interval}")
        }
        Strength::NotShown => {
            format!("Not shown to be better than its strongest baseline, {name}: {interval}")
        }
    }
}

/// A difference in log loss in words: `0.0480 lower`.
pub(crate) fn difference(d: f64) -> String {
    let digits = if d.abs() < 0.000_5 { 6 } else { 4 };
    let off = format!("{:.digits$}", d.abs());
    match off.trim_start_matches(['0', '.']).is_empty() {
        true => "the same".to_owned(),
        false => format!("{off} {}", if d < 0.0 { "lower" } else { "higher" }),
    }
}

/// A baseline within a sentence.
pub(crate) fn baseline_name(e: &Evaluation, name: &str) -> String {
    match name {
        "best_single" => match e.baseline(name).and_then(|r| r.feature.as_ref()) {
            Some(feature) => format!("the best single feature ({feature})"),
            None => "the best single feature".to_owned(),
        },
        RANDOM_FOREST => "a random forest".to_owned(),
        other => simple_baseline(other),
    }
}

/// A baseline that needs no feature to be named, within a sentence.
pub(crate) fn simple_baseline(name: &str) -> String {
    match name {
        "bg_nbd" => "BG/NBD".to_owned(),
        "base_rate" => "the base rate".to_owned(),
        "recency_only" => "recency alone".to_owned(),
        other => other.replace('_', " "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::Interval;
    use crate::report::html::fixture::card;

    /// The evaluation of the fixture with another strength and difference to BG/NBD, the strongest baseline.
    fn judged(strength: Strength, value: f64, low: f64, high: f64) -> (Evaluation, Verdict) {
        let e = card().horizons[0].evaluation.clone().unwrap();
        let verdict = Verdict {
            strength,
            log_loss_difference: Interval { value, low, high },
            ..e.verdict.clone().unwrap()
        };
        (e, verdict)
    }

    #[test]
    fn a_handful_of_churners_or_retained_users_is_named() {
        let (e, verdict) = judged(Strength::NotShown, -0.02, -0.03, -0.015);
        for churners in [9, e.users - 9] {
            let of = Evaluation {
                churn_rate: churners as f64 / e.users as f64,
                ..e.clone()
            };
            let said = super::verdict(&verdict, &of);
            assert!(
                said.contains(&format!("{churners} of 4338 users churned")),
                "{said}"
            );
            assert!(said.contains("fewer than 10 of either class"), "{said}");
        }
    }

    #[test]
    fn the_sentence_names_the_baseline_and_its_interval() {
        let said = |strength, value, low, high| {
            let (e, verdict) = judged(strength, value, low, high);
            super::verdict(&verdict, &e)
        };
        assert_eq!(
            said(Strength::Strong, -0.048, -0.0649, -0.0323),
            "Clearly better than its strongest baseline, BG/NBD: its log loss is 0.0480 lower (95 % interval: 0.0649 lower \
             to 0.0323 lower)"
        );
        let modest = said(Strength::Modest, -0.005, -0.008, -0.00004);
        assert!(
            modest.contains("but not by much: its log loss is 0.0050 lower"),
            "{modest}"
        );
        assert!(modest.contains("0.000040 lower)"), "{modest}");
        let not_shown = said(Strength::NotShown, -0.005, -0.012, 0.003);
        assert!(
            not_shown.starts_with("Not shown to be better than its strongest baseline, BG/NBD"),
            "{not_shown}"
        );
        assert!(
            not_shown.contains("0.0120 lower to 0.0030 higher"),
            "{not_shown}"
        );
    }
}
