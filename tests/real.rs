//! Real logs, read as they are by the real `ebb-train`: known facts of each log, and probabilities held against the
//! future, which this file reads from the raw log on its own.
//!
//! `just real` runs them. The logs are not part of the repository: `EBB_REAL_DATA` names their folder.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests may fail loudly"
)]

#[path = "real/init.rs"]
mod init;
#[path = "real/kpi.rs"]
mod kpi;
#[path = "real/orders.rs"]
mod orders;
#[path = "real/power_laws.rs"]
mod power_laws;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ebb::history::{Day, DayBounds, HistoriesBuilder, Users, read_rollup};
use ebb::model;
use ebb::train::estimators::bg_nbd;
use serde_json::Value;
use tempfile::TempDir;

/// A file of the folder of real logs.
fn data(name: &str) -> PathBuf {
    let folder = std::env::var_os("EBB_REAL_DATA").map(PathBuf::from);
    let folder =
        folder.expect("EBB_REAL_DATA is set: the folder that datasets/fetch.sh downloads to");
    let path = folder.join(name);
    assert!(
        path.is_file(),
        "there is no {name} in {}: datasets/fetch.sh downloads it",
        folder.display()
    );
    // The program runs in a folder of its own, where a relative path would lead elsewhere.
    path.canonicalize().unwrap()
}

/// One log, its configuration and the question asked of it.
struct Case {
    log: PathBuf,
    config: PathBuf,
    as_of: Day,
    horizon_days: i32,
    active_within_days: i32,
    work: TempDir,
}

/// Purchase days of each user, read from the raw log by the test.
type Purchases = BTreeMap<String, BTreeSet<Day>>;

