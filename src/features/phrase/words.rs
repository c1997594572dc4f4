//! Numbers in words.

/// A probability as percent, which says neither that a thing is certain nor that it cannot be.
pub fn percent(probability: f64) -> String {
    if probability > 0.99 {
        "more than 99 %".to_owned()
    } else if probability < 0.01 {
        "less than 1 %".to_owned()
    } else {
        format!("{:.0} %", probability * 100.0)
    }
}

/// "1 day", "47 days", "3.8 days".
pub(crate) fn days(value: f64) -> String {
    if (value - 1.0).abs() < 0.05 {
        "1 day".to_owned()
    } else {
        format!("{} days", number(value))
    }
}

/// "1 visit", "86 visits", "3 order placed events": only a noun that anyone would write so is put into the plural.
pub(super) fn several(value: f64, noun: &str) -> String {
    let one = (value - 1.0).abs() < 0.05;
    let regular = noun.ends_with(|c: char| c.is_ascii_lowercase())
        && !["ed", "s", "x", "z", "y", "ch", "sh", "ing"]
            .iter()
            .any(|end| noun.ends_with(end));
    let words = match (regular, one) {
        (true, true) => noun.to_owned(),
        (true, false) => format!("{noun}s"),
        (false, true) => format!("{noun} event"),
        (false, false) => format!("{noun} events"),
    };
    format!("{} {words}", number(value))
}

/// Beyond this a number is no longer a whole number of tenths for certain.
const TENTHS_MAX: f64 = 1e15;

/// At most one decimal for small values, none for large ones. Whole numbers are written, because writing broken ones
/// takes ten times as long.
pub(crate) fn number(value: f64) -> String {
    let tenths = (value * 10.0).round();
    if tenths.is_nan() || tenths.abs() >= TENTHS_MAX {
        return format!("{value:.0}");
    }
    let (whole, rest) = (tenths as i64 / 10, tenths as i64 % 10);
    match rest {
        0 => whole.to_string(),
        _ if tenths.abs() >= 100.0 => ((tenths / 10.0).round_ties_even() as i64).to_string(),
        _ => format!(
            "{}{}.{}",
            if rest < 0 { "-" } else { "" },
            whole.abs(),
            rest.abs()
        ),
    }
}
