mod orders;
mod seasons;

use proptest::prelude::*;

use super::*;
use crate::features::FeatureSchema;
use crate::history::{Amount, DayRecord, History};

fn catalogue() -> Catalogue {
    Catalogue::new(FeatureSchema {
        activity: vec!["purchase".into()],
        other_kinds: vec!["return".into()],
        horizon_days: vec![60],
        amounts: true,
        seasonal_years: 0,
        lead_days: 0,
        value_kinds: Vec::new(),
        attributes: Vec::new(),
    })
    .unwrap()
}

fn kinds() -> Vec<String> {
    vec!["purchase".into(), "return".into(), "survey".into()]
}

fn history(rows: &[(i32, u16, u32, f64)]) -> History {
    let record = |&(day, kind, count, amount): &(i32, u16, u32, f64)| DayRecord {
        amount: Amount::new(amount).unwrap(),
        day: Day::new(day).unwrap(),
        count,
        kind,
    };
    History::new(rows.iter().map(record).collect()).unwrap()
}

fn features(rows: &[(i32, u16, u32, f64)], as_of: i32) -> Vec<f64> {
    features_of(&catalogue(), rows, as_of)
}

fn features_of(catalogue: &Catalogue, rows: &[(i32, u16, u32, f64)], as_of: i32) -> Vec<f64> {
    let mut out = vec![0.0; catalogue.len()];
    Extractor::new(catalogue, &kinds()).extract(
        history(rows).view(),
        Day::new(as_of).unwrap(),
        &mut out,
    );
    out
}

fn bits(vector: &[f64]) -> Vec<u64> {
    vector.iter().map(|value| value.to_bits()).collect()
}

fn feature(rows: &[(i32, u16, u32, f64)], as_of: i32, name: &str) -> f64 {
    features(rows, as_of)[catalogue().position_of(name).unwrap()]
}

/// Purchases on days 0, 10 and 40, a return on day 45, a survey on day 50; worked out by hand at day 60.
const ROWS: [(i32, u16, u32, f64); 5] = [
    (0, 0, 2, 30.0),
    (10, 0, 1, 10.0),
    (40, 0, 3, 20.0),
    (45, 1, 1, -5.0),
    (50, 2, 1, 0.0),
];

#[test]
fn every_feature_of_a_small_history_is_what_the_hand_says() {
    let ln = f64::ln;
    for (name, expected) in [
        ("recency_days", 20.0),
        ("recency_any_days", 10.0),
        ("tenure_days", 60.0),
        ("overdue_ratio", 1.0),
        ("recency_share", 1.0 / 3.0),
        ("active_days", 3.0),
        ("events", 6.0),
        ("one_active_day", 0.0),
        ("active_days_15d", 0.0),
        ("active_days_30d", 1.0),
        ("active_days_60d", 3.0),
        ("events_30d", 3.0),
        ("amount_30d", 20.0),
        ("amount_240d", 60.0),
        ("gap_mean_days", 20.0),
        ("gap_std_days", 200.0_f64.sqrt()),
        ("gap_last_days", 30.0),
        ("gap_max_days", 30.0),
        (
            "active_days_half_life_60d",
            0.5 + 2.0_f64.powf(-50.0 / 60.0) + 2.0_f64.powf(-20.0 / 60.0),
        ),
        ("trend_60d_over_240d", 0.0),
        ("amount", 60.0),
        ("amount_mean", 20.0),
        ("amount_std", 10.0),
        ("amount_last", 20.0),
        ("amount_max", 30.0),
        ("return_count", 1.0),
        ("return_count_60d", 1.0),
        ("return_recency_days", 15.0),
        // Thursday, Sunday, Tuesday: ln 3 and the correction 2 / 6.
        ("weekday_regularity", 1.0 - (ln(3.0) + 1.0 / 3.0) / ln(7.0)),
    ] {
        let got = feature(&ROWS, 60, name);
        assert!(
            (got - expected).abs() < 1e-9,
            "{name}: {got}, by hand {expected}"
        );
    }
}

#[test]
fn the_event_exactly_at_the_cut_off_is_not_seen() {
    assert_eq!(feature(&ROWS, 40, "active_days"), 2.0);
    assert_eq!(feature(&ROWS, 41, "active_days"), 3.0);
    assert_eq!(feature(&ROWS, 41, "recency_days"), 1.0);
}

#[test]
fn the_sum_of_nothing_has_no_sign() {
    for (name, value) in [
        ("events_15d", 0.0),
        ("amount_15d", 0.0),
        ("return_count_60d", 0.0),
    ] {
        assert_eq!(
            feature(&[(0, 0, 1, 9.0)], 300, name).to_bits(),
            f64::to_bits(value),
            "{name}"
        );
    }
}

