//! Tests of the whole page.

use serde_json::json;

use super::made_up::effect;
pub(crate) use super::made_up::{card, day};
use super::render;
use crate::features::FeatureGroup;

/// With `EBB_REPORT_OUT` set, also writes the page there: `tests/report/run.sh` opens it in a browser.
#[test]
fn the_same_card_gives_the_same_page_and_a_small_one() {
    let page = render(&card());
    assert_eq!(page, render(&card()));
    assert!(page.len() < 260_000, "{}", page.len());
    if let Some(path) = std::env::var_os("EBB_REPORT_OUT") {
        std::fs::write(path, &page).unwrap();
    }
}

#[test]
fn nothing_outside_the_page_is_referred_to() {
    let page = render(&card()).replace("http://www.w3.org/2000/svg", "");
    let page = page.replace("href=\"#", "");
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
    let evil = "</title></script></style><img src=x onerror=alert(1)>\"'";
    card.ebb_version = evil.into();
    (card.model_version, card.config_hash) = (evil.into(), evil.into());
    card.data_hash = evil.into();
    card.label_definition.activity = vec![evil.into()];
    card.notes = vec![evil.into()];
    card.stages = [(evil.to_owned(), 3)].into();
    for segment in &mut card.segments {
        segment.name = evil.into();
        segment
            .profile
            .iter_mut()
            .for_each(|p| (p.description, p.unit) = (evil.into(), evil.into()));
    }
    card.stage_sizes
        .iter_mut()
        .for_each(|s| s.users = [(evil.to_owned(), 3)].into());
    if let Some(t) = &mut card.transitions {
        t.states.iter_mut().for_each(|s| *s = evil.into());
    }
    card.data_quality = json!({ evil: evil, "kinds": [{ "kind": evil }] });
    for h in &mut card.horizons {
        (h.solver, h.candidate) = (evil.into(), evil.into());
        h.trials.iter_mut().for_each(|t| t.name = evil.into());
        h.dropped = [(evil.to_owned(), 3)].into();
        h.effects = vec![effect(evil, evil, FeatureGroup::Recency, 0.5)];
        if let Some(e) = &mut h.evaluation {
            e.baselines
                .iter_mut()
                .for_each(|r| (r.name, r.feature) = (evil.into(), Some(evil.into())));
            e.slices
                .iter_mut()
                .for_each(|s| (s.name, s.dimension) = (evil.into(), evil.into()));
        }
    }
    let page = render(&card);
    assert!(
        !page.contains("<img") && !page.contains("onerror=alert(1)>"),
        "markup from data"
    );
    assert_eq!(
        (
            page.matches("</script>").count(),
            page.matches("</style>").count()
        ),
        (1, 1)
    );
}

#[test]
fn every_horizon_has_a_panel_and_ids_are_unique() {
    let page = render(&card());
    assert_eq!(
        (
            page.matches("role=\"tab\"").count(),
            page.matches("class=\"panel\"").count()
        ),
        (6, 6)
    );
    assert_eq!(
        page.matches("Nobody knows yet how good it is").count(),
        1,
        "in the verdict"
    );
    assert_eq!(
        page.matches("too short to judge the 365-day model").count(),
        3,
        "there and in both panels"
    );
    let mut ids: Vec<&str> = page
        .split(" id=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert!(all > 10 && ids.len() == all, "{ids:?}");
    let mut one = card();
    one.horizons.truncate(1);
    assert!(!render(&one).contains("role=\"tablist\""));
}

/// What to know and what to do come before the evidence, and the contents lead to each.
#[test]
fn the_verdict_the_users_and_the_budget_come_first() {
    let page = render(&card());
    let sections: Vec<&str> = page
        .split("<section id=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert_eq!(sections, ["verdict", "users", "budget", "evidence", "log"]);
    let links: Vec<&str> = page
        .split("href=\"#")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert_eq!(links, sections);
    let at = |words: &str| page.find(words).unwrap_or_else(|| panic!("{words}"));
    let order = [
        "0123456789ab",
        "class=\"contents\"",
        "strongest baseline",
        "Which users are alike?",
    ];
    let then = [
        "Whom does a contact budget reach?",
        "Average precision",
        "How much of it could be used?",
    ];
    let places: Vec<usize> = order.iter().chain(&then).map(|words| at(words)).collect();
    assert!(places.is_sorted(), "{places:?}");
}

/// Nearly nobody leaves, or nearly everybody.
#[test]
fn rare_and_common_churn_are_never_none_or_all_of_it_in_words() {
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
            let points = h.by_date.iter_mut().flat_map(|d| &mut d.deciles);
            let e = h.evaluation.as_mut();
            let own = e.into_iter().flat_map(|e| {
                e.churn_rate = rate;
                &mut e.calibration_curve
            });
            for point in points.chain(own) {
                (point.predicted, point.observed) = (near(point.predicted), near(point.observed));
                (point.low, point.high) =
                    crate::train::evaluation::metrics::share_interval(point.observed, point.users);
            }
            h.by_date
                .iter_mut()
                .for_each(|d| (d.churn_rate, d.predicted) = (rate, d.predicted.map(|_| rate)));
            h.backtest.iter_mut().for_each(|o| o.churn_rate = rate);
        }
        let page = render(&card).replace(super::text::THIN, " ");
        for description in page
            .split("<figcaption>")
            .skip(1)
            .filter_map(|rest| rest.split("</figcaption>").next())
        {
            let bad = [" 0 %", " 100 %", "(0 %", "(100 %"]
                .into_iter()
                .find(|bad| description.contains(bad));
            assert!(bad.is_none(), "{rate}: {description}");
        }
        assert!(
            !page.contains(
                "<text class=\"tick\" x=\"-8\" y=\"0%\" dy=\".35em\" text-anchor=\"end\"><"
            ),
            "{rate}"
        );
    }
}

#[test]
fn no_number_is_left_unwritten() {
    let mut card = card();
    for page in [render(&card), {
        card.horizons.iter_mut().for_each(|h| {
            h.rows = 0;
            h.dropped.clear();
            h.snapshots.clear();
            if let Some(e) = &mut h.evaluation {
                (e.users, e.churn_rate) = (0, 0.0);
                (e.gains, e.calibration_curve, e.train) = (Vec::new(), Vec::new(), Vec::new());
                (e.roc, e.precision_recall) = (Vec::new(), Vec::new());
                (e.baselines, e.slices) = (Vec::new(), Vec::new());
            }
            h.by_date.clear();
        });
        card.retention.cohorts.clear();
        card.stage_sizes.clear();
        card.transitions = None;
        render(&card)
    }] {
        let body = page
            .split("<body>")
            .nth(1)
            .unwrap()
            .split("<script>")
            .next()
            .unwrap()
            .to_owned();
        assert!(
            !body.contains("NaN") && !body.contains(">inf"),
            "an unwritten number"
        );
    }
}

#[test]
fn the_policy_names_the_script_by_its_hash() {
    assert_eq!(super::base64(b"foobar"), "Zm9vYmFy");
    assert_eq!(
        (super::base64(b"fooba"), super::base64(b"foob")),
        ("Zm9vYmE=".into(), "Zm9vYg==".into())
    );
}
