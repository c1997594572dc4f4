use std::fs::File;
use std::sync::Arc;

use arrow_array::{ArrayRef, Date32Array, Float64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;

use super::*;
use crate::history::{AttributeValue, HistoriesBuilder};

const CONFIG: &str =
    "user = \"id\"\nfrom = \"since\"\ncolumns = { plan = \"category\", age = \"number\" }\n";

fn read(folder: &Path, paths: &str) -> Result<(AttributeTable, AttributesQuality), String> {
    read_beside(&EventsConfig::default(), folder, paths)
}

/// The same where the log is configured so.
fn read_beside(
    events: &EventsConfig,
    folder: &Path,
    paths: &str,
) -> Result<(AttributeTable, AttributesQuality), String> {
    let config: AttributesConfig =
        toml::from_str(&format!("paths = \"{paths}\"\n{CONFIG}")).unwrap();
    let request = AttributesRequest {
        config: &config,
        events,
        base_dir: folder,
        until: "2024-06-01".parse().unwrap(),
    };
    read_attributes(&request, Phases::UNOBSERVED).map_err(|error| error.to_string())
}

/// The age of a user on the first of June.
fn age(table: AttributeTable, user: &str) -> Option<f64> {
    let mut builder = HistoriesBuilder::default();
    let kind = builder.kind("visit").unwrap();
    let record = crate::history::DayRecord {
        amount: crate::history::Amount::default(),
        day: "2024-01-01".parse().unwrap(),
        count: 1,
        kind,
    };
    builder.add(user, record).unwrap();
    let (histories, _) = builder.finish().unwrap().with_attributes(table).unwrap();
    let history = histories.get(user).unwrap().unwrap();
    match history.view().attributes().last("age")?.1 {
        AttributeValue::Number(number) => Some(number.value()),
        _ => None,
    }
}

#[test]
fn text_and_parquet_give_the_same_table() {
    let folder = tempfile::tempdir().unwrap();
    let text = "id,since,plan,age\nu1,2024-01-05, pro ,41.5\n\"u2\",2024-02-01,,\nu1,2024-05-31,free,42\nu1,2024-06-01,late,50\n";
    std::fs::write(folder.path().join("a.csv"), text).unwrap();
    let day = |text: &str| text.parse::<Day>().unwrap().number();
    let days = ["2024-01-05", "2024-02-01", "2024-05-31", "2024-06-01"].map(day);
    let columns: [(&str, ArrayRef); 4] = [
        (
            "age",
            Arc::new(Float64Array::from(vec![
                Some(41.5),
                None,
                Some(42.0),
                Some(50.0),
            ])),
        ),
        (
            "plan",
            Arc::new(StringArray::from(vec![
                Some("pro"),
                None,
                Some("free"),
                Some("late"),
            ])),
        ),
        (
            "id",
            Arc::new(StringArray::from(vec!["u1", "u2", "u1", "u1"])),
        ),
        ("since", Arc::new(Date32Array::from(days.to_vec()))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let file = File::create(folder.path().join("a.parquet")).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let (of_text, quality) = read(folder.path(), "a.csv").unwrap();
    let (of_parquet, _) = read(folder.path(), "a.parquet").unwrap();
    assert_eq!(of_text, of_parquet);
    assert_eq!((quality.rows, quality.rows_after_as_of), (4, 1));
    let names = &of_text.columns()[1].categories;
    assert_eq!(
        names.as_slice(),
        ["free", "pro"],
        "what came later is not even named"
    );
    assert_eq!(age(of_text, "u1"), Some(42.0));
    assert_eq!(age(of_parquet, "u2"), None);
}

#[test]
fn rows_that_cannot_be_used_are_counted_with_their_lines() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = "id,since,plan,age\n".to_owned();
    for user in 0..40 {
        text += &format!("u{user},2024-01-01,pro,1\n");
    }
    text += "u1,2024-01-01,pro,inf\n,2024-01-01,pro,1\nu2,2024-01-41,pro,1\nu3,2024-01-01,pro\n";
    std::fs::write(folder.path().join("a.csv"), text).unwrap();
    let (_, quality) = read(folder.path(), "a.csv").unwrap();
    let found: Vec<(&str, u64, u64)> = quality
        .rejected
        .iter()
        .map(|rows| (rows.reason.name(), rows.rows, rows.first[0].line))
        .collect();
    let expected = [
        ("bad_number", 1, 42),
        ("empty_user", 1, 43),
        ("bad_time", 1, 44),
        ("wrong_column_count", 1, 45),
    ];
    assert_eq!(found, expected);
    std::fs::write(folder.path().join("b.jsonl"), "{\"id\": \"u1\"}\n").unwrap();
    let refused = read(folder.path(), "b.jsonl").unwrap_err();
    assert!(
        refused.contains("must name CSV or Parquet files"),
        "{refused}"
    );
    std::fs::write(folder.path().join("c.csv"), "id,since,plan,age\n").unwrap();
    assert!(
        read(folder.path(), "c.csv")
            .unwrap_err()
            .contains("has no row")
    );
}

/// The limits of records are those of the log, which the message names.
#[test]
fn a_record_beyond_the_limits_is_rejected_and_the_rows_after_it_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let long = "x".repeat(300);
    let text = format!(
        "id,since,plan,age\nu1,2024-01-01,pro,1\nu2,2024-01-01,{long},2\nu3,2024-01-01,\"pro,3\nu4,2024-01-01,pro,4\n"
    );
    std::fs::write(folder.path().join("a.csv"), text).unwrap();
    let events = toml::from_str("max_record_bytes = 200\nmax_rejected_share = 0.9").unwrap();
    let (table, quality) = read_beside(&events, folder.path(), "a.csv").unwrap();
    let found: Vec<_> = quality
        .rejected
        .iter()
        .map(|rows| (rows.reason.name(), rows.first[0].line))
        .collect();
    assert_eq!(found, [("record_too_long", 3), ("open_quote", 4)]);
    let expected = &quality.rejected[0].first[0].expected;
    assert!(
        expected.contains("200 bytes; see `events.max_record_bytes`"),
        "{expected}"
    );
    assert_eq!(age(table, "u4"), Some(4.0));
}
