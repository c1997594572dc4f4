use super::*;
use crate::history::{DayBounds, HistoriesBuilder, Users, read_rollup, write_rollup};
use crate::train::settings::ChurnConfig;

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

const ROWS: [(&str, &str, &str, f64); 14] = [
    ("a", "2024-01-10", "purchase", 10.0),
    ("a", "2024-01-10", "return", -4.0),
    ("a", "2024-02-29", "purchase", 20.5),
    ("a", "2024-07-31", "purchase", 1.0),
    ("b", "2024-01-31", "purchase", 5.0),
    ("b", "2024-02-01", "return", -5.0),
    ("b", "2024-03-01", "visit", 0.0),
    ("b", "2024-08-01", "purchase", 0.3),
    ("c", "2024-02-10", "visit", 99.0),
    ("c", "2024-02-11", "purchase", 3.0),
    ("c", "2024-02-11", "return", -3.0),
    ("c", "2024-08-09", "purchase", 0.1),
    ("c", "2024-08-10", "purchase", 1e6),
    ("d", "2024-08-02", "purchase", 0.2),
];

fn histories(rows: &[(&str, &str, &str, f64)]) -> Histories {
    let mut builder = HistoriesBuilder::default();
    for (user, text, kind, amount) in rows {
        let kind = builder.kind(kind).unwrap();
        let record = DayRecord {
            amount: Amount::new(*amount).unwrap(),
            day: day(text),
            count: 1,
            kind,
        };
        builder.add(user, record).unwrap();
    }
    builder.finish().unwrap()
}

fn observed(holes: Vec<Stretch>) -> Observed {
    Observed {
        first: day("2024-01-01"),
        until: day("2024-08-10"),
        holes,
    }
}

fn labeller(histories: &Histories) -> Labeller {
    let config = ChurnConfig {
        activity: vec!["purchase".into(), "visit".into()],
        horizon_days: vec![30],
        active_within_days: 90,
        lead_days: 0,
        churn_event: None,
    };
    Labeller::new(&config, histories.kinds(), observed(Vec::new()))
}

fn everybody() -> impl FnMut(HistoryView<'_>, Day) -> Result<Vec<usize>, HistoryError> {
    |_, _| Ok(Vec::new())
}

/// The periods of `histories` up to 10 August.
fn of(histories: &Histories, observed: &Observed) -> Vec<PeriodCard> {
    let labeller = labeller(histories);
    let kinds = ["purchase".to_owned(), "return".to_owned()];
    let money = Money::new(histories.kinds(), &kinds, &labeller);
    let as_of = (observed, day("2024-08-10"));
    periods(histories, &money, as_of, &[], everybody).unwrap()
}

/// By hand, as `SELECT month, sum(amount), count(DISTINCT user) ... GROUP BY month` has it: a day on which as much came
/// back as was paid has no payer, and what came back of an earlier month counts where it came back.
#[test]
fn months_have_net_amounts_active_users_and_payers() {
    let found = of(&histories(&ROWS), &observed(Vec::new()));
    let rows: Vec<(String, f64, u64, u64, bool)> = found
        .iter()
        .map(|p| {
            let month = p.from.to_string()[..7].to_owned();
            (month, p.amount, p.active_users, p.payers, p.complete)
        })
        .collect();
    let row = |month: &str, amount, active, payers, complete| {
        (month.to_owned(), amount, active, payers, complete)
    };
    assert_eq!(
        rows,
        [
            row("2024-01", 11.0, 2, 2, true),
            row("2024-02", 15.5, 2, 1, true),
            row("2024-03", 0.0, 1, 0, true),
            row("2024-04", 0.0, 0, 0, true),
            row("2024-05", 0.0, 0, 0, true),
            row("2024-06", 0.0, 0, 0, true),
            row("2024-07", 1.0, 1, 1, true),
            row("2024-08", 0.6, 3, 3, false),
        ]
    );
    assert_eq!((found[0].arpu, found[0].arppu), (Some(5.5), Some(5.5)));
    assert_eq!((found[1].arpu, found[1].arppu), (Some(7.75), Some(15.5)));
    assert_eq!((found[2].arpu, found[2].arppu), (Some(0.0), None));
    assert_eq!((found[3].arpu, found[3].arppu), (None, None));
    assert_eq!(found[1].until, day("2024-03-01"));
}

#[test]
fn a_month_with_days_that_were_not_observed_is_not_complete() {
    let hole = Stretch {
        from: day("2024-03-30"),
        until: day("2024-04-09"),
    };
    let incomplete: Vec<String> = of(&histories(&ROWS), &observed(vec![hole]))
        .iter()
        .filter(|p| !p.complete)
        .map(|p| p.from.to_string())
        .collect();
    assert_eq!(incomplete, ["2024-03-01", "2024-04-01", "2024-08-01"]);
    let late = Observed {
        first: day("2024-01-02"),
        ..observed(Vec::new())
    };
    assert!(!of(&histories(&ROWS), &late)[0].complete);
}

