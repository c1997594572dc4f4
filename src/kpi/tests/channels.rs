//! What new users cost by the channel by which they came.

use std::collections::BTreeMap;

use super::{Asked, day, log};
use crate::history::{AttributeKind, AttributeRecord, AttributeTableBuilder, Histories};
use crate::kpi::{Costs, Row};

/// Five users of February, and `old`; of `late` the channel is known from March on only, of `other` it is not known.
fn shop() -> Histories {
    let histories = log(&[
        "old 2024-01-05 visit 0",
        "a 2024-02-01 visit 0",
        "b 2024-02-20 buy 10",
        "fair 2024-02-11 buy 10",
        "late 2024-02-12 buy 10",
        "other 2024-02-13 buy 10",
    ]);
    let mut table = AttributeTableBuilder::new([("came".to_owned(), AttributeKind::Category)]);
    for (user, from, channel) in [
        ("old", None, "ads"),
        ("a", Some("2024-02-01"), "ads"),
        ("a", Some("2024-03-02"), "fairs"),
        ("b", None, "ads"),
        ("fair", Some("2024-02-11"), "fairs"),
        ("late", Some("2024-03-01"), "ads"),
    ] {
        let record = AttributeRecord {
            from: from.map(day),
            column: 0,
            value: table.category(0, channel),
        };
        table.add(user, [record]);
    }
    histories.with_attributes(table.finish()).unwrap().0
}

fn rows(attribute: Option<&str>, min_users: u32) -> Vec<Row> {
    let micros = |cost: i128| cost * 1_000_000;
    let february = [
        ("ads", micros(30)),
        ("fairs", micros(6)),
        ("radio", micros(5)),
    ];
    let february = february.map(|(channel, cost)| (channel.to_owned(), cost));
    let mut asked = Asked {
        costs: Some(Costs {
            months: BTreeMap::from([(day("2024-02-01"), BTreeMap::from(february))]),
            channel_attribute: attribute.map(str::to_owned),
        }),
        ..Asked::default()
    };
    asked.definitions.min_users = min_users;
    let mut rows = asked.report(&shop()).unwrap().rows;
    rows.retain(|row| row.kpi == "cac");
    rows
}

/// 41 over five users; 30 over `a` and `b`, 6 over `fair`; nobody came by radio, and of `late` and `other` it was not known.
#[test]
fn the_cost_of_a_new_user_is_that_of_the_channel() {
    let rows = rows(Some("came"), 1);
    let found: Vec<_> = rows
        .iter()
        .map(|row| (row.slice.as_str(), row.value, row.denominator))
        .collect();
    let expected = [
        ("all", Some(8.2), Some(5.0)),
        ("channel=ads", Some(15.0), Some(2.0)),
        ("channel=fairs", Some(6.0), Some(1.0)),
        ("channel=radio", None, Some(0.0)),
        ("channel=none", Some(0.0), Some(2.0)),
    ];
    assert_eq!(found, expected);
    assert_eq!(rows[3].problem.unwrap().name(), "cost_without_new_users");
    assert!(rows.iter().all(|row| row.period == "2024-02"));
}

/// Where `fairs`, of one user, is withheld, one more goes with it: the total less the rest would give it away.
#[test]
fn a_channel_of_few_users_is_withheld_with_another_one() {
    let rows = rows(Some("came"), 2);
    let shown: Vec<_> = rows
        .iter()
        .filter(|row| row.value.is_some())
        .map(|row| row.slice.as_str())
        .collect();
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert!(shown.contains(&"all") && !shown.contains(&"channel=fairs"));
}

#[test]
fn without_an_attribute_there_are_no_channels() {
    let rows = rows(None, 1);
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].slice, "all");
}
