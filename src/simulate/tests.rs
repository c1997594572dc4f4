mod seasons;

use std::fs;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;

use super::event::{Event, Kind};
use super::life::Life;
use super::rhythm::Rhythm;
use super::world::World;
use crate::simulate::*;

/// The options of the committed sample, `datasets/shop`.
fn sample(out: PathBuf) -> SimulateOptions {
    SimulateOptions::new(2_700, 540, 7, out)
}

fn sample_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/shop")
}

fn text_of(folder: &Path, file: &str) -> String {
    let bytes = fs::read(folder.join(file)).unwrap();
    let mut text = String::new();
    if file.ends_with(".gz") {
        GzDecoder::new(bytes.as_slice())
            .read_to_string(&mut text)
            .unwrap();
    } else {
        text = String::from_utf8(bytes).unwrap();
    }
    text
}

/// The log's rows without the header.
fn rows_of(folder: &Path) -> Vec<String> {
    text_of(folder, "events.csv.gz")
        .lines()
        .skip(1)
        .map(str::to_owned)
        .collect()
}

fn simulated(users: u32, days: u32, corruption_rate: f64) -> (tempfile::TempDir, Summary) {
    let folder = tempfile::tempdir().unwrap();
    let options = SimulateOptions {
        corruption_rate,
        ..SimulateOptions::new(users, days, 7, folder.path().join("shop"))
    };
    let summary = simulate(&options).unwrap();
    (folder, summary)
}

fn lives(users: u32) -> (World, Vec<Life>) {
    lives_of(users, 540, Season::Mild)
}

fn lives_of(users: u32, days: u32, season: Season) -> (World, Vec<Life>) {
    let world = World::new(default_start(), days, season);
    let lives = (0..users).map(|user| Life::live(&world, 7, user)).collect();
    (world, lives)
}

fn purchases(events: &[Event], from: Day, until: Day) -> usize {
    events
        .iter()
        .filter(|e| e.kind == Kind::Purchase && (from..until).contains(&e.day))
        .count()
}

#[test]
fn the_committed_sample_is_what_its_options_make() {
    let folder = tempfile::tempdir().unwrap();
    let options = sample(folder.path().to_owned());
    simulate(&options).unwrap();
    // The log is compared unpacked: another release of the compressor may pack it differently.
    for file in ["events.csv.gz", "ebb.toml", "truth.csv"] {
        assert!(
            text_of(&sample_folder(), file) == text_of(folder.path(), file),
            "{file} differs; if the change is meant, run `just sample-log` and commit the result"
        );
    }
    let readme = text_of(&sample_folder().join(".."), "README.md");
    let SimulateOptions {
        users, days, seed, ..
    } = options;
    let command = format!(
        "ebb-train simulate --users {users} --days {days} --seed {seed} --out datasets/shop"
    );
    assert!(
        readme.contains(&command),
        "datasets/README.md should give: {command}"
    );
    let size: u64 = fs::read_dir(sample_folder())
        .unwrap()
        .map(|f| f.unwrap().metadata().unwrap().len())
        .sum();
    assert!(size < 1 << 20, "the sample has {size} bytes");
}

#[test]
fn equal_options_give_equal_bytes() {
    let ((a, summary_a), (b, summary_b)) = (simulated(40, 120, 0.02), simulated(40, 120, 0.02));
    assert_eq!(summary_a, summary_b);
    for file in ["events.csv.gz", "ebb.toml", "truth.csv"] {
        let read =
            |folder: &tempfile::TempDir| fs::read(folder.path().join("shop").join(file)).unwrap();
        assert!(read(&a) == read(&b), "{file}");
    }
    // Bytes 4 to 7 of a gzip header are the time of writing.
    let packed = fs::read(a.path().join("shop/events.csv.gz")).unwrap();
    assert_eq!(packed[4..8], [0; 4]);
    let other = SimulateOptions {
        seed: 8,
        ..SimulateOptions::new(40, 120, 7, a.path().join("other"))
    };
    simulate(&other).unwrap();
    assert_ne!(rows_of(&other.out), rows_of(&b.path().join("shop")));
}

