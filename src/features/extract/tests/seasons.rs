//! Features of the same season in earlier years.

use std::collections::BTreeSet;

use super::*;
use crate::features::{FeatureError, FeatureGroup};

fn schema(horizon_days: &[u16], seasonal_years: u16, lead_days: u32) -> FeatureSchema {
    FeatureSchema {
        activity: vec!["purchase".into()],
        other_kinds: vec!["return".into()],
        horizon_days: horizon_days.to_vec(),
        amounts: true,
        seasonal_years,
        lead_days,
        value_kinds: Vec::new(),
        attributes: Vec::new(),
    }
}

fn seasonal(horizon_days: &[u16], seasonal_years: u16, lead_days: u32) -> Catalogue {
    Catalogue::new(schema(horizon_days, seasonal_years, lead_days)).unwrap()
}

/// The names of the features of earlier years.
fn names(catalogue: &Catalogue) -> Vec<&str> {
    let features = catalogue.features().iter();
    features
        .filter(|f| f.group == FeatureGroup::Season)
        .map(|f| f.name.as_str())
        .collect()
}

/// Purchases so many days before day 2,000, each on a day of its own, seen from there.
fn value(catalogue: &Catalogue, ages: &[i32], name: &str) -> f64 {
    let rows: Vec<_> = ages.iter().map(|age| (2_000 - age, 0, 1, 9.0)).collect();
    features_of(catalogue, &rows, 2_000)[catalogue.position_of(name).unwrap()]
}

#[test]
fn every_season_of_a_small_history_is_what_the_hand_says() {
    let catalogue = seasonal(&[30], 2, 0);
    // A year ago the window is 365 to 336 days ago, the wide one 380 to 321; two years ago 730 to 701 and 745 to 686.
    let ages = [
        800, 746, 745, 731, 730, 715, 701, 700, 686, 685, 381, 380, 366, 365, 340, 336, 335, 321,
        320, 1,
    ];
    for (name, expected) in [
        ("active_days_30d_1y_ago", 3.0),
        ("active_days_30d_1y_ago_wide", 7.0),
        ("active_days_year_1_back", 7.0),
        ("active_days_30d_2y_ago", 3.0),
        ("active_days_30d_2y_ago_wide", 7.0),
        ("active_days_year_2_back", 9.0),
    ] {
        assert_eq!(value(&catalogue, &ages, name), expected, "{name}");
    }
}

/// The label window of 30 days that starts 7 days from now was 358 to 329 days ago.
#[test]
fn the_season_is_that_of_the_label_window() {
    let catalogue = seasonal(&[30], 1, 7);
    let count = |age| value(&catalogue, &[400, age], "active_days_30d_1y_ago");
    assert_eq!([359, 358, 329, 328].map(count), [0.0, 1.0, 1.0, 0.0]);
    let wide = |age| value(&catalogue, &[400, age], "active_days_30d_1y_ago_wide");
    assert_eq!([374, 373, 314, 313].map(wide), [0.0, 1.0, 1.0, 0.0]);
    // The year starts at the as-of day's anniversary, whatever the lead.
    let year = |age| value(&catalogue, &[400, age], "active_days_year_1_back");
    assert_eq!([366, 365, 1].map(year), [0.0, 1.0, 1.0]);
}

/// The last active day may lie on the last day of a window, and many events of a day are one active day.
#[test]
fn days_are_counted_and_not_events() {
    let catalogue = seasonal(&[30], 1, 0);
    let rows = [
        (1_500, 1, 1, 0.0),
        (1_650, 0, 9, 5.0),
        (1_651, 1, 3, 0.0),
        (1_652, 2, 1, 0.0),
    ];
    let vector = features_of(&catalogue, &rows, 2_000);
    let value = |name| vector[catalogue.position_of(name).unwrap()];
    assert_eq!(
        value("active_days_30d_1y_ago"),
        1.0,
        "returns and surveys are no activity"
    );
}

