//! A made-up card, and tests of the whole page.

use serde_json::json;

use super::super::card::{Card, Evaluation, HorizonCard, SegmentCard};
use super::super::labels::ChurnConfig;
use super::super::metrics::{CurvePoint, Interval, Metrics};
use super::super::probe::LeakageProbe;
use super::render;
use crate::history::Day;
use crate::model::Calibration;

/// The day written so.
pub(super) fn day(text: &str) -> Day {
    text.parse().unwrap()
}

fn around(value: f64, half: f64) -> Interval {
    Interval { value, low: value - half, high: value + half }
}

fn metrics(log_loss: f64, auc: f64, ece: f64) -> Metrics {
    Metrics {
        log_loss: around(log_loss, 0.0123),
        auc: around(auc, 0.0215),
        brier: around(log_loss / 3.0, 0.005),
        ece: Interval { value: ece, low: ece / 2.0, high: ece * 2.0 },
        bias: around(0.0031, 0.011),
        average_precision: around(auc - 0.1, 0.03),
        calibration_slope: 0.964,
        calibration_intercept: -0.021,
    }
}

fn evaluation(test: Day, horizon_days: u16, churn_rate: f64) -> Evaluation {
    let gains = |percent: i32| 1.0 - libm::pow(1.0 - f64::from(percent) / 100.0, 2.142);
    let point = |k: i32| {
        let predicted = 0.04 + 0.085 * f64::from(k);
        let wobble = 0.02 * f64::from((k * 7) % 5 - 2);
        CurvePoint { predicted, observed: predicted + wobble, users: 430 + 3 * k as u64 }
    };
    let window = i32::from(horizon_days);
    Evaluation {
        train: (0..6).map(|k| test.plus(-2 * window - (5 - k) * window / 4)).collect(),
        calibration: Some(test.plus(-window)),
        test,
        users: 4_338,
        churn_rate,
        model: metrics(0.551, 0.7115, 0.008),
        baselines: [
            ("base_rate".to_owned(), metrics(0.642, 0.5, 0.021)),
            ("recency_only".to_owned(), metrics(0.583, 0.668, 0.013)),
        ]
        .into(),
        challenger: Some(metrics(0.556, 0.705, 0.019)),
        calibration_curve: (0..10).map(point).collect(),
        gains: (1..=100).map(gains).collect(),
    }
}

fn horizon(horizon_days: u16, evaluation: Option<Evaluation>, last: Day) -> HorizonCard {
    let mut effects = vec![
        ("recency_days".to_owned(), 0.79),
        ("active_days_half_life_30d".to_owned(), -0.41),
        ("support_ticket_count_30d".to_owned(), 0.36),
        ("a_<made-up>_feature".to_owned(), -0.33),
        ("gap_mean_days".to_owned(), 0.28),
        ("weekday_regularity".to_owned(), -0.27),
        ("trend_30d_over_120d".to_owned(), -0.22),
    ];
    let rest = ["tenure_days", "overdue_ratio", "events", "amount_mean", "events_30d", "amount_last", "gap_max_days"];
    let more = ["amount_60d", "one_active_day", "visit_recency_days", "visit_count", "active_days"];
    for (k, name) in rest.into_iter().chain(more).enumerate() {
        effects.push((name.to_owned(), (0.2 - 0.014 * k as f64) * if k % 2 == 0 { 1.0 } else { -1.0 }));
    }
    let penalties = [1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0];
    let losses = [0.5561, 0.5553, 0.5549, 0.5552, 0.5571, 0.5613, 0.5702];
    HorizonCard {
        horizon_days,
        snapshots: (0..9).map(|k| last.plus(-(8 - k) * i32::from(horizon_days) / 4)).collect(),
        rows: 38_211,
        churn_rate: 0.347,
        dropped: [("not_yet_seen", 3_120), ("inactive", 21_000), ("no_activity", 14), ("<odd>", 2)]
            .map(|(name, n)| (name.to_owned(), n))
            .into(),
        solver: "newton".to_owned(),
        l2: 10.0,
        l2_curve: penalties.into_iter().zip(losses).collect(),
        calibration: Calibration::IDENTITY,
        evaluation,
        effects,
    }
}

