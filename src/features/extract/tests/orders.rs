//! Features of orders: days on which the amounts of the value kinds add up to more than 0.

use super::*;
use crate::features::{FeatureError, FeatureGroup, Scale};

fn schema(value_kinds: &[&str]) -> FeatureSchema {
    FeatureSchema {
        activity: vec!["purchase".into()],
        other_kinds: vec![],
        horizon_days: vec![60],
        amounts: true,
        seasonal_years: 1,
        lead_days: 0,
        value_kinds: value_kinds.iter().map(|kind| (*kind).to_owned()).collect(),
        attributes: Vec::new(),
    }
}

fn with_orders() -> Catalogue {
    Catalogue::new(schema(&["purchase", "return"])).unwrap()
}

const NAMES: [&str; 5] = [
    "order_days",
    "recency_order_days",
    "order_age_days",
    "order_amount",
    "order_repeat_amount",
];

/// The features of orders on day 100.
fn orders(rows: &[(i32, u16, u32, f64)]) -> [f64; 5] {
    let catalogue = with_orders();
    let vector = features_of(&catalogue, rows, 100);
    NAMES.map(|name| vector[catalogue.position_of(name).unwrap()])
}

fn same(found: [f64; 5], expected: [f64; 5]) {
    assert_eq!(
        bits(&found),
        bits(&expected),
        "{found:?}, by hand {expected:?}"
    );
}

const UNKNOWN: f64 = f64::NAN;

#[test]
fn orders_are_days_whose_net_amount_is_above_nothing() {
    // Day 10 nets to 25, day 20 to nothing, day 30 to less, day 40 to 0.1 + 0.2, day 90 to 40; day 50 is a survey, and what
    // happens on day 100 is not seen.
    let rows = [
        (10, 0, 2, 30.0),
        (10, 1, 1, -5.0),
        (20, 0, 1, 8.0),
        (20, 1, 1, -8.0),
        (30, 0, 1, 1.0),
        (30, 1, 1, -2.5),
        (40, 0, 1, 0.1),
        (40, 1, 1, 0.2),
        (50, 2, 1, 99.0),
        (90, 0, 1, 40.0),
        (100, 0, 1, 7.0),
    ];
    same(orders(&rows), [3.0, 10.0, 90.0, 65.3, 20.15]);
}

#[test]
fn users_without_an_order_and_with_one_have_what_can_be_known() {
    same(orders(&[]), [0.0, UNKNOWN, UNKNOWN, 0.0, UNKNOWN]);
    let none = [(5, 0, 1, 0.0), (6, 1, 1, -3.0), (7, 2, 1, 50.0)];
    same(orders(&none), [0.0, UNKNOWN, UNKNOWN, 0.0, UNKNOWN]);
    same(
        orders(&[(60, 0, 3, 0.000_001)]),
        [1.0, 40.0, 40.0, 0.000_001, UNKNOWN],
    );
    let constant = [(20, 0, 1, 5.0), (50, 0, 1, 5.0), (80, 0, 1, 5.0)];
    same(orders(&constant), [3.0, 20.0, 80.0, 15.0, 5.0]);
}

/// Amounts are whole micros, so that no order of records and no cancellation changes a sum.
#[test]
fn large_amounts_that_cancel_leave_what_is_left() {
    let rows = [
        (10, 0, 1, 1e9),
        (10, 1, 1, -1e9),
        (11, 0, 1, 1e9),
        (11, 1, 1, -999_999_999.9),
    ];
    same(orders(&rows), [1.0, 89.0, 89.0, 0.1, UNKNOWN]);
}