#[test]
fn the_log_of_fewer_users_is_a_part_of_the_log_of_more() {
    let (few, many) = (simulated(30, 150, 0.05).0, simulated(80, 150, 0.05).0);
    let many_rows = rows_of(&many.path().join("shop"));
    let mut rest = many_rows.iter();
    for row in rows_of(&few.path().join("shop")) {
        assert!(rest.any(|other| *other == row), "{row}");
    }
    let (few, many) = (
        text_of(&few.path().join("shop"), "truth.csv"),
        text_of(&many.path().join("shop"), "truth.csv"),
    );
    assert!(many.starts_with(&few));
}

#[test]
fn nobody_does_anything_before_joining_or_after_leaving() {
    let (world, lives) = lives(600);
    for life in &lives {
        let gone = life.left(&world).unwrap_or(world.end);
        assert!(
            life.events
                .iter()
                .all(|e| (life.joined.max(world.start)..gone).contains(&e.day))
        );
        assert!(life.events.iter().all(|e| (0..86_400).contains(&e.second)));
        if life.joined >= world.start {
            assert!(purchases(&life.events, life.joined, life.joined.plus(1)) >= 1);
        }
    }
}

#[test]
fn every_cause_leaves_its_trace() {
    let (world, lives) = lives(4_000);
    // Purchases in the last 30 days of the leavers' stay, relative to what their own rate and the season promise.
    let kept_up = |wanted: Option<Cause>| {
        let (mut seen, mut promised) = (0.0, 0.0);
        for life in lives
            .iter()
            .filter(|life| life.exit.map(|exit| exit.cause) == wanted)
        {
            let until = life.left(&world).unwrap_or(world.end);
            let from = until.plus(-30);
            // The purchase with which a user joins is no sign of a rate.
            if from > life.joined
                && from > world.start
                && (life.left(&world).is_some() || wanted.is_none())
            {
                seen += purchases(&life.events, from, until) as f64;
                let season: f64 = (0..30)
                    .map(|d| world.tempo(from.plus(d), life.rhythm).purchases)
                    .sum();
                promised += life.traits.purchases_per_30_days / 30.0 * season;
            }
        }
        assert!(promised > 30.0, "too few users left by {wanted:?}");
        seen / promised
    };
    assert!((0.9..1.1).contains(&kept_up(None)));
    assert!(kept_up(Some(Cause::Drift)) < 0.4);
    assert!(kept_up(Some(Cause::PriceRise)) < 0.7);
    assert!(kept_up(Some(Cause::Competitor)) < 0.7);

    for life in &lives {
        let Some((exit, left)) = life.exit.zip(life.left(&world)) else {
            continue;
        };
        let has = |kind| {
            life.events
                .iter()
                .any(|e| e.kind == kind && e.day >= left.plus(-14))
        };
        match exit.cause {
            Cause::BadExperience => assert!(has(Kind::SupportTicket) && has(Kind::Return)),
            Cause::EndOfNeed | Cause::EndOfCourse => {
                assert_eq!(purchases(&life.events, exit.onset, world.end), 0);
            }
            Cause::PriceRise => {
                assert!(life.traits.price_sensitive && exit.onset == world.price_rise)
            }
            Cause::Competitor => assert_eq!(exit.onset, world.competitor),
            Cause::Drift => {}
        }
    }
}

#[test]
fn season_and_weekday_show_in_the_log() {
    let (world, lives) = lives(1_500);
    let day = |text: &str| text.parse::<Day>().unwrap();
    // Users who were there all the time, so that growth does not look like a season.
    let stayers: Vec<_> = lives
        .iter()
        .filter(|life| life.exit.is_none() && life.joined < world.start)
        .collect();
    let count = |from, until| {
        stayers
            .iter()
            .map(|life| purchases(&life.events, from, until))
            .sum::<usize>()
    };
    let (spring, advent) = (
        count(day("2024-04-20"), day("2024-05-20")),
        count(day("2024-11-20"), day("2024-12-20")),
    );
    assert!(
        advent as f64 > 1.25 * spring as f64,
        "{advent} purchases before Christmas, {spring} in spring"
    );
    let on = |weekday| {
        let bought = |e: &&Event| e.kind == Kind::Purchase && e.day.weekday() == weekday;
        lives
            .iter()
            .flat_map(|life| &life.events)
            .filter(bought)
            .count()
    };
    assert!(on(5) as f64 > 1.4 * on(6) as f64);
    let joined_by = |until: Day| lives.iter().filter(|life| life.joined < until).count();
    assert!(joined_by(world.start) < 450 && joined_by(world.start.plus(270)) < 950);
}

