//! A made-up card to draw.

use serde_json::json;

use super::made_up_trials::{SELECTED, SELECTED_IN_WORDS, trials};
use crate::card::{
    BacktestFold, BaselineCard, Calibration, Card, Cohort, CurvePoint, DateCard, Day, EffectCard,
    Evaluation, FeatureGroup, HorizonCard, Interval, LabelDefinition, LeakageProbe, Metrics,
    Period, ProfileCard, Retention, SegmentCard, SelectionRule, SliceCard, SliceMetrics,
    StageSizes, Strength, Transitions, Untested, Verdict,
};
use crate::math::wilson_interval;

/// The day written so.
pub(crate) fn day(text: &str) -> Day {
    text.parse().unwrap()
}

fn around(value: f64, half: f64) -> Interval {
    Interval {
        value,
        low: value - half,
        high: value + half,
    }
}

fn metrics(log_loss: f64, auc: f64, ece: f64) -> Metrics {
    Metrics {
        log_loss: around(log_loss, 0.0123),
        auc: around(auc, 0.0215),
        brier: around(log_loss / 3.0, 0.005),
        ece: Interval {
            value: ece,
            low: ece / 2.0,
            high: ece * 2.0,
        },
        bias: around(0.0031, 0.011),
        average_precision: around(auc - 0.1, 0.03),
        calibration_slope: around(0.964, 0.066),
        calibration_intercept: around(-0.021, 0.05),
    }
}

fn point(predicted: f64, observed: f64, users: u64) -> CurvePoint {
    let (low, high) = wilson_interval(observed, users);
    CurvePoint {
        predicted,
        observed,
        low,
        high,
        users,
    }
}

/// Ten groups around a churn rate.
fn deciles(shift: f64) -> Vec<CurvePoint> {
    let wobble = |k: i32| 0.02 * f64::from((k * 7) % 5 - 2);
    let predicted = |k: i32| 0.04 + 0.085 * f64::from(k);
    (0..10)
        .map(|k| {
            point(
                predicted(k),
                predicted(k) + wobble(k) + shift,
                430 + 3 * k as u64,
            )
        })
        .collect()
}

/// The share of churners among the riskiest; the larger the bend, the better the order.
fn reached(share: f64, bend: f64) -> f64 {
    1.0 - libm::pow(1.0 - share, bend)
}

fn baseline(
    name: &str,
    feature: Option<&str>,
    metrics: Metrics,
    bend: f64,
    log_loss_delta: f64,
) -> BaselineCard {
    let share = |k: i32, of: i32| f64::from(k) / f64::from(of);
    BaselineCard {
        name: name.to_owned(),
        feature: feature.map(str::to_owned),
        log_loss_difference: around(log_loss_delta, 0.009),
        auc_difference: around(0.711 - metrics.auc.value, 0.011),
        metrics,
        gains: (1..=100).map(|k| reached(share(k, 100), bend)).collect(),
        roc: match name {
            "base_rate" => vec![(0.0, 0.0), (1.0, 1.0)],
            _ => (0..=40)
                .map(|k| (share(k, 40), reached(share(k, 40), bend + 0.4)))
                .collect(),
        },
        precision_recall: (1..=40)
            .map(|k| {
                (
                    share(k, 40),
                    0.44 + 0.3 * (bend - 1.0) * (1.0 - share(k, 40)),
                )
            })
            .collect(),
    }
}

fn slice(dimension: &str, name: &str, users: u64, churn_rate: f64) -> SliceCard {
    let metrics = SliceMetrics {
        log_loss: around(0.5, 0.02),
        auc: (churn_rate > 0.0).then(|| around(0.6 + churn_rate / 4.0, 0.04)),
        bias: around(0.02, 0.03),
    };
    let (churn_low, churn_high) = wilson_interval(churn_rate, users);
    SliceCard {
        dimension: dimension.to_owned(),
        name: name.to_owned(),
        users,
        churn_rate,
        churn_low,
        churn_high,
        predicted: churn_rate + 0.02,
        metrics: (users >= 30).then_some(metrics),
    }
}

fn baselines() -> Vec<BaselineCard> {
    vec![
        baseline("base_rate", None, metrics(0.642, 0.5, 0.021), 1.0, -0.091),
        baseline(
            "recency_only",
            Some("recency_days"),
            metrics(0.583, 0.668, 0.013),
            1.8,
            -0.032,
        ),
        baseline(
            "best_single",
            Some("recency_days"),
            metrics(0.583, 0.668, 0.013),
            1.8,
            -0.032,
        ),
        baseline("bg_nbd", None, metrics(0.571, 0.688, 0.03), 1.95, -0.02),
        baseline(
            "random_forest",
            None,
            metrics(0.556, 0.705, 0.019),
            2.1,
            -0.005,
        ),
    ]
}