impl Case {
    fn new(
        log: &str,
        config: &str,
        as_of: &str,
        horizon_days: i32,
        active_within_days: i32,
    ) -> Self {
        let config = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/real")
            .join(config);
        let work = tempfile::tempdir().unwrap();
        Self {
            log: data(log),
            config,
            as_of: as_of.parse().unwrap(),
            horizon_days,
            active_within_days,
            work,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.work.path().join(name)
    }

    /// Runs `ebb-train` in the working folder with this log and configuration.
    fn run(&self, events: &Path, arguments: &str) {
        let (command, rest) = arguments.split_once(' ').unwrap();
        let done = Command::new(env!("CARGO_BIN_EXE_ebb-train"))
            .arg(command)
            .arg("--config")
            .arg(&self.config)
            .arg("--events")
            .arg(events)
            .args(rest.split_whitespace())
            .current_dir(self.work.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "{arguments}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
    }

    /// Fits and scores as of the case's day; the data-quality report of the whole log and the scores.
    fn fit_and_score(&self) -> (Value, BTreeMap<String, f64>) {
        let as_of = self.as_of;
        self.run(&self.log, &format!("fit --as-of {as_of} --out model"));
        self.run(
            &self.log,
            &format!("score --model model --as-of {as_of} --out scores.csv"),
        );
        self.run(&self.log, "rollup --out rollup --quality quality.json");
        let quality =
            serde_json::from_reader(File::open(self.path("quality.json")).unwrap()).unwrap();
        let mut scores = BTreeMap::new();
        for row in csv::Reader::from_path(self.path("scores.csv"))
            .unwrap()
            .records()
        {
            let row = row.unwrap();
            let doubled = scores.insert(row[0].to_owned(), row[3].parse().unwrap());
            assert_eq!((doubled, row[2].parse()), (None, Ok(self.horizon_days)));
        }
        (quality, scores)
    }

    /// The roll-up gives the model that the raw log gives, byte for byte.
    fn assert_rollup_gives_the_same_model(&self) {
        self.run(
            &self.path("rollup"),
            &format!("fit --as-of {} --out rolled", self.as_of),
        );
        let bundle = |model: &str| std::fs::read(self.path(model).join("bundle.json")).unwrap();
        assert!(
            bundle("model") == bundle("rolled"),
            "the roll-up gives another model than the log"
        );
    }

    /// The sum of all amounts in the roll-up.
    fn rollup_amount(&self) -> f64 {
        amount_of(&self.path("rollup"))
    }

    /// Log loss and AUC over all users who bought in the last `active_within_days`: exactly those are scored.
    fn judge(&self, scores: &BTreeMap<String, f64>, purchases: &Purchases) -> (f64, f64) {
        let bought = |days: &BTreeSet<Day>, from: i32, until: i32| {
            days.range(self.as_of.plus(from)..self.as_of.plus(until))
                .next()
                .is_some()
        };
        let eligible: BTreeMap<&String, bool> = purchases
            .iter()
            .filter(|(_, days)| bought(days, -self.active_within_days, 0))
            .map(|(user, days)| (user, !bought(days, 0, self.horizon_days)))
            .collect();
        let unscored = eligible
            .keys()
            .filter(|user| !scores.contains_key(**user))
            .count();
        let stray = scores
            .keys()
            .filter(|user| !eligible.contains_key(user))
            .count();
        assert_eq!(
            (unscored, stray),
            (0, 0),
            "eligible users without a score, scored users not eligible"
        );
        let rows: Vec<(f64, bool)> = eligible
            .iter()
            .map(|(user, churned)| (scores[*user], *churned))
            .collect();
        let (loss, auc) = (log_loss(&rows), auc(&rows));
        println!(
            "{}: {} users, log loss {loss:.4}, AUC {auc:.4}",
            self.config.display(),
            rows.len()
        );
        (loss, auc)
    }
}

/// The sum of all amounts in a roll-up.
fn amount_of(rollup: &Path) -> f64 {
    let mut builder = HistoriesBuilder::default();
    read_rollup(rollup, DayBounds::default(), Users::All, &mut builder).unwrap();
    let histories = builder.finish().unwrap();
    let mut sum = 0.0;
    histories
        .for_each(|_, _, h| sum += h.records().iter().map(|r| r.amount.value()).sum::<f64>())
        .unwrap();
    sum
}

fn log_loss(rows: &[(f64, bool)]) -> f64 {
    rows.iter()
        .map(|(p, churned)| -(if *churned { *p } else { 1.0 - p }).ln())
        .sum::<f64>()
        / rows.len() as f64
}

/// How often a churner ranks above a stayer, ties counted half.
fn auc(rows: &[(f64, bool)]) -> f64 {
    let of = |churned| {
        rows.iter()
            .filter(move |row| row.1 == churned)
            .map(|row| row.0)
    };
    let mut stayers: Vec<f64> = of(false).collect();
    stayers.sort_by(f64::total_cmp);
    let rank = |p: f64| {
        (stayers.partition_point(|s| *s < p) + stayers.partition_point(|s| *s <= p)) as f64 / 2.0
    };
    of(true).map(rank).sum::<f64>() / (of(true).count() * stayers.len()) as f64
}

fn rejected(quality: &Value, reason: &str) -> u64 {
    let rows = quality["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .find(|r| r["reason"] == reason);
    rows.map_or(0, |r| r["rows"].as_u64().unwrap())
}

fn csv_of(path: &Path) -> csv::Reader<impl Read> {
    csv::Reader::from_reader(flate2::read::MultiGzDecoder::new(File::open(path).unwrap()))
}

#[test]
fn online_retail() {
    let case = Case::new(
        "online-retail/online_retail.csv.gz",
        "online_retail.toml",
        "2011-10-10",
        60,
        180,
    );
    let (quality, scores) = case.fit_and_score();
    assert_eq!(
        (quality["rows"].as_u64(), quality["users"].as_u64()),
        (Some(541_909), Some(4_372))
    );
    assert_eq!(
        (rejected(&quality, "empty_user"), quality["events"].as_u64()),
        (135_080, Some(406_829))
    );
    assert_eq!(
        (quality["first_day"].as_str(), quality["last_day"].as_str()),
        (Some("2010-12-01"), Some("2011-12-09"))
    );

    let mut purchases = Purchases::new();
    let (mut all, mut known) = (0.0, 0.0);
    for row in csv_of(&case.log).records() {
        let row = row.unwrap();
        let amount = row[3].parse::<f64>().unwrap() * row[5].parse::<f64>().unwrap();
        all += amount;
        if row[6].is_empty() {
            continue;
        }
        known += amount;
        if !row[0].starts_with('C') {
            purchases
                .entry(row[6].to_owned())
                .or_default()
                .insert(row[4][..10].parse().unwrap());
        }
    }
    assert!((all - 9_747_747.934).abs() < 1e-3, "{all}");
    assert!((case.rollup_amount() - known).abs() < 1e-3, "{known}");

    let (loss, auc) = case.judge(&scores, &purchases);
    assert!(loss <= 0.62 && auc >= 0.71, "log loss {loss}, AUC {auc}");
    case.assert_rollup_gives_the_same_model();
}

#[test]
fn cdnow() {
    let case = Case::new(
        "cdnow/CDNOW_master.txt",
        "cdnow.toml",
        "1998-04-01",
        90,
        180,
    );
    let (quality, scores) = case.fit_and_score();
    assert_eq!(
        (quality["rows"].as_u64(), quality["users"].as_u64()),
        (Some(69_659), Some(23_570))
    );
    assert_eq!(
        (
            quality["rejected"].as_array().map(Vec::len),
            quality["events"].as_u64()
        ),
        (Some(0), Some(69_659))
    );
    assert!((case.rollup_amount() - 2_500_315.63).abs() < 1e-3);

    let mut purchases = Purchases::new();
    for line in BufReader::new(File::open(&case.log).unwrap())
        .lines()
        .skip(1)
    {
        let line = line.unwrap();
        let mut fields = line.split_whitespace();
        let (user, date) = (fields.next().unwrap(), fields.next().unwrap());
        let day = format!("{}-{}-{}", &date[..4], &date[4..6], &date[6..]);
        purchases
            .entry(user.to_owned())
            .or_default()
            .insert(day.parse().unwrap());
    }
    let (loss, auc) = case.judge(&scores, &purchases);
    assert!(loss <= 0.60 && auc >= 0.71, "log loss {loss}, AUC {auc}");
    case.assert_rollup_gives_the_same_model();
}

#[test]
fn complete_journey() {
    let case = Case::new(
        "complete-journey/transactions_sample.csv.gz",
        "complete_journey.toml",
        "2017-12-03",
        28,
        90,
    );
    let (quality, scores) = case.fit_and_score();
    assert_eq!(
        (quality["rows"].as_u64(), quality["users"].as_u64()),
        (Some(75_000), Some(2_377))
    );
    assert_eq!(quality["rejected"].as_array().map(Vec::len), Some(0));

    let mut purchases = Purchases::new();
    let mut amount = 0.0;
    for row in csv_of(&case.log).records() {
        let row = row.unwrap();
        amount += row[5].parse::<f64>().unwrap();
        purchases
            .entry(row[0].to_owned())
            .or_default()
            .insert(row[10][..10].parse().unwrap());
    }
    assert!((case.rollup_amount() - amount).abs() < 1e-3);
    let (loss, auc) = case.judge(&scores, &purchases);
    assert!(loss <= 0.52 && auc >= 0.76, "log loss {loss}, AUC {auc}");
    case.assert_rollup_gives_the_same_model();
}

/// Fader, Hardie and Lee (2005), table 2: BG/NBD of the CDNOW sample, 2,357 customers who first bought in the first
/// quarter of 1997, watched for 39 weeks. Their time is in weeks, and a customer's age counts to 1997-09-30, a day on
/// which purchases are still seen.
#[test]
fn cdnow_sample_gives_the_published_bg_nbd() {
    let end: Day = "1997-09-30".parse().unwrap();
    let mut days: BTreeMap<String, BTreeSet<Day>> = BTreeMap::new();
    for line in BufReader::new(File::open(data("cdnow/CDNOW_sample.txt")).unwrap()).lines() {
        let line = line.unwrap();
        let fields: Vec<&str> = line.split_whitespace().collect();
        let day = format!(
            "{}-{}-{}",
            &fields[2][..4],
            &fields[2][4..6],
            &fields[2][6..]
        )
        .parse::<Day>()
        .unwrap();
        if day <= end {
            days.entry(fields[1].to_owned()).or_default().insert(day);
        }
    }
    let counts = |days: &BTreeSet<Day>| {
        let (first, last) = (*days.first().unwrap(), *days.last().unwrap());
        let frequency = days.len() as u32 - 1;
        model::Purchases::new(
            frequency,
            f64::from(last.since(first)),
            f64::from(end.since(first)),
        )
        .unwrap()
    };
    let customers: Vec<model::Purchases> = days.values().map(counts).collect();
    assert_eq!(customers.len(), 2_357);

    let started = std::time::Instant::now();
    let fitted = bg_nbd::fit(&customers).unwrap();
    println!("{fitted:?} in {:?}", started.elapsed());
    let model::BgNbd { r, alpha, a, b } = fitted.params;
    for (name, got, published) in [
        ("r", r, 0.243),
        ("alpha", alpha / 7.0, 4.414),
        ("a", a, 0.793),
        ("b", b, 2.426),
    ] {
        assert!(
            (got - published).abs() < 0.001,
            "{name} is {got}, published {published}"
        );
    }
    // Each repeat purchase is a density in time, so it counts ln 7 more in weeks than in days.
    let repeats: u32 = customers.iter().map(model::Purchases::frequency).sum();
    let in_weeks = fitted.log_likelihood + f64::from(repeats) * 7.0_f64.ln();
    assert!(
        (in_weeks + 9_582.4).abs() < 0.05 && fitted.converged,
        "{in_weeks} {fitted:?}"
    );
    // The negative control: the log in thirds, of which none gives the published figures.
    for third in customers.chunks(800) {
        let params = bg_nbd::fit(third).unwrap().params;
        assert!(
            (params.r - 0.243).abs() > 0.001 || (params.a - 0.793).abs() > 0.001,
            "{params:?}"
        );
    }
}
