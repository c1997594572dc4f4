//! Cards against thresholds; thresholds by horizon, gains, the log's age, the comparison with the model in use, and the forms of findings.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::card::{
    ComparedHorizon, Comparison, Interval, JudgedModel, LATER_SCHEMA_VERSION, Paired, Preference,
    Untested,
};
use crate::report::html::fixture::card;

/// The card of the fixture, its first horizon only, with a log of 4,105 rows.
fn with_log(rejected: &[(&str, u64)]) -> Card {
    let mut card = card();
    card.horizons.truncate(1);
    let reasons: Vec<_> = rejected
        .iter()
        .map(|(reason, rows)| json!({ "reason": reason, "rows": rows }))
        .collect();
    card.data_quality = json!({ "rows": 4_105, "rejected": reasons });
    card
}

fn failed(card: &Card, thresholds: Thresholds) -> Vec<String> {
    check(card, &thresholds)
        .into_iter()
        .filter(|f| !f.passed)
        .map(|f| f.line)
        .collect()
}

/// The threshold of the AUC alone, with that of rejected rows where one is given.
fn auc(least: f64, max_rejected_share: Option<f64>) -> Thresholds {
    Thresholds {
        min_auc: Some(PerHorizon::All(least)),
        max_rejected_share,
        ..Thresholds::default()
    }
}

#[test]
fn a_log_with_too_many_rejected_rows_fails_unless_the_threshold_allows_it() {
    let card = with_log(&[("bad_time", 2_400), ("bad_amount", 77)]);
    let line =
        "log: 60.3 % of rows rejected, 2,400 of 4,105 rows for bad_time, at most 0.05: FAILED";
    assert_eq!(failed(&card, auc(0.6, None)), [line]);
    assert_eq!(failed(&card, auc(0.6, Some(0.61))), [""; 0]);
    assert_eq!(
        failed(&with_log(&[("bad_time", 205)]), auc(0.6, None)),
        [""; 0],
        "just below a twentieth"
    );
    assert_eq!(
        failed(&with_log(&[("bad_time", 206)]), auc(0.6, None)).len(),
        1
    );
    assert_eq!(failed(&with_log(&[]), auc(0.6, Some(0.0))), [""; 0]);
}

#[test]
fn rows_without_a_user_are_a_remark_and_no_failure() {
    let card = with_log(&[("empty_user", 1_022)]);
    assert_eq!(failed(&card, auc(0.6, None)), [""; 0]);
    let lines: Vec<String> = check(&card, &auc(0.6, None))
        .into_iter()
        .map(|f| f.line)
        .collect();
    assert!(
        lines
            .iter()
            .any(|l| l.contains("24.9 % of the log (1,022 of 4,105 rows) names no user")),
        "{lines:?}"
    );
    // The share is that of the other rows.
    assert_eq!(
        failed(
            &with_log(&[("empty_user", 3_905), ("bad_time", 20)]),
            auc(0.6, None)
        )
        .len(),
        1
    );
}

#[test]
fn the_verdict_is_printed_and_an_untested_horizon_fails_with_its_reason() {
    let mut card = with_log(&[]);
    let lines = check(&card, &auc(0.6, None));
    let verdict = card.horizons[0]
        .evaluation
        .as_ref()
        .unwrap()
        .verdict
        .clone()
        .unwrap();
    assert!(
        lines.iter().any(|f| f.line.contains(&format!(
            "verdict {}. ",
            wording::strength(verdict.strength)
        ))),
        "{lines:?}"
    );
    card.horizons[0].evaluation = None;
    card.horizons[0].untested = Some(crate::card::Untested::TooFewUsers {
        date: "2011-11-10".parse().unwrap(),
        users: 22,
        least: 50,
    });
    let said = failed(&card, auc(0.6, None));
    assert!(
        said[0].contains("not tested: FAILED. Too few users to judge the 30-day model: 22 users"),
        "{said:?}"
    );
}

