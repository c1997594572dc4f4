use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::features::FeatureSchema;
use crate::history::{Amount, Day, DayRecord, HistoriesBuilder};
use crate::train::checks::target_leakage::*;

/// A log of `users` users with 12 events each over a year; `event` gives kind and amount of the `k`-th event of a
/// user on a day.
fn log(users: usize, event: impl Fn(usize, usize, i32) -> (String, f64)) -> Histories {
    let mut builder = HistoriesBuilder::default();
    for user in 0..users {
        let name = format!("u{user}");
        for k in 0..12 {
            let day = 19_000 + ((k * 30 + user * 7) % 365) as i32;
            let (kind, amount) = event(user, k, day);
            let kind = builder.kind(&kind).unwrap();
            let amount = Amount::new(amount).unwrap();
            builder
                .add(
                    &name,
                    DayRecord {
                        amount,
                        day: Day::new(day).unwrap(),
                        count: 1,
                        kind,
                    },
                )
                .unwrap();
        }
    }
    builder.finish().unwrap()
}

fn of_columns(histories: &Histories) -> Option<LeakageFinding> {
    match in_columns(histories, &[]) {
        Ok(notes) => {
            assert_eq!(notes, Vec::<String>::new());
            None
        }
        Err(TrainError::TargetLeakage { first, .. }) => Some(*first),
        Err(error) => panic!("{error}"),
    }
}

fn purchase(amount: f64) -> (String, f64) {
    ("purchase".into(), amount)
}

#[test]
fn kinds_that_are_identifiers_are_found() {
    // Every tenth event is of a kind called after its user: 80 kinds and one that all users share.
    let by_user = log(80, |user, k, _| {
        if k < 2 {
            (format!("order {user}"), 0.0)
        } else {
            purchase(9.0)
        }
    });
    let found = of_columns(&by_user).unwrap();
    assert!(
        matches!(found, LeakageFinding::KindIdentifier { kinds: 81, share } if (share - 1.0 / 6.0).abs() < 1e-9)
    );
    assert!(
        found.to_string().contains("81 kinds") && found.to_string().contains("17 %"),
        "{found}"
    );
    // The healthy twins: as many kinds, each of several users; a long tail of rare kinds with few events; few users.
    let pages = log(80, |user, k, _| {
        (format!("page {}", (user * 5 + k * 11) % 81), 0.0)
    });
    assert_eq!(of_columns(&pages), None);
    let tail = log(800, |user, k, _| {
        if k == 0 && user < 80 {
            (format!("page {user}"), 0.0)
        } else {
            purchase(0.0)
        }
    });
    assert_eq!((tail.kinds().len(), of_columns(&tail)), (81, None));
    let few_users = log(20, |user, k, _| (format!("page {}", user * 3 + k % 3), 0.0));
    assert_eq!(
        (few_users.kinds().len(), of_columns(&few_users)),
        (60, None)
    );
}

#[test]
fn amounts_that_are_identifiers_of_users_are_found() {
    let ids = log(40, |user, _, _| purchase(17_850.0 + user as f64));
    let found = of_columns(&ids).unwrap();
    assert_eq!(
        found,
        LeakageFinding::AmountIdentifier {
            users: 40,
            constant: 40,
            distinct: 40
        }
    );
    assert!(
        found
            .to_string()
            .contains("`events.amount` looks like an identifier"),
        "{found}"
    );
    // The healthy twins: subscriptions at five prices; baskets; prices of one's own, but not in whole numbers; visits
    // without an amount between purchases; too few users.
    assert_eq!(
        of_columns(&log(40, |user, _, _| purchase(
            [5.0, 9.0, 15.0, 30.0, 99.0][user % 5]
        ))),
        None
    );
    assert_eq!(
        of_columns(&log(40, |user, k, _| purchase(
            (user * 31 + k * 17) as f64 % 50.0
        ))),
        None
    );
    assert_eq!(
        of_columns(&log(40, |user, _, _| purchase(100.49 + user as f64))),
        None
    );
    let visits = log(40, |user, k, _| {
        if k % 2 == 0 {
            ("visit".into(), 0.0)
        } else {
            purchase(100.0 + user as f64)
        }
    });
    assert_eq!(of_columns(&visits), None);
    assert_eq!(
        of_columns(&log(29, |user, _, _| purchase(17_850.0 + user as f64))),
        None
    );
}