#[test]
fn the_truth_agrees_with_the_log() {
    let (folder, summary) = simulated(300, 200, 0.0);
    let folder = folder.path().join("shop");
    let log = rows_of(&folder);
    assert_eq!(summary.rows, log.len() as u64);
    assert_eq!(summary.noise, NoiseCounts::default());
    assert!(log.is_sorted_by_key(|row| row.split(',').nth(1).unwrap().to_owned()));
    let truth = text_of(&folder, "truth.csv");
    let mut reader = csv::Reader::from_reader(truth.as_bytes());
    let mut left_by_cause = BTreeMap::new();
    for row in reader.records().map(Result::unwrap) {
        let (user, joined, left) = (&row[0], &row[1], &row[2]);
        let mine = log
            .iter()
            .filter(|line| line.starts_with(user))
            .map(|line| &line[8..18]);
        for date in mine {
            assert!(
                date >= joined && (left.is_empty() || date < left),
                "{user} on {date}"
            );
        }
        if !left.is_empty() {
            *left_by_cause.entry(row[3].to_owned()).or_insert(0_u32) += 1;
        }
    }
    assert_eq!(
        left_by_cause.values().sum::<u32>(),
        summary.left.values().sum::<u32>()
    );
    assert_eq!(left_by_cause["drift"], summary.left[&Cause::Drift]);
}

#[test]
fn the_noise_is_as_counted_and_as_ordered() {
    let (folder, summary) = simulated(300, 300, 0.04);
    let log = rows_of(&folder.path().join("shop"));
    let count = |test: &dyn Fn(&str) -> bool| log.iter().filter(|row| test(row)).count() as u64;
    let NoiseCounts {
        without_user,
        bad_time,
        repeated,
        late,
        bot_visits,
    } = summary.noise;
    assert_eq!(count(&|row| row.starts_with(',')), without_user);
    assert_eq!(count(&|row| row.starts_with("B000001")), bot_visits);
    let readable = |row: &str| {
        let time = row.split(',').nth(1).unwrap();
        jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", time).is_ok()
    };
    assert_eq!(count(&|row| !readable(row)), bad_time);
    let people = summary.rows - bot_visits;
    let share = (without_user + bad_time + repeated) as f64 / people as f64;
    assert!((0.03..0.05).contains(&share), "{share}");
    assert!(late > 0 && bot_visits > 2_000);
    let mut distinct: Vec<_> = log.iter().filter(|row| row.starts_with('U')).collect();
    let all = distinct.len();
    distinct.sort_unstable();
    distinct.dedup();
    let again = (all - distinct.len()) as f64;
    assert!(
        (again - repeated as f64).abs() < 0.2 * repeated as f64,
        "{again} rows of {repeated} repeated"
    );
}

#[test]
fn options_out_of_range_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let good = SimulateOptions::new(1, 60, 1, folder.path().join("a/b"));
    let bad = |options: SimulateOptions| simulate(&options).unwrap_err().to_string();
    assert!(
        bad(SimulateOptions {
            users: 0,
            ..good.clone()
        })
        .contains("users is 0")
    );
    assert!(
        bad(SimulateOptions {
            days: 59,
            ..good.clone()
        })
        .contains("days is 59")
    );
    assert!(
        bad(SimulateOptions {
            days: 9_999,
            ..good.clone()
        })
        .contains("days is 9999")
    );
    assert!(
        bad(SimulateOptions {
            corruption_rate: f64::NAN,
            ..good.clone()
        })
        .contains("corruption_rate is NaN")
    );
    assert!(
        bad(SimulateOptions {
            start: jiff::civil::date(1815, 6, 18).into(),
            ..good.clone()
        })
        .contains("1815-06-18")
    );
    assert!(!good.out.exists());
    let blocked = folder.path().join("file");
    fs::write(&blocked, "").unwrap();
    let message = bad(SimulateOptions {
        out: blocked.clone(),
        ..good.clone()
    });
    assert!(
        message.contains(&blocked.display().to_string()),
        "{message}"
    );
    simulate(&good).unwrap();
}

#[test]
fn the_summary_reads_as_text() {
    let text = simulated(200, 100, 0.01).1.to_string();
    assert!(
        text.starts_with("200 users, ") && text.contains("2024-01-01 to 2024-04-10"),
        "{text}"
    );
    assert!(text.contains(" by bad experience"), "{text}");
}
