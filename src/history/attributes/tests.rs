use super::*;
use crate::history::{Amount, DayRecord, HistoriesBuilder};

fn day(number: i32) -> Day {
    Day::new(number).unwrap()
}

fn columns() -> [(String, AttributeKind); 2] {
    [
        ("plan".to_owned(), AttributeKind::Category),
        ("age".to_owned(), AttributeKind::Number),
    ]
}

/// Rows of (user, day or none, plan or unknown, age or unknown).
type Row = (&'static str, Option<i32>, Option<&'static str>, Option<f64>);

fn table(rows: &[Row]) -> AttributeTable {
    let mut builder = AttributeTableBuilder::new(columns());
    for (user, from, plan, age) in rows {
        let from = from.map(day);
        let plan = plan.map_or(AttributeValue::Unknown, |plan| builder.category(0, plan));
        let age = age.and_then(FiniteNumber::new);
        let age = age.map_or(AttributeValue::Unknown, AttributeValue::Number);
        let record = |column, value| AttributeRecord {
            from,
            column,
            value,
        };
        builder.add(user, [record(0, plan), record(1, age)]);
    }
    builder.finish()
}

fn log(users: &[&str]) -> crate::history::Histories {
    let mut builder = HistoriesBuilder::default();
    let kind = builder.kind("visit").unwrap();
    for user in users {
        let record = DayRecord {
            amount: Amount::default(),
            day: day(100),
            count: 1,
            kind,
        };
        builder.add(user, record).unwrap();
    }
    builder.finish().unwrap()
}

const ROWS: [Row; 6] = [
    ("b", Some(10), Some("pro"), Some(-1.5)),
    ("a", Some(20), Some("free"), None),
    ("a", Some(10), Some("pro"), Some(30.0)),
    ("a", Some(10), Some("basic"), Some(31.0)),
    ("a", Some(30), None, Some(0.0)),
    ("x", Some(10), Some("pro"), Some(1.0)),
];

fn plan_at(view: AttributesView<'_>, at: i32) -> Option<String> {
    let (column, value) = view.before(day(at)).last("plan")?;
    match value {
        AttributeValue::Category(category) => Some(column.categories[category as usize].clone()),
        _ => None,
    }
}

#[test]
fn a_value_holds_from_the_day_after_its_own_until_the_next() {
    let (histories, joined) = log(&["a", "b", "c"]).with_attributes(table(&ROWS)).unwrap();
    assert_eq!((joined.users, joined.not_in_log), (2, 1));
    let user = histories.get("a").unwrap().unwrap();
    let view = user.view().attributes();
    let at = |number| plan_at(view, number);
    assert_eq!(at(10), None, "its own day is not before itself");
    assert_eq!(at(11).as_deref(), Some("pro"), "the greater of one day");
    assert_eq!(at(20).as_deref(), Some("pro"));
    assert_eq!(at(21).as_deref(), Some("free"));
    assert_eq!(at(31), None, "an empty value ends the one before");
    let (_, age) = view.before(day(11)).last("age").unwrap();
    assert_eq!(
        age,
        AttributeValue::Number(FiniteNumber::new(31.0).unwrap())
    );
    assert!(
        histories
            .get("c")
            .unwrap()
            .unwrap()
            .view()
            .attributes()
            .records()
            .is_empty()
    );
    // The view of a block is the one of the user alone, and `before` cuts events and attributes alike.
    histories
        .for_each(|position, _, history| {
            let (_, alone) = histories.at(position).unwrap().unwrap();
            assert_eq!(alone.view(), history);
            assert!(history.before(day(5)).attributes().records().is_empty());
        })
        .unwrap();
}

#[test]
fn order_repeats_and_partitions_change_nothing() {
    let joined = |rows: &[Row]| log(&["a", "b"]).with_attributes(table(rows)).unwrap().0;
    let once = joined(&ROWS);
    let mut rows = ROWS.to_vec();
    for turn in 0..40 {
        // Every rotation, forwards and backwards, with some rows twice.
        rows.rotate_left(1 + turn % 3);
        if turn % 2 == 0 {
            rows.reverse();
        }
        let mut more = rows.clone();
        more.extend_from_slice(&rows[..turn % 5]);
        let again = joined(&more);
        assert_eq!(again, once);
        assert_eq!(again.digest().unwrap(), once.digest().unwrap());
    }
    // The negative control: another value is another log.
    rows[0].2 = Some("team");
    assert_ne!(joined(&rows).digest().unwrap(), once.digest().unwrap());
    assert_ne!(log(&["a", "b"]).digest().unwrap(), once.digest().unwrap());
}

#[test]
fn values_that_always_hold_are_there_from_the_first_day_and_contradictions_are_counted() {
    let rows: [Row; 4] = [
        ("a", None, Some("fr"), Some(1.0)),
        ("a", None, Some("de"), None),
        ("a", None, Some("fr"), Some(1.0)),
        ("b", None, None, None),
    ];
    let table = table(&rows);
    assert_eq!(table.contradicted().collect::<Vec<_>>(), [("plan", 1)]);
    let (histories, _) = log(&["a"]).with_attributes(table).unwrap();
    let user = histories.get("a").unwrap().unwrap();
    assert_eq!(
        plan_at(user.view().attributes(), -1_000).as_deref(),
        Some("fr")
    );
}

#[test]
fn a_column_that_changes_of_nobody_is_named() {
    let day = Some;
    let mut rows: Vec<Row> = vec![
        ("a", day(3), Some("pro"), Some(1.0)),
        ("a", day(9), Some("pro"), Some(2.0)),
        ("b", day(3), Some("free"), Some(1.0)),
        ("c", None, Some("free"), None),
    ];
    let found = table(&rows);
    assert_eq!(found.never_changed().collect::<Vec<_>>(), [("plan", 2)]);
    // A value that is not known any more is a change, and so is another one.
    rows.push(("b", day(7), None, Some(1.0)));
    assert_eq!(table(&rows).never_changed().count(), 0);
}

#[test]
fn numbers_are_ordered_and_finite() {
    let number = |value| FiniteNumber::new(value).unwrap();
    let sorted = [-1e300, -2.0, -1.0, -1e-300, 0.0, 1e-300, 1.0, 2.5, 1e300];
    assert!(sorted.map(number).is_sorted());
    assert!(sorted.iter().all(|value| number(*value).value() == *value));
    assert_eq!(number(-0.0), number(0.0));
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(FiniteNumber::new(value).is_none());
    }
}
