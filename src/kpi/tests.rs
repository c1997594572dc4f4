//! Every indicator of a log that is small enough to be counted by hand.

mod channels;
mod grouped;
mod worth;

use std::collections::BTreeMap;

use super::*;
use crate::history::{Amount, Day, DayRecord, Histories, HistoriesBuilder, Stretch};
use crate::lifecycle::Thresholds;
use crate::phases::Phases;

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

/// Lines `user day kind amount`.
fn log(lines: &[&str]) -> Histories {
    let mut builder = HistoriesBuilder::default();
    for line in lines {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let kind = builder.kind(fields[2]).unwrap();
        let record = DayRecord {
            amount: Amount::new(fields[3].parse().unwrap()).unwrap(),
            day: day(fields[1]),
            count: 1,
            kind,
        };
        builder.add(fields[0], record).unwrap();
    }
    builder.finish().unwrap()
}

fn definitions() -> Definitions {
    Definitions {
        activity: vec!["buy".into(), "visit".into()],
        churn_event: None,
        active_within_days: 60,
        lifecycle: Thresholds::default(),
        window_days: 30,
        order_kinds: vec!["buy".into(), "return".into()],
        margin: 0.5,
        settings: KpiConfig {
            repurchase_days: vec![30],
            lapsed_after_days: Some(40),
            ..KpiConfig::default()
        },
        // The least that the setting takes would hide most of so few users.
        min_users: 0,
    }
}

/// January to April of 2024; April is not over.
fn observation() -> Observation {
    Observation {
        first: day("2024-01-01"),
        until: day("2024-04-16"),
        holes: Vec::new(),
    }
}

struct Asked<'a> {
    definitions: Definitions,
    observation: Observation,
    period: PeriodKind,
    by: &'a [SliceBy],
    costs: Option<Costs>,
}

impl Default for Asked<'_> {
    fn default() -> Self {
        Self {
            definitions: definitions(),
            observation: observation(),
            period: PeriodKind::Month,
            by: &[],
            costs: None,
        }
    }
}

impl Asked<'_> {
    fn report(&self, histories: &Histories) -> Result<Report, KpiError> {
        compute(&KpiRequest {
            histories,
            definitions: &self.definitions,
            observation: &self.observation,
            period: self.period,
            from: None,
            to: None,
            by: self.by,
            bundle: None,
            costs: self.costs.as_ref(),
            weekly: true,
            most_cells: 1_000,
            phases: Phases::default(),
        })
    }
}

/// `a` buys often and returns something, `b` comes back late, `c` only visits, `d` is new in March and answers twice.
fn shop() -> Histories {
    log(&[
        "a 2024-01-01 visit 0",
        "a 2024-01-03 buy 10",
        "a 2024-01-03 return -4",
        "a 2024-01-10 buy 20",
        "a 2024-02-09 buy 30",
        "a 2024-02-20 return -12",
        "a 2024-03-05 buy 6",
        "a 2024-03-20 nps 10",
        "b 2024-01-20 buy 100",
        "b 2024-03-25 buy 50",
        "b 2024-03-26 nps 11",
        "c 2024-01-05 visit 0",
        "c 2024-01-06 visit 0",
        "c 2024-01-07 visit 0",
        "c 2024-02-01 nps 3",
        "c 2024-04-02 visit 0",
        "d 2024-03-10 buy 0",
        "d 2024-03-12 nps 2",
        "d 2024-03-28 nps 8",
    ])
}

/// Numerator and denominator of each period's row of everybody.
fn fractions(report: &Report, kpi: &str) -> Vec<(String, f64, f64)> {
    let rows = report
        .rows
        .iter()
        .filter(|row| row.kpi == kpi && row.slice == "all");
    rows.map(|row| {
        (
            row.period.clone(),
            row.numerator.unwrap(),
            row.denominator.unwrap(),
        )
    })
    .collect()
}

fn expect(report: &Report, kpi: &str, expected: &[(&str, f64, f64)]) {
    let expected: Vec<(String, f64, f64)> = expected
        .iter()
        .map(|(period, some, all)| ((*period).to_owned(), *some, *all))
        .collect();
    assert_eq!(fractions(report, kpi), expected, "{kpi}");
}

