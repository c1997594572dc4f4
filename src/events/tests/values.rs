//! Values that are right or rejected, and never something else.

use std::fs::File;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, Date32Array, Decimal128Array, Float32Array, Float64Array, Int64Array, RecordBatch,
    StringArray, TimestampMillisecondArray,
};
use parquet::arrow::ArrowWriter;
use parquet::basic::Encoding;
use parquet::file::properties::WriterProperties;

use crate::events::tests::*;

pub(super) const USER_TIME: &str = "user = 'user'\ntime = 'time'\n";

pub(super) fn parquet(
    columns: Vec<(&str, ArrayRef)>,
    settings: &str,
) -> Result<(Histories, QualityReport), EventsError> {
    let dir = TempDir::new().unwrap();
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(
        File::create(dir.path().join("log.parquet")).unwrap(),
        batch.schema(),
        None,
    )
    .unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    read_dir(dir.path(), settings, None)
}

pub(super) fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

pub(super) fn decimals(values: &[i128], scale: i8) -> ArrayRef {
    Arc::new(
        Decimal128Array::from_iter_values(values.to_vec())
            .with_precision_and_scale(38, scale)
            .unwrap(),
    )
}

/// Each user with the day of their first event.
pub(super) fn kept(histories: &Histories) -> Vec<(String, String)> {
    let user = |at| {
        let (user, history) = histories.at(at).unwrap()?;
        Some((
            user.to_string(),
            history.view().records()[0].day.to_string(),
        ))
    };
    (0..histories.len()).filter_map(user).collect()
}

pub(super) fn users(found: &Result<(Histories, QualityReport), EventsError>) -> Vec<String> {
    kept(&found.as_ref().unwrap().0)
        .into_iter()
        .map(|(user, _)| user)
        .collect()
}

#[test]
fn decimals_are_ids_and_epochs() {
    let day = || texts(&["2024-03-01"; 3]);
    let ids = [178_500_000_000_000, 178_505_000_000_000, -20_000_000_000];
    let found = parquet(
        vec![("user", decimals(&ids, 10)), ("time", day())],
        USER_TIME,
    );
    assert_eq!(users(&found), ["-2", "17850", "17850.5"]);
    let long = [100_000_000_000_000_000_001, 100_000_000_000_000_000_002, 7];
    for user in ["user = 'user'", "user = { expr = 'string(user)' }"] {
        let settings = USER_TIME.replace("user = 'user'", user);
        let found = parquet(
            vec![("user", decimals(&long, 0)), ("time", day())],
            &settings,
        );
        assert_eq!(
            users(&found),
            ["100000000000000000001", "100000000000000000002", "7"],
            "{user}"
        );
    }
    for (format, scale, ticks) in [
        ("epoch_s", 0, 1_709_251_200),
        ("epoch_ms", 4, 17_092_512_000_000_000),
    ] {
        let columns = vec![("user", texts(&["a"])), ("time", decimals(&[ticks], scale))];
        let (histories, _) =
            parquet(columns, &format!("{USER_TIME}time_format = '{format}'")).unwrap();
        assert_eq!(
            kept(&histories),
            [("a".to_owned(), "2024-03-01".to_owned())]
        );
    }
}

#[test]
fn numbers_of_json_keep_their_digits_as_ids() {
    let log: String = [
        "100000000000000000001",
        "100000000000000000002",
        "1234567890123456789",
        "12345678901234567.0",
    ]
    .iter()
    .map(|id| format!("{{\"user\":{id},\"time\":\"2024-03-01\",\"n\":{{\"id\":{id}}}}}\n"))
    .collect();
    let expected = [
        "100000000000000000001",
        "100000000000000000002",
        "12345678901234567",
        "1234567890123456789",
    ];
    for user in [
        "user = 'user'",
        "user = { expr = 'user' }",
        "user = { expr = 'string(user)' }",
    ] {
        let found = read_bytes(
            "log.jsonl",
            log.as_bytes(),
            &USER_TIME.replace("user = 'user'", user),
        );
        assert_eq!(users(&found), expected, "{user}");
    }
    let whole = log
        .lines()
        .take(3)
        .map(|line| format!("{line}\n"))
        .collect::<String>();
    let found = read_bytes(
        "log.jsonl",
        whole.as_bytes(),
        &USER_TIME.replace("'user'", "{ expr = 'string(n.id)' }"),
    );
    assert_eq!(users(&found), [expected[0], expected[1], expected[3]]);
    let log = "{\"user\":1e20,\"time\":\"2024-03-01\"}\n{\"user\":1e3,\"time\":\"2024-03-01\"}\n";
    for user in ["user = 'user'", "user = { expr = 'string(user)' }"] {
        let (histories, report) = read_bytes(
            "log.jsonl",
            log.as_bytes(),
            &USER_TIME.replace("user = 'user'", user),
        )
        .unwrap();
        assert_eq!(
            (rejections(&report), histories.len()),
            (vec![("bad_type", 1, vec![1])], 1),
            "{user}"
        );
    }
}

