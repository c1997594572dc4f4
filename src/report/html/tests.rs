//! Tests of the whole page, and what the tests of its figures share.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::Markup;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::fixture::effect;
pub(crate) use super::fixture::{card, day};
use super::render;
use crate::card::{FeatureGroup, ValueCard};
use crate::math::wilson_interval;
use crate::report::number::THIN;

/// Markup with a line for each element, to be compared and reviewed.
pub(crate) fn lines(markup: Markup) -> String {
    let html = markup
        .into_string()
        .replace('<', "\n<")
        .replace("\n</", "</");
    let lines: Vec<String> = html.trim_start().lines().map(cut_path).collect();
    lines.join("\n")
}

/// The ends of a long path are enough to see that it changed where it should not.
fn cut_path(line: &str) -> String {
    let cut = || {
        let (before, path) = line.split_once(" d=\"")?;
        let (path, after) = path.split_once('"')?;
        let (start, end) = (path.get(..60)?, path.get(path.len() - 30..)?);
        Some(format!("{before} d=\"{start}…{end}\"{after}"))
    };
    cut().unwrap_or_else(|| line.to_owned())
}

/// Holds a figure against the file of its snapshot.
pub(crate) fn snapshot(name: &str, markup: Markup) {
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| insta::assert_snapshot!(name.to_owned(), lines(markup)));
}

/// The text of markup, with spaces that can be typed.
pub(crate) fn plain(markup: Markup) -> String {
    let html = markup.into_string().replace(THIN, " ");
    let text = html
        .split('<')
        .map(|part| part.split_once('>').map_or(part, |tag| tag.1));
    text.collect()
}

#[test]
fn the_page_is_small() {
    let page = render(&card());
    assert!(page.len() < 300_000, "{}", page.len());
}