#[test]
fn shares_are_those_counted_by_hand() {
    let report = Asked::default().report(&shop()).unwrap();
    // On 1 February a, b and c have been active in 60 days; on 1 March a (9 Feb), b (41 days ago) and c (54 days ago); on
    // 1 April a, b and d.
    expect(
        &report,
        "retention",
        &[
            ("2024-02", 1.0, 3.0),
            ("2024-03", 2.0, 3.0),
            ("2024-04", 0.0, 3.0),
        ],
    );
    expect(
        &report,
        "churn",
        &[
            ("2024-02", 2.0, 3.0),
            ("2024-03", 1.0, 3.0),
            ("2024-04", 3.0, 3.0),
        ],
    );
    // Lapsed for more than 40 days: on 1 March b (20 January, 41 days) and c; on 1 April c, who visits and doesn't buy.
    expect(
        &report,
        "reactivation",
        &[("2024-03", 1.0, 2.0), ("2024-04", 1.0, 1.0)],
    );
    expect(
        &report,
        "win_back",
        &[("2024-03", 1.0, 2.0), ("2024-04", 0.0, 1.0)],
    );
    // a has 3 active days by 14 January, b one, c three; nobody has five by day 28.
    expect(
        &report,
        "activation_1_by_7d",
        &[("2024-01", 3.0, 3.0), ("2024-03", 1.0, 1.0)],
    );
    expect(
        &report,
        "activation_3_by_14d",
        &[("2024-01", 2.0, 3.0), ("2024-03", 0.0, 1.0)],
    );
    expect(
        &report,
        "activation_5_by_28d",
        &[("2024-01", 0.0, 3.0), ("2024-03", 0.0, 1.0)],
    );
    // a orders again after 7 days, b after 65.
    expect(
        &report,
        "repurchase_within_30d",
        &[("2024-01", 1.0, 2.0), ("2024-03", 0.0, 1.0)],
    );
    expect(
        &report,
        "repurchase",
        &[("2024-01", 2.0, 2.0), ("2024-03", 0.0, 1.0)],
    );
    let april = report.rows.iter().filter(|row| row.period == "2024-04");
    assert!(
        april.clone().count() > 0 && april.clone().all(|row| !row.complete),
        "April is not over"
    );
    assert!(
        report
            .rows
            .iter()
            .all(|row| row.complete || row.period == "2024-04")
    );
}

#[test]
fn orders_and_money_are_those_counted_by_hand() {
    let report = Asked::default().report(&shop()).unwrap();
    // a on 3 and 10 January, b on the 20th; a return by itself is no order, and one for nothing is one.
    expect(
        &report,
        "order_frequency",
        &[
            ("2024-01", 3.0, 2.0),
            ("2024-02", 1.0, 1.0),
            ("2024-03", 3.0, 3.0),
        ],
    );
    expect(
        &report,
        "arpu",
        &[
            ("2024-01", 126.0, 3.0),
            ("2024-02", 18.0, 1.0),
            ("2024-03", 56.0, 3.0),
            ("2024-04", 0.0, 1.0),
        ],
    );
    expect(
        &report,
        "arppu",
        &[
            ("2024-01", 126.0, 2.0),
            ("2024-02", 18.0, 1.0),
            ("2024-03", 56.0, 2.0),
        ],
    );
    // From January's orders: 7 and 30 days of a, 65 of b. From March's: open 41, 21 and 36 days on 15 April.
    let row = |kpi: &str, period: &str| {
        let found = report
            .rows
            .iter()
            .find(|r| r.kpi == kpi && r.period == period);
        found.unwrap().clone()
    };
    let cycle = row("repurchase_cycle_days", "2024-01");
    assert_eq!(
        (cycle.value, cycle.numerator, cycle.denominator),
        (Some(30.0), Some(3.0), Some(3.0))
    );
    let open = row("repurchase_cycle_days", "2024-03");
    assert_eq!(
        (open.value, open.problem),
        (None, Some(Problem::NotReached))
    );
    assert_eq!((open.numerator, open.denominator), (Some(0.0), Some(3.0)));
    assert_eq!(
        row("repurchase_gap_median_days", "2024-02").value,
        Some(25.0)
    );
    let all = Asked {
        period: PeriodKind::All,
        ..Asked::default()
    }
    .report(&shop())
    .unwrap();
    // Gaps that ended: 7, 25, 30 and 65 days; open ones: 21, 36 and 41.
    // S(7) = 6/7, S(25) = 6/7 * 4/5, S(30) = 24/35 * 3/4 = .514, S(65) = 0.
    let value = |kpi: &str| all.rows.iter().find(|row| row.kpi == kpi).unwrap().value;
    assert_eq!(value("repurchase_cycle_days"), Some(65.0));
    assert_eq!(value("repurchase_gap_median_days"), Some(27.5));
    let interval = row("arpu", "2024-01");
    assert!(
        interval.low.unwrap() < 42.0 && interval.high.unwrap() > 42.0,
        "{interval:?}"
    );
}

#[test]
fn the_latest_answer_of_a_user_counts_and_bad_ones_are_counted() {
    let report = Asked::default().report(&shop()).unwrap();
    // February: c is a detractor. March: a promotes, d's latest is 8, b's 11 is no answer.
    expect(
        &report,
        "nps",
        &[("2024-02", -1.0, 1.0), ("2024-03", 1.0, 2.0)],
    );
    let march = report
        .rows
        .iter()
        .find(|r| r.kpi == "nps" && r.period == "2024-03")
        .unwrap();
    assert_eq!(march.value, Some(50.0));
    // 1.96 * sqrt((0.5 - 0.25) / 2) = 0.693.
    assert!(
        (march.low.unwrap() + 19.296).abs() < 0.01 && march.high == Some(100.0),
        "{march:?}"
    );
    assert_eq!(report.bad_answers, 1);
    let mut harmless = definitions();
    harmless.settings.nps_kind = "survey".into();
    let other = Asked {
        definitions: harmless,
        ..Asked::default()
    }
    .report(&shop())
    .unwrap();
    assert_eq!((other.bad_answers, fractions(&other, "nps")), (0, vec![]));
}