/// A card with three horizons, the last of them not tested, and markup wherever data could bring some.
pub(super) fn card() -> Card {
    let segment = |name: &str, users, churn_rate| SegmentCard { name: name.to_owned(), users, churn_rate };
    Card {
        ebb_version: "0.1.0".to_owned(),
        as_of: day("2011-12-10"),
        first_day: day("2009-12-01"),
        last_day: day("2011-12-09"),
        users: 5_881,
        records: 44_876,
        data_hash: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned(),
        seed: 7,
        question: ChurnConfig {
            activity: vec!["purchase".to_owned()],
            horizon_days: vec![30, 90],
            active_within_days: 180,
            lead_days: 0,
            churn_event: None,
        },
        horizons: vec![
            horizon(30, Some(evaluation(day("2011-11-10"), 30, 0.44)), day("2011-11-10")),
            horizon(90, Some(evaluation(day("2011-09-11"), 90, 0.34)), day("2011-09-11")),
            horizon(365, None, day("2010-12-10")),
        ],
        segments: vec![
            segment("frequent, regular, high spend", 812, 0.08),
            segment("recent <script>alert(1)</script> & \"frequent\"", 1_304, 0.22),
            segment("average", 1_190, 0.41),
            segment("lapsing, rare, irregular, low spend (2)", 1_032, 0.63),
        ],
        stages: [("acquisition", 421), ("growth", 902), ("mature", 1_633), ("churning", 1_107), ("paused_&_more", 3)]
            .map(|(name, users)| (name.to_owned(), users))
            .into(),
        leakage_probe: LeakageProbe { users: 200, dates: 12, comparisons: 7_131 },
        notes: vec!["The activity kind `<order>` does not occur in the log.".to_owned()],
        data_quality: json!({
            "files": [{ "file": "data/retail.csv.gz", "format": "csv", "rows": 541_909 }],
            "rows": 541_909, "events": 406_829, "rows_after_as_of": 120, "empty_amounts": 0, "duplicates": 5_268,
            "refused": [
                { "reason": "empty_user", "rows": 134_950, "first": [] },
                { "reason": "<bad>_time", "rows": 10, "first": [
                    { "file": "data/<log>.csv", "line": 17, "column": "time", "value": "secret-value", "expected": "a time" }
                ] }
            ],
            "kinds": [
                { "kind": "purchase", "events": 397_924, "users": 4_339, "negative_amounts": 0 },
                { "kind": "return", "events": 8_905, "users": 1_589, "negative_amounts": 8_905 },
                { "kind": "support_ticket", "events": 310, "users": 200, "negative_amounts": 0 },
                { "kind": "visit", "events": 91_310, "users": 5_200, "negative_amounts": 0 }
            ],
            "top_users": [{ "user": "secret-user", "events": 5_700, "share": 0.014 }]
        }),
    }
}

/// With `EBB_REPORT_OUT` set, also writes the page there: `tests/report/run.sh` opens it in a browser.
#[test]
fn the_same_card_gives_the_same_page_and_a_small_one() {
    let page = render(&card());
    assert_eq!(page, render(&card()));
    assert!(page.len() < 150_000, "{}", page.len());
    if let Some(path) = std::env::var_os("EBB_REPORT_OUT") {
        std::fs::write(path, &page).unwrap();
    }
}

#[test]
fn nothing_outside_the_page_is_referred_to() {
    let page = render(&card()).replace("http://www.w3.org/2000/svg", "");
    for outside in ["http://", "https://", "//cdn", "@import", "url(", "src=", "<link", "href="] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn data_never_becomes_markup() {
    let mut card = card();
    let evil = "</title></script></style><img src=x onerror=alert(1)>\"'";
    card.ebb_version = evil.into();
    card.data_hash = evil.into();
    card.question.activity = vec![evil.into()];
    card.notes = vec![evil.into()];
    card.stages = [(evil.to_owned(), 3)].into();
    card.segments.iter_mut().for_each(|s| s.name = evil.into());
    card.data_quality = json!({ evil: evil, "kinds": [{ "kind": evil }] });
    for h in &mut card.horizons {
        h.solver = evil.into();
        h.dropped = [(evil.to_owned(), 3)].into();
        h.effects = vec![(evil.to_owned(), 0.5)];
        if let Some(e) = &mut h.evaluation {
            let metrics = e.model.clone();
            e.baselines.insert(evil.to_owned(), metrics);
        }
    }
    let page = render(&card);
    assert!(!page.contains("<img") && !page.contains("onerror=alert(1)>"), "markup from data");
    assert_eq!((page.matches("</script>").count(), page.matches("</style>").count()), (1, 1));
}

#[test]
fn every_horizon_has_a_panel_and_ids_are_unique() {
    let page = render(&card());
    assert_eq!((page.matches("role=\"tab\"").count(), page.matches("class=\"panel\"").count()), (3, 3));
    assert_eq!(page.matches("nobody knows yet how good it is").count(), 2, "in the verdict and in the panel");
    let mut ids: Vec<&str> = page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert!(all > 10 && ids.len() == all, "{ids:?}");
    let mut one = card();
    one.horizons.truncate(1);
    assert!(!render(&one).contains("role=\"tablist\""));
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
            }
        });
        render(&card)
    }] {
        let body = page.split("<body>").nth(1).unwrap().split("<script>").next().unwrap().to_owned();
        assert!(!body.contains("NaN") && !body.contains(">inf"), "an unwritten number");
    }
}

#[test]
fn the_policy_names_the_script_by_its_hash() {
    assert_eq!(super::base64(b"foobar"), "Zm9vYmFy");
    assert_eq!((super::base64(b"fooba"), super::base64(b"foob")), ("Zm9vYmE=".into(), "Zm9vYg==".into()));
}
