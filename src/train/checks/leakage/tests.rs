use super::*;
use crate::features::{Attribute, FeatureSchema};
use crate::history::{AttributeTableBuilder, HistoriesBuilder};

fn day(number: i32) -> Day {
    Day::new(number).unwrap()
}

/// 300 users who buy on even days only, and look around on some of them.
fn histories() -> Histories {
    let mut builder = HistoriesBuilder::default();
    for user in 0..300 {
        let name = format!("u{user:03}");
        for visit in 0..20 {
            let kind = builder
                .kind(if (user + visit) % 3 == 0 {
                    "visit"
                } else {
                    "purchase"
                })
                .unwrap();
            let amount = Amount::new(f64::from(visit * 7 % 11)).unwrap();
            let on = day(2 * (visit * 5 + user % 13));
            builder
                .add(
                    &name,
                    DayRecord {
                        amount,
                        day: on,
                        count: 1,
                        kind,
                    },
                )
                .unwrap();
        }
    }
    builder.finish().unwrap()
}

fn catalogue() -> Catalogue {
    Catalogue::new(FeatureSchema {
        activity: vec!["purchase".into()],
        other_kinds: vec!["visit".into()],
        horizon_days: vec![30],
        amounts: true,
        seasonal_years: 0,
        lead_days: 0,
        value_kinds: Vec::new(),
        attributes: Vec::new(),
    })
    .unwrap()
}

fn dates() -> Vec<Day> {
    (0..20).map(|k| day(11 + 6 * k)).collect()
}

/// The probe of an extraction of the catalogue's features that goes wrong in its own way.
fn probe(
    extract: impl FnMut(HistoryView<'_>, Day, &mut [f64]),
) -> Result<LeakageProbe, TrainError> {
    let (histories, catalogue, dates) = (histories(), catalogue(), dates());
    let input = ProbeInput {
        histories: &histories,
        dates: &dates,
        features: catalogue.features(),
        seed: 7,
    };
    probe_leakage(&input, extract)
}

#[test]
fn the_extractor_sees_nothing_of_the_future() {
    let found = probe_catalogue(&histories(), &catalogue(), &dates(), 7).unwrap();
    assert_eq!((found.users, found.dates), (200, 12));
    // Nearly every user has a future at nearly every date: 200 * 12 * 3 if all had.
    assert!((6_000..=7_200).contains(&found.comparisons), "{found:?}");
}

#[test]
fn an_extractor_that_peeks_one_day_is_caught() {
    let (catalogue, histories) = (catalogue(), histories());
    let mut extractor = Extractor::new(&catalogue, histories.kinds());
    let peeking = |history: HistoryView<'_>, as_of: Day, out: &mut [f64]| {
        // As of tomorrow, less the day that everything is then older.
        extractor.extract(history, as_of.plus(1), out);
    };
    let error = probe(peeking).unwrap_err();
    // Nothing ever happens on these dates, so only an event that is added there can tell.
    let TrainError::Leak {
        feature,
        as_of,
        change,
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!(
        (feature.as_str(), *as_of, *change),
        ("recency_days", day(11), OtherFuture::Added)
    );
    let text = error.to_string();
    assert!(
        text.contains("`recency_days` as of 1970-01-12") && text.contains("added to"),
        "{text}"
    );
}

#[test]
fn an_extractor_that_counts_the_whole_history_is_caught() {
    let counting =
        |history: HistoryView<'_>, _: Day, out: &mut [f64]| out[3] = history.records().len() as f64;
    let error = probe(counting).unwrap_err();
    let name = catalogue().features()[3].name.clone();
    assert!(
        matches!(&error, TrainError::Leak { feature, change: OtherFuture::Deleted, .. } if *feature == name)
    );
    // The negative control: counting the past alone is no leak.
    let past = |history: HistoryView<'_>, as_of: Day, out: &mut [f64]| {
        out[3] = history.before(as_of).records().len() as f64;
    };
    assert!(probe(past).is_ok());
}