fn costs(months: &[(&str, f64)]) -> Costs {
    let cost = |amount: f64| BTreeMap::from([("ads".to_owned(), (amount * 1e6) as i128)]);
    let months = months
        .iter()
        .map(|(month, amount)| (day(month), cost(*amount)));
    Costs {
        months: months.collect(),
        channel_attribute: None,
    }
}

#[test]
fn costs_are_paid_back_or_said_to_be_without_new_users() {
    let months = [
        ("2024-01-01", 90.0),
        ("2024-02-01", 7.0),
        ("2024-03-01", 1.0),
        ("2023-12-01", 5.0),
    ];
    let asked = Asked {
        costs: Some(costs(&months)),
        ..Asked::default()
    };
    let report = asked.report(&shop()).unwrap();
    let row = |kpi: &str, period: &str| {
        let found = report
            .rows
            .iter()
            .find(|r| r.kpi == kpi && r.period == period);
        found.unwrap().clone()
    };
    assert_eq!(row("cac", "2024-01").value, Some(30.0));
    // Nobody is new in February: no number, and no infinity.
    let february = row("cac", "2024-02");
    assert_eq!(
        (february.value, february.problem),
        (None, Some(Problem::CostWithoutNewUsers))
    );
    assert_eq!(
        (february.numerator, february.denominator),
        (Some(7.0), Some(0.0))
    );
    // January's users bring 126 in 30 days, 18 more by day 60 and 56 more by day 90; half of it is earned: 63 < 90, 72 < 90,
    // 100 >= 90. All of them are observed for two whole months only: 31 January to 15 April.
    let payback = row("payback_months", "2024-01");
    assert_eq!(
        (payback.value, payback.problem),
        (None, Some(Problem::NotPaidBack))
    );
    let cheap = Asked {
        costs: Some(costs(&[("2024-01-01", 70.0)])),
        ..Asked::default()
    };
    let cheap = cheap.report(&shop()).unwrap();
    let payback = cheap
        .rows
        .iter()
        .find(|r| r.kpi == "payback_months")
        .unwrap();
    assert_eq!((payback.value, payback.numerator), (Some(2.0), Some(72.0)));
    assert_eq!(
        report.notes,
        ["1 months of costs lie in none of the periods as a whole and are not used"]
    );
    let weeks = Asked {
        period: PeriodKind::Week,
        costs: Some(costs(&months)),
        ..Asked::default()
    };
    let weeks = weeks.report(&shop()).unwrap();
    assert!(weeks.notes[0].contains("no costs by week") && fractions(&weeks, "cac").is_empty());
}

/// Users who buy every day: `a` from January on, `b` from 10 February on.
#[test]
fn mature_users_are_due_for_review_from_their_tenure_on() {
    let mut builder = HistoriesBuilder::default();
    let kind = builder.kind("buy").unwrap();
    for (user, first, days) in [("a", "2024-01-01", 105), ("b", "2024-02-10", 65)] {
        for after in 0..days {
            let record = DayRecord {
                amount: Amount::new(1.0).unwrap(),
                day: day(first).plus(after),
                count: 1,
                kind,
            };
            builder.add(user, record).unwrap();
        }
    }
    let histories = builder.finish().unwrap();
    let mut definitions = definitions();
    definitions.lifecycle = Thresholds {
        exploration_from_days: 1,
        acquisition_days: 2,
        exploration_days: 3,
        growth_days: 4,
        mature_review_days: 51,
        ..Thresholds::default()
    };
    let asked = |min_users: u32| Asked {
        definitions: Definitions {
            min_users,
            ..definitions.clone()
        },
        ..Asked::default()
    };
    let report = asked(0).report(&histories).unwrap();
    let expected = [
        // 31 days of tenure; 60 and 20; 91 and 51.
        ("2024-02".to_owned(), 0.0, 1.0),
        ("2024-03".to_owned(), 1.0, 2.0),
        ("2024-04".to_owned(), 2.0, 2.0),
    ];
    assert_eq!(fractions(&report, "mature_review_due"), expected);
    // In March each part is one user.
    let report = asked(2).report(&histories).unwrap();
    let rows = report.rows.iter().filter(|r| r.kpi == "mature_review_due");
    let withheld: Vec<bool> = rows.map(Row::is_withheld).collect();
    assert_eq!(withheld, [true, true, false]);
}