#[test]
fn a_model_that_lost_to_the_base_rate_by_its_whole_interval_fails() {
    let mut card = with_log(&[]);
    let against = |card: &mut Card, baseline: &str, low: f64, high: f64| {
        let c = &mut card.horizons[0].against_baselines[0];
        c.baseline = baseline.to_owned();
        (c.log_loss_difference.low, c.log_loss_difference.high) = (low, high);
        c.log_loss_difference.value = (low + high) / 2.0;
        failed(card, auc(0.6, None))
    };
    assert_eq!(against(&mut card, "base_rate", -0.02, -0.01), [""; 0]);
    assert_eq!(against(&mut card, "base_rate", -0.001, 0.1), [""; 0]);
    assert_eq!(against(&mut card, "bg_nbd", 0.01, 0.03), [""; 0]);
    assert_eq!(
        against(&mut card, "base_rate", 0.01, 0.03),
        [
            "horizon 30: below the base rate: FAILED. At 4 dates of the backtest, the base rate is better than the \
             model, whose log loss is 0.0200 higher (95 % interval over dates: 0.0100 higher to 0.0300 higher)."
        ]
    );
}

#[test]
fn a_card_without_a_report_on_its_log_is_checked_by_the_other_thresholds() {
    let mut card = with_log(&[]);
    card.data_quality = serde_json::Value::Null;
    assert_eq!(failed(&card, auc(0.99, None)).len(), 1);
    assert_eq!(failed(&card, auc(0.6, None)), [""; 0]);
}

fn all(threshold: f64) -> Option<PerHorizon> {
    Some(PerHorizon::All(threshold))
}

/// The rows of figures with a metric's name.
fn rows(findings: &[Finding], metric: &str) -> Vec<Checked> {
    let checked = findings.iter().filter_map(|f| f.checked.clone());
    checked.filter(|c| c.metric == metric).collect()
}

#[test]
fn a_threshold_by_horizon_is_for_that_horizon_alone() {
    let card = card();
    let horizons: Vec<u16> = card.horizons.iter().map(|h| h.horizon_days).collect();
    let thresholds = Thresholds {
        min_auc: Some(PerHorizon::Each(BTreeMap::from([(horizons[0], 0.99)]))),
        max_log_loss: all(10.0),
        ..Thresholds::default()
    };
    let found = check(&card, &thresholds);
    let auc = rows(&found, "auc");
    assert_eq!(auc.len(), 1);
    assert_eq!(
        (auc[0].horizon_days, auc[0].passed),
        (Some(horizons[0]), false)
    );
    let tested = card.horizons.iter().filter(|h| h.evaluation.is_some());
    assert_eq!(rows(&found, "log_loss").len(), tested.count());
    let model = &card.horizons[0].evaluation.as_ref().unwrap().model;
    assert_eq!(
        (auc[0].value, auc[0].low, auc[0].high, auc[0].limit),
        (
            Some(model.auc.value),
            Some(model.auc.low),
            Some(model.auc.high),
            Some(0.99)
        )
    );
}

#[test]
fn bias_fails_either_way_and_a_gain_is_what_the_baseline_loses() {
    let mut card = card();
    card.horizons.truncate(1);
    let thresholds = |min_gain| Thresholds {
        max_bias: all(0.02),
        min_gain_over_bg_nbd: all(min_gain),
        ..Thresholds::default()
    };
    let e = card.horizons[0].evaluation.as_mut().unwrap();
    let d = e.baseline("bg_nbd").unwrap().log_loss_difference;
    for (bias, passed) in [(0.019, true), (0.021, false), (-0.021, false)] {
        let e = card.horizons[0].evaluation.as_mut().unwrap();
        e.model.bias.value = bias;
        let found = check(&card, &thresholds(0.0));
        assert_eq!(rows(&found, "bias")[0].passed, passed, "{bias}");
        assert_eq!(rows(&found, "bias")[0].value, Some(bias));
    }
    let gain =
        |card: &Card, least| rows(&check(card, &thresholds(least)), "gain_over_bg_nbd")[0].clone();
    let row = gain(&card, -d.value);
    assert!(row.passed && row.value == Some(-d.value) && row.low == Some(-d.high));
    assert!(!gain(&card, -d.value + 1e-9).passed);
    // A threshold on a baseline that the card lacks is not passed over.
    let e = card.horizons[0].evaluation.as_mut().unwrap();
    e.baselines.retain(|b| b.name != "bg_nbd");
    let row = gain(&card, -1.0);
    assert_eq!(
        (row.passed, row.value, row.limit),
        (false, None, Some(-1.0))
    );
}