/// The same users, most of whom change their plan and age on some day.
fn histories_with_attributes() -> Histories {
    let columns = [
        ("age", AttributeKind::Number),
        ("plan", AttributeKind::Category),
    ];
    let columns = columns.map(|(name, kind)| (name.to_owned(), kind));
    let mut builder = AttributeTableBuilder::new(columns);
    for user in 0..280 {
        for change in 0..3 {
            let from = Some(day(1 + (user * 7) % 40 + 37 * change));
            let plans = ["free", "basic", "pro"];
            let plan = builder.category(1, plans[((user + change) % 3) as usize]);
            let age = FiniteNumber::new(f64::from(20 + user % 50 + change)).unwrap();
            let record = |column, value| AttributeRecord {
                from,
                column,
                value,
            };
            let records = [record(0, AttributeValue::Number(age)), record(1, plan)];
            builder.add(&format!("u{user:03}"), records);
        }
    }
    histories().with_attributes(builder.finish()).unwrap().0
}

#[test]
fn attributes_are_seen_as_of_a_day_and_a_join_that_ignores_the_day_is_caught() {
    let histories = histories_with_attributes();
    let catalogue = Catalogue::new(FeatureSchema {
        attributes: vec![
            Attribute {
                name: "age".into(),
                levels: None,
                signal: false,
            },
            Attribute {
                name: "plan".into(),
                levels: Some(vec!["basic".into(), "free".into()]),
                signal: false,
            },
        ],
        ..catalogue().schema().clone()
    })
    .unwrap();
    let dates = dates();
    probe_catalogue(&histories, &catalogue, &dates, 7).unwrap();
    // The negative controls: the last row of the table, and one that is seen on its own day.
    let position = catalogue.position_of("plan = free").unwrap();
    let input = ProbeInput {
        histories: &histories,
        dates: &dates,
        features: catalogue.features(),
        seed: 7,
    };
    for days_too_late in [1, 10_000] {
        let error = probe_leakage(&input, |history, as_of, out| {
            let known = history.attributes().before(as_of.plus(days_too_late));
            let last = known.last("plan");
            let is_free = |(column, value): (&AttributeColumn, AttributeValue)| match value {
                AttributeValue::Category(k) => column.categories[k as usize] == "free",
                _ => false,
            };
            out[position] = f64::from(last.is_some_and(is_free));
        })
        .unwrap_err();
        assert!(
            matches!(&error, TrainError::Leak { feature, .. } if feature == "plan = free"),
            "{error}"
        );
    }
}

#[test]
fn one_bit_is_enough_and_unknown_equals_unknown() {
    let last_bit = |history: HistoryView<'_>, as_of: Day, out: &mut [f64]| {
        let future = history.records().len() - history.before(as_of).records().len();
        out[0] = f64::from_bits(1.0_f64.to_bits() + u64::from(future > 0));
    };
    assert!(probe(last_bit).is_err());
    let mut sign = false;
    let unknown = |_: HistoryView<'_>, _: Day, out: &mut [f64]| {
        sign = !sign;
        out[0] = if sign { f64::NAN } else { -f64::NAN };
    };
    assert!(probe(unknown).is_ok());
}

#[test]
fn a_probe_that_compared_nothing_has_not_passed() {
    let (histories, catalogue) = (histories(), catalogue());
    let nothing =
        |histories: &Histories, dates: &[Day]| probe_catalogue(histories, &catalogue, dates, 7);
    let error = nothing(&histories, &[]).unwrap_err();
    assert!(
        matches!(
            error,
            TrainError::NothingProbed {
                users: 200,
                dates: 0
            }
        ),
        "{error}"
    );
    assert!(nothing(&Histories::default(), &dates()).is_err());
    // After the end of the log there is no future to delete or shuffle, but one can be added to.
    let found = nothing(&histories, &[day(5_000)]).unwrap();
    assert_eq!((found.users, found.dates, found.comparisons), (200, 1, 200));
}

#[test]
fn another_future_leaves_the_past_and_is_another_one() {
    let histories = histories();
    let (_, history) = histories.at(5).unwrap().unwrap();
    let history = history.view();
    let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
    let as_of = day(100);
    for change in [
        OtherFuture::Deleted,
        OtherFuture::Shuffled,
        OtherFuture::Added,
    ] {
        let other = change.apply(history, as_of, 2, &mut random).unwrap();
        assert_eq!(
            other.view().before(as_of),
            history.before(as_of),
            "{change}"
        );
        assert_ne!(other.view(), history, "{change}");
        let seen = |kind: u16| {
            other
                .view()
                .records()
                .iter()
                .any(|r| r.day == as_of && r.kind == kind)
        };
        assert_eq!(seen(0) && seen(1), change == OtherFuture::Added);
    }
}