#[test]
fn a_season_before_the_first_event_is_unknown() {
    let catalogue = seasonal(&[30], 2, 7);
    let of = |rows: &[(i32, u16, u32, f64)]| {
        let vector = features_of(&catalogue, rows, 2_000);
        let known = |name: &&str| !vector[catalogue.position_of(name).unwrap()].is_nan();
        names(&catalogue)
            .into_iter()
            .filter(known)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let first_seen = |age: i32| of(&[(2_000 - age, 0, 1, 9.0)]);
    let of_one_year = [
        "active_days_30d_1y_ago",
        "active_days_30d_1y_ago_wide",
        "active_days_year_1_back",
    ];
    assert_eq!(first_seen(357), [""; 0]);
    assert_eq!(first_seen(358), of_one_year[..2]);
    assert_eq!(first_seen(364), of_one_year[..2]);
    assert_eq!(first_seen(365), of_one_year);
    assert_eq!(first_seen(722), of_one_year);
    assert_eq!(first_seen(723).len(), 5);
    assert_eq!(first_seen(730), names(&catalogue));
    // An event of any kind will do, for the user was there; of a user never seen nothing is known.
    assert_eq!(of(&[(2_000 - 365, 2, 1, 0.0)]), of_one_year);
    assert_eq!(of(&[(2_000, 0, 1, 9.0)]), [""; 0]);
    assert_eq!(of(&[]), [""; 0]);
}

#[test]
fn a_window_that_would_end_after_the_as_of_day_is_cut_or_left_out() {
    // With half a window more, 300 days end 85 days after the as-of day.
    let long = seasonal(&[30, 300, 400], 1, 0);
    assert_eq!(
        names(&long),
        [
            "active_days_30d_1y_ago",
            "active_days_30d_1y_ago_wide",
            "active_days_300d_1y_ago",
            "active_days_300d_1y_ago_wide",
            "active_days_year_1_back",
        ]
    );
    let ages = [520, 515, 365, 66, 65, 1];
    assert_eq!(value(&long, &ages, "active_days_300d_1y_ago"), 2.0);
    assert_eq!(value(&long, &ages, "active_days_300d_1y_ago_wide"), 5.0);
    // A year is the longest window, with the lead.
    let year = seasonal(&[365], 2, 0);
    assert_eq!(names(&year).len(), 6);
    let ages = [731, 730, 366, 365, 1];
    assert_eq!(value(&year, &ages, "active_days_365d_1y_ago"), 2.0);
    assert_eq!(value(&year, &ages, "active_days_365d_2y_ago"), 2.0);
    assert_eq!(value(&year, &ages, "active_days_365d_2y_ago_wide"), 4.0);
    assert_eq!(names(&seasonal(&[365], 1, 1)), ["active_days_year_1_back"]);
    assert_eq!(
        names(&seasonal(&[30], 1, u32::MAX)),
        ["active_days_year_1_back"]
    );
}

#[test]
fn a_catalogue_without_seasons_is_the_start_of_one_with_them() {
    let horizons = [14, 30, 365];
    let catalogues = [0, 1, 2].map(|years| seasonal(&horizons, years, 0));
    let [none, one, two] = &catalogues;
    assert!(names(none).is_empty());
    assert_eq!(one.features()[..none.len()], *none.features());
    assert_eq!(two.features()[..one.len()], *one.features());
    assert_eq!(two.len(), none.len() + 14);
    let groups = two.features()[none.len()..].iter().map(|f| f.group);
    assert!(
        groups
            .into_iter()
            .all(|group| group == FeatureGroup::Season)
    );
    let unique: BTreeSet<&str> = two.features().iter().map(|f| f.name.as_str()).collect();
    assert_eq!(unique.len(), two.len());
    // The lead moves windows of equal names, so it is part of the hash.
    assert_ne!(two.hash(), seasonal(&horizons, 2, 7).hash());
    assert_ne!(none.hash(), one.hash());
}

#[test]
fn a_schema_without_seasons_reads_and_writes_as_before_there_were_any() {
    let old =
        r#"{"activity":["purchase"],"other_kinds":["return"],"horizon_days":[30],"amounts":true}"#;
    let read: FeatureSchema = serde_json::from_str(old).unwrap();
    assert_eq!(read, schema(&[30], 0, 0));
    assert_eq!(serde_json::to_string(&read).unwrap(), old);
    let new = serde_json::to_string(&schema(&[30], 2, 7)).unwrap();
    assert!(new.ends_with(r#""amounts":true,"seasonal_years":2,"lead_days":7}"#));
    assert_eq!(
        serde_json::from_str::<FeatureSchema>(&new).unwrap(),
        schema(&[30], 2, 7)
    );
}

#[test]
fn a_schema_of_too_many_years_or_an_idle_lead_is_refused() {
    let error = |years, lead| Catalogue::new(schema(&[30], years, lead)).unwrap_err();
    assert!(matches!(
        error(3, 0),
        FeatureError::SeasonalYears { years: 3, limit: 2 }
    ));
    assert!(matches!(
        error(0, 7),
        FeatureError::UnusedLead { lead_days: 7 }
    ));
    assert!(error(3, 0).to_string().contains("at most 2 earlier years"));
}

proptest! {
    /// Nothing at or after the as-of day moves a single bit, however long the horizon and whatever the lead.
    #[test]
    fn the_future_cannot_be_seen_in_earlier_years(
        rows in prop::collection::vec((0_i32..1_200, 0_u16..3, 1_u32..4, -100.0..900.0_f64), 0..60),
        later in prop::collection::vec((0_i32..700, 0_u16..3, 1_u32..9, -1e6..1e6_f64), 0..40),
        as_of in 1_i32..1_200,
        longest in 2_u16..=365,
        lead in 0_u32..200,
    ) {
        let catalogue = seasonal(&[1, longest], 2, lead);
        let past: Vec<_> = rows.iter().copied().filter(|r| r.0 < as_of).collect();
        let mut with_future = past.clone();
        with_future.extend(later.iter().map(|&(d, k, c, a)| (as_of + d, k, c, a)));
        let seen = |rows: &[_]| bits(&features_of(&catalogue, rows, as_of));
        prop_assert_eq!(seen(&past), seen(&with_future));
    }

    /// Another way to the same numbers: day by day, by the definition.
    #[test]
    fn seasons_are_counted_by_their_definition(
        days in prop::collection::btree_set(0_i32..1_500, 0..80),
        as_of in 1_i32..1_500,
        horizon in 1_i32..=365,
        lead in 0_i32..40,
    ) {
        let catalogue = seasonal(&[horizon as u16], 2, lead as u32);
        let rows: Vec<_> = days.iter().map(|day| (*day, 0, 1, 1.0)).collect();
        let vector = features_of(&catalogue, &rows, as_of);
        let first = days.first().copied().filter(|first| *first < as_of);
        let half = (horizon + 1) / 2;
        for year in [1, 2] {
            let ago = as_of - 365 * year;
            let start = ago + lead;
            let mut expected = vec![(format!("active_days_year_{year}_back"), ago, ago..ago + 365)];
            if horizon + lead <= 365 {
                let name = format!("active_days_{horizon}d_{year}y_ago");
                expected.push((format!("{name}_wide"), start, start - half..start + horizon + half));
                expected.push((name, start, start..start + horizon));
            }
            for (name, known_from, window) in expected {
                let found = vector[catalogue.position_of(&name).unwrap()];
                let counted = days.iter().filter(|day| window.contains(day) && **day < as_of).count();
                match first.filter(|first| *first <= known_from) {
                    Some(_) => prop_assert_eq!(found, counted as f64, "{}", name),
                    None => prop_assert!(found.is_nan(), "{}: {}", name, found),
                }
            }
        }
    }
}
