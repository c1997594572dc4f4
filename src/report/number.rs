//! Numbers as text, the same in the page, on the terminal and in the quality gate.

pub(crate) use crate::math::{counted, thousands};

/// A narrow space that does not break keeps a number and its unit together.
pub(crate) const THIN: char = '\u{202f}';

/// What stands where a number is not known.
const UNKNOWN: &str = "–";

/// A share as percent: one decimal below 10 % and close to 100 %, none between.
pub(crate) fn percent(share: f64) -> String {
    let p = share * 100.0;
    if !p.is_finite() {
        return UNKNOWN.to_owned();
    }
    let digits = usize::from(p.abs() < 9.95 || (p > 99.0 && p < 100.0));
    let text = format!("{p:.digits$}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "0" && p > 0.0 {
        return format!("<{THIN}0.1{THIN}%");
    }
    // 100 % stands for all of them, so no smaller share is rounded up to it.
    let text = if text == "100" && p < 100.0 {
        "99.9"
    } else {
        text
    };
    format!("{}{THIN}%", text.replace('-', "−"))
}

/// A share as percent with a fixed number of decimals, for the ticks of an axis: equal precision keeps them apart.
pub(crate) fn percent_to(share: f64, digits: usize) -> String {
    match decimals(share * 100.0, digits) {
        unknown if unknown == UNKNOWN => unknown,
        text => format!("{text}{THIN}%"),
    }
}

/// An observed share in a sentence: `none` and `all` only where it is exactly 0 or 1.
pub(crate) fn counted_share(share: f64) -> String {
    match share {
        0.0 => "none".to_owned(),
        1.0 => "all".to_owned(),
        _ => probability(share),
    }
}

/// A probability in a sentence, never rounded to 0 % or 100 %.
pub(crate) fn probability(p: f64) -> String {
    match p {
        p if p < 0.001 => format!("less than 0.1{THIN}%"),
        p if p > 0.999 => format!("more than 99.9{THIN}%"),
        p => percent(p),
    }
}

/// A share as percent for plain text: one decimal, never rounded to nothing or all.
pub(crate) fn plain_percent(share: f64) -> String {
    match share * 100.0 {
        p if p > 0.0 && p < 0.1 => "less than 0.1 %".to_owned(),
        p if p > 99.9 && p < 100.0 => "more than 99.9 %".to_owned(),
        p => format!("{p:.1} %"),
    }
}

/// A difference of shares in percentage points, without its unit: `0.8`.
pub(crate) fn points(difference: f64) -> String {
    decimals(difference * 100.0, points_digits(difference))
}

/// The same with its sign: `+0.8`.
pub(crate) fn signed_points(difference: f64) -> String {
    signed(difference * 100.0, points_digits(difference))
}

/// Two decimals where one would round the difference away.
fn points_digits(difference: f64) -> usize {
    if difference != 0.0 && difference.abs() < 0.000_95 {
        2
    } else {
        1
    }
}

/// A lift: one decimal, two close to 1.
pub(crate) fn times(lift: f64) -> String {
    decimals(lift, if lift < 1.5 { 2 } else { 1 })
}

/// A loss or a score: three decimals, four where it is small.
pub(crate) fn score(number: f64) -> String {
    decimals(number, if number.abs() < 0.1 { 4 } else { 3 })
}

/// A number with a fixed number of decimals and a true minus sign; never `-0.0`.
pub(crate) fn decimals(number: f64, digits: usize) -> String {
    if !number.is_finite() {
        return UNKNOWN.to_owned();
    }
    let text = format!("{number:.digits$}");
    match text.strip_prefix('-') {
        Some(rest) if is_zero(rest) => rest.to_owned(),
        Some(rest) => format!("−{rest}"),
        None => text,
    }
}

/// The same with a plus sign for what is not zero.
pub(crate) fn signed(number: f64, digits: usize) -> String {
    let text = decimals(number, digits);
    if number > 0.0 && number.is_finite() && !is_zero(&text) {
        format!("+{text}")
    } else {
        text
    }
}

/// An amount of money without its currency: whole from 100 on, with two decimals below, and four below a tenth.
pub(crate) fn amount(number: f64) -> String {
    let digits = match number.abs() {
        size if size >= 99.995 || size == 0.0 => 0,
        size if size >= 0.099_95 => 2,
        _ => 4,
    };
    if digits > 0 || !number.is_finite() {
        return decimals(number, digits);
    }
    // A double holds every whole number of cents that a log adds up to.
    let whole = thousands(number.abs().round() as u64);
    if number < 0.0 {
        format!("−{whole}")
    } else {
        whole
    }
}

fn is_zero(digits: &str) -> bool {
    digits.chars().all(|c| c == '0' || c == '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well_at_every_size() {
        let shares = [
            0.0,
            0.0001,
            0.034,
            0.0996,
            0.384,
            0.99,
            0.9949,
            0.99999,
            1.0,
            f64::NAN,
        ];
        let read = shares.map(|share| percent(share).replace(THIN, ""));
        assert_eq!(
            read,
            [
                "0%", "<0.1%", "3.4%", "10%", "38%", "99%", "99.5%", "99.9%", "100%", "–"
            ]
        );
        let plain = [0.0, 0.0004, 0.24903, 0.9999, 1.0].map(plain_percent);
        assert_eq!(
            plain,
            [
                "0.0 %",
                "less than 0.1 %",
                "24.9 %",
                "more than 99.9 %",
                "100.0 %"
            ]
        );
        assert_eq!(points(0.0083), "0.8");
        assert_eq!(points(0.0), "0.0");
        assert_eq!(signed_points(-0.012), "−1.2");
        assert_eq!(signed_points(0.0001), "+0.01");
        assert_eq!(decimals(-0.0001, 2), "0.00");
        assert_eq!(decimals(f64::INFINITY, 1), "–");
        assert_eq!(signed(0.5, 2), "+0.50");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(
            [0.0, 12.5, 99.999, -1_234_567.5, 0.004, f64::NAN].map(amount),
            ["0", "12.50", "100", "−1,234,568", "0.0040", "–"]
        );
        assert_eq!(counted(1, "user"), "1 user");
        assert_eq!(counted(0, "user"), "0 users");
        assert_eq!(percent_to(0.0025, 2), format!("0.25{THIN}%"));
        assert_eq!(percent_to(1.0, 1), format!("100.0{THIN}%"));
    }

    #[test]
    fn a_probability_in_words_is_never_nothing_or_everything() {
        for k in 0..=100_000 {
            let share = f64::from(k) / 100_000.0;
            for words in [probability(share), counted_share(share)] {
                let bare = words.replace(THIN, " ");
                assert!(
                    !matches!(bare.as_str(), "0 %" | "100 %" | "0.0 %" | "100.0 %"),
                    "{share}: {bare}"
                );
            }
        }
        let read = [0.0, 1e-9, 0.0042, 0.5, 0.9995, 1.0].map(|p| probability(p).replace(THIN, " "));
        assert_eq!(
            read,
            [
                "less than 0.1 %",
                "less than 0.1 %",
                "0.4 %",
                "50 %",
                "more than 99.9 %",
                "more than 99.9 %"
            ]
        );
        assert_eq!(counted_share(0.0), "none");
        assert_eq!(counted_share(1.0), "all");
        assert_eq!(probability(f64::NAN), "–");
    }
}