#[test]
fn floating_point_ids_that_may_be_several_are_rejected() {
    let doubles = Float64Array::from_iter_values([
        9_007_199_254_740_991.0,
        9_007_199_254_740_992.0,
        f64::NAN,
        7.0,
    ]);
    let singles = Float32Array::from_iter_values([16_777_215.0, 16_777_216.0, f32::NAN, 7.0]);
    let columns: [(ArrayRef, &str); 2] = [
        (Arc::new(doubles), "9007199254740991"),
        (Arc::new(singles), "16777215"),
    ];
    for (ids, largest) in columns {
        for user in ["user = 'user'", "user = { expr = 'user' }"] {
            let settings = USER_TIME.replace("user = 'user'", user);
            let found = parquet(
                vec![("user", ids.clone()), ("time", texts(&["2024-03-01"; 4]))],
                &settings,
            );
            let mut expected = [largest.to_owned(), "7".to_owned()];
            expected.sort();
            assert_eq!(users(&found), expected);
            let report = found.unwrap().1;
            assert_eq!(
                rejections(&report),
                [("bad_type", 1, vec![2]), ("empty_user", 1, vec![3])]
            );
            assert!(
                report.rejected[0].first[0]
                    .expected
                    .contains("may stand for several ids")
            );
        }
    }
}

#[test]
fn a_zone_letter_in_the_pattern_counts() {
    let settings = format!("{USER_TIME}timezone = 'America/New_York'\n");
    for (format, time) in [
        ("time_format = '%Y-%m-%dT%H:%M:%SZ'", "2024-03-02T03:00:00Z"),
        ("time_format = '%d.%m.%Y %H:%M UTC'", "02.03.2024 03:00 UTC"),
        (
            "time_format = '%Y-%m-%d %H:%M:%S %Z'",
            "2024-03-02 03:00:00 GMT",
        ),
        ("", "2024-03-02 03:00:00.25 UTC"),
    ] {
        let (histories, _) = read_csv(
            &format!("user,time\na,{time}\n"),
            &format!("{settings}{format}"),
        )
        .unwrap();
        assert_eq!(kept(&histories)[0].1, "2024-03-01", "{format}");
    }
}

