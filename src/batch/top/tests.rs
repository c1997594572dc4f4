//! Tests of the order, of ties and of what cannot be listed.

use super::*;
use crate::history::{Amount, DayRecord, HistoriesBuilder};
use crate::model::tests::spec;
use crate::model::tests::value::spec_with_value;
use crate::phases::Phases;

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
        phases: Phases::UNOBSERVED,
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

/// What users are worth, where the tests' model gives none.
fn with_value(top: Top) -> Top {
    let worth = |k: usize| UserValue {
        expected_spend: Some(600.0 + k as f64),
        residual: Some(512.25),
        at_risk: (k > 0).then_some(99.5),
        tier: Some("high".to_owned()),
    };
    let users = top.users.into_iter().enumerate().map(|(k, user)| TopUser {
        expected_spend: None,
        value: Some(worth(k)),
        ..user
    });
    Top {
        order: Order::Loss,
        value: Some(ValueTerms {
            currency: Some("GBP".to_owned()),
            horizon_days: 365,
        }),
        users: users.collect(),
        ..top
    }
}

#[test]
fn a_list_of_a_model_with_a_value_part_has_its_columns_instead_of_the_rate_of_the_past() {
    let histories = log(&[("a", &[60, 50, 40], 5.0), ("b", &[30, 20, 10], 5.0)]);
    let plain = listed(&histories, Order::Loss, 10).unwrap();
    assert_eq!(plain.loss_name(), "spend_at_risk");
    let top = with_value(plain.clone());
    assert_eq!(top.loss_name(), "value_at_risk");
    let names = |top: &Top| -> Vec<String> {
        let rows = top.list().to_json();
        let first = rows[0].as_object().unwrap();
        first.keys().cloned().collect()
    };
    let of_value = [
        "value_expected_spend",
        "value_residual",
        "value_at_risk",
        "value_tier",
        "currency",
    ];
    for name in of_value {
        assert!(names(&top).contains(&name.to_owned()), "{name}");
        assert!(!names(&plain).contains(&name.to_owned()), "{name}");
    }
    for name in ["expected_spend", "spend_at_risk"] {
        assert!(!names(&top).contains(&name.to_owned()), "{name}");
        assert!(names(&plain).contains(&name.to_owned()), "{name}");
    }
    let rows = top.list().to_json();
    assert!(rows[0]["value_at_risk"].is_null());
    assert_eq!(rows[1]["value_at_risk"], 99.5);
    assert_eq!(rows[1]["currency"], "GBP");
}

#[test]
fn the_loss_of_a_model_with_a_value_part_is_the_value_at_risk_and_its_tiers_can_be_chosen() {
    let bundle = Bundle::new(spec_with_value(), "test".into()).unwrap();
    let shapes: Vec<(String, [i32; 3], f64)> = (0..30_i32)
        .map(|k| {
            let days = [1 + k % 23, 25 + k * 3 % 50, 80 + k];
            (format!("u{k:02}"), days, f64::from(5 + k * 37 % 90))
        })
        .collect();
    let users: Vec<(&str, &[i32], f64)> = shapes
        .iter()
        .map(|(user, days, amount)| (user.as_str(), &days[..], *amount))
        .collect();
    let histories = log(&users);
    let listed = |order, chosen: &Chosen| {
        top(&TopRequest {
            bundle: &bundle,
            histories: &histories,
            as_of: as_of(),
            order,
            chosen,
            limit: 100,
            phases: Phases::UNOBSERVED,
        })
        .unwrap()
    };
    let all = listed(Order::Loss, &Chosen::all(&bundle));
    assert_eq!(all.value.as_ref().unwrap().currency.as_deref(), Some("GBP"));
    let at_risk: Vec<f64> = all
        .users
        .iter()
        .map(|user| user.value.as_ref().unwrap().at_risk.unwrap())
        .collect();
    assert!(
        at_risk.len() == 30 && at_risk.is_sorted_by(|a, b| a >= b),
        "{at_risk:?}"
    );
    let risk = listed(Order::Risk, &Chosen::all(&bundle));
    assert_ne!(ids(&risk), ids(&all), "the negative control");
    let tier = |user: &TopUser| user.value.as_ref().unwrap().tier.clone().unwrap();
    let first = tier(&all.users[0]);
    let chosen = Chosen::all(&bundle).with_tier(&bundle, &first).unwrap();
    let of_tier = listed(Order::Loss, &chosen);
    let expected = all.users.iter().filter(|user| tier(user) == first);
    assert_eq!(of_tier.matching, expected.count() as u64);
    assert!(of_tier.users.iter().all(|user| tier(user) == first));
    assert_eq!(
        Chosen::all(&bundle)
            .with_tier(&bundle, "hgih")
            .unwrap_err()
            .to_string(),
        "there is no tier `hgih`; there are high, medium, low; the nearest is `high`"
    );
}

#[test]
fn names_that_are_not_there_are_refused_with_those_that_are() {
    let bundle = bundle();
    let all = || Chosen::all(&bundle);
    for (refused, message) in [
        (
            all().with_segment(&bundle, "2"),
            "there is no segment `2`; there are 0 (s04) `recent`, 1 (s02) `lapsed`",
        ),
        (
            all().with_band("huge"),
            "there is no band `huge`; there are high, medium, low",
        ),
        (
            all().over(&bundle, 31),
            "there is no horizon `31`; there are 30, 60",
        ),
        (
            all().with_stage("growht"),
            "there is no stage `growht`; there are acquisition, exploration, growth, mature, churning; the nearest is `growth`",
        ),
        (
            all().with_tier(&bundle, "high"),
            "there is no tier `high`: the model has no value part; set [value] in the configuration and fit again",
        ),
    ] {
        assert_eq!(refused.unwrap_err().to_string(), message);
    }
    let by_name = all().with_segment(&bundle, "lapsed").unwrap();
    assert_eq!(by_name, all().with_segment(&bundle, "1").unwrap());
    assert_eq!(by_name, all().with_segment(&bundle, "s02").unwrap());
}