fn evaluation(test: Day, horizon_days: u16, churn_rate: f64) -> Evaluation {
    let window = i32::from(horizon_days);
    let model = baseline("model", None, metrics(0.551, 0.7115, 0.008), 2.142, 0.0);
    let baselines = baselines();
    Evaluation {
        verdict: Some(Verdict {
            strength: Strength::Modest,
            baseline: "bg_nbd".to_owned(),
            log_loss_difference: baselines[3].log_loss_difference,
            strong_gain: 0.02,
            min_class_users: 10,
        }),
        user_parts: 3,
        train: (0..6)
            .map(|k| test.plus(-window - (5 - k) * window / 4))
            .collect(),
        calibration: Some(test.plus(-window)),
        test,
        users: 4_338,
        churn_rate,
        beats_recency_only: Some(true),
        model: model.metrics,
        baselines,
        slices: vec![
            slice("stage", "acquisition", 421, 0.51),
            slice("stage", "growth", 902, 0.31),
            slice("stage", "churning", 12, 0.8),
            slice("segment", "frequent, regular, high spend", 812, 0.08),
            slice(
                "segment",
                "recent <script>alert(1)</script> & \"frequent\"",
                1_304,
                0.22,
            ),
            slice("segment", "stayers", 40, 0.0),
            slice("tenure", "1-60 days", 1_100, 0.5),
            slice("tenure", "61-120 days", 1_080, 0.4),
        ],
        calibration_curve: deciles(0.0),
        gains: model.gains,
        roc: model.roc,
        precision_recall: model.precision_recall,
    }
}

pub(crate) fn effect(
    feature: &str,
    description: &str,
    group: FeatureGroup,
    standardized_effect: f64,
) -> EffectCard {
    EffectCard {
        feature: feature.to_owned(),
        description: description.to_owned(),
        group,
        standardized_effect,
    }
}

fn origin(date: Day, k: i32) -> BacktestFold {
    let shift = 0.08 * f64::from(k) - 0.17;
    BacktestFold {
        cutoff: date,
        users: 4_000,
        churn_rate: 0.4 + shift / 4.0,
        log_loss: 0.55 + 0.002 * f64::from(k),
        shift,
    }
}

fn horizon(horizon_days: u16, evaluation: Option<Evaluation>, last: Day) -> HorizonCard {
    let mut effects = vec![
        effect(
            "recency_days",
            "Days since the last purchase.",
            FeatureGroup::Recency,
            0.79,
        ),
        effect(
            "active_days_half_life_30d",
            "Days with a purchase, counting half for every 30 days of age.",
            FeatureGroup::Frequency,
            -0.41,
        ),
        effect(
            "support_ticket_count_30d",
            "Number of support ticket events in the last 30 days.",
            FeatureGroup::OtherEvents,
            0.36,
        ),
        effect(
            "a_<made-up>_feature",
            "A <made-up> feature.",
            FeatureGroup::OtherEvents,
            -0.33,
        ),
        effect(
            "gap_mean_days",
            "Mean days between days with a purchase.",
            FeatureGroup::Rhythm,
            0.28,
        ),
    ];
    for k in 0..14 {
        let standardized_effect =
            (0.25 - 0.014 * f64::from(k)) * if k % 2 == 0 { 1.0 } else { -1.0 };
        let description = format!(
            "Total amount of purchase events in the last {} days.",
            7 * (k + 1)
        );
        effects.push(effect(
            &format!("amount_{}d", 7 * (k + 1)),
            &description,
            FeatureGroup::Amount,
            standardized_effect,
        ));
    }
    let snapshots: Vec<Day> = (0..9)
        .map(|k| last.plus(-(8 - k) * i32::from(horizon_days) / 4))
        .collect();
    let dated = |(k, date): (usize, &Day)| {
        let predicted = evaluation.is_some() && k % 4 == 0;
        let shift = 0.01 * k as f64 - 0.04;
        DateCard {
            date: *date,
            users: 4_100 + 30 * k as u64,
            churn_rate: 0.42 + shift,
            predicted: predicted.then_some(0.42),
            deciles: if predicted {
                deciles(shift)
            } else {
                Vec::new()
            },
        }
    };
    let by_date = snapshots.iter().enumerate().map(dated).collect();
    HorizonCard {
        horizon_days,
        snapshots,
        rows: 38_211,
        churn_rate: 0.347,
        dropped: [
            ("not_yet_seen", 3_120),
            ("inactive", 21_000),
            ("no_activity", 14),
            ("<odd>", 2),
        ]
        .map(|(name, n)| (name.to_owned(), n))
        .into(),
        solver: "newton".to_owned(),
        hyperparameters: SELECTED,
        candidate: SELECTED_IN_WORDS.to_owned(),
        trials: trials(),
        selection: SelectionRule {
            margin_standard_errors: 2.0,
            compared_folds: 4,
        },
        backtest: (1..5)
            .map(|k| origin(last.plus(-k * i32::from(horizon_days) / 2), k))
            .collect(),
        calibration: Calibration::IDENTITY,
        shrunk_shift: 0.0,
        untested: evaluation.is_none().then_some(Untested::TooFewDays {
            span_days: 739,
            needed_days: 731,
        }),
        evaluation,
        by_date,
        effects,
    }
}

