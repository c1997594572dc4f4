//! A bundle made by hand and the users it is asked about.

use std::path::Path;

use ebb::features::{Attribute, Catalogue, FeatureSchema};
use ebb::history::{Amount, Day, DayClock, DayRecord, Histories, HistoriesBuilder};
use ebb::lifecycle::Thresholds;
use ebb::model::{
    Bands, BgNbd, Bundle, BundleSpec, Calibration, ChurnModel, Column, Expansion, FORMAT_VERSION,
    Hinge, Interaction, Preprocessing, Segment, SegmentKey, Segments, Training, save,
};

pub const TIMEZONE: &str = "Europe/London";
pub const CARD: &str = "{\"auc\": 0.8}\n";

pub fn day(text: &str) -> Day {
    text.parse().unwrap()
}

/// A bundle with synthetic weights: three kinds of activity out of alphabetical order, one other, two horizons.
pub fn spec() -> BundleSpec {
    spec_of(0, 0, &[])
}

/// The same with features of two earlier years and a lead of a week.
pub fn seasonal_spec() -> BundleSpec {
    spec_of(2, 7, &[])
}

/// The same with features of so many earlier years, with a lead, and with orders of some kinds.
pub fn spec_of(seasonal_years: u16, lead_days: u32, value_kinds: &[&str]) -> BundleSpec {
    spec_of_schema(schema_of(seasonal_years, lead_days, value_kinds), lead_days)
}

/// The same with a plan and an age of users.
pub fn attribute_spec() -> BundleSpec {
    let attribute = |name: &str, levels: Option<&[&str]>| Attribute {
        name: name.to_owned(),
        levels: levels.map(|levels| levels.iter().map(|level| (*level).to_owned()).collect()),
        signal: false,
    };
    let attributes = vec![
        attribute("age", None),
        attribute("plan", Some(&["free", "pro"])),
    ];
    let schema = FeatureSchema {
        attributes,
        ..schema_of(0, 0, &[])
    };
    spec_of_schema(schema, 0)
}

fn schema_of(seasonal_years: u16, lead_days: u32, value_kinds: &[&str]) -> FeatureSchema {
    FeatureSchema {
        activity: vec!["visit".into(), "purchase".into(), "booking".into()],
        other_kinds: vec!["return".into()],
        horizon_days: vec![30, 90],
        amounts: true,
        seasonal_years,
        lead_days,
        value_kinds: value_kinds.iter().map(|kind| (*kind).to_owned()).collect(),
        attributes: Vec::new(),
    }
}

/// A bundle with synthetic weights for the horizons of 30 and 90 days and the features of a schema.
#[expect(clippy::too_many_lines, reason = "one literal, a field a line")]
pub fn spec_of_schema(schema: FeatureSchema, lead_days: u32) -> BundleSpec {
    let catalogue = Catalogue::new(schema.clone()).unwrap();
    let column = |feature: String, scale| Column {
        feature,
        scale,
        mean: 0.7,
        std_dev: 1.3,
        clip_min: -9.0,
        clip_max: 9.0,
    };
    let bg_nbd = Some(BgNbd {
        r: 0.243,
        alpha: 30.9,
        a: 0.793,
        b: 2.426,
    });
    let derived = Preprocessing {
        columns: Vec::new(),
        bg_nbd,
    }
    .derived(&catalogue);
    let features = catalogue
        .features()
        .iter()
        .map(|f| column(f.name.clone(), f.scale));
    let columns: Vec<Column> = features
        .chain(derived.iter().map(|d| column(d.name(), d.scale())))
        .collect();
    let expansion = Expansion {
        hinges: vec![Hinge {
            column: 0,
            knot: 0.4,
            mean: 0.3,
            std_dev: 0.9,
        }],
        interactions: vec![Interaction {
            first: 0,
            second: 5,
            mean: 0.1,
            std_dev: 2.0,
            clip_min: -5.0,
            clip_max: 5.0,
        }],
    };
    let weights = |step: usize| {
        (0..columns.len() + 2)
            .map(|i| ((i * step) % 7) as f64 / 30.0 - 0.1)
            .collect()
    };
    let model = |horizon_days, step, slope| ChurnModel {
        horizon_days,
        intercept: -0.2,
        expansion: expansion.clone(),
        weights: weights(step),
        calibration: Calibration {
            intercept: 0.05,
            slope,
        },
    };
    let segment = |key, name: &str, at: f64| Segment {
        key: SegmentKey::at(key),
        name: name.into(),
        centroid: vec![at, -at],
        users: 10,
        churn_rate: at,
    };
    BundleSpec {
        format_version: FORMAT_VERSION,
        feature_hash: catalogue.hash(),
        timezone: TIMEZONE.into(),
        active_within_days: 180,
        lead_days,
        churn_event: None,
        models: vec![model(30, 3, 0.9), model(90, 5, 1.1)],
        bands: Bands::default(),
        segments: Segments {
            features: vec!["recency_days".into(), "active_days".into()],
            columns: Vec::new(),
            items: vec![
                segment(3, "recent, frequent", 0.2),
                segment(1, "long gone", 0.8),
            ],
            last_key: 5,
        },
        lifecycle: Thresholds::default(),
        value: None,
        conversion: None,
        training: Training {
            as_of: day("2011-06-01"),
            first_day: day("2010-01-01"),
            last_day: day("2011-05-31"),
            snapshots: vec![day("2011-03-01")],
            rows: 100,
            users: 50,
            data_hash: "0".repeat(64),
            kinds: ["booking", "purchase", "return", "survey", "visit"]
                .map(str::to_owned)
                .to_vec(),
            seed: 1,
            ebb_version: "0.1.0".into(),
        },
        preprocessing: Preprocessing { columns, bg_nbd },
        schema,
    }
}

