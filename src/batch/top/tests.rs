//! Tests of the order, of ties and of what cannot be listed.

use super::*;
use crate::history::{Amount, DayRecord, HistoriesBuilder};
use crate::model::tests::spec;

fn as_of() -> Day {
    "2024-06-01".parse().unwrap()
}

fn bundle() -> Bundle {
    Bundle::new(spec(), "test".into()).unwrap()
}

/// Users with purchases of an amount on days so long before the as-of day.
fn log(users: &[(&str, &[i32], f64)]) -> Histories {
    let mut builder = HistoriesBuilder::default();
    for (user, days, amount) in users {
        for back in *days {
            let record = DayRecord {
                amount: Amount::new(*amount).unwrap(),
                day: as_of().plus(-back),
                count: 1,
                kind: builder.kind("purchase").unwrap(),
            };
            builder.add(user, record).unwrap();
        }
    }
    builder.finish().unwrap()
}

fn listed(histories: &Histories, order: Order, limit: usize) -> Result<Top, TopError> {
    let bundle = bundle();
    top(&TopRequest {
        bundle: &bundle,
        histories,
        as_of: as_of(),
        order,
        chosen: &Chosen::all(&bundle),
        limit,
    })
}

fn ids(top: &Top) -> Vec<&str> {
    top.users.iter().map(|user| user.user_id.as_str()).collect()
}

#[test]
fn equal_users_are_in_order_of_their_ids_however_many_there_are() {
    // More than a block of users and than are held at once, all alike but for one.
    let names: Vec<String> = (0..3_000).map(|k| format!("u{k:04}")).collect();
    let mut users: Vec<(&str, &[i32], f64)> = names
        .iter()
        .map(|name| (name.as_str(), &[40, 20, 5][..], 10.0))
        .collect();
    users[2_345].2 = 90.0;
    let histories = log(&users);
    let top = listed(&histories, Order::Loss, 4).unwrap();
    assert_eq!(ids(&top), ["u2345", "u0000", "u0001", "u0002"]);
    assert_eq!((top.scored, top.matching), (3_000, 3_000));
    let all = listed(&histories, Order::Risk, usize::MAX).unwrap();
    let alike: Vec<&str> = ids(&all).into_iter().filter(|id| *id != "u2345").collect();
    assert!(all.users.len() == 3_000 && alike.is_sorted());
    assert!(listed(&histories, Order::Risk, 0).unwrap().users.is_empty());
}

#[test]
fn risk_and_loss_are_different_orders() {
    let histories = log(&[
        ("often", &[60, 50, 40, 30, 20, 10, 3], 5.0),
        ("rare", &[160, 150], 5.0),
        ("rich", &[60, 40, 20], 500.0),
        ("gone", &[300], 500.0),
    ]);
    let risk = listed(&histories, Order::Risk, 10).unwrap();
    let loss = listed(&histories, Order::Loss, 10).unwrap();
    assert_eq!(risk.users.len(), 3);
    assert_eq!(risk.skipped, BTreeMap::from([("inactive", 1)]));
    let by_risk: Vec<f64> = risk.users.iter().map(|u| u.churn_probability).collect();
    assert!(by_risk.is_sorted_by(|a, b| a >= b));
    let by_loss: Vec<f64> = loss
        .users
        .iter()
        .map(|user| user.spend_at_risk().unwrap())
        .collect();
    assert!(by_loss.is_sorted_by(|a, b| a >= b));
    assert_eq!(ids(&loss)[0], "rich");
    assert_ne!(ids(&risk), ids(&loss), "the negative control");
}

#[test]
fn a_loss_needs_amounts_of_activity() {
    let histories = log(&[("u", &[20, 10], 0.0)]);
    let error = listed(&histories, Order::Loss, 10).unwrap_err();
    insta::assert_snapshot!(error.to_string(), @"the log has no amount of `purchase`, so no loss can be computed: set events.amount, or order by risk");
    let top = listed(&histories, Order::Risk, 10).unwrap();
    assert_eq!(top.users[0].expected_spend, None);
}

#[test]
fn names_that_are_not_there_are_refused_with_those_that_are() {
    let bundle = bundle();
    let all = || Chosen::all(&bundle);
    for (refused, message) in [
        (
            all().with_segment(&bundle, "2"),
            "there is no segment `2`; there are 0 `recent`, 1 `lapsed`",
        ),
        (
            all().with_band("huge"),
            "there is no band `huge`; there are high, medium, low",
        ),
        (
            all().over(&bundle, 31),
            "there is no horizon `31`; there are 30, 60",
        ),
    ] {
        assert_eq!(refused.unwrap_err().to_string(), message);
    }
    let by_name = all().with_segment(&bundle, "lapsed").unwrap();
    assert_eq!(by_name, all().with_segment(&bundle, "1").unwrap());
}
