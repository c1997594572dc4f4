use std::collections::BTreeMap;

use super::super::tests::{plain, snapshot};
use super::*;
use crate::explain::{
    ActivitySummary, Answer, Contribution, Question, StageAnswer, TierAnswer, ValueAnswer,
    ValueReason, Week, WeekRisk, explain,
};
use crate::history::{Amount, Day, DayRecord, HistoriesBuilder};
use crate::lifecycle::{Rule, Stage};
use crate::model::Bundle;
use crate::model::tests::spec;

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

fn contribution(group: &'static str, feature: &str, contribution: f64) -> Contribution {
    Contribution {
        group,
        feature: feature.to_owned(),
        value: Some(3.0),
        unit: "days",
        contribution,
        description: format!("<{feature}> & more"),
    }
}

/// An explanation with two weeks, one of them without a score.
fn explanation() -> UserExplanation {
    let week = |as_of: &str, status, horizons| Week {
        from: day(as_of).plus(-7),
        as_of: day(as_of),
        active_days: 2,
        activity_events: 3,
        other_events: 1,
        amount: 12.5,
        status,
        stage: None,
        horizons,
    };
    let risk = WeekRisk {
        horizon_days: 30,
        churn_probability: 0.75,
        risk_band: "high",
    };
    let horizon = HorizonAnswer {
        horizon_days: 30,
        from: day("2024-06-01"),
        last: day("2024-06-30"),
        churn_probability: 0.75,
        risk_band: "high",
        base_rate: Some(0.4),
        log_odds: 1.1,
        base_log_odds: -0.4,
        answered_by_horizon_days: 30,
        reasons: vec![contribution("recency", "recency_days", 1.5)],
        contributions: vec![
            contribution("recency", "recency_days", 2.0),
            contribution("recency", "overdue_ratio", -0.5),
        ],
    };
    UserExplanation {
        user_id: "<u>&1".to_owned(),
        model: "abc".to_owned(),
        sentences: vec!["A sentence on <u>&1.".to_owned()],
        answer: Answer {
            as_of: day("2024-06-01"),
            status: Status::Scored,
            why_not_scored: None,
            stage: Some(StageAnswer {
                name: Stage::Churning,
                rule: Rule::Overdue,
                reason: "overdue".to_owned(),
            }),
            segment: None,
            horizons: vec![horizon],
            value: None,
            conversion: None,
        },
        activity: ActivitySummary {
            first_event: Some(day("2024-05-18")),
            last_event: Some(day("2024-05-31")),
            first_active: None,
            last_active: None,
            active_days: 4,
        },
        timeline: vec![
            week("2024-05-25", Status::NoActivity, Vec::new()),
            week("2024-06-01", Status::Scored, vec![risk]),
        ],
        what_if: None,
    }
}

#[test]
fn figures_show_every_contribution_and_every_week() {
    let explanation = explanation();
    snapshot(
        "user_contributions",
        contributions::figures(&explanation.answer.horizons[0]),
    );
    snapshot("user_weeks", weeks::figures(&explanation));
}

/// The same with what the user is worth.
fn with_value() -> UserExplanation {
    let mut explanation = explanation();
    explanation.answer.value = Some(ValueAnswer {
        status: "estimated",
        currency: Some("GBP".to_owned()),
        horizon_days: 365,
        from: day("2024-06-01"),
        last: day("2025-05-31"),
        expected_spend: 620.5,
        low: 120.25,
        high: 1_400.0,
        interval: 0.8,
        residual_value: 512.125,
        value_at_risk: 101.5,
        risk_horizon_days: 60,
        p_alive: 0.875,
        expected_order_days: 7.5,
        tier: Some(TierAnswer {
            name: "<high>".to_owned(),
            from: 250.0,
            below: None,
            is_held: false,
        }),
        rfm: Some("5-4-3".to_owned()),
        regression_share: 0.5,
        reasons: vec![ValueReason {
            factor: 2.0,
            reason: contribution("amount", "order_amount", std::f64::consts::LN_2),
        }],
    });
    explanation
}

#[test]
fn what_a_user_is_worth_has_a_section_of_its_own() {
    let page = render(&with_value());
    assert!(page.contains("<section id=\"value\""));
    assert!(page.contains("value: &lt;high&gt;") && !page.contains("<high>"));
    let value = with_value().answer.value.unwrap();
    let figures = plain(worth::figures(&value));
    let page_says = [
        "Expected spend621 GBP in the 365 days from 2024-06-01 to 2025-05-31",
        "Interval120 GBP to 1,400 GBP, for 80 % of such users",
        "Residual value512 GBPValue at risk102 GBP by churn within 60 days",
        "Tier&lt;high&gt;, from 250 GBP on",
        "R, F and M, of 55-4-3",
        "amountx 2.0&lt;order_amount&gt; &amp; more",
        "a weight of 50 % in the expected spend",
    ];
    for text in page_says {
        assert!(figures.contains(text), "{text}: {figures}");
    }
    let lines = crate::report::user::explanation(&with_value(), 80);
    let lines: Vec<String> = lines.iter().map(|line| line.text()).collect();
    let terminal_says = [
        "What the user is worth",
        "  Expected spend        621 GBP in the 365 days from 2024-06-01 to 2025-05-31",
        "  Value at risk         102 GBP by churn within 60 days",
        "   x 2.0  amount: <order_amount> & more",
    ];
    for text in terminal_says {
        assert!(lines.iter().any(|line| line == text), "{text}: {lines:#?}");
    }
    // The negative control.
    assert!(!render(&explanation()).contains("<section id=\"value\""));
}

#[test]
fn names_are_text_and_the_page_is_whole() {
    let page = render(&explanation());
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>"));
    assert!(page.contains("&lt;u&gt;&amp;1") && !page.contains("<u>"));
    for id in ["answer", "reasons", "weeks"] {
        assert!(page.contains(&format!("<section id=\"{id}\"")), "{id}");
    }
    assert!(!page.contains("id=\"what-if\""));
}

#[test]
fn what_is_supposed_has_a_section_of_its_own() {
    let bundle = Bundle::new(spec(), "test".into()).unwrap();
    let mut builder = HistoriesBuilder::default();
    for back in [50, 40, 20] {
        let record = DayRecord {
            amount: Amount::new(10.0).unwrap(),
            day: day("2024-06-01").plus(-back),
            count: 1,
            kind: builder.kind("purchase").unwrap(),
        };
        builder.add("u", record).unwrap();
    }
    let histories = builder.finish().unwrap();
    let explanation = explain(&Question {
        bundle: &bundle,
        base_rates: &BTreeMap::new(),
        histories: &histories,
        first_day: day("2024-01-01"),
        user: "u",
        as_of: day("2024-06-01"),
        horizon_days: None,
        suppose: &["purchase today".to_owned()],
    });
    let page = render(&explanation.unwrap());
    assert!(page.contains("<section id=\"what-if\""));
    // Panels of both horizons, in the section of reasons and in that of changes.
    for id in ["r30", "r60", "w30", "w60"] {
        assert!(page.contains(&format!("id=\"{id}\"")), "{id}");
    }
    assert!(!page.contains("NaN"));
}