/// Saves [`spec`]'s bundle at `dir`.
pub fn save_bundle(dir: &Path) -> Bundle {
    save(dir, spec(), CARD, "<html></html>").unwrap()
}

/// One event of a synthetic log.
#[derive(Clone, Copy, Debug)]
pub struct LogEvent {
    pub user: &'static str,
    pub kind: &'static str,
    pub unix_s: i64,
    pub amount: f64,
}

impl LogEvent {
    pub fn day(&self) -> Day {
        DayClock::new(TIMEZONE).unwrap().day(self.unix_s).unwrap()
    }
}

/// 2011-01-01 00:00 in London.
const START_S: i64 = 1_293_840_000;
const DAY_S: i64 = 86_400;

/// `ann` is regular and does several things on one day, some an hour before and after midnight in summer time;
/// `dan` was seen once; `ola` stopped long ago; `ret` only ever returned something. Events end on 2011-09-28.
pub fn log() -> Vec<LogEvent> {
    let mut events = Vec::new();
    for visit in 0..30_i64 {
        let unix_s = START_S + visit * 9 * DAY_S + (22 + visit % 3) * 3_600 + 1_800;
        for (kind, amount) in [
            ("visit", 0.1),
            ("purchase", 10.7 + visit as f64 / 3.0),
            ("booking", 1e9 / 3.0),
        ] {
            events.push(LogEvent {
                user: "ann",
                kind,
                unix_s,
                amount,
            });
        }
        if visit % 4 == 0 {
            events.push(LogEvent {
                user: "ann",
                kind: "return",
                unix_s: unix_s + 600,
                amount: -3.3,
            });
            events.push(LogEvent {
                user: "ann",
                kind: "survey",
                unix_s: unix_s + 900,
                amount: 0.0,
            });
        }
    }
    let once = |user, kind, day: i64| LogEvent {
        user,
        kind,
        unix_s: START_S + day * DAY_S + 43_200,
        amount: 5.0,
    };
    events.push(once("dan", "purchase", 262));
    events.extend([once("ola", "visit", 3), once("ola", "visit", 10)]);
    events.push(once("ret", "return", 200));
    events.push(once("zed", "visit", 270));
    events
}

/// [`log`] after the same in the two years before it, in which `dan` and `zed` were not there yet.
pub fn log_of_years() -> Vec<LogEvent> {
    let earlier = |years: i64| {
        log()
            .into_iter()
            .filter(|event| !["dan", "zed"].contains(&event.user))
            .map(move |event| LogEvent {
                unix_s: event.unix_s - years * 365 * DAY_S,
                ..event
            })
    };
    earlier(2).chain(earlier(1)).chain(log()).collect()
}

/// The roll-up of a log.
pub fn histories(log: &[LogEvent]) -> Histories {
    let mut builder = HistoriesBuilder::default();
    for event in log {
        let kind = builder.kind(event.kind).unwrap();
        let amount = Amount::new(event.amount).unwrap();
        builder
            .add(
                event.user,
                DayRecord {
                    amount,
                    day: event.day(),
                    count: 1,
                    kind,
                },
            )
            .unwrap();
    }
    builder.finish().unwrap()
}