#[test]
fn amounts_that_are_times_are_found() {
    let noise = |user: usize, k: usize| ((user * 7_919 + k * 104_729) % 1_000) as f64 / 1_000.0;
    let seconds = |user, k, day| purchase(86_400.0 * (f64::from(day) + noise(user, k)));
    let found = of_columns(&log(40, seconds)).unwrap();
    assert!(
        matches!(found, LeakageFinding::AmountTime { records: 480, correlation } if correlation > 0.999),
        "{found:?}"
    );
    assert!(
        found
            .to_string()
            .contains("`events.amount` looks like a time"),
        "{found}"
    );
    // Dates written as numbers, and days until today, are times too.
    let date = |_, _, day: i32| {
        let text = Day::new(day).unwrap().to_string().replace('-', "");
        purchase(text.parse().unwrap())
    };
    assert!(matches!(
        of_columns(&log(40, date)),
        Some(LeakageFinding::AmountTime { .. })
    ));
    let ago = |_, _, day| purchase(f64::from(20_000 - day));
    assert!(
        matches!(of_columns(&log(40, ago)), Some(LeakageFinding::AmountTime { correlation, .. }) if correlation < -0.99)
    );
    // The healthy twins: amounts that only drift with time; one price that rises every month; one that never does.
    let drift =
        |user, k, day: i32| purchase(f64::from(day - 19_000) / 10.0 + 40.0 * noise(user, k));
    assert_eq!(of_columns(&log(40, drift)), None);
    assert_eq!(
        of_columns(&log(40, |_, _, day| purchase(f64::from(
            (day - 19_000) / 30
        )))),
        None
    );
    assert_eq!(of_columns(&log(40, |_, _, _| purchase(9.0))), None);
}

fn catalogue() -> Catalogue {
    Catalogue::new(FeatureSchema {
        activity: vec!["purchase".into()],
        other_kinds: vec!["closed".into(), "visit".into()],
        horizon_days: vec![30],
        amounts: true,
        seasonal_years: 0,
        lead_days: 0,
        value_kinds: Vec::new(),
        attributes: Vec::new(),
    })
    .unwrap()
}

