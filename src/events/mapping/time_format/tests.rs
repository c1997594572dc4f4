use super::*;

#[test]
fn formats_that_tell_no_day_are_errors() {
    for (format, expected) in [
        ("%H:%M", "gives no day"),
        ("%d/%m", "gives no day"),
        ("%H:%MZ", "gives no time"),
        ("%Y-%m-%d %J", "cannot be used"),
        ("%Y-%m-%d %", "cannot be used"),
        ("epoch", "none of rfc3339, epoch_s"),
        ("%Y-%m-%dZ", "holds a time zone, but no time of day"),
        ("%Y-%m-%d %H:%M:%S EST", "`EST` would be read as text"),
        (
            "%Y-%m-%d %H:%M:%S %Z %z",
            "both a zone's name and an offset",
        ),
    ] {
        let message = TimeFormat::new(format).unwrap_err().to_string();
        assert!(message.contains(expected), "{format}: {message}");
    }
}

#[test]
fn words_that_only_look_like_zones_are_text() {
    for pattern in [
        "%d.%m.%Y um %H:%M Uhr",
        "Zeit %Y-%m-%d %H:%M",
        "%Y-%m-%d-00",
        "%Y-%m-%d (%H)",
        "%dZoo%m %Y %H",
    ] {
        let TimeFormat::Pattern(pattern) = TimeFormat::new(pattern).unwrap() else {
            panic!("{pattern}")
        };
        assert_eq!(pattern.single().1, Some(PatternTime::Local), "{pattern:?}");
    }
}

#[test]
fn parts_are_directives_and_the_texts_between_them() {
    assert_eq!(
        parts("%Y-%_m%:z Z%%"),
        ["%Y", "-", "%_m", "%:z", " Z", "%%"]
    );
    assert_eq!(parts("%.3fé%"), ["%.3f", "é", "%"]);
}
