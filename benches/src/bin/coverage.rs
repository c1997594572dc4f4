//! How often the rule of what a log covers is wrong: false alarms on synthetic and real logs, and power.
//!
//! `cargo run --release -p ebb-benches --bin coverage [ROLLUP ...]`; a roll-up is judged as of every seventh day of its life.
#![expect(clippy::unwrap_used, reason = "a measurement may end loudly")]

use std::collections::BTreeMap;
use std::path::Path;

use ebb::history::{
    Coverage, CoverageSettings, DailyCounts, Day, DayBounds, HistoriesBuilder, LabelKinds, Stretch,
    Users, read_rollup,
};
use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, Gamma, Poisson};
use rand_xoshiro::Xoshiro256PlusPlus;

const LOGS: u64 = 400;
const DAYS: i32 = 730;
const RATES: [f64; 3] = [1.0, 13.0, 200.0];

type Counts = BTreeMap<Day, u64>;

fn day(number: i32) -> Day {
    // 2023-04-03, a Monday.
    Day::new(19_450 + number).unwrap()
}

/// Counts whose weeks vary by `weeks` (a coefficient of variation) and days by `days`, around a shape.
fn counts(seed: u64, weeks: f64, days: f64, shape: impl Fn(i32) -> f64) -> Counts {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let gamma = |cv: f64| Gamma::new(1.0 / (cv * cv), cv * cv).unwrap();
    let (week_noise, day_noise) = (gamma(weeks), gamma(days));
    let mut week = 1.0;
    let mut counts = Counts::new();
    for number in 0..DAYS {
        if number % 7 == 0 {
            week = week_noise.sample(&mut random);
        }
        let mean = shape(number) * week * day_noise.sample(&mut random);
        let users = if mean > 0.0 {
            Poisson::new(mean).unwrap().sample(&mut random) as u64
        } else {
            0
        };
        if users > 0 {
            counts.insert(day(number), users);
        }
    }
    counts
}

fn covered(kinds: &[(&str, &Counts)]) -> Option<Coverage> {
    let kinds = kinds
        .iter()
        .map(|(kind, counts)| ((*kind).to_owned(), (*counts).clone()))
        .collect();
    let activity = ["buy".to_owned()];
    let labels = LabelKinds {
        activity: &activity,
        churn_event: None,
        conversion: &[],
    };
    Coverage::of(
        &DailyCounts::from_kinds(kinds),
        labels,
        CoverageSettings::default(),
    )
}

/// Whether a log is taken for whole.
fn is_whole(coverage: &Coverage, counts: &Counts) -> bool {
    let last = counts.keys().last().unwrap().plus(1);
    coverage.holes.is_empty()
        && coverage.labels_until == last
        && coverage.span.from == *counts.keys().next().unwrap()
}

fn weekday(number: i32) -> f64 {
    [1.1, 1.0, 1.0, 1.1, 1.3, 0.9, 0.6][number.rem_euclid(7) as usize]
}

fn false_alarms() {
    let season = |n: i32| 1.0 + 0.6 * (f64::from(n) * std::f64::consts::TAU / 365.0).sin();
    let shapes: [(&str, &dyn Fn(i32) -> f64); 8] = [
        ("steady, weekdays", &weekday),
        ("closed at weekends", &|n| {
            if n.rem_euclid(7) >= 5 { 0.0 } else { 1.4 }
        }),
        ("a season of a year", &|n| weekday(n) * season(n)),
        ("grows a hundredfold", &|n| {
            weekday(n) * 0.02 * (f64::from(n) * 100.0_f64.ln() / f64::from(DAYS)).exp()
        }),
        ("fades to a hundredth", &|n| {
            weekday(n) * (-f64::from(n) * 100.0_f64.ln() / f64::from(DAYS)).exp()
        }),
        ("campaigns, tenfold", &|n| {
            weekday(n) * if n % 75 < 4 { 10.0 } else { 1.0 }
        }),
        ("closed 23 Dec to 2 Jan", &|n| {
            if (264..275).contains(&n) {
                0.0
            } else {
                weekday(n)
            }
        }),
        ("closed for nine days", &|n| {
            if (400..409).contains(&n) {
                0.0
            } else {
                weekday(n)
            }
        }),
    ];
    println!(
        "False alarms: logs of {DAYS} days not taken for whole, of {LOGS}; weeks and days vary by 30 %"
    );
    println!(
        "{:<26}{:>14}{:>14}{:>14}",
        "users a day", RATES[0], RATES[1], RATES[2]
    );
    for (name, shape) in shapes {
        let row = RATES.map(|rate| {
            let logs = (0..LOGS).map(|seed| counts(seed, 0.3, 0.3, |n| rate * shape(n)));
            let wrong = logs
                .filter(|log| covered(&[("buy", log)]).is_some_and(|c| !is_whole(&c, log)))
                .count();
            100.0 * wrong as f64 / LOGS as f64
        });
        println!(
            "{name:<26}{:>12.2} %{:>12.2} %{:>12.2} %",
            row[0], row[1], row[2]
        );
    }
}