#[test]
fn the_age_of_the_log_and_the_users_are_counted() {
    let card = card();
    let covered = card.coverage.as_ref().map(|c| c.labels_until);
    let until = covered.unwrap_or(card.last_day.plus(1)).min(card.as_of);
    let thresholds = Thresholds {
        max_data_age_days: Some(7),
        min_users_scored: Some(card.stages.values().sum()),
        ..Thresholds::default()
    };
    let age = |days| data_age(&card, &thresholds, until.plus(days)).unwrap();
    assert!(age(7).passed && !age(8).passed);
    assert_eq!(age(8).checked.unwrap().value, Some(8.0));
    assert_eq!(data_age(&card, &Thresholds::default(), until), None);
    assert!(rows(&check(&card, &thresholds), "users_scored")[0].passed);
    let more = Thresholds {
        min_users_scored: thresholds.min_users_scored.map(|users| users + 1),
        ..thresholds
    };
    assert!(!rows(&check(&card, &more), "users_scored")[0].passed);
}

/// A comparison of one horizon with a difference in log loss.
fn comparison(value: f64, low: f64, high: f64) -> Comparison {
    let model = card().horizons[0].evaluation.clone().unwrap().model;
    let interval = Interval { value, low, high };
    let judged = |version: &str| JudgedModel {
        version: version.to_owned(),
        fitted_as_of: "2011-10-01".parse().unwrap(),
    };
    Comparison {
        schema_version: LATER_SCHEMA_VERSION,
        ebb_version: "0".to_owned(),
        a: judged("live"),
        b: judged("next"),
        as_of: "2011-10-10".parse().unwrap(),
        out_of_time: true,
        horizons: vec![ComparedHorizon {
            horizon_days: 30,
            from: "2011-10-10".parse().unwrap(),
            until: "2011-11-09".parse().unwrap(),
            user_step: 1,
            only_a: 0,
            only_b: 3,
            paired: Some(Paired {
                users: 900,
                churn_rate: 0.4,
                a: model.clone(),
                b: model,
                log_loss_difference: interval,
                auc_difference: interval,
                brier_difference: interval,
                ece_difference: interval,
                preference: Preference::NotShown,
            }),
            untested: None,
        }],
        left_out_horizons: Vec::new(),
        notes: Vec::new(),
    }
}

/// The upper end of the interval decides: what is not shown to be within the limit fails.
#[test]
fn a_regression_passes_by_the_upper_end_of_its_interval() {
    let limit = Thresholds {
        max_regression: all(0.01),
        ..Thresholds::default()
    };
    for ((value, low, high), end) in [
        ((-0.002, -0.01, 0.0099), "ok"),
        (
            (0.002, -0.01, 0.011),
            "FAILED. The log has too few users to show it",
        ),
        (
            (0.011, -0.01, 0.02),
            "FAILED. The new model is worse by more than that, though chance may be a part of it",
        ),
        (
            (0.02, 0.011, 0.03),
            "FAILED. The new model is worse by more than that",
        ),
    ] {
        let found = regressions(&comparison(value, low, high), &limit);
        assert!(found[0].line.ends_with(end), "{}", found[0].line);
        assert_eq!(found[0].passed, end == "ok");
        let row = found[0].checked.clone().unwrap();
        assert_eq!(
            (row.value, row.high, row.limit),
            (Some(value), Some(high), Some(0.01))
        );
        assert!(
            found[1].line.contains("3 that only the new one scores"),
            "{}",
            found[1].line
        );
    }
    let default = regressions(&comparison(0.0, 0.0, 0.0), &Thresholds::default());
    assert_eq!(
        default[0].checked.as_ref().unwrap().limit,
        Some(DEFAULT_MAX_REGRESSION)
    );
    let mut none = comparison(0.0, 0.0, 0.0);
    (none.horizons[0].paired, none.horizons[0].untested) = (
        None,
        Some(Untested::TooFewUsers {
            date: none.as_of,
            users: 12,
            least: 50,
        }),
    );
    let found = regressions(&none, &limit);
    assert!(
        !found[0].passed && found[0].line.contains("12 users"),
        "{}",
        found[0].line
    );
}

