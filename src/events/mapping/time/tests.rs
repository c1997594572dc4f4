use jiff::fmt::strtime;

use super::*;

fn read(format: Option<&str>, zone: &str, text: &str) -> Result<String, RejectionReason> {
    let day = TimeReader::new(format, zone).unwrap().day(Cell::Text(text));
    day.map(|day| day.to_string())
        .map_err(|rejection| rejection.reason)
}

#[test]
fn every_format_tells_the_day() {
    for (format, text, day) in [
        (None, "2024-03-01T23:30:00Z", "2024-03-02"),
        (None, "2024-03-01T23:30:00", "2024-03-01"),
        (None, "2024-03-01 23:30:00.125", "2024-03-01"),
        (None, "2024-03-01", "2024-03-01"),
        (Some("rfc3339"), "2024-03-01T23:30:00.5+00:00", "2024-03-02"),
        (Some("epoch_s"), "1709335800", "2024-03-02"),
        (Some("epoch_s"), "1709335800.25", "2024-03-02"),
        (Some("epoch_ms"), "1709335800000", "2024-03-02"),
        (Some("epoch_us"), "1709335800000000", "2024-03-02"),
        (Some("epoch_ns"), "1709335800000000000", "2024-03-02"),
        (Some("epoch_s"), "-5000000", "1969-11-04"),
        (Some("epoch_s"), "1e9", "2001-09-09"),
        (
            Some("%Y-%m-%d %H:%M:%S"),
            " 2024-03-01 23:30:00 ",
            "2024-03-01",
        ),
        (
            Some("%Y-%m-%dT%H:%M:%S"),
            "2024-03-01T23:30:00",
            "2024-03-01",
        ),
        (Some("%Y-%m-%d"), "2024-02-29", "2024-02-29"),
        (Some("%Y%m%d"), "20240229", "2024-02-29"),
        (Some("%d/%m/%Y %H:%M"), "29/02/2024 23:59", "2024-02-29"),
        (Some("%d %b %Y"), "3 Mar 2024", "2024-03-03"),
        (
            Some("%Y-%m-%d %H:%M:%S %z"),
            "2024-03-01 23:30:00 +0000",
            "2024-03-02",
        ),
        (Some("%s"), "1709335800", "2024-03-02"),
    ] {
        assert_eq!(
            read(format, "Europe/Berlin", text).as_deref(),
            Ok(day),
            "{format:?} {text}"
        );
    }
}

#[test]
fn the_plain_formats_reject_what_the_pattern_refuses() {
    let texts = [
        "2023-02-29 00:00:00",
        "2024-13-01 00:00:00",
        "2024-01-32 00:00:00",
        "2024-01-01 24:00:00",
        "2024-01-01 00:60:00",
        "2024-01-01",
        "2024-01-01 00:00",
        "2024/01/01 00:00:00",
        "x",
        "2024-01-01 00:00:00.5",
        "20a4-01-01 00:00:00",
        "2024-01-0é 00:00:00",
    ];
    for text in texts {
        assert_eq!(
            read(Some("%Y-%m-%d %H:%M:%S"), "UTC", text),
            Err(RejectionReason::BadTime),
            "{text}"
        );
        assert!(
            strtime::parse("%Y-%m-%d %H:%M:%S", text)
                .and_then(|t| t.to_datetime())
                .is_err(),
            "{text}"
        );
    }
}

#[test]
fn rejected_times_have_their_reason() {
    assert_eq!(read(None, "UTC", "  "), Err(RejectionReason::EmptyTime));
    assert_eq!(
        read(Some("rfc3339"), "UTC", "2024-03-01T23:30:00"),
        Err(RejectionReason::BadTime)
    );
    for (format, text) in [
        ("epoch_s", "1709335800000"),
        ("%Y-%m-%d", "0001-01-01"),
        ("%Y%m%d", "99991231"),
    ] {
        assert_eq!(
            read(Some(format), "UTC", text),
            Err(RejectionReason::TimeOutOfRange),
            "{text}"
        );
    }
    let mut reader = TimeReader::new(Some("epoch_s"), "UTC").unwrap();
    assert_eq!(
        reader.day(Cell::Bool(true)).unwrap_err().reason,
        RejectionReason::BadType
    );
    assert_eq!(
        reader.day(Cell::Null).unwrap_err().reason,
        RejectionReason::EmptyTime
    );
    assert_eq!(
        reader.day(Cell::Float(f64::NAN)).unwrap_err().reason,
        RejectionReason::BadType
    );
}

