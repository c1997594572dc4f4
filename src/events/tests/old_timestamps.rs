//! Times beyond the years of a log, and times in other units than most.

use std::fs::File;
use std::sync::Arc;

use arrow_array::*;
use parquet::data_type::{ByteArray, ByteArrayType, Int96, Int96Type};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::values::*;
use super::*;

/// A log in the times of old Spark.
fn int96(path: &Path, days_and_nanos: &[(i64, u64)]) {
    let schema = "message log { required binary user (UTF8); required int96 time; }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer =
        SerializedFileWriter::new(File::create(path).unwrap(), schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let ids: Vec<ByteArray> = (0..days_and_nanos.len())
        .map(|n| format!("u{n}").as_str().into())
        .collect();
    let mut column = group.next_column().unwrap().unwrap();
    column
        .typed::<ByteArrayType>()
        .write_batch(&ids, None, None)
        .unwrap();
    column.close().unwrap();
    let time = |(day, nanos): &(i64, u64)| {
        let julian = (day + 2_440_588) as u32;
        let mut time = Int96::new();
        time.set_data(*nanos as u32, (*nanos >> 32) as u32, julian);
        time
    };
    let times: Vec<Int96> = days_and_nanos.iter().map(time).collect();
    let mut column = group.next_column().unwrap().unwrap();
    column
        .typed::<Int96Type>()
        .write_batch(&times, None, None)
        .unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
}

#[test]
fn old_timestamps_beyond_the_years_of_a_log_are_rejected_with_their_dates() {
    let dir = TempDir::new().unwrap();
    let day = |year, month, day| i64::from(Day::from(jiff::civil::date(year, month, day)).number());
    let noon = 43_200_000_000_000;
    let times = [
        (2024, 3, 1),
        (9999, 12, 31),
        (1000, 1, 1),
        (1601, 1, 1),
        (2500, 1, 1),
        (1900, 1, 1),
        (2199, 12, 31),
    ];
    int96(
        &dir.path().join("log.parquet"),
        &times.map(|(y, m, d)| (day(y, m, d), noon)),
    );
    for time in ["time = 'time'", "time = { expr = 'time' }"] {
        let (histories, report) =
            read_dir(dir.path(), &USER_TIME.replace("time = 'time'", time), None).unwrap();
        let days: Vec<String> = kept(&histories).into_iter().map(|(_, day)| day).collect();
        assert_eq!(days, ["2024-03-01", "1900-01-01", "2199-12-31"]);
        assert_eq!(
            rejections(&report),
            [("time_out_of_range", 4, vec![2, 3, 4, 5])]
        );
        let shown: Vec<&str> = report.rejected[0]
            .first
            .iter()
            .map(|place| &place.value[..10])
            .collect();
        assert_eq!(
            shown,
            ["9999-12-31", "1000-01-01", "1601-01-01", "2500-01-01"]
        );
    }
}

#[test]
fn seconds_among_milliseconds_are_rejected_and_alone_they_end_the_reading() {
    let settings = format!("{USER_TIME}time_format = 'epoch_ms'");
    let log = "user,time\na,1709251200000\nb,1709251200\nc,0\nd,1709337600000\n";
    let (histories, report) = read_csv(log, &settings).unwrap();
    assert_eq!(
        (rejections(&report), histories.len()),
        (vec![("time_out_of_range", 2, vec![3, 4])], 2)
    );
    let message = read_csv("user,time\na,1709251200\nb,1709337600\n", &settings)
        .unwrap_err()
        .to_string();
    assert!(
        message.starts_with("no events: none of the 2 rows could be read"),
        "{message}"
    );
    assert!(
        message.contains("found `1709251200`") && message.contains("is the unit right?"),
        "{message}"
    );
    // Somebody made timestamps of seconds, as if they were milliseconds.
    let times: ArrayRef = Arc::new(TimestampMillisecondArray::from_iter_values([
        1_709_251_200,
        1_709_251_200_000,
    ]));
    let (_, report) = parquet(
        vec![("user", texts(&["a", "b"])), ("time", times)],
        USER_TIME,
    )
    .unwrap();
    assert_eq!(rejections(&report), [("time_out_of_range", 1, vec![1])]);
    // Dates are dates, also those.
    let days: ArrayRef = Arc::new(Date32Array::from_iter_values([0, 19, 40]));
    assert_eq!(
        parquet(
            vec![("user", texts(&["a", "b", "c"])), ("time", days)],
            USER_TIME
        )
        .unwrap()
        .1
        .events,
        3
    );
    let (histories, _) = read_csv(
        "user,time\na,1970-01-20\nb,1985-01-01T10:00:00Z\n",
        USER_TIME,
    )
    .unwrap();
    assert_eq!(
        histories.span().map(|span| span.0.to_string()),
        Some("1970-01-20".to_owned())
    );
}