/// By hand: an eighth of a day is added to 15 of 120 days, or 30 of 240, and half a day to the whole.
#[test]
fn a_trend_lies_on_the_side_on_which_the_counts_lie() {
    let trend = |days: &[i32]| {
        let rows: Vec<_> = std::iter::once(300)
            .chain(days.iter().copied())
            .map(|age| (300 - age, 0, 1, 0.0))
            .collect();
        feature(&rows, 300, "trend_60d_over_240d")
    };
    let quarter = |short: f64, long: f64| ((short + 0.125) / (long + 0.5) * 4.0).ln();
    assert_eq!(trend(&[]), 0.0, "nothing in either window");
    assert!(
        (trend(&[100]) - quarter(0.0, 1.0)).abs() < 1e-12
            && (trend(&[100]) + 3.0_f64.ln()).abs() < 1e-12
    );
    assert!(
        (trend(&[10, 100]) - quarter(1.0, 2.0)).abs() < 1e-12 && trend(&[10, 100]) < 2.0_f64.ln()
    );
    assert_eq!(
        trend(&[10, 100, 150, 200]),
        0.0,
        "a quarter of the days in a quarter of the time"
    );
    assert_eq!(
        feature(&[(0, 0, 1, 0.0), (5, 0, 1, 0.0)], 20, "trend_60d_over_240d"),
        0.0,
        "no past to compare"
    );
}

#[test]
fn what_cannot_be_known_is_unknown_and_not_a_number_that_looks_known() {
    let one = [(0, 0, 1, 9.0)];
    for name in [
        "gap_mean_days",
        "gap_std_days",
        "gap_last_days",
        "overdue_ratio",
        "return_recency_days",
        "weekday_regularity",
    ] {
        assert!(feature(&one, 30, name).is_nan(), "{name}");
    }
    assert_eq!(feature(&one, 30, "one_active_day"), 1.0);
    assert_eq!(feature(&one, 30, "return_count"), 0.0);
    assert!(feature(&[(0, 1, 1, 0.0)], 30, "recency_days").is_nan());
}

proptest! {
    /// Nothing at or after the as-of day moves a single bit, whatever it is.
    #[test]
    fn the_future_cannot_be_seen(
        rows in prop::collection::vec((0_i32..300, 0_u16..3, 1_u32..4, -100.0..900.0_f64), 0..40),
        later in prop::collection::vec((0_i32..200, 0_u16..3, 1_u32..9, -1e6..1e6_f64), 0..20),
        as_of in 1_i32..300,
    ) {
        let past: Vec<_> = rows.iter().copied().filter(|r| r.0 < as_of).collect();
        let mut with_future = past.clone();
        with_future.extend(later.iter().map(|&(d, k, c, a)| (as_of + d, k, c, a)));
        let bits = |rows: &[_]| bits(&features(rows, as_of));
        prop_assert_eq!(bits(&past), bits(&with_future));
    }
}

/// The negative control of the property above: an event one day before the as-of day is seen.
#[test]
fn an_event_before_the_cut_off_is_seen() {
    let mut more = ROWS.to_vec();
    more.push((59, 0, 1, 1.0));
    assert_ne!(
        features(&ROWS, 60)[0].to_bits(),
        features(&more, 60)[0].to_bits()
    );
}

#[test]
fn the_catalogue_has_unique_names_and_windows_that_do_not_pile_up() {
    let many = Catalogue::new(FeatureSchema {
        activity: vec!["a".into(), "b".into()],
        other_kinds: vec![],
        horizon_days: vec![14, 30, 60, 90],
        amounts: false,
        seasonal_years: 0,
        lead_days: 0,
        value_kinds: Vec::new(),
        attributes: Vec::new(),
    })
    .unwrap();
    let mut names: Vec<&str> = many.features().iter().map(|f| f.name.as_str()).collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|w| w[0] != w[1]));
    assert_eq!(many.windows(), [4, 7, 14, 28, 56, 112, 224, 360]);
    assert!(many.position_of("a_count_30d").is_ok());
}

#[test]
fn named_values_are_checked() {
    let catalogue = catalogue();
    let error = |name, value| {
        catalogue
            .vector([(name, value)].into_iter())
            .unwrap_err()
            .to_string()
    };
    assert!(error("recency_day", 1.0).contains("the nearest is `recency_days`"));
    assert!(error("recency_days", -1.0).contains("not negative"));
    assert!(error("amount", f64::NAN).contains("finite"));
    let vector = catalogue.vector([("amount", -3.0)].into_iter()).unwrap();
    assert_eq!(vector.iter().filter(|v| !v.is_nan()).count(), 1);
}
