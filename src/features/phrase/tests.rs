use crate::features::{Catalogue, FeatureSchema};

#[test]
fn numbers_are_written_as_the_standard_library_would() {
    let slowly = |value: f64| {
        let rounded = (value * 10.0).round() / 10.0;
        let whole = rounded.abs() >= 10.0 || rounded.fract() == 0.0;
        if whole {
            format!("{rounded:.0}")
        } else {
            format!("{rounded:.1}")
        }
    };
    let steps = (-3_000..3_000).map(|i| f64::from(i) * 0.037);
    let edges = [
        0.05,
        0.95,
        9.95,
        9.949,
        10.5,
        11.5,
        99.96,
        -0.5,
        1e14,
        12_345_678.9,
        1e300,
        -1e16,
    ];
    for value in steps.chain(edges) {
        let expected = if slowly(value) == "-0" {
            "0".to_owned()
        } else {
            slowly(value)
        };
        assert_eq!(super::words::number(value), expected, "{value}");
    }
}

#[test]
fn a_probability_is_never_certain() {
    let said = [0.0, 0.004, 0.01, 0.345, 0.99, 0.9901, 0.9971, 1.0].map(super::words::percent);
    let (less, more) = ("less than 1 %", "more than 99 %");
    assert_eq!(said, [less, less, "1 %", "34 %", "99 %", more, more, more]);
}

fn catalogue() -> Catalogue {
    Catalogue::new(FeatureSchema {
        activity: vec!["purchase".into()],
        other_kinds: vec!["visit".into(), "order_placed".into()],
        horizon_days: vec![30],
        amounts: true,
        seasonal_years: 0,
        lead_days: 0,
        value_kinds: Vec::new(),
        attributes: Vec::new(),
    })
    .unwrap()
}

fn vector(named: &[(&str, f64)]) -> Vec<f64> {
    catalogue()
        .vector(
            [("tenure_days", 400.0), ("recency_days", 50.0)]
                .iter()
                .chain(named)
                .copied(),
        )
        .unwrap()
}

fn say(name: &str, named: &[(&str, f64)]) -> String {
    let catalogue = catalogue();
    catalogue
        .phrase(catalogue.position_of(name).unwrap(), &vector(named))
        .unwrap()
}

fn contrast(name: &str, named: &[(&str, f64)]) -> Option<super::Contrast> {
    let catalogue = catalogue();
    catalogue.phrase_by_contrast(catalogue.position_of(name).unwrap(), &vector(named))
}

#[test]
fn a_count_is_contrasted_with_what_was_lately() {
    let words = |name: &str, named: &[(&str, f64)]| contrast(name, named).unwrap().words;
    let visits = |all, lately| {
        words(
            "visit_count",
            &[("visit_count", all), ("visit_count_30d", lately)],
        )
    };
    assert_eq!(visits(86.0, 0.0), "86 visits, none in the last 30 days");
    assert_eq!(
        visits(86.0, 4.0),
        "86 visits, 4 of them in the last 30 days"
    );
    assert_eq!(
        visits(3.0, 3.0),
        "3 visits, all of them in the last 30 days"
    );
    assert_eq!(visits(1.0, 1.0), "1 visit, in the last 30 days");
    let active = [
        ("active_days", 40.0),
        ("active_days_30d", 0.0),
        ("active_days_half_life_30d", 4.4),
    ];
    assert_eq!(
        words("active_days", &active),
        "40 days with a purchase, none in the last 30 days"
    );
    assert_eq!(
        words("active_days_half_life_30d", &active),
        words("active_days", &active)
    );
    let window = [("active_days_120d", 27.0), ("active_days_30d", 0.0)];
    let expected = "27 days with a purchase in the last 120 days, none in the last 30 days";
    assert_eq!(words("active_days_120d", &window), expected);
    let amounts = [("amount", 812.4), ("amount_30d", 20.0)];
    assert_eq!(
        words("amount", &amounts),
        "purchase amount of 812, 20 of it in the last 30 days"
    );
    let placed = [("order_placed_count", 2.0), ("order_placed_count_30d", 0.0)];
    assert_eq!(
        words("order_placed_count", &placed),
        "2 order placed events, none in the last 30 days"
    );
    assert_eq!(
        words("gap_mean_days", &[("gap_mean_days", 3.8)]),
        "last purchase 50 days ago; usually every 3.8"
    );
    // What there is nothing to contrast with.
    assert_eq!(contrast("events", &[("events", 5.0)]), None);
    assert_eq!(
        contrast(
            "visit_count",
            &[("visit_count", 0.0), ("visit_count_30d", 0.0)]
        ),
        None
    );
    assert_eq!(
        contrast(
            "active_days_15d",
            &[("active_days_15d", 2.0), ("active_days_30d", 3.0)]
        ),
        None
    );
}