#[test]
fn numbers_are_ticks_or_digits() {
    let mut reader = TimeReader::new(Some("epoch_ms"), "UTC").unwrap();
    assert_eq!(
        reader.day(Cell::Int(864_000_000_000)).unwrap().number(),
        10_000
    );
    assert_eq!(
        reader.day(Cell::Float(863_999_999_999.5)).unwrap().number(),
        9_999
    );
    let decimal = |unscaled, scale| Cell::Decimal { unscaled, scale };
    assert_eq!(
        reader.day(decimal(864_000_000_000, 0)).unwrap().number(),
        10_000
    );
    assert_eq!(
        reader.day(decimal(8_639_999_999_999, 1)).unwrap().number(),
        9_999
    );
    assert_eq!(reader.day(decimal(864, -9)).unwrap().number(), 10_000);
    assert_eq!(
        reader.day(decimal(i128::MAX, 0)).unwrap_err().reason,
        RejectionReason::TimeOutOfRange
    );
    assert_eq!(
        reader.day(Cell::Uint(u64::MAX)).unwrap_err().reason,
        RejectionReason::TimeOutOfRange
    );
    assert_eq!(
        reader.day(Cell::Single(1.7e12)).unwrap_err().reason,
        RejectionReason::BadType
    );
    let mut reader = TimeReader::new(Some("epoch_ns"), "UTC").unwrap();
    // As a double it would be the next day.
    assert_eq!(
        reader
            .day(decimal(863_999_999_999_999_999, 0))
            .unwrap()
            .number(),
        9_999
    );
    let mut reader = TimeReader::new(Some("%Y%m%d"), "UTC").unwrap();
    assert_eq!(
        reader.day(Cell::Int(20_110_102)).unwrap().to_string(),
        "2011-01-02"
    );
    assert_eq!(
        reader.day(Cell::Float(20_110_103.0)).unwrap().to_string(),
        "2011-01-03"
    );
    assert_eq!(
        reader.day(decimal(2_011_010_400, 2)).unwrap().to_string(),
        "2011-01-04"
    );
    assert_eq!(
        reader.day(decimal(2_011_010_450, 2)).unwrap_err().reason,
        RejectionReason::BadTime
    );
}

#[test]
fn local_columns_are_days_already_and_instants_follow_the_zone() {
    let mut reader = TimeReader::new(None, "America/New_York").unwrap();
    let ticks = 1_709_256_600_000; // 2024-03-01T01:30Z
    assert_eq!(
        reader
            .day(Cell::Time {
                ticks,
                per_s: 1_000,
                zoned: true
            })
            .unwrap()
            .to_string(),
        "2024-02-29"
    );
    assert_eq!(
        reader
            .day(Cell::Time {
                ticks,
                per_s: 1_000,
                zoned: false
            })
            .unwrap()
            .to_string(),
        "2024-03-01"
    );
    assert_eq!(
        reader.day(Cell::Day(19_783)).unwrap().to_string(),
        "2024-03-01"
    );
}

/// Each reads a day of this year in one unit as if it were another.
#[test]
fn a_unit_that_is_a_thousand_times_off_is_rejected() {
    let units = [
        ("epoch_s", 1_i128),
        ("epoch_ms", 1_000),
        ("epoch_us", 1_000_000),
        ("epoch_ns", 1_000_000_000),
    ];
    for date in [
        "1900-01-01",
        "1969-12-31",
        "1975-06-01",
        "2024-09-15",
        "2199-12-31",
    ] {
        let seconds = i128::from(date.parse::<Day>().unwrap().number()) * 86_400;
        for (format, per_s) in units {
            for (written, of_second) in units {
                let Ok(ticks) = i64::try_from(seconds * of_second) else {
                    continue;
                };
                let read = |cell: Cell<'_>| TimeReader::new(Some(format), "UTC").unwrap().day(cell);
                let text = ticks.to_string();
                for cell in [
                    Cell::Int(ticks),
                    Cell::Text(&text),
                    Cell::Decimal {
                        unscaled: ticks.into(),
                        scale: 0,
                    },
                ] {
                    let found = read(cell)
                        .map(|day| day.to_string())
                        .map_err(|rejection| rejection.reason);
                    let right = if format == written && date != "1969-12-31" {
                        Ok(date.to_owned())
                    } else if date == "1969-12-31" && per_s < of_second {
                        // So near to 1970 that days are taken for years.
                        continue;
                    } else {
                        Err(RejectionReason::TimeOutOfRange)
                    };
                    assert_eq!(found, right, "{cell:?} of {date} in {written} as {format}");
                }
            }
        }
    }
    let mut reader = TimeReader::new(Some("epoch_ms"), "Asia/Tokyo").unwrap();
    let rejection = reader.day(Cell::Text("1726358400")).unwrap_err();
    assert!(
        rejection.expected.contains("not on 1970-01-21")
            && rejection.expected.contains("is the unit right?")
    );
    // A column of timestamps was made of numbers by somebody too.
    let ticks = 1_726_358_400;
    for zoned in [true, false] {
        let read = |per_s| {
            TimeReader::new(None, "UTC").unwrap().day(Cell::Time {
                ticks,
                per_s,
                zoned,
            })
        };
        assert_eq!(read(1).unwrap().to_string(), "2024-09-15");
        assert_eq!(
            read(1_000).unwrap_err().reason,
            RejectionReason::TimeOutOfRange
        );
    }
}