/// Whether days are taken for a hole, give or take two at each end.
fn finds(coverage: &Coverage, hole: Stretch) -> bool {
    let near = |a: Day, b: Day| a.since(b).abs() <= 2;
    coverage
        .holes
        .iter()
        .any(|h| near(h.days.from, hole.from) && near(h.days.until, hole.until))
}

fn power() {
    println!("\nPower: found of {LOGS} logs, weeks and days vary by 30 %");
    println!(
        "{:<26}{:>14}{:>14}{:>14}",
        "users a day", RATES[0], RATES[1], RATES[2]
    );
    let line = |name: String, found: &dyn Fn(f64, u64) -> bool| {
        let row = RATES.map(|rate| {
            100.0 * (0..LOGS).filter(|seed| found(rate, *seed)).count() as f64 / LOGS as f64
        });
        println!(
            "{name:<26}{:>12.1} %{:>12.1} %{:>12.1} %",
            row[0], row[1], row[2]
        );
    };
    for ahead in [10, 20, 40] {
        line(format!("a stray row {ahead} days ahead"), &|rate, seed| {
            let mut log = counts(seed, 0.3, 0.3, |n| rate * weekday(n));
            let end = log.keys().last().unwrap().plus(1);
            log.insert(end.plus(ahead - 1), 1);
            covered(&[("buy", &log)]).unwrap().labels_until == end
        });
    }
    for length in [7, 10, 14, 30] {
        line(format!("a hole of {length} days"), &|rate, seed| {
            let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
            // Not at the turn of the year.
            let from = random.gen_range(290..600);
            let hole = Stretch {
                from: day(from),
                until: day(from + length),
            };
            let mut log = counts(seed, 0.3, 0.3, |n| rate * weekday(n));
            log.retain(|at, _| *at < hole.from || *at >= hole.until);
            finds(&covered(&[("buy", &log)]).unwrap(), hole)
        });
    }
    for length in [3, 7, 14, 30] {
        line(
            format!("a feed stopped {length} days ago"),
            &|rate, seed| {
                let visits = counts(seed + 10_000, 0.3, 0.3, |n| 3.0 * rate * weekday(n));
                let mut log = counts(seed, 0.3, 0.3, |n| rate * weekday(n));
                log.retain(|at, _| *at < day(DAYS - length));
                let last = log.keys().last().unwrap().plus(1);
                covered(&[("buy", &log), ("visit", &visits)])
                    .unwrap()
                    .labels_until
                    == last
            },
        );
    }
}

/// How a real log was judged as of every seventh day.
fn real(rollup: &Path) {
    let mut builder = HistoriesBuilder::default();
    read_rollup(rollup, DayBounds::default(), Users::All, &mut builder).unwrap();
    let histories = builder.finish().unwrap();
    let counts = DailyCounts::of(&histories, &[]).unwrap();
    let (first, last) = histories.span().unwrap();
    let (mut dates, mut wrong, mut found) = (0, 0, BTreeMap::new());
    for as_of in (60..=last.since(first) + 1)
        .step_by(7)
        .map(|days| first.plus(days))
    {
        let seen: Counts = counts
            .all()
            .range(..as_of)
            .map(|(day, users)| (*day, *users))
            .collect();
        let Some(coverage) = covered(&[("buy", &seen)]) else {
            continue;
        };
        dates += 1;
        if !is_whole(&coverage, &seen) {
            wrong += 1;
            let holes = coverage
                .holes
                .iter()
                .map(|h| format!("{} to {}", h.days.from, h.days.until.plus(-1)));
            let what: Vec<String> = holes
                .chain([format!(
                    "covered {} to {}",
                    coverage.span.from, coverage.span.until
                )])
                .collect();
            *found.entry(what.join(", ")).or_insert(0) += 1;
        }
    }
    println!(
        "{}: {first} to {last}, {dates} dates, {wrong} not taken for whole",
        rollup.display()
    );
    found
        .iter()
        .for_each(|(what, times)| println!("    {times} x {what}"));
}

fn main() {
    let rollups: Vec<String> = std::env::args().skip(1).collect();
    if rollups.is_empty() {
        false_alarms();
        power();
    }
    rollups.iter().for_each(|rollup| real(Path::new(rollup)));
}