/// A failed check, one that passed and a remark, with characters that each form must escape.
fn findings() -> Vec<Finding> {
    let failed = Checked::limited("auc", 0.61, Bound::AtLeast, 0.8).of_horizon(30);
    let passed = Checked::limited("rejected_share", 0.0, Bound::AtMost, 0.05);
    vec![
        Finding::checked(
            failed,
            "horizon 30: 61 % <AUC> & \"more\"\nnext, line: x".to_owned(),
        ),
        Finding::checked(passed, "log: fine".to_owned()),
        Finding::remark("kind `a|b` \u{1b}[1m 50 %".to_owned()),
    ]
}

#[test]
fn annotations_are_one_line_each() {
    insta::assert_snapshot!(github(&findings(), "f00"), @r#"
    ::error title=Model f00%3A auc (30 days)::horizon 30: 61 %25 <AUC> & "more"%0Anext, line: x
    ::notice title=Model f00::kind `a|b`  [1m 50 %25
    Model f00: 1 of 2 checks failed
    "#);
}

#[test]
fn a_summary_is_a_table_and_what_failed() {
    insta::assert_snapshot!(markdown(&findings(), "f00"), @r#"
    ## Model f00: 1 of 2 checks failed

    | check | horizon | value | low | high | limit | result |
    | --- | ---: | ---: | ---: | ---: | ---: | ---: |
    | auc | 30 | 0.6100 | - | - | at least 0.8 | FAILED |
    | rejected\_share | - | 0.0000 | - | - | at most 0.05 | passed |

    - horizon 30: 61 % \<AUC\> & "more" next, line: x
    - kind \`a\|b\`  \[1m 50 %
    "#);
}

/// Read by an XML parser that Ebb does not use otherwise.
#[test]
fn junit_is_xml_with_a_case_for_each_check() {
    let xml = junit(&findings(), "f00");
    let document = roxmltree::Document::parse(&xml).unwrap();
    let suites = document.root_element();
    assert_eq!(suites.tag_name().name(), "testsuites");
    let suite = suites.first_element_child().unwrap();
    for (name, value) in [("tests", "2"), ("failures", "1"), ("errors", "0")] {
        assert_eq!(suite.attribute(name), Some(value), "{name}");
    }
    let cases: Vec<_> = suite
        .children()
        .filter(|n| n.has_tag_name("testcase"))
        .collect();
    let names: Vec<_> = cases
        .iter()
        .map(|c| (c.attribute("classname"), c.attribute("name")))
        .collect();
    assert_eq!(
        names,
        [
            (Some("ebb.horizon_30"), Some("auc")),
            (Some("ebb.bundle"), Some("rejected_share"))
        ]
    );
    let failure = cases[0].first_element_child().unwrap();
    assert_eq!(
        failure.text(),
        Some("horizon 30: 61 % <AUC> & \"more\"\nnext, line: x")
    );
    assert!(cases[1].first_element_child().is_none());
    let output = suite
        .children()
        .find(|n| n.has_tag_name("system-out"))
        .unwrap();
    assert!(output.text().unwrap().contains("kind `a|b`"));
}