#[test]
fn nothing_outside_the_page_is_referred_to() {
    let page = render(&card()).replace("href=\"#", "");
    for outside in [
        "http://", "https://", "//cdn", "@import", "url(", "src=", "<link", "href=",
    ] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn data_never_becomes_markup() {
    let mut card = card();
    let evil = "</title></script></style><img src=x onerror=alert(1)>\"' \u{0}\u{1b}";
    card.ebb_version = evil.into();
    (card.model_version, card.config_hash) = (evil.into(), evil.into());
    card.data_hash = evil.into();
    card.label_definition.activity = vec![evil.into()];
    card.label_definition.churn_event = Some(evil.into());
    card.notes = vec![evil.into()];
    card.stages = [(evil.to_owned(), 3)].into();
    for segment in &mut card.segments {
        segment.name = evil.into();
        for p in &mut segment.profile {
            (p.description, p.unit) = (evil.into(), evil.into());
        }
    }
    for sizes in &mut card.stage_sizes {
        sizes.users = [(evil.to_owned(), 3)].into();
    }
    if let Some(t) = &mut card.transitions {
        t.states.fill(evil.into());
    }
    for h in &mut card.horizons {
        (h.solver, h.candidate) = (evil.into(), evil.into());
        h.trials.iter_mut().for_each(|t| t.name = evil.into());
        h.dropped = [(evil.to_owned(), 3)].into();
        h.effects = vec![effect(evil, evil, FeatureGroup::Recency, 0.5)];
        if let Some(e) = &mut h.evaluation {
            for baseline in &mut e.baselines {
                (baseline.name, baseline.feature) = (evil.into(), Some(evil.into()));
            }
            for slice in &mut e.slices {
                (slice.name, slice.dimension) = (evil.into(), evil.into());
            }
            e.verdict.as_mut().unwrap().baseline = evil.into();
        }
    }
    spoil(card.value.as_mut().unwrap(), evil);
    let known = json!({
        "rows": 10, "events": 5, "files": [{ "file": evil }], "kinds": [{ "kind": evil, "events": 5 }],
        "rejected": [{ "reason": evil, "rows": 5 }],
    });
    let unknown = json!({ evil: [evil, { evil: evil }] });
    for quality in [known, unknown] {
        card.data_quality = quality;
        let page = render(&card);
        assert!(
            page.matches("&lt;img src=x").count() > 20,
            "no text from data"
        );
        assert!(!page.contains("<img"), "markup from data");
        assert!(!page.contains("onerror=alert(1)>"), "markup from data");
        assert_eq!(page.matches("</script>").count(), 1);
        assert_eq!(page.matches("</style>").count(), 1);
        let control = |c: char| c.is_control() && c != '\n';
        assert!(!page.contains(control), "control characters");
        // A quote from data must not end an attribute: none of them is followed by what stands behind it.
        assert!(!page.contains("&gt;\"'"), "a quote from data");
    }
}

/// Puts a text wherever data could bring some to a value part.
fn spoil(value: &mut ValueCard, evil: &str) {
    value.kinds = vec![evil.into()];
    value.currency = Some(evil.into());
    value.spend.reason = Some(evil.into());
    value.notes = vec![evil.into()];
    value.tiers.iter_mut().for_each(|t| t.name = evil.into());
    for cell in &mut value.at_risk {
        (cell.tier, cell.band) = (evil.into(), evil.into());
    }
    value.stages.iter_mut().for_each(|s| s.stage = evil.into());
    let grouped = value.periods.iter_mut().filter(|p| !p.group.is_empty());
    grouped.for_each(|p| p.group = evil.into());
    let e = value.evaluation.as_mut().unwrap();
    e.baselines.iter_mut().for_each(|b| b.name = evil.into());
    e.coverage.iter_mut().for_each(|c| c.group = evil.into());
}

#[test]
fn every_horizon_has_a_panel_and_ids_are_unique() {
    let page = render(&card());
    assert_eq!(page.matches("role=\"tab\"").count(), 6);
    assert_eq!(page.matches("class=\"panel\"").count(), 6);
    let mut ids: Vec<&str> = attributes(&page, " id=\"").collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert!(all > 10 && ids.len() == all, "{ids:?}");
    let mut one = card();
    one.horizons.truncate(1);
    assert!(!render(&one).contains("role=\"tablist\""));
}

/// The values of attributes that begin like this.
fn attributes<'a>(page: &'a str, start: &'a str) -> impl Iterator<Item = &'a str> {
    let rests = page.split(start).skip(1);
    rests.filter_map(|rest| rest.split('"').next())
}

/// Verdict and use come before the evidence, and the contents lead to each.
#[test]
fn the_verdict_the_users_and_the_budget_come_first() {
    let page = render(&card());
    let sections: Vec<&str> = attributes(&page, "<section id=\"").collect();
    let with_value = ["verdict", "users", "value", "budget", "evidence", "log"];
    assert_eq!(sections, with_value);
    let links: Vec<&str> = attributes(&page, "href=\"#").collect();
    assert_eq!(links, sections);
    let mut without = card();
    without.value = None;
    let page = render(&without);
    let sections: Vec<&str> = attributes(&page, "<section id=\"").collect();
    assert_eq!(sections, ["verdict", "users", "budget", "evidence", "log"]);
}

/// Nearly nobody leaves, or nearly everybody.
#[test]
fn rare_and_common_churn_are_never_none_or_all_of_it_in_captions() {
    for rate in [0.0004, 0.01, 0.99, 0.9996] {
        let mut card = card();
        let near = |p: f64| {
            if rate < 0.5 {
                p * 2.0 * rate
            } else {
                1.0 - (1.0 - p) * 2.0 * (1.0 - rate)
            }
        };
        for h in &mut card.horizons {
            h.churn_rate = rate;
            let mut points: Vec<_> = h.by_date.iter_mut().flat_map(|d| &mut d.deciles).collect();
            if let Some(e) = &mut h.evaluation {
                e.churn_rate = rate;
                points.extend(&mut e.calibration_curve);
            }
            for point in points {
                (point.predicted, point.observed) = (near(point.predicted), near(point.observed));
                (point.low, point.high) = wilson_interval(point.observed, point.users);
            }
            for d in &mut h.by_date {
                (d.churn_rate, d.predicted) = (rate, d.predicted.map(|_| rate));
            }
            h.backtest.iter_mut().for_each(|o| o.churn_rate = rate);
        }
        let page = render(&card).replace(THIN, " ");
        let captions = page.split("<figcaption>").skip(1);
        for caption in captions.filter_map(|rest| rest.split("</figcaption>").next()) {
            let bad = [" 0 %", " 100 %", "(0 %", "(100 %"];
            let bad = bad.into_iter().find(|bad| caption.contains(bad));
            assert!(bad.is_none(), "{rate}: {caption}");
        }
    }
}

#[test]
fn no_number_is_left_unwritten() {
    let mut empty = card();
    for h in &mut empty.horizons {
        h.rows = 0;
        h.dropped.clear();
        h.snapshots.clear();
        h.by_date.clear();
        if let Some(e) = &mut h.evaluation {
            (e.users, e.churn_rate) = (0, 0.0);
            (e.gains, e.calibration_curve, e.train) = (Vec::new(), Vec::new(), Vec::new());
            (e.roc, e.precision_recall) = (Vec::new(), Vec::new());
            (e.baselines, e.slices) = (Vec::new(), Vec::new());
        }
    }
    empty.retention.cohorts.clear();
    empty.stage_sizes.clear();
    empty.transitions = None;
    for page in [render(&card()), render(&empty)] {
        let (body, _script) = page.split_once("<script>").unwrap();
        assert!(!body.contains("NaN") && !body.contains(">inf"));
    }
}

/// Cards of before have none of the keys on seasons; the page, the text and the gate do without.
#[test]
fn a_card_without_the_keys_of_seasons_is_read_and_shown() {
    let mut old = serde_json::to_value(card()).unwrap();
    for h in old["horizons"].as_array_mut().unwrap() {
        let h = h.as_object_mut().unwrap();
        for key in [
            "next_window",
            "forecast",
            "against_baselines",
            "shrunk_to_base_rate",
        ] {
            assert!(h.remove(key).is_some(), "{key}");
        }
        let without_keys = |of: &mut serde_json::Value, keys: &[&str]| {
            for key in keys {
                assert!(of.as_object_mut().unwrap().remove(*key).is_some(), "{key}");
            }
        };
        const KEYS: [&str; 4] = [
            "anniversaries",
            "seasonal_features",
            "hinge_penalty",
            "interaction_penalty",
        ];
        without_keys(&mut h["hyperparameters"], &KEYS);
        for trial in h["trials"].as_array_mut().unwrap() {
            without_keys(&mut trial["hyperparameters"], &KEYS);
        }
        for fold in h["backtest"].as_array_mut().unwrap() {
            without_keys(fold, &["forecast"]);
        }
    }
    let old: crate::card::Card = serde_json::from_value(old).unwrap();
    let page = render(&old);
    assert!(page.contains("Churn by season") && !page.contains("forecast of the next window"));
    assert!(page.contains("Nothing of earlier years is used."));
    let text = crate::report::text::render(&old);
    assert!(
        !text.contains("Next window") && !text.contains("of a baseline over"),
        "{text}"
    );
    let failed = crate::report::gate::check(&old, &Default::default());
    assert!(failed.iter().all(|f| !f.line.contains("base rate: FAILED")));
}

/// A policy with another hash would block the script, a script of data would be blocked by it.
#[test]
fn the_policy_allows_the_script_of_the_page() {
    let page = render(&card());
    let (_, rest) = page.split_once("<script>").unwrap();
    let (script, _) = rest.split_once("</script>").unwrap();
    let hash = STANDARD.encode(Sha256::digest(script));
    let policy = format!("script-src 'sha256-{hash}';");
    assert!(page.contains(&policy), "{policy}");
}
