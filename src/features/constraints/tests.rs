mod contradictions;

use std::collections::HashSet;
use std::sync::LazyLock;

use proptest::prelude::*;

use contradictions::CONTRADICTIONS;

use crate::features::constraints::*;
use crate::features::{Catalogue, Extractor, FeatureSchema};
use crate::history::{Amount, Day, DayRecord, History};

/// One kind of activity and one horizon; several kinds and horizons whose windows have other lengths; and features of
/// earlier years, with horizons up to a year and a lead; and features of orders, made of all activity or of something else.
fn catalogues() -> &'static [Catalogue; 6] {
    &CATALOGUES
}

static CATALOGUES: LazyLock<[Catalogue; 6]> = LazyLock::new(|| {
    let schema =
        |activity: &[&str], horizon_days: &[u16], seasonal_years, lead_days| FeatureSchema {
            activity: activity.iter().map(|kind| (*kind).to_owned()).collect(),
            other_kinds: vec!["return".into()],
            horizon_days: horizon_days.to_vec(),
            amounts: true,
            seasonal_years,
            lead_days,
            value_kinds: Vec::new(),
            attributes: Vec::new(),
        };
    let valued = |value_kinds: &[&str]| FeatureSchema {
        value_kinds: value_kinds.iter().map(|kind| (*kind).to_owned()).collect(),
        ..schema(&["purchase"], &[30], 0, 0)
    };
    [
        schema(&["purchase"], &[30], 0, 0),
        schema(&["purchase", "visit"], &[14, 30, 90], 0, 0),
        schema(&["purchase"], &[30, 60], 2, 7),
        schema(&["purchase"], &[1, 200, 365, 400], 2, 0),
        valued(&["purchase"]),
        valued(&["purchase", "return"]),
    ]
    .map(|s| Catalogue::new(s).unwrap())
});

/// (day, kind, count, amount)
type Row = (i32, u16, u32, f64);