#[test]
fn a_catalogue_without_value_kinds_is_the_start_of_one_with_them() {
    let none = Catalogue::new(schema(&[])).unwrap();
    let some = with_orders();
    assert_eq!(some.features()[..none.len()], *none.features());
    assert_eq!(
        (some.orders(), none.orders()),
        (none.len()..some.len(), none.len()..none.len())
    );
    let last = &some.features()[none.len()..];
    assert!(last.iter().map(|f| f.name.as_str()).eq(NAMES));
    assert!(
        last.iter()
            .all(|f| f.group == FeatureGroup::Amount && f.scale == Scale::Log)
    );
    // Which kinds make orders is part of what the features are.
    let hashes = [&[][..], &["purchase"], &["purchase", "return"]]
        .map(|kinds| Catalogue::new(schema(kinds)).unwrap().hash());
    assert!(hashes[0] != hashes[1] && hashes[1] != hashes[2]);
    let old = FeatureSchema {
        seasonal_years: 0,
        ..schema(&[])
    };
    assert_eq!(
        serde_json::to_string(&old).unwrap(),
        r#"{"activity":["purchase"],"other_kinds":[],"horizon_days":[60],"amounts":true}"#
    );
    // As it was before there could be value kinds.
    assert_eq!(
        Catalogue::new(old).unwrap().hash(),
        "1fe021755ec372ea79cf5841ec692cdd2a7a010f81aaffc48a45ad2c96c03031"
    );
}

#[test]
fn a_kind_that_is_called_order_has_features_of_its_own() {
    let catalogue = Catalogue::new(FeatureSchema {
        other_kinds: vec!["order".into()],
        ..schema(&["order"])
    })
    .unwrap();
    let mut names: Vec<&str> = catalogue
        .features()
        .iter()
        .map(|f| f.name.as_str())
        .collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|two| two[0] != two[1]), "{names:?}");
}

#[test]
fn value_kinds_without_amounts_are_refused() {
    let refused = Catalogue::new(FeatureSchema {
        amounts: false,
        ..schema(&["purchase"])
    });
    let error = refused.unwrap_err();
    assert!(matches!(error, FeatureError::ValueWithoutAmounts { .. }));
    assert!(error.to_string().contains("`events.amount`"));
}

#[test]
fn without_features_of_orders_no_orders_are_made() {
    let catalogue = with_orders();
    let only = [Quantity::Recency];
    let mut extractor = Extractor::new(&catalogue, &kinds()).only(&only);
    let mut vector = vec![f64::NAN; catalogue.len()];
    extractor.extract(
        history(&[(60, 0, 1, 5.0)]).view(),
        Day::new(100).unwrap(),
        &mut vector,
    );
    assert_eq!(vector.iter().filter(|value| !value.is_nan()).count(), 1);
    let only = [Quantity::OrderAmount];
    let mut extractor = Extractor::new(&catalogue, &kinds()).only(&only);
    extractor.extract(
        history(&[(60, 0, 1, 5.0)]).view(),
        Day::new(100).unwrap(),
        &mut vector,
    );
    assert_eq!(
        vector[catalogue.position(Quantity::OrderAmount).unwrap()],
        5.0
    );
}

proptest! {
    /// Another way to the same numbers: day by day, by the definition.
    #[test]
    fn orders_are_counted_by_their_definition(
        rows in prop::collection::vec((0_i32..120, 0_u16..3, 1_u32..4, -50_i32..100), 0..60),
    ) {
        let mut nets = std::collections::BTreeMap::<i32, i64>::new();
        for (day, kind, _, amount) in rows.iter().filter(|row| row.1 < 2 && row.0 < 100) {
            let _ = kind;
            *nets.entry(*day).or_default() += i64::from(*amount);
        }
        nets.retain(|_, net| *net > 0);
        let rows: Vec<_> = rows.iter().map(|&(d, k, c, a)| (d, k, c, f64::from(a))).collect();
        let found = orders(&rows);
        let total: i64 = nets.values().sum();
        let first = nets.iter().next();
        let repeat = first.filter(|_| nets.len() > 1).map(|(_, net)| {
            (total - net) as f64 / (nets.len() - 1) as f64
        });
        let age = |day: Option<&i32>| day.map_or(f64::NAN, |day| f64::from(100 - day));
        let expected = [
            nets.len() as f64,
            age(nets.keys().next_back()),
            age(nets.keys().next()),
            total as f64,
            repeat.unwrap_or(f64::NAN),
        ];
        prop_assert_eq!(bits(&found), bits(&expected));
    }
}
