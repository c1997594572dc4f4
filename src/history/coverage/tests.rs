use std::collections::BTreeMap;

use crate::history::coverage::*;
use crate::history::{Amount, DayRecord, HistoriesBuilder};
use crate::math::splitmix::splitmix64;

const START: i32 = 19_700; // 2023-12-09

fn day(number: i32) -> Day {
    Day::new(START + number).unwrap()
}

fn stretch(from: i32, until: i32) -> Stretch {
    Stretch {
        from: day(from),
        until: day(until),
    }
}

/// Numbers that look random and are the same on every run.
struct Rng(u64);

impl Rng {
    fn uniform(&mut self) -> f64 {
        let drawn = splitmix64(self.0);
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        (drawn >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A Poisson number, by counting the arrivals of pieces of at most ten expected ones.
    fn poisson(&mut self, mut mean: f64) -> u64 {
        let mut arrivals = 0;
        while mean > 0.0 {
            let piece = mean.min(10.0);
            mean -= piece;
            let (limit, mut product) = ((-piece).exp(), self.uniform());
            while product > limit {
                arrivals += 1;
                product *= self.uniform();
            }
        }
        arrivals
    }
}

type Counts = BTreeMap<Day, u64>;

/// Poisson counts of so many days, whose means `rate` gives.
fn series(seed: u64, days: i32, rate: impl Fn(i32) -> f64) -> Counts {
    let mut dice = Rng(seed);
    let users = (0..days).map(|number| (day(number), dice.poisson(rate(number))));
    users.filter(|(_, users)| *users > 0).collect()
}

fn purchases() -> [String; 1] {
    ["purchase".to_owned()]
}

fn covered_with(kinds: &[(&str, &Counts)], settings: CoverageSettings) -> Coverage {
    let kinds = kinds
        .iter()
        .map(|(kind, counts)| ((*kind).to_owned(), (*counts).clone()));
    let counts = DailyCounts::from_kinds(kinds.collect());
    let activity = purchases();
    Coverage::of(
        &counts,
        LabelKinds {
            activity: &activity,
            churn_event: None,
            conversion: &[],
        },
        settings,
    )
    .unwrap()
}

fn covered(counts: &Counts) -> Coverage {
    covered_with(&[("purchase", counts)], CoverageSettings::default())
}

fn days_of(coverage: &Coverage) -> Vec<Stretch> {
    coverage.holes.iter().map(|hole| hole.days).collect()
}

/// That a log is covered from its first to its last row, without a hole.
fn assert_whole(counts: &Counts, what: &str) {
    let coverage = covered(counts);
    let (first, last) = (counts.keys().next().unwrap(), counts.keys().last().unwrap());
    let whole = Stretch {
        from: *first,
        until: last.plus(1),
    };
    assert_eq!(
        (coverage.span, coverage.labels_until, days_of(&coverage)),
        (whole, whole.until, vec![]),
        "{what}"
    );
}

#[test]
fn a_stray_row_after_the_end_is_not_covered() {
    for (rate, ahead) in [
        (13.0, 19),
        (13.0, 36),
        (400.0, 11),
        (3.0, 30),
        (13.0, 27_000),
    ] {
        let mut counts = series(1, 320, |_| rate);
        let end = counts.keys().last().unwrap().plus(1);
        counts.insert(end.plus(ahead), 1);
        let coverage = covered(&counts);
        assert_eq!(
            (coverage.span.until, coverage.labels_until),
            (end, end),
            "{rate} users a day, {ahead} days ahead"
        );
        assert_eq!(days_of(&coverage), []);
        // The negative control: kept by hand, the same row moves the end, and the days before it are a hole.
        let kept = covered_with(
            &[("purchase", &counts)],
            CoverageSettings {
                keep_strays: true,
                ..Default::default()
            },
        );
        assert_eq!(
            (kept.span.until, kept.holes.len()),
            (end.plus(ahead + 1), 1)
        );
    }
}

#[test]
fn several_strays_of_wrong_clocks_are_not_covered() {
    let mut counts = series(2, 320, |_| 13.0);
    for ahead in [20, 40, 41, 60, 80, 100, 300, 9_000] {
        counts.insert(day(320 + ahead), 1);
    }
    // A placeholder that many rows have.
    counts.insert("2099-12-31".parse().unwrap(), 500);
    counts.insert("1970-01-01".parse().unwrap(), 300);
    counts.insert("1900-01-01".parse().unwrap(), 1);
    let coverage = covered(&counts);
    assert_eq!(
        (coverage.span, days_of(&coverage)),
        (stretch(0, 320), vec![])
    );
}

#[test]
fn a_hole_is_found_to_the_day() {
    for (rate, from, days) in [
        (13.0, 100, 46),
        (13.0, 200, 20),
        (2.0, 150, 30),
        (500.0, 120, 12),
        (13.0, 40, 30),
    ] {
        let mut counts = series(3, 320, |_| rate);
        counts.retain(|at, _| !stretch(from, from + days).iter().any(|hole| hole == *at));
        let found = days_of(&covered(&counts));
        let [found] = found.as_slice() else {
            panic!("{rate} a day, {days} days: {found:?}")
        };
        // Where few come, the days beside a hole are empty at times, too.
        assert!(
            found.from <= day(from) && found.until >= day(from + days) && found.days() <= days + 4,
            "{found:?}"
        );
        assert!(rate < 10.0 || *found == stretch(from, from + days));
        let kept = covered_with(
            &[("purchase", &counts)],
            CoverageSettings {
                keep_holes: true,
                ..Default::default()
            },
        );
        assert_eq!(days_of(&kept), [], "by hand");
    }
}

#[test]
fn a_hole_with_a_few_rows_in_it_is_one_hole() {
    let mut counts = series(4, 400, |_| 60.0);
    counts.retain(|at, _| !stretch(200, 246).iter().any(|hole| hole == *at));
    for stray in [209, 221, 222, 235] {
        counts.insert(day(stray), 1);
    }
    assert_eq!(days_of(&covered(&counts)), [stretch(200, 246)]);
}

#[test]
fn a_log_that_went_on_after_a_hole_is_covered_to_its_end() {
    let mut counts = series(5, 300, |_| 13.0);
    counts.retain(|at, _| !stretch(250, 295).iter().any(|hole| hole == *at));
    let coverage = covered(&counts);
    assert_eq!(
        (coverage.span.until, days_of(&coverage)),
        (day(300), vec![stretch(250, 295)])
    );
}

#[test]
fn a_feed_that_stops_ends_the_labels_but_not_the_log() {
    let visits = series(6, 320, |_| 40.0);
    for (rate, missing) in [(13.0, 30), (13.0, 4), (2.0, 30), (200.0, 3)] {
        let mut bought = series(7, 320 - missing, |_| rate);
        bought.insert(day(320 - missing - 1), 1);
        let coverage = covered_with(
            &[("purchase", &bought), ("visit", &visits)],
            CoverageSettings::default(),
        );
        assert_eq!(coverage.span.until, day(320));
        assert_eq!(
            coverage.labels_until,
            day(320 - missing),
            "{rate} a day, {missing} days"
        );
        assert!(coverage.holes.is_empty(), "{:?}", coverage.holes);
    }
    // The negative control: days without a purchase are usual where few are made.
    let mut rare = series(8, 320, |_| 0.3);
    rare.retain(|at, _| *at < day(316));
    let coverage = covered_with(
        &[("purchase", &rare), ("visit", &visits)],
        CoverageSettings::default(),
    );
    assert_eq!(coverage.labels_until, day(320));
}

#[test]
fn a_hole_of_one_feed_makes_no_label_there() {
    let visits = series(9, 320, |_| 40.0);
    let mut bought = series(10, 320, |_| 13.0);
    bought.retain(|at, _| !stretch(150, 180).iter().any(|hole| hole == *at));
    let coverage = covered_with(
        &[("purchase", &bought), ("visit", &visits)],
        CoverageSettings::default(),
    );
    assert_eq!(days_of(&coverage), [stretch(150, 180)]);
    assert_eq!(coverage.labels_until, day(320));
}

#[test]
fn what_businesses_do_is_no_hole() {
    for seed in 20..40 {
        let weekday = |number: i32| day(number).weekday();
        assert_whole(&series(seed, 500, |_| 1.0), "one event a day");
        assert_whole(&series(seed, 500, |_| 0.2), "an event every five days");
        assert_whole(
            &series(seed, 500, |n| if weekday(n) >= 5 { 0.0 } else { 50.0 }),
            "closed at weekends",
        );
        assert_whole(
            &series(seed, 700, |n| 0.05 * 1.015_f64.powi(n)),
            "grows from nothing to 1,700 a day",
        );
        assert_whole(
            &series(seed, 700, |n| 800.0 * 0.985_f64.powi(n)),
            "fades away",
        );
        assert_whole(
            &series(seed, 500, |n| if n % 90 < 3 { 900.0 } else { 12.0 }),
            "campaigns",
        );
        assert_whole(
            &series(
                seed,
                500,
                |n| if (60..69).contains(&n) { 0.0 } else { 12.0 },
            ),
            "closed for nine days",
        );
        assert_whole(
            &series(seed, 700, |n| if n % 30 == 0 { 200.0 } else { 0.0 }),
            "billed once a month",
        );
        assert_whole(
            &series(seed, 700, |n| 20.0 + 19.5 * (f64::from(n) / 58.0).sin()),
            "a season",
        );
    }
}

#[test]
fn a_business_that_closes_at_the_turn_of_the_year_has_no_hole() {
    for seed in 50..60 {
        let closed = stretch(380, 391); // 2024-12-23 to 2025-01-02
        let counts = series(seed, 500, |n| {
            if closed.from <= day(n) && day(n) < closed.until {
                0.0
            } else {
                900.0
            }
        });
        assert_whole(&counts, "closed for eleven days");
        // The negative controls: the same silence in autumn, and a whole month of winter, are holes.
        let autumn = series(
            seed,
            500,
            |n| if (290..301).contains(&n) { 0.0 } else { 900.0 },
        );
        assert_eq!(days_of(&covered(&autumn)), [stretch(290, 301)]);
        let winter = series(
            seed,
            500,
            |n| if (375..405).contains(&n) { 0.0 } else { 900.0 },
        );
        assert_eq!(days_of(&covered(&winter)), [stretch(375, 405)]);
    }
}

#[test]
fn a_season_that_returns_is_no_hole() {
    let open = |n: i32| n.rem_euclid(365) < 280;
    assert_whole(
        &series(70, 1_000, |n| if open(n) { 40.0 } else { 0.0 }),
        "closed every summer",
    );
    // The negative control: the first summer of a log of one year cannot be told from an outage.
    assert_eq!(
        covered(&series(70, 365 + 60, |n| if open(n) { 40.0 } else { 0.0 }))
            .holes
            .len(),
        1
    );
}

#[test]
fn scores_may_be_asked_for_a_few_days_beyond_or_in_a_season_of_silence() {
    let dense = covered(&series(81, 320, |_| 13.0));
    assert!(!dense.is_stale(day(320)) && !dense.is_stale(day(323)) && dense.is_stale(day(324)));
    // Where a week without anybody is usual, it is no reason to worry.
    let sparse = covered(&series(82, 500, |_| 0.2));
    assert!(sparse.usual_silence_days > 7 && !sparse.is_stale(sparse.labels_until.plus(7)));
    let open = |n: i32| n.rem_euclid(365) < 280;
    let seasonal = covered(&series(83, 645, |n| if open(n) { 40.0 } else { 0.0 }));
    assert!(!seasonal.is_stale(day(690)), "closed, as a year before");
    let busy = covered(&series(83, 500, |n| if open(n) { 40.0 } else { 0.0 }));
    assert!(busy.is_stale(day(545)), "a year before it was open");
}

#[test]
fn the_span_can_be_set_by_hand() {
    let mut counts = series(80, 320, |_| 13.0);
    counts.insert(day(350), 1);
    let settings = CoverageSettings {
        from: Some(day(10)),
        until: Some(day(360)),
        ..Default::default()
    };
    let coverage = covered_with(&[("purchase", &counts)], settings);
    assert_eq!(
        (coverage.span, coverage.labels_until),
        (stretch(10, 360), day(360))
    );
    assert_eq!(coverage.days_beyond(day(363)), 3);
    assert_eq!(coverage.days_beyond(day(360)), 0);
}

#[test]
fn users_are_counted_once_a_day_and_kind() {
    let mut builder = HistoriesBuilder::default();
    let (purchase, visit) = (
        builder.kind("purchase").unwrap(),
        builder.kind("visit").unwrap(),
    );
    for (user, at, count, kind) in [
        ("a", 0, 500, purchase),
        ("a", 0, 1, visit),
        ("b", 0, 1, purchase),
        ("b", 9, 3, visit),
    ] {
        builder
            .add(
                user,
                DayRecord {
                    amount: Amount::default(),
                    day: day(at),
                    count,
                    kind,
                },
            )
            .unwrap();
    }
    let counts = DailyCounts::of(&builder.finish().unwrap(), &["purchase"]).unwrap();
    let expected = |days: &[(i32, u64)]| {
        days.iter()
            .map(|(at, users)| (day(*at), *users))
            .collect::<Counts>()
    };
    assert_eq!(counts.of_kinds(["purchase"]), expected(&[(0, 2)]));
    assert_eq!(counts.of_kinds(["visit"]), expected(&[(0, 1), (9, 1)]));
    assert_eq!(*counts.all(), expected(&[(0, 3), (9, 1)]));
    assert_eq!(
        DailyCounts::of(&HistoriesBuilder::default().finish().unwrap(), &[]).unwrap(),
        DailyCounts::default()
    );
}

#[test]
fn the_feed_of_conversion_ends_and_breaks_by_itself() {
    let bought = series(1, 300, |_| 40.0);
    let mut signups = series(2, 300, |_| 20.0);
    let end = bought.keys().last().unwrap().plus(1);
    signups.retain(|on, _| *on < day(260) && !(day(100)..day(130)).contains(on));
    let kinds = [("purchase", bought), ("sign_up", signups)];
    let counts =
        DailyCounts::from_kinds(kinds.map(|(kind, counts)| (kind.to_owned(), counts)).into());
    let of = |conversion: &[&str]| {
        let conversion: Vec<String> = conversion.iter().map(|&kind| kind.to_owned()).collect();
        let labels = LabelKinds {
            activity: &purchases(),
            churn_event: None,
            conversion: &conversion,
        };
        Coverage::of(&counts, labels, CoverageSettings::default()).unwrap()
    };
    let (without, with) = (of(&[]), of(&["sign_up"]));
    // Churn is what it is without the question.
    assert_eq!((with.labels_until, &with.holes), (end, &without.holes));
    assert_eq!((without.labels_until, without.holes.len()), (end, 0));
    let part = with.of_conversion();
    assert_eq!(part.labels_until, day(260));
    assert_eq!(
        days_of(&part),
        [Stretch {
            from: day(100),
            until: day(130)
        }]
    );
    assert!(part.is_stale(end) && !with.is_stale(end));
    // The negative controls: a feed that lasts has no end of its own, and without the question there is none.
    assert_eq!(of(&["purchase"]).of_conversion().labels_until, end);
    assert_eq!(without.of_conversion(), without);
    // A card without the question has the keys that it always had.
    let json = serde_json::to_value(&without).unwrap();
    assert!(json.get("conversion").is_none());
}
