//! The frozen bundle of format 5: what it says of users stays as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ebb::batch::scores::{Target, write_scores};
use ebb::history::{Amount, DayRecord, HistoriesBuilder};
use ebb::model::{Bundle, Golden, load};
use ebb::phases::Phases;

/// The hash that names it.
const VERSION: &str = "c5a08829f9e3";

/// The first bundle of format 5, with a value part. Its golden answers are of feature vectors; tiers follow a whole history, so
/// that what it says of a log is held as well, to the bit.
#[test]
fn a_bundle_of_format_5_loads_for_ever_and_values_users_as_on_its_first_day() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/bundles");
    let saved = load(&folder.join("format-5")).unwrap();
    assert_eq!(saved.bundle.version(), VERSION);
    let spec = saved.bundle.spec();
    assert_eq!(spec.format_version, 5);
    assert_eq!(spec.schema.value_kinds, ["purchase", "return"]);
    super::assert_keys_are_in_order(&saved.bundle);
    let golden = std::fs::read_to_string(folder.join("format-5/golden.json")).unwrap();
    let golden: Golden = serde_json::from_str(&golden).unwrap();
    let values = golden.cases.iter().filter_map(|case| case.value.as_ref());
    let statuses: BTreeSet<&str> = values.map(|value| value.status.as_str()).collect();
    assert_eq!(statuses, ["estimated", "no_spend"].into());

    let scores = scores_of_format_5(&saved.bundle);
    let frozen = std::fs::read_to_string(folder.join("format-5.scores.csv")).unwrap();
    assert_eq!(scores, frozen);
    let column = |name: &str| -> BTreeSet<String> {
        let mut reader = csv::Reader::from_reader(frozen.as_bytes());
        let rows = reader.deserialize::<BTreeMap<String, String>>();
        rows.map(|row| row.unwrap()[name].clone()).collect()
    };
    assert_eq!(
        column("value_tier"),
        ["high", "low", "medium"].map(str::to_owned).into()
    );
    assert_eq!(
        column("value_status"),
        ["estimated", "no_spend"].map(str::to_owned).into()
    );
}

/// The scores of forty users of a log that follows a formula, without words, which may be improved.
fn scores_of_format_5(bundle: &Bundle) -> String {
    let mut builder = HistoriesBuilder::default();
    let as_of = bundle.spec().training.as_of;
    let [purchase, back, visit] = ["purchase", "return", "visit"].map(|k| builder.kind(k).unwrap());
    for number in 0..40_i32 {
        let user = format!("u{number:02}");
        for event in 0..1 + number % 13 {
            // Amounts are quarters, whole millionths without rounding; those of every tenth user are 0.
            let paid =
                f64::from((number * 7 + event * 3) % 90) * 1.25 * f64::from((number % 10).min(1));
            let record = |kind, day: i32, amount| DayRecord {
                amount: Amount::new(amount).unwrap(),
                day: as_of.plus(-day),
                count: 1,
                kind,
            };
            let day = 1 + (number * 5) % 60 + event * (2 + number % 11);
            let mut add = |record| builder.add(&user, record).unwrap();
            add(record(purchase, day, paid));
            add(record(visit, day + 1, 0.0));
            if (number + event) % 4 == 0 {
                add(record(back, day, -0.75 * paid));
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scores.csv");
    let target = Target::new(&path).unwrap();
    let histories = builder.finish().unwrap();
    write_scores(bundle, &histories, as_of, &target, Phases::UNOBSERVED).unwrap();
    let mut reader = csv::Reader::from_path(&path).unwrap();
    let names = reader.headers().unwrap().clone();
    let kept: Vec<usize> = (0..names.len())
        .filter(|column| {
            !names[*column].starts_with("reason")
                // The key came later.
                && !["segment_name", "segment_key"].contains(&&names[*column])
        })
        .collect();
    let rows = std::iter::once(names).chain(reader.records().map(Result::unwrap));
    let line = |row: csv::StringRecord| -> String {
        let fields: Vec<&str> = kept.iter().map(|column| &row[*column]).collect();
        fields.join(",") + "\n"
    };
    rows.map(line).collect()
}