fn extract(catalogue: &Catalogue, rows: &[Row], as_of: i32) -> Vec<f64> {
    let kinds = ["purchase", "visit", "return", "survey"].map(str::to_owned);
    let record = |&(day, kind, count, amount): &Row| DayRecord {
        amount: Amount::new(amount).unwrap(),
        day: Day::new(day).unwrap(),
        count,
        kind,
    };
    let history = History::new(rows.iter().map(record).collect()).unwrap();
    let mut vector = vec![f64::NAN; catalogue.len()];
    Extractor::new(catalogue, &kinds).extract(
        history.view(),
        Day::new(as_of).unwrap(),
        &mut vector,
    );
    vector
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let day = prop_oneof![0..400_i32, 300..400_i32, 0..1_200_i32, 0..30_000_i32];
    let count = prop_oneof![9 => 1..4_u32, 1 => 1..90_000_u32];
    let amount =
        prop_oneof![4 => 0.0..900.0_f64, 1 => -90.0..90.0_f64, 1 => -1e9..1e9_f64, 2 => Just(0.1)];
    let row = (day, 0..4_u16, count, amount);
    prop_oneof![
        prop::collection::vec(row.clone(), 0..6),
        prop::collection::vec(row, 0..120)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// No vector of a history is refused, neither in whole, nor in part, nor in single precision.
    #[test]
    fn every_history_obeys(rows in rows(), ago in 1..900_i32, which in 0..6_usize, part in any::<u64>()) {
        let catalogue = &catalogues()[which];
        let as_of = rows.iter().map(|row| row.0).max().unwrap_or(0) + if ago > 400 { ago - 400 } else { -ago / 3 };
        let vector = extract(catalogue, &rows, as_of.max(1));
        let constraints = Constraints::new(catalogue);
        prop_assert_eq!(constraints.check(&vector), Ok(()));
        let single: Vec<f64> = vector.iter().map(|x| f64::from(*x as f32)).collect();
        prop_assert_eq!(constraints.check(&single), Ok(()));
        let some = |(i, x): (usize, &f64)| if part >> (i % 64) & 1 == 1 { *x } else { f64::NAN };
        let some: Vec<f64> = vector.iter().enumerate().map(some).collect();
        prop_assert_eq!(constraints.check(&some), Ok(()));
    }
}

/// Days 0, 10, 40 and 90 with purchases, seen on day 100; visits on 20 and 95, a return on 45.
const ROWS: [Row; 7] = [
    (0, 0, 2, 30.0),
    (10, 0, 1, 10.0),
    (20, 1, 4, 0.0),
    (40, 0, 3, 20.0),
    (45, 2, 1, -5.0),
    (90, 0, 1, 40.0),
    (95, 1, 1, 0.0),
];

/// Purchases 900, 800, 705, 340 and 10 days before day 900, a return between: 705 and 340 days ago lie in the same 30
/// days of earlier years as those from 7 days after day 900.
const YEARS: [Row; 6] = [
    (0, 0, 2, 30.0),
    (100, 0, 1, 10.0),
    (195, 0, 3, 20.0),
    (560, 0, 1, 40.0),
    (640, 2, 1, -5.0),
    (890, 0, 1, 40.0),
];

/// The features of a user of a catalogue.
fn user(which: usize) -> Vec<f64> {
    let catalogue = &catalogues()[which];
    match which {
        0 | 1 | 4 | 5 => extract(catalogue, &ROWS, 100),
        _ => extract(catalogue, &YEARS, 900),
    }
}

/// The feature to blame and the text for a change of a user's features.
fn problem(which: usize, changes: &[(&str, f64)]) -> Result<(), (String, String)> {
    let catalogue = &catalogues()[which];
    let mut vector = user(which);
    for (name, value) in changes {
        vector[catalogue.position_of(name).unwrap()] = *value;
    }
    let name = |position: usize| catalogue.features()[position].name.clone();
    Constraints::new(catalogue)
        .check(&vector)
        .map_err(|c| (name(c.position), c.problem))
}

#[test]
fn every_contradiction_names_the_features_and_their_values() {
    for which in 0..catalogues().len() {
        assert_eq!(problem(which, &[]), Ok(()), "the negative control");
    }
    for (which, name, value, blamed, part) in CONTRADICTIONS {
        let (found, text) = problem(which, &[(name, value)]).unwrap_err();
        let named = text.contains(&format!("`{name}` is {value}"))
            && text.contains(part)
            && found == blamed;
        assert!(named, "{name} = {value}: {found}: {text}");
    }
}

/// Of every kind of rule some contradiction above, or one here, breaks one.
#[test]
fn every_rule_catches_something() {
    let mut caught = HashSet::new();
    let mut all = HashSet::new();
    for (which, catalogue) in catalogues().iter().enumerate() {
        let constraints = Constraints::new(catalogue);
        all.extend(constraints.rules.iter().map(std::mem::discriminant));
        let changes = CONTRADICTIONS
            .iter()
            .filter(|c| c.0 == which)
            .map(|c| (c.1, c.2));
        let more = [
            ("active_days", 1.0),
            ("active_days_15d", 9.0),
            ("active_days_120d", 99.0),
            ("active_age_days", 300.0),
        ];
        for (name, value) in changes.chain(more) {
            let mut vector = user(which);
            let Ok(position) = catalogue.position_of(name) else {
                continue;
            };
            vector[position] = value;
            let broken = constraints
                .rules
                .iter()
                .filter(|rule| rule.is_broken(|p: &usize| vector[*p]));
            caught.extend(broken.map(std::mem::discriminant));
        }
    }
    assert_eq!(caught.len(), all.len());
}

/// What a client sends that counts days before the user's first, or after the last.
#[test]
fn a_season_outside_of_a_users_time_is_refused() {
    let catalogue = &catalogues()[2];
    let problem = |named: &[(&str, f64)]| {
        let vector = catalogue.vector(named.iter().copied()).unwrap();
        let checked = Constraints::new(catalogue).check(&vector);
        checked.map_err(|contradiction| contradiction.problem)
    };
    let season = "active_days_30d_2y_ago";
    let refused = |other, value, part: &str| {
        let text = problem(&[(season, 1.0), (other, value)]).unwrap_err();
        assert!(text.contains(part), "{text}");
    };
    refused(
        "tenure_days",
        722.0,
        "known only where the second is at least 723",
    );
    refused("active_age_days", 693.0, "ended 693 days ago");
    refused(
        "recency_days",
        724.0,
        "nothing happened in the last 723 days",
    );
    refused("active_days_year_2_back", 0.0, "cannot be greater");
    let text = problem(&[("active_days_year_1_back", 0.0), ("recency_days", 365.0)]).unwrap_err();
    assert!(text.contains("in the last 365 days exactly when"), "{text}");
    // The negative control: the first and the last day that are possible.
    for (other, value) in [
        ("tenure_days", 723.0),
        ("active_age_days", 694.0),
        ("recency_days", 723.0),
        ("active_days_year_2_back", 1.0),
    ] {
        assert_eq!(problem(&[(season, 1.0), (other, value)]), Ok(()), "{other}");
    }
}

#[test]
fn the_features_of_the_reported_case_are_named() {
    let reported = [
        ("recency_days", 60.0),
        ("recency_any_days", 4.0),
        ("tenure_days", 19.0),
        ("active_age_days", 19.0),
        ("active_days", 500.0),
        ("active_days_30d", 5.0),
        ("events", 5.0),
        ("one_active_day", 1.0),
    ];
    let catalogue = &catalogues()[0];
    let vector = catalogue.vector(reported.into_iter()).unwrap();
    let problem = Constraints::new(catalogue)
        .check(&vector)
        .unwrap_err()
        .problem;
    assert_eq!(
        problem,
        "`recency_days` is 60, `active_age_days` is 19: the first cannot be greater than the second"
    );
}

#[test]
fn the_first_bad_row_of_a_matrix_is_found() {
    let catalogue = &catalogues()[0];
    let constraints = Constraints::new(catalogue);
    let good = extract(catalogue, &ROWS, 100);
    let mut rows = vec![good; 200];
    assert_eq!(constraints.check_matrix(&rows.concat()), Ok(()));
    assert_eq!(constraints.check_matrix(&[]), Ok(()));
    let at = |name| catalogue.position_of(name).unwrap();
    rows[141][at("recency_days")] = 101.0;
    rows[140][at("weekday_regularity")] = 2.0;
    let (row, found) = constraints.check_matrix(&rows.concat()).unwrap_err();
    assert_eq!((row, found.position), (140, at("weekday_regularity")));
    assert_eq!(found, constraints.check(&rows[140]).unwrap_err());
}

#[test]
fn what_no_history_gives_cannot_be_known() {
    let catalogue = &catalogues()[0];
    let constraints = Constraints::new(catalogue);
    let mut once = extract(catalogue, &[(0, 0, 1, 5.0)], 20);
    assert_eq!(constraints.check(&once), Ok(()));
    once[catalogue.position_of("gap_last_days").unwrap()] = 12.0;
    let problem = constraints.check(&once).unwrap_err().problem;
    assert!(
        problem.contains("known only where the second is at least 2"),
        "{problem}"
    );
    let never = catalogue
        .vector([("active_days", 0.0), ("recency_days", 3.0)].into_iter())
        .unwrap();
    let problem = constraints.check(&never).unwrap_err().problem;
    assert!(
        problem.contains("`recency_days` is 3, `active_days` is 0"),
        "{problem}"
    );
    // The negative control: what is not given contradicts nothing.
    let some = catalogue
        .vector([("active_days", 4.0), ("recency_days", 3.0)].into_iter())
        .unwrap();
    assert_eq!(constraints.check(&some), Ok(()));
}