#[test]
fn when_all_rows_are_rejected_the_message_names_the_cause_and_not_the_as_of_day() {
    let dir = TempDir::new().unwrap();
    fs::write(
        dir.path().join("log.csv"),
        "user;at;what;price\na;2024-03-01;buy;1,50\nb;2024-03-02;buy;1.234,50\n",
    )
    .unwrap();
    let settings = format!("delimiter = ';'\n{PLAIN}");
    let message = |as_of| {
        read_dir(dir.path(), &settings, as_of)
            .unwrap_err()
            .to_string()
    };
    insta::assert_snapshot!(message(None), @r#"
    no events: none of the 2 rows could be read

      bad_amount (2 rows)
        log.csv:2, column `price`: found `1,50`, expected a decimal point, not a decimal comma; events.decimal = "," reads it
        log.csv:3, column `price`: found `1.234,50`, expected a decimal point, not a decimal comma; events.decimal = "," reads it
    "#);
    assert_eq!(message(Some("2024-04-01")), message(None));
    let error = |log: &str, settings: &str| read_csv(log, settings).unwrap_err().to_string();
    let thousands = error("user,at,what,price\na,2024-03-01,buy,\"1,234.50\"\n", PLAIN);
    assert!(
        thousands.contains("a number without commas")
            && thousands.contains("events.decimal = \".\""),
        "{thousands}"
    );
    let kind = error(
        "user,at,q\na,2024-03-01,x\n",
        "user = 'user'\ntime = 'at'\nkind = { expr = 'q < 0 ? \"a\" : \"b\"' }",
    );
    assert!(
        kind.starts_with("no events: none of the 1 rows could be read")
            && kind.contains("expression_failed"),
        "{kind}"
    );
    // Where rows were left out for the as-of day, it is told.
    fs::write(
        dir.path().join("log.csv"),
        "user;at;what;price\na;2024-03-01;buy;1,50\nb;2024-05-02;buy;2\n",
    )
    .unwrap();
    let mixed = read_dir(dir.path(), &settings, Some("2024-04-01"))
        .unwrap_err()
        .to_string();
    assert!(
        mixed.contains("before 2024-04-01: the log spans") && mixed.contains("bad_amount (1 row)"),
        "{mixed}"
    );
}

#[test]
fn roll_ups_have_the_days_of_logs_and_their_events_are_no_share_of_rows() {
    let rollup = |names: [&'static str; 4], days: [i32; 2], counts: ArrayRef| {
        let columns: [ArrayRef; 4] = [
            texts(&["a", "b"]),
            Arc::new(Date32Array::from_iter_values(days)),
            texts(&["buy", "buy"]),
            counts,
        ];
        parquet(names.into_iter().zip(columns).collect(), "")
    };
    const NAMES: [&str; 4] = ["user", "day", "kind", "count"];
    let counts = || -> ArrayRef { Arc::new(Int64Array::from_iter_values([1, 3])) };
    let (_, report) = rollup(NAMES, [19_783, 19_784], counts()).unwrap();
    let text = report.render();
    assert!(
        text.contains("\nevents kept                     4\n"),
        "{text}"
    );
    let floats: ArrayRef = Arc::new(Float64Array::from_iter_values([1.0, 3.0]));
    assert_eq!(rollup(NAMES, [19_783, 19_784], floats).unwrap().1.events, 4);
    for (day, date) in [
        (-719_162, "0001-01-01"),
        (-43_830, "1849-12-31"),
        (120_530, "2300-01-01"),
        (2_932_896, "9999-12-31"),
    ] {
        let message = rollup(NAMES, [19_783, day], counts())
            .unwrap_err()
            .to_string();
        let expected =
            format!("row 2: column `day`: {date} is not a day of the years 1900 to 2199");
        assert!(message.ends_with(&expected), "{message}");
    }
    let message = rollup(["USER", "DAY", "KIND", "COUNT"], [19_783, 19_784], counts())
        .unwrap_err()
        .to_string();
    assert!(
        message.contains(
            "the columns USER, DAY, KIND, COUNT are those of a roll-up but for their case"
        ),
        "{message}"
    );
}

#[test]
fn names_of_any_length_are_cut_where_they_are_shown() {
    let long = "x".repeat(70_000);
    let log = format!(
        "user,at,what,price\n{long},2024-01-01,buy,1\nb,2024-01-02,{long},1\nc,2024-01-02,b\u{1b}[31m,1\n"
    );
    let (histories, report) = read_csv(&log, PLAIN).unwrap();
    assert_eq!(
        histories
            .get(&long)
            .unwrap()
            .map(|history| history.view().records().len()),
        Some(1)
    );
    let text = report.render();
    assert!(
        text.contains(&format!("  {}… ", "x".repeat(60))) && !text.contains('\u{1b}'),
        "{text}"
    );
    assert!(text.lines().all(|line| line.chars().count() < 200));
}

#[test]
fn no_damage_to_a_parquet_file_makes_reading_panic() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("log.parquet");
    let ids: Vec<String> = (0..300).map(|n| format!("user {}", n % 17)).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let times = TimestampMillisecondArray::from_iter_values(
        (0..300).map(|n| 1_700_000_000_000 + n * 3_600_000),
    );
    let columns: Vec<(&str, ArrayRef)> = vec![("user", texts(&ids)), ("time", Arc::new(times))];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_column_encoding("user".into(), Encoding::DELTA_BYTE_ARRAY)
        .set_column_encoding("time".into(), Encoding::DELTA_BINARY_PACKED);
    let mut writer = ArrowWriter::try_new(
        File::create(&path).unwrap(),
        batch.schema(),
        Some(properties.build()),
    )
    .unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let whole = fs::read(&path).unwrap();
    let (mut read, mut damaged, mut panicked) = (0, 0, 0);
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] = if at % 2 == 0 { 0xff } else { bytes[at] ^ 0x40 };
        fs::write(&path, bytes).unwrap();
        match read_dir(dir.path(), USER_TIME, None) {
            Ok(_) => read += 1,
            Err(error) => {
                damaged += 1;
                let message = error.to_string();
                assert!(
                    message.contains("log.parquet") || message.starts_with("no events"),
                    "{message}"
                );
                panicked += u32::from(message.contains("the data are damaged"));
            }
        }
    }
    assert!(read > 10 && damaged > 10, "{read} {damaged}");
    // If the library has learnt to return errors for all of these, the guard can go.
    assert!(panicked > 0, "{read} {damaged}");
}

#[test]
fn a_decimal_comma_that_is_set_is_read_and_a_point_is_rejected() {
    let log = "user;at;what;price\na;2024-03-01;buy;1.234,50\nb;2024-03-01;buy;-7,5\nc;2024-03-01;buy;1.5\nd;2024-03-01;buy;\n";
    let (histories, report) =
        read_csv(log, &format!("delimiter = ';'\ndecimal = ','\n{PLAIN}")).unwrap();
    let amount = |user: &str| {
        histories.get(user).unwrap().unwrap().view().records()[0]
            .amount
            .value()
    };
    assert_eq!(
        (amount("a"), amount("b"), amount("d")),
        (1_234.5, -7.5, 0.0)
    );
    let place = &report.rejected[0].first[0];
    assert_eq!(
        (report.rejected[0].reason, place.line),
        (RejectionReason::BadAmount, 4)
    );
    assert!(
        place.expected.contains("since events.decimal is \",\""),
        "{}",
        place.expected
    );
    // An expression's text is read as the column's would be.
    let euros = log.replace("-7,5", "-7,5 EUR");
    let settings = "user = 'user'\ntime = 'at'\namount = { expr = 'price.replace(\" EUR\", \"\")' }\ndelimiter = ';'\ndecimal = ','\n";
    let (histories, _) = read_csv(&euros, settings).unwrap();
    assert_eq!(
        histories.get("b").unwrap().unwrap().view().records()[0]
            .amount
            .value(),
        -7.5
    );
}