fn segment(name: &str, users: u64, churn_rate: f64, recency: f64, rank: f64) -> SegmentCard {
    let (churn_low, churn_high) = wilson_interval(churn_rate, users);
    let profile = |feature: &str, description: &str, unit: &str, median, rank| ProfileCard {
        feature: feature.to_owned(),
        description: description.to_owned(),
        unit: unit.to_owned(),
        median,
        median_of_all: Some(31.0),
        rank,
    };
    SegmentCard {
        name: name.to_owned(),
        users,
        share: users as f64 / 4_338.0,
        churn_rate,
        churn_low,
        churn_high,
        profile: vec![
            profile(
                "recency_days",
                "Days since the last purchase.",
                "days",
                Some(recency),
                Some(rank),
            ),
            profile(
                "active_days_120d",
                "Days with a purchase in the last 120 days.",
                "active days",
                Some(12.5),
                Some(1.0 - rank),
            ),
            profile(
                "tenure_days",
                "Days since the first event of any kind.",
                "days",
                Some(412.0),
                Some(0.62),
            ),
            profile(
                "amount_mean",
                "Mean amount of a day with a purchase.",
                "amount",
                None,
                None,
            ),
        ],
    }
}

fn stage_sizes(date: Day, k: u64) -> StageSizes {
    let users = [
        ("acquisition", 421),
        ("exploration", 390),
        ("growth", 902),
        ("mature", 1_633),
        ("churning", 1_107),
        ("inactive", 300),
    ]
    .map(|(name, users)| {
        (
            name.to_owned(),
            users + if name == "inactive" { 60 * k } else { 10 * k },
        )
    });
    StageSizes {
        date,
        users: users.into(),
    }
}

fn retention() -> Retention {
    let cohort = |k: i32| {
        let users = 400 - 20 * k as u64;
        let active = (0..11 - k).map(|later| {
            if later == 0 {
                users
            } else {
                users * 6 / (12 + later as u64)
            }
        });
        Cohort {
            from: format!("2011-{:02}-01", k + 1).parse().unwrap(),
            users,
            active: active.collect(),
        }
    };
    Retention {
        period: Period::Month,
        cohorts: (0..11).map(cohort).collect(),
    }
}

/// A card with three horizons, the last of them not tested, and markup wherever data could bring some.
pub(crate) fn card() -> Card {
    Card {
        schema_version: crate::card::SCHEMA_VERSION,
        coverage: None,
        ebb_version: "0.1.0".to_owned(),
        model_version: "0123456789ab".to_owned(),
        config_hash: "fedcba98765432100123456789abcdeffedcba98765432100123456789abcdef".to_owned(),
        as_of: day("2011-12-10"),
        first_day: day("2009-12-01"),
        last_day: day("2011-12-09"),
        users: 5_881,
        records: 44_876,
        data_hash: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned(),
        seed: 7,
        label_definition: LabelDefinition {
            activity: vec!["purchase".to_owned()],
            horizon_days: vec![30, 90],
            active_within_days: 180,
            lead_days: 0,
            churn_event: None,
        },
        horizons: vec![
            horizon(
                30,
                Some(evaluation(day("2011-11-10"), 30, 0.44)),
                day("2011-11-10"),
            ),
            horizon(
                90,
                Some(evaluation(day("2011-09-11"), 90, 0.34)),
                day("2011-09-11"),
            ),
            horizon(365, None, day("2010-12-10")),
        ],
        segments: vec![
            segment("frequent, regular, high spend", 812, 0.08, 6.0, 0.11),
            segment(
                "recent <script>alert(1)</script> & \"frequent\"",
                1_304,
                0.22,
                12.0,
                0.27,
            ),
            segment("average", 1_190, 0.41, 34.0, 0.53),
            segment(
                "lapsing, rare, irregular, low spend (2)",
                1_032,
                0.63,
                120.0,
                0.93,
            ),
        ],
        stages: [
            ("acquisition", 421),
            ("growth", 902),
            ("mature", 1_633),
            ("churning", 1_107),
            ("paused_&_more", 3),
        ]
        .map(|(name, users)| (name.to_owned(), users))
        .into(),
        leakage_probe: LeakageProbe {
            users: 200,
            dates: 12,
            comparisons: 7_131,
        },
        stage_sizes: (0..9)
            .map(|k| stage_sizes(day("2011-06-01").plus(23 * k as i32), k))
            .collect(),
        transitions: Some(Transitions {
            from: day("2011-11-10"),
            to: day("2011-12-10"),
            states: [
                "new",
                "acquisition",
                "growth",
                "mature",
                "churning",
                "inactive",
            ]
            .map(str::to_owned)
            .into(),
            users: vec![
                vec![0, 210, 0, 0, 4, 0],
                vec![0, 61, 187, 0, 62, 11],
                vec![0, 0, 590, 171, 133, 8],
                vec![0, 0, 0, 1_402, 231, 0],
                vec![0, 0, 44, 120, 703, 240],
                vec![0, 0, 2, 9, 14, 275],
            ],
        }),
        retention: retention(),
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
