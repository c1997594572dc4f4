//! Stages, groups of users, and what is withheld of them.

use super::*;

#[test]
fn stages_are_followed_week_by_week() {
    let report = Asked::default().report(&shop()).unwrap();
    let of = |kpi: &str, period: &str| -> Vec<(String, f64, f64)> {
        let rows = report
            .rows
            .iter()
            .filter(|r| r.kpi == kpi && r.period == period);
        rows.map(|r| {
            (
                r.slice.clone(),
                r.numerator.unwrap(),
                r.denominator.unwrap(),
            )
        })
        .collect()
    };
    // On 1 February b was first seen 12 days ago. a and c are overdue: silent for 22 and 25 days, which are more than 14 and
    // more than three of their mean gaps of 4.5 days and one.
    assert_eq!(
        of("stage_mix", "2024-02"),
        [
            ("stage=acquisition".to_owned(), 1.0, 3.0),
            ("stage=churning".to_owned(), 2.0, 3.0)
        ]
    );
    let weeks: f64 = of("transition", "2024-02")
        .iter()
        .map(|(_, weeks, _)| weeks)
        .sum();
    // Four Mondays of February, three users.
    assert_eq!(weeks, 12.0);
    assert!(!of("dwell_days", "2024-01").is_empty());
}

#[test]
fn groups_are_those_before_the_period_and_add_up_to_everybody() {
    let by = [SliceBy::Stage, SliceBy::Cohort];
    let report = Asked {
        by: &by,
        ..Asked::default()
    }
    .report(&shop())
    .unwrap();
    for kpi in [
        "retention",
        "arpu",
        "order_frequency",
        "repurchase",
        "win_back",
    ] {
        for (period, some, all) in fractions(&report, kpi) {
            for by in ["stage=", "cohort="] {
                let rows = report
                    .rows
                    .iter()
                    .filter(|r| r.kpi == kpi && r.period == period);
                let rows: Vec<&Row> = rows.filter(|r| r.slice.starts_with(by)).collect();
                let sum =
                    |of: fn(&Row) -> Option<f64>| rows.iter().filter_map(|r| of(r)).sum::<f64>();
                assert_eq!(
                    (sum(|r| r.numerator), sum(|r| r.denominator)),
                    (some, all),
                    "{kpi} {period} {by}"
                );
            }
        }
    }
    let slices = |period: &str| -> Vec<&str> {
        let rows = report
            .rows
            .iter()
            .filter(|r| r.kpi == "arpu" && r.period == period);
        rows.map(|r| r.slice.as_str()).collect()
    };
    assert_eq!(slices("2024-01"), ["all", "stage=new", "cohort=2024-01"]);
    assert_eq!(
        slices("2024-04"),
        ["all", "stage=inactive", "cohort=2024-01"]
    );
}

#[test]
fn a_churn_event_is_what_churn_means_where_it_is_configured() {
    let histories = log(&[
        "a 2024-01-05 buy 1",
        "a 2024-02-10 cancel 0",
        "b 2024-01-05 buy 1",
    ]);
    let mut definitions = definitions();
    definitions.churn_event = Some("cancel".into());
    let report = Asked {
        definitions,
        ..Asked::default()
    }
    .report(&histories)
    .unwrap();
    // Both are eligible on 1 February; b is silent and stays, a cancels, and has lapsed from then on.
    assert_eq!(
        fractions(&report, "churn")[0],
        ("2024-02".to_owned(), 1.0, 2.0)
    );
    assert_eq!(
        fractions(&report, "reactivation")[0],
        ("2024-03".to_owned(), 0.0, 2.0)
    );
    let silence = Asked::default().report(&histories).unwrap();
    assert_eq!(
        fractions(&silence, "churn")[0],
        ("2024-02".to_owned(), 2.0, 2.0)
    );
}

#[test]
fn figures_of_few_users_are_withheld_with_what_would_give_them_away() {
    let mut lines = Vec::new();
    for user in 0..40 {
        lines.push(format!("m{user} 2024-01-10 buy 5"));
        if user < 20 {
            lines.push(format!("m{user} 2024-02-10 buy 5"));
        }
        // Three users of another cohort.
        if user < 3 {
            lines.push(format!("n{user} 2024-02-01 buy 5"));
        }
    }
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let histories = log(&lines);
    let by = [SliceBy::Cohort];
    let report = |min_users| {
        let mut definitions = definitions();
        definitions.min_users = min_users;
        Asked {
            definitions,
            by: &by,
            ..Asked::default()
        }
        .report(&histories)
        .unwrap()
    };
    let withheld = report(10);
    let arpu = |report: &Report| -> Vec<(String, Option<f64>)> {
        let rows = report
            .rows
            .iter()
            .filter(|r| r.kpi == "arpu" && r.period == "2024-02");
        rows.map(|r| (r.slice.clone(), r.denominator)).collect()
    };
    // 23 users less 20 would be the 3.
    assert_eq!(
        arpu(&withheld),
        [
            ("all".to_owned(), Some(23.0)),
            ("cohort=2024-01".to_owned(), None),
            ("cohort=2024-02".to_owned(), None)
        ]
    );
    let hidden = withheld.rows.iter().filter(|row| row.is_withheld()).count() as u64;
    assert!(withheld.withheld == hidden && hidden > 2);
    for row in withheld.rows.iter().filter(|row| !row.is_withheld()) {
        assert!(row.users >= 10 || row.users == 0, "{row:?}");
    }
    // The negative control: without a least number all are shown.
    let open = report(0);
    assert_eq!((open.withheld, arpu(&open)[2].1), (0, Some(3.0)));
}

#[test]
fn what_cannot_be_computed_is_said() {
    let error = |asked: Asked<'_>| asked.report(&shop()).unwrap_err().to_string();
    assert!(
        error(Asked {
            by: &[SliceBy::Tier],
            ..Asked::default()
        })
        .contains("give a model")
    );
    let ended = Observation {
        until: day("2024-01-01"),
        ..observation()
    };
    assert!(
        error(Asked {
            observation: ended,
            ..Asked::default()
        })
        .starts_with("there is no day from 2024-01-01")
    );
    let long = Observation {
        until: day("2124-01-01"),
        ..observation()
    };
    let asked = Asked {
        observation: long,
        period: PeriodKind::Week,
        ..Asked::default()
    };
    assert!(error(asked).contains("are more than 1000 cells"));
}

#[test]
fn days_that_were_not_observed_make_a_period_incomplete() {
    let holes = vec![Stretch {
        from: day("2024-02-10"),
        until: day("2024-02-20"),
    }];
    let asked = Asked {
        observation: Observation {
            holes,
            ..observation()
        },
        ..Asked::default()
    };
    let report = asked.report(&shop()).unwrap();
    let complete = |kpi: &str, period: &str| {
        let row = report
            .rows
            .iter()
            .find(|r| r.kpi == kpi && r.period == period);
        row.unwrap().complete
    };
    assert!(
        !complete("arpu", "2024-02") && complete("arpu", "2024-01") && complete("arpu", "2024-03")
    );
    // The window of January's first orders runs into the hole.
    assert!(!complete("repurchase_within_30d", "2024-01"));
}