#[test]
fn dates_around_1970_are_read_where_they_are_written_as_dates() {
    for (format, text) in [
        (None, "1970-01-20"),
        (None, "1970-01-20T15:00:00Z"),
        (Some("rfc3339"), "1970-01-20T00:00:00Z"),
        (Some("%Y%m%d"), "19700120"),
        (Some("%d.%m.%Y"), "20.01.1970"),
        (Some("%Y-%m-%d %H:%M:%S"), "1970-01-20 01:00:00"),
    ] {
        assert_eq!(
            read(format, "UTC", text).as_deref(),
            Ok("1970-01-20"),
            "{text}"
        );
    }
    let day = TimeReader::new(None, "UTC").unwrap().day(Cell::Day(19));
    assert_eq!(day.unwrap().to_string(), "1970-01-20");
}

#[test]
fn a_zone_in_a_time_or_in_its_pattern_makes_an_instant_of_it() {
    for (format, text) in [
        (Some("%Y-%m-%dT%H:%M:%SZ"), "2024-03-02T03:00:00Z"),
        (Some("%Y-%m-%dT%H:%M:%S.%fZ"), "2024-03-02T03:00:00.125Z"),
        (Some("%Y-%m-%d %H:%M:%S UTC"), "2024-03-02 03:00:00 UTC"),
        (
            Some("%a, %d %b %Y %H:%M:%S GMT"),
            "Sat, 02 Mar 2024 03:00:00 GMT",
        ),
        (
            Some("%a %b %d %H:%M:%S UTC %Y"),
            "Sat Mar 02 03:00:00 UTC 2024",
        ),
        (
            Some("%a %b %d %H:%M:%S %Z %Y"),
            "Sat Mar 02 03:00:00 UTC 2024",
        ),
        (Some("%Y-%m-%d %H:%M:%S %Z"), "2024-03-02 03:00:00 GMT"),
        (Some("%Y-%m-%dT%H:%M:%S%Z"), "2024-03-02T03:00:00Z"),
        (Some("%Y-%m-%d %H:%M:%S+00:00"), "2024-03-02 03:00:00+00:00"),
        (Some("%Y-%m-%d %H:%M:%S +0200"), "2024-03-02 05:00:00 +0200"),
        (Some("%d/%m/%Y %I:%M %p -05"), "01/03/2024 10:00 PM -05"),
        (Some("%Y-%m-%d %H:%M:%S%z"), "2024-03-02 03:00:00Z"),
        (Some("%Y-%m-%d %H:%M:%S%z"), "2024-03-02 03:00:00+0000"),
        (Some("%Y-%m-%d %H:%M:%S%z"), "2024-03-02 03:00:00+00:00"),
        (
            Some("%Y-%m-%d %H:%M:%S %Q"),
            "2024-03-01 22:00:00 America/New_York",
        ),
        (None, "2024-03-02T03:00:00Z"),
        (None, "2024-03-02 03:00:00 UTC"),
        (None, "2024-03-02 03:00:00.123456 UTC"),
        (None, "2024-03-02 03:00:00 GMT"),
        (None, "2024-03-02 03:00UTC"),
        (None, "2024-03-02T04:00:00[Europe/Paris]"),
        (None, "2024-03-02T03:00:00Z[UTC]"),
    ] {
        assert_eq!(
            read(format, "America/New_York", text).as_deref(),
            Ok("2024-03-01"),
            "{format:?} {text}"
        );
        assert_eq!(
            read(format, "Asia/Tokyo", text).as_deref(),
            Ok("2024-03-02"),
            "{format:?} {text}"
        );
    }
    for (format, text) in [
        (Some("%Y-%m-%d %H:%M:%S %Z"), "2024-03-02 03:00:00 EST"),
        (Some("%Y-%m-%dT%H:%M:%SZ"), "2024-03-02T03:00:00"),
        (None, "2024-03-02 UTC"),
        (None, "2024-03-02 03:00:00 EST"),
    ] {
        assert_eq!(
            read(format, "America/New_York", text),
            Err(RejectionReason::BadTime),
            "{format:?} {text}"
        );
    }
}
