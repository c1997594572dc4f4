use super::*;

fn found(texts: &[&str]) -> Option<Times> {
    let values: Vec<Value> = texts.iter().map(|text| Value::text(text)).collect();
    times(&values, false)
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn the_values_show_how_times_are_written() {
    for (texts, expected, instants) in [
        (
            vec!["2024-01-31 10:00:00", "2024-02-01 11:00:00"],
            Some("%Y-%m-%d %H:%M:%S"),
            false,
        ),
        (
            vec!["2024-01-31T10:00:00", "2024-02-01T11:00:00"],
            Some("%Y-%m-%dT%H:%M:%S"),
            false,
        ),
        (vec!["2024-01-31", "2024-02-01"], Some("%Y-%m-%d"), false),
        (
            vec!["2024-01-31T10:00:00Z", "2024-02-01T11:00:00.5Z"],
            None,
            true,
        ),
        (
            vec!["2024-01-31 10:00:00.5+00:00", "2024-02-01 10:00:00+00:00"],
            None,
            true,
        ),
        (
            vec!["2024-01-31 10:00:00 UTC", "2024-02-01 10:00:00 UTC"],
            None,
            true,
        ),
        (vec!["2024-01-31 10:00", "2024-02-01 10:30"], None, false),
        (vec!["19970101", "19970118"], Some("%Y%m%d"), false),
        (vec!["1700000000", "1700086400"], Some("epoch_s"), true),
        (
            vec!["1433221332117", "1433224214164"],
            Some("epoch_ms"),
            true,
        ),
        (
            vec!["1700000000000000", "1700086400000000"],
            Some("epoch_us"),
            true,
        ),
        (vec!["1700000000.25", "1700086400.5"], Some("epoch_s"), true),
        (vec!["31.01.2024", "01.02.2024"], Some("%d.%m.%Y"), false),
        (
            vec!["31.01.24 10:15", "01.02.24 08:00"],
            Some("%d.%m.%y %H:%M"),
            false,
        ),
        (
            vec!["1/31/2024 8:26:00 AM", "2/1/2024 12:01:00 PM"],
            Some("%m/%d/%Y %I:%M:%S %p"),
            false,
        ),
        (
            vec!["1/31/2011 8:26", "2/1/2011 12:01"],
            Some("%m/%d/%Y %H:%M"),
            false,
        ),
        (vec!["31/01/2024", "1/2/2024"], Some("%d/%m/%Y"), false),
        (
            vec!["2024/01/31 08:00", "2024/02/01 09:00"],
            Some("%Y/%m/%d %H:%M"),
            false,
        ),
        (vec!["31 Jan 2024", "1 Feb 2024"], Some("%d %b %Y"), false),
        (vec!["31-Jan-24", "01-Feb-24"], Some("%d-%b-%y"), false),
        (
            vec!["Jan 31, 2024", "Feb 1, 2024"],
            Some("%b %d, %Y"),
            false,
        ),
        (
            vec!["Jan 31, 2024, 8:26 AM", "Feb 1, 2024, 9:00 PM"],
            Some("%b %d, %Y, %I:%M %p"),
            false,
        ),
        (
            vec!["10/Oct/2000:13:55:36 -0700", "11/Oct/2000:13:55:36 -0700"],
            Some("%d/%b/%Y:%H:%M:%S %z"),
            true,
        ),
        (
            vec![
                "Wed Oct 10 13:55:36 +0000 2018",
                "Thu Oct 11 13:55:36 +0000 2018",
            ],
            Some("%a %b %d %H:%M:%S %z %Y"),
            true,
        ),
        (
            vec!["2024-01-31 08:15:00 +0100", "2024-02-01 08:15:00 +0100"],
            Some("%Y-%m-%d %H:%M:%S %z"),
            true,
        ),
    ] {
        let times = found(&texts).unwrap_or_else(|| panic!("{texts:?} are no times"));
        assert_eq!(
            (times.format.as_deref(), times.are_instants),
            (expected, instants),
            "{texts:?}"
        );
        assert_eq!(
            (times.share, &times.other_format),
            (1.0, &None),
            "{texts:?}"
        );
    }
}

#[test]
fn what_is_no_time_is_none() {
    for texts in [
        vec!["1", "2"],
        vec!["17850.0", "13047.0"],
        vec!["12345678", "99999999"],
        vec!["85123A", "71053"],
        vec!["a", "b"],
        vec!["2010", "2011"],
        vec!["10:15", "11:30"],
        vec!["31625220889", "32053127496"],
    ] {
        assert_eq!(found(&texts), None, "{texts:?}");
    }
    assert_eq!(times(&[], false), None);
}

#[test]
fn a_day_that_could_be_a_month_has_both_formats() {
    let ambiguous = found(&["01/02/2024", "03/02/2024", "05/04/2024"]).unwrap();
    assert_eq!(
        (
            ambiguous.format.as_deref(),
            ambiguous.other_format.as_deref()
        ),
        (Some("%d/%m/%Y"), Some("%m/%d/%Y"))
    );
    let twelve = found(&["1/2/2024 8:00 AM", "2/3/2024 9:00 PM"]).unwrap();
    assert_eq!(twelve.format.as_deref(), Some("%m/%d/%Y %I:%M %p"));
    // In order of time only with the month first.
    let sorted = [
        "01/02/2024",
        "01/05/2024",
        "02/03/2024",
        "02/04/2024",
        "03/01/2024",
        "04/01/2024",
    ];
    let times = found(&sorted).unwrap();
    assert_eq!(times.format.as_deref(), Some("%m/%d/%Y"));
    assert!(
        times
            .order_reason
            .is_some_and(|reason| reason.contains("in order of time"))
    );
    // The offsets are those of the zone by the reading that is taken.
    let offsets = ["+0100", "+0100", "+0100", "+0100", "+0200", "+0200"];
    let days = [
        "01/02/2024",
        "01/05/2024",
        "02/03/2024",
        "02/04/2024",
        "06/01/2024",
        "07/01/2024",
    ];
    let zoned: Vec<String> = days
        .iter()
        .zip(offsets)
        .map(|(day, offset)| format!("{day} 10:00:00 {offset}"))
        .collect();
    let zoned = found(&zoned.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    assert_eq!(
        (zoned.format.as_deref(), zoned.zone),
        (
            Some("%m/%d/%Y %H:%M:%S %z"),
            Some(zone::Zone::Named("Europe/Berlin"))
        )
    );
    // The negative control: one day above 12 leaves no doubt.
    assert_eq!(
        found(&["01/02/2024", "13/02/2024"]).unwrap().other_format,
        None
    );
}

#[test]
fn some_damaged_values_do_not_hide_the_format() {
    let mut texts = vec!["2024-01-31 10:00:00"; 95];
    texts.extend(["", "0000-00-00 00:00:00", "31/01/2024 12:00", "soon"]);
    let times = found(&texts).unwrap();
    assert_eq!(times.format.as_deref(), Some("%Y-%m-%d %H:%M:%S"));
    assert!(times.share > 0.9 && times.share < 1.0, "{}", times.share);
    let mut ticks = vec!["1700000000"; 95];
    ticks.extend(["NULL", "unknown"]);
    let times = found(&ticks).unwrap();
    assert_eq!(
        (times.format.as_deref(), times.are_instants),
        (Some("epoch_s"), true)
    );
}