/// Four rows for each of 1,000 users, of whom two in five churn; features are unknown but for those that `set` gives
/// for (user, row, churned) and noise.
fn rows(set: impl Fn(usize, usize, bool, f64) -> Vec<(&'static str, f64)>) -> Dataset {
    let catalogue = catalogue();
    let mut random = Xoshiro256PlusPlus::seed_from_u64(5);
    let mut data = Dataset {
        width: catalogue.len(),
        ..Dataset::default()
    };
    for row in 0..4_000 {
        let churned = random.gen_bool(0.4);
        let noise = random.gen_range(0.0..1.0);
        let mut vector = vec![f64::NAN; catalogue.len()];
        for (name, value) in set(row / 4, row, churned, noise) {
            vector[catalogue.position_of(name).unwrap()] = value;
        }
        data.raw.extend(vector);
        data.labels.push(churned);
        data.users.push((row / 4) as u32);
        data.dates.push(Day::new(100 + (row % 4) as i32).unwrap());
    }
    data
}

fn of_rows(data: &Dataset, allow: &[&str]) -> Result<Vec<String>, TrainError> {
    let allow: Vec<String> = allow.iter().map(|name| (*name).to_owned()).collect();
    in_rows(data, &catalogue(), 30, &allow)
}

#[test]
fn a_feature_that_tells_conversion_alone_is_noted() {
    let of = |spread: f64| {
        let set = move |_: usize, _: usize, converted: bool, noise: f64| {
            vec![("recency_days", f64::from(converted) + spread * noise)]
        };
        in_conversion_rows(&rows(set), &catalogue(), 30)
    };
    let note = of(1.02).unwrap();
    assert!(
        note.contains("`recency_days` alone tells who converts within 30 days"),
        "{note}"
    );
    // The negative control is merely good.
    assert_eq!(of(1.8), None);
}

#[test]
fn features_that_are_too_good_are_found_in_both_directions() {
    for sign in [1.0, -1.0] {
        let leak = |_: usize, _: usize, churned: bool, noise: f64| {
            vec![
                (
                    "amount_last",
                    sign * (f64::from(churned) + 1.02 * noise - 2.0),
                ),
                ("recency_days", noise),
            ]
        };
        // Overlapping by 2 % of their range: an AUC of 1 - 0.02^2 / 2 or so.
        let error = of_rows(&rows(leak), &[]).unwrap_err();
        let TrainError::TargetLeakage { first, names } = &error else {
            panic!("{error}")
        };
        assert_eq!(names, &["amount_last"]);
        assert!(
            matches!(&**first, LeakageFinding::TooGood { feature, column: "events.amount", auc, .. } if feature == "amount_last" && *auc > 0.99)
        );
        let text = error.to_string();
        assert!(
            text.contains("`amount_last` alone")
                && text.contains("model.allow_leakage: \"amount_last\""),
            "{text}"
        );
    }
    // The healthy twin is merely good.
    let good = |_: usize, _: usize, churned: bool, noise: f64| {
        vec![("amount_last", f64::from(churned) + 1.8 * noise)]
    };
    assert_eq!(of_rows(&rows(good), &[]).unwrap(), Vec::<String>::new());
    // And so is the same leak where it is known of half the rows only: the other half counts as a guess.
    let half = |_: usize, row: usize, churned: bool, _: f64| {
        vec![(
            "amount_last",
            if row.is_multiple_of(2) {
                f64::from(churned)
            } else {
                f64::NAN
            },
        )]
    };
    assert_eq!(of_rows(&rows(half), &[]).unwrap(), Vec::<String>::new());
}

#[test]
fn an_easy_question_is_noted_and_what_goes_along_with_activity_is_no_leak() {
    let sealed = |_: usize, _: usize, churned: bool, noise: f64| {
        let silence = f64::from(churned) + 1.1 * noise;
        vec![
            ("recency_days", silence),
            ("amount_30d", -silence),
            ("visit_recency_days", silence + noise / 50.0),
        ]
    };
    let notes = of_rows(&rows(sealed), &[]).unwrap();
    assert_eq!(notes.len(), 1);
    assert!(
        notes[0].contains("`recency_days`") && notes[0].contains("churn.active_within_days"),
        "{notes:?}"
    );
    // The negative control: the same amounts without the activity that would explain them.
    let unexplained = |user, row, churned, noise| {
        sealed(user, row, churned, noise)
            .into_iter()
            .skip(1)
            .collect()
    };
    assert!(of_rows(&rows(unexplained), &[]).is_err());
}

#[test]
fn kinds_after_which_every_user_churns_are_found() {
    // Of one user in ten, those rows that churn carry a sign, but for `but` of them.
    let sign = |users: usize, spoilt: usize| {
        rows(move |user, row, churned, _| {
            let signed = user % 10 == 0 && user < 10 * users && (churned || row / 40 < spoilt);
            vec![
                ("closed_count_30d", f64::from(signed)),
                ("visit_count", f64::from(row as u32 % 3)),
            ]
        })
    };
    let error = of_rows(&sign(100, 0), &[]).unwrap_err();
    let TrainError::TargetLeakage { first, names } = &error else {
        panic!("{error}")
    };
    let LeakageFinding::LeakyEventType {
        feature,
        kind,
        users,
        churned,
        others,
        ..
    } = &**first
    else {
        panic!("{error}")
    };
    assert_eq!(
        (feature.as_str(), kind.as_str(), *churned),
        ("closed_count_30d", "closed", 1.0)
    );
    assert!((50..=100).contains(users) && (0.3..0.4).contains(others) && names == &["closed"]);
    assert!(error.to_string().contains("churn.churn_event"), "{error}");
    // The healthy twins: too few users to be sure; a sign that is wrong now and then.
    assert_eq!(of_rows(&sign(25, 0), &[]).unwrap(), Vec::<String>::new());
    assert_eq!(of_rows(&sign(100, 4), &[]).unwrap(), Vec::<String>::new());
    // Where nearly every user churns anyway, a sign of it says nothing.
    let mut common = sign(100, 0);
    for (row, label) in common.labels.iter_mut().enumerate() {
        *label |= row % 20 != 0;
    }
    assert_eq!(of_rows(&common, &[]).unwrap(), Vec::<String>::new());
}

#[test]
fn what_is_meant_is_let_through_with_a_note() {
    let leaky = |user: usize, _: usize, churned: bool, _: f64| {
        vec![
            (
                "closed_count_30d",
                f64::from(churned && user.is_multiple_of(2)),
            ),
            ("amount", f64::from(churned)),
        ]
    };
    let data = rows(leaky);
    let TrainError::TargetLeakage { names, .. } = of_rows(&data, &[]).unwrap_err() else {
        panic!()
    };
    assert_eq!(
        names,
        ["amount", "closed"],
        "all that must be allowed is named at once"
    );
    assert!(
        of_rows(&data, &["amount"]).is_err(),
        "what is not allowed still stops the fit"
    );
    for allow in [["amount", "closed"], ["amount", "closed_count_30d"]] {
        let notes = of_rows(&data, &allow).unwrap();
        assert!(
            notes.len() == 2 && notes[1].contains("leaky event type"),
            "{notes:?}"
        );
    }
    let ids = log(40, |user, _, _| purchase(17_850.0 + user as f64));
    assert_eq!(
        in_columns(&ids, &["events.amount".into()]).unwrap().len(),
        1
    );
    assert!(in_columns(&ids, &["events.kind".into()]).is_err());
    for column in COLUMNS {
        assert!(of_rows(&data, &["amount", "closed", column]).is_ok());
    }
}

#[test]
fn a_name_that_allows_nothing_is_a_mistake() {
    let quiet = rows(|_, _, _, noise| vec![("amount", noise)]);
    let error = of_rows(&quiet, &["amount_lats"]).unwrap_err();
    assert!(matches!(&error, TrainError::Setting(_)), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("model.allow_leakage") && text.contains("the nearest is `amount_last`"),
        "{text}"
    );
}

#[test]
fn few_rows_and_nothing_at_all_are_no_leakage() {
    let mut few = rows(|_, _, churned, _| vec![("amount", f64::from(churned))]);
    few.labels
        .iter_mut()
        .skip(20)
        .for_each(|label| *label = false);
    assert_eq!(of_rows(&few, &[]).unwrap(), Vec::<String>::new());
    assert_eq!(
        of_rows(
            &Dataset {
                width: catalogue().len(),
                ..Dataset::default()
            },
            &[]
        )
        .unwrap(),
        Vec::<String>::new()
    );
    assert_eq!(of_columns(&Histories::default()), None);
}