/// In 400 days 86 visits are 6.5 in 30.
#[test]
fn a_contrast_is_clear_or_it_is_none() {
    let way = |lately| {
        let contrast = contrast(
            "visit_count",
            &[("visit_count", 86.0), ("visit_count_30d", lately)],
        )
        .unwrap();
        (contrast.is_fall, contrast.is_rise)
    };
    assert_eq!(
        [0.0, 3.0, 4.0, 9.0, 10.0]
            .map(way)
            .map(|(fall, rise)| i8::from(rise) - i8::from(fall)),
        [-1, -1, 0, 0, 1]
    );
}

#[test]
fn a_trend_is_described_by_its_counts() {
    let trend = |few: f64, many: f64, tenure: f64| {
        let counts = [
            ("active_days_30d", few),
            ("active_days_120d", many),
            ("tenure_days", tenure),
        ];
        say(
            "trend_30d_over_120d",
            &[&counts[..], &[("trend_30d_over_120d", 0.1)]].concat(),
        )
    };
    let of = |rest: &str| format!("activity of the last 30 days {rest}");
    assert_eq!(
        trend(0.0, 1.0, 400.0),
        of("100 % below the longer run (0 of 30 days, 1 of 120)")
    );
    assert_eq!(
        trend(1.0, 2.0, 400.0),
        of("100 % above the longer run (1 of 30 days, 2 of 120)")
    );
    assert_eq!(
        trend(0.0, 0.0, 400.0),
        of("as in the longer run (0 of 30 days, 0 of 120)")
    );
    assert_eq!(
        trend(5.0, 20.0, 400.0),
        of("as in the longer run (5 of 30 days, 20 of 120)")
    );
    assert_eq!(
        trend(2.0, 3.0, 60.0),
        of("33 % above the longer run (2 of 30 days, 3 of 60)")
    );
}

#[test]
fn own_gaps_are_counted() {
    assert_eq!(
        say("recency_days", &[("active_days", 1.0)]),
        "purchase on one day only, 50 days ago"
    );
    let gaps = |share: f64, active: f64| {
        say(
            "gaps_exceeded",
            &[("gaps_exceeded", share), ("active_days", active)],
        )
    };
    let of = |rest: &str| format!("last purchase 50 days ago, {rest}");
    assert_eq!(
        gaps(12.5 / 13.0, 13.0),
        of("longer than all of the user's own 12 gaps")
    );
    assert_eq!(
        gaps(0.5 / 13.0, 13.0),
        of("longer than none of the user's own 12 gaps")
    );
    assert_eq!(
        gaps(9.5 / 13.0, 13.0),
        of("longer than 9 of the user's own 12 gaps")
    );
    assert_eq!(gaps(0.75, 2.0), of("longer than the user's only gap"));
    assert_eq!(
        say("recency_share", &[("recency_share", 1.0)]),
        "no purchase since the day of the first event"
    );
    let most = say("recency_share", &[("recency_share", 0.997)]);
    assert_eq!(
        most,
        "last purchase was more than 99 % of the way back to the first event"
    );
}

#[test]
fn sentences_read_as_a_person_would_say_them() {
    let catalogue = Catalogue::new(FeatureSchema {
        activity: vec!["purchase".into()],
        other_kinds: vec!["support_ticket".into()],
        horizon_days: vec![60],
        amounts: true,
        seasonal_years: 0,
        lead_days: 0,
        value_kinds: Vec::new(),
        attributes: Vec::new(),
    })
    .unwrap();
    let named = [
        ("recency_days", 47.0),
        ("gap_mean_days", 12.04),
        ("overdue_ratio", 3.7),
        ("tenure_days", 1.0),
        ("active_days_60d", 3.0),
        ("trend_60d_over_240d", -0.7),
        ("support_ticket_recency_days", 3.0),
        ("amount_mean", 19.95),
    ];
    let vector = catalogue.vector(named.into_iter()).unwrap();
    let say = |name| catalogue.phrase(catalogue.position_of(name).unwrap(), &vector);
    assert_eq!(
        say("recency_days").unwrap(),
        "last purchase 47 days ago; usually every 12"
    );
    assert_eq!(
        say("overdue_ratio").unwrap(),
        "last purchase 47 days ago; usually every 12"
    );
    assert_eq!(say("tenure_days").unwrap(), "known for 1 day");
    assert_eq!(
        say("active_days_60d").unwrap(),
        "Days with a purchase in the last 60 days: 3"
    );
    assert_eq!(
        say("trend_60d_over_240d").unwrap(),
        "activity of the last 60 days below the longer run"
    );
    assert_eq!(
        say("support_ticket_recency_days").unwrap(),
        "last support ticket 3 days ago"
    );
    assert_eq!(
        say("amount_mean").unwrap(),
        "Mean amount of a day with a purchase: 20"
    );
    assert_eq!(say("gap_last_days"), None);
}