/// The order of rows, and whether they come as events or as days, changes no figure.
#[test]
fn sums_are_those_of_the_roll_up_and_of_any_order() {
    let whole = histories(&ROWS);
    let expected = of(&whole, &observed(Vec::new()));
    let mut turned = ROWS;
    turned.reverse();
    assert_eq!(of(&histories(&turned), &observed(Vec::new())), expected);
    let folder = tempfile::tempdir().unwrap();
    write_rollup(folder.path(), &whole, 2).unwrap();
    let mut builder = HistoriesBuilder::default();
    let bounds = DayBounds::before(None);
    read_rollup(folder.path(), bounds, Users::All, &mut builder).unwrap();
    let read = builder.finish().unwrap();
    assert_eq!(of(&read, &observed(Vec::new())), expected);
    // 0.1 + 0.2 + 0.3 in doubles is another number than the exact sum.
    assert_ne!(0.1 + 0.2 + 0.3, 0.6);
    assert_eq!(expected[7].amount, 0.6);
}

#[test]
fn groups_are_those_before_a_period_began_and_add_up_to_everybody() {
    let histories = histories(&ROWS);
    let labeller = labeller(&histories);
    let kinds = ["purchase".to_owned(), "return".to_owned()];
    let money = Money::new(histories.kinds(), &kinds, &labeller);
    let groupings = [
        Grouping {
            by: "tier",
            names: ["seen", ""].map(str::to_owned).to_vec(),
        },
        Grouping {
            by: "stage",
            names: ["one record", "more"].map(str::to_owned).to_vec(),
        },
    ];
    let known = |history: HistoryView<'_>, date: Day| {
        let records = history.before(date).records().len();
        Ok::<_, HistoryError>(vec![usize::from(records == 0), usize::from(records > 1)])
    };
    let observed = observed(Vec::new());
    let as_of = (&observed, day("2024-08-10"));
    let found = periods(&histories, &money, as_of, &groupings, || known).unwrap();
    let of_month = |month: &str, by: &str| -> Vec<(String, f64, u64, u64)> {
        found
            .iter()
            .filter(|p| p.from == day(month) && p.by == by)
            .map(|p| (p.group.clone(), p.amount, p.active_users, p.payers))
            .collect()
    };
    assert_eq!(
        of_month("2024-01-01", "tier"),
        [],
        "nothing was before the log"
    );
    // Of the users of February, c had never been seen.
    let [seen, unseen] = [("seen", 15.5, 1, 1), ("", 0.0, 1, 0)];
    let named = |(group, amount, active, payers): (&str, f64, u64, u64)| {
        (group.to_owned(), amount, active, payers)
    };
    assert_eq!(of_month("2024-02-01", "tier"), [named(seen), named(unseen)]);
    assert_eq!(
        of_month("2024-08-01", "stage"),
        [named(("one record", 0.2, 1, 1)), named(("more", 0.4, 2, 2))]
    );
    for month in ["2024-02-01", "2024-03-01", "2024-08-01"] {
        let total = |by: &str| {
            let rows = of_month(month, by);
            let amount: f64 = rows.iter().map(|row| row.1).sum();
            let users: u64 = rows.iter().map(|row| row.2 + row.3).sum();
            ((amount * 1e6).round(), users)
        };
        assert_eq!(total("tier"), total("all"), "{month}");
        assert_eq!(total("stage"), total("all"), "{month}");
    }
}

#[test]
fn short_logs_are_shown_by_week_and_long_ones_end_with_the_newest() {
    let layout = |first: &str, until: &str| {
        let observed = Observed {
            first: day(first),
            until: day(until),
            holes: Vec::new(),
        };
        let layout = Layout::new(&observed, day(until), &[]);
        let last = layout.days(layout.shown.end - 1);
        (layout.period, layout.shown.len(), last.until.to_string())
    };
    let week = layout("2024-01-01", "2024-06-30");
    assert_eq!(week, (Period::Week, 25, "2024-07-01".into()));
    let months = layout("2024-01-01", "2024-07-01");
    assert_eq!(months, (Period::Month, 6, "2024-07-01".into()));
    // One day less at the beginning, and five months are whole.
    assert_eq!(layout("2024-01-02", "2024-07-01").0, Period::Week);
    let years = layout("2010-01-01", "2024-07-05");
    assert_eq!(years, (Period::Month, 25, "2024-08-01".into()));
}