#[test]
fn orders_are_described() {
    let catalogue = Catalogue::new(FeatureSchema {
        value_kinds: vec!["purchase".into(), "gift_card".into()],
        ..catalogue().schema().clone()
    })
    .unwrap();
    let say = |name, value| {
        let vector = catalogue.vector([(name, value)].into_iter()).unwrap();
        catalogue.phrase(catalogue.position_of(name).unwrap(), &vector)
    };
    assert_eq!(say("order_days", 1.0).unwrap(), "1 order");
    assert_eq!(say("order_days", 12.0).unwrap(), "12 orders");
    assert_eq!(
        say("recency_order_days", 47.0).unwrap(),
        "last order 47 days ago"
    );
    assert_eq!(say("order_age_days", 1.0).unwrap(), "first order 1 day ago");
    assert_eq!(say("order_amount", 812.4).unwrap(), "orders of 812 in all");
    assert_eq!(
        say("order_repeat_amount", 7.25).unwrap(),
        "orders after the first of 7.3 on average"
    );
    let days = &catalogue.features()[catalogue.orders().start];
    assert_eq!(
        days.description,
        "Days on which the amounts of purchase and gift card add up to more than 0, ever."
    );
    // Amounts of orders are never below 0.
    let refused = catalogue.vector([("order_amount", -1.0)].into_iter());
    assert!(refused.unwrap_err().to_string().contains("not negative"));
}

#[test]
fn a_season_is_described_beside_its_year() {
    let schema = |activity: &[&str], lead_days| FeatureSchema {
        activity: activity.iter().map(|kind| (*kind).to_owned()).collect(),
        other_kinds: vec![],
        horizon_days: vec![1, 30],
        amounts: false,
        seasonal_years: 2,
        lead_days,
        value_kinds: Vec::new(),
        attributes: Vec::new(),
    };
    let say = |schema: FeatureSchema, named: &[(&str, f64)]| {
        let catalogue = Catalogue::new(schema).unwrap();
        let vector = catalogue.vector(named.iter().copied()).unwrap();
        let position = catalogue.position_of(named[0].0).unwrap();
        catalogue.phrase(position, &vector).unwrap()
    };
    let bought = |named: &[(&str, f64)]| say(schema(&["purchase"], 7), named);
    assert_eq!(
        bought(&[("active_days_30d_1y_ago", 2.0)]),
        "2 days with a purchase in the same 30 days a year ago"
    );
    let year = ("active_days_year_1_back", 14.0);
    assert_eq!(
        bought(&[("active_days_30d_1y_ago", 2.0), year]),
        "2 days with a purchase in the same 30 days a year ago, of 14 in the year from then on"
    );
    assert_eq!(
        bought(&[("active_days_30d_1y_ago", 0.0), year]),
        "no purchase in the same 30 days a year ago, though on 14 days of the year from then on"
    );
    assert_eq!(
        bought(&[
            ("active_days_30d_1y_ago", 0.0),
            ("active_days_year_1_back", 0.0)
        ]),
        "no purchase in the same 30 days a year ago"
    );
    // Eight of the days around the season lie before the year.
    assert_eq!(
        bought(&[("active_days_30d_1y_ago_wide", 1.0), year]),
        "1 day with a purchase in the 60 days around the same 30 days a year ago"
    );
    assert_eq!(
        bought(&[("active_days_1d_2y_ago", 1.0)]),
        "1 day with a purchase on the same day 2 years ago"
    );
    assert_eq!(
        bought(&[year]),
        "14 days with a purchase in the last 365 days"
    );
    assert_eq!(
        say(
            schema(&["visit", "purchase"], 0),
            &[("active_days_year_2_back", 0.0)]
        ),
        "no activity in the 365 days that ended 365 days ago"
    );
}
