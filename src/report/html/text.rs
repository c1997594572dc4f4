//! Text of the page: escaping, numbers, words.

use crate::history::Day;

/// Text with HTML's special characters replaced, safe between tags and in quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // Control characters have no place in a page, and some are not even legal there.
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

/// A date that stays on one line, as HTML.
pub(crate) fn nowrap(day: Day) -> String {
    format!("<span class=\"nowrap\">{day}</span>")
}

/// The first `most` characters, with an ellipsis if there are more.
pub(crate) fn shorten(text: &str, most: usize) -> String {
    let mut short: String = text.chars().take(most).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// `active_days` as `active days`.
pub(crate) fn words(name: &str) -> String {
    name.replace('_', " ")
}

/// `active days` as `Active days`.
pub(crate) fn capital(text: &str) -> String {
    let mut rest = text.chars();
    rest.next()
        .map(|first| first.to_uppercase().chain(rest).collect())
        .unwrap_or_default()
}

/// `a`, `a or b`, `a, b or c`.
pub(crate) fn any_of(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

/// `1234567` as `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 user`, `2 users`.
pub(crate) fn counted(number: u64, one: &str) -> String {
    format!(
        "{} {one}{}",
        count(number),
        if number == 1 { "" } else { "s" }
    )
}

/// A narrow space that does not break keeps a number and its unit together.
pub(crate) const THIN: char = '\u{202f}';

/// A share as percent: one decimal below 10 % and close to 100 %, none between.
pub(crate) fn percent(share: f64) -> String {
    let p = share * 100.0;
    if !p.is_finite() {
        return "–".to_owned();
    }
    let digits = usize::from(p.abs() < 9.95 || (p > 99.0 && p < 100.0));
    let text = format!("{p:.digits$}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "0" && p > 0.0 {
        return format!("<{THIN}0.1{THIN}%");
    }
    // A share is only called all when it is.
    let text = if text == "100" && p < 100.0 {
        "99.9"
    } else {
        text
    };
    format!("{}{THIN}%", text.replace('-', "−"))
}

/// A share as percent with so many decimals: for the ticks of an axis, which must be told apart.
pub(crate) fn percent_to(share: f64, digits: usize) -> String {
    match decimals(share * 100.0, digits) {
        unknown if unknown == "–" => unknown,
        text => format!("{text}{THIN}%"),
    }
}

/// A share that was counted, in a sentence: `none`, `all`, or a percentage that is never that of nothing or everything.
pub(crate) fn counted_share(share: f64) -> String {
    match share {
        0.0 => "none".to_owned(),
        1.0 => "all".to_owned(),
        _ => probability(share),
    }
}

/// A probability in a sentence: nothing is certain, however a number is rounded.
pub(crate) fn probability(p: f64) -> String {
    match p {
        p if p < 0.001 => format!("less than 0.1{THIN}%"),
        p if p > 0.999 => format!("more than 99.9{THIN}%"),
        p => percent(p),
    }
}

/// A difference of shares in percentage points, without its unit: `0.8`; two decimals where one would say nothing.
pub(crate) fn points(difference: f64) -> String {
    decimals(difference * 100.0, points_digits(difference))
}

/// The same with its sign: `+0.8`.
pub(crate) fn signed_points(difference: f64) -> String {
    signed(difference * 100.0, points_digits(difference))
}

fn points_digits(difference: f64) -> usize {
    if difference != 0.0 && difference.abs() < 0.000_95 {
        2
    } else {
        1
    }
}

/// Times as many: one decimal, two where one would hardly tell it from as many.
pub(crate) fn times(lift: f64) -> String {
    decimals(lift, if lift < 1.5 { 2 } else { 1 })
}

/// A loss or a score: three decimals, four where it is small.
pub(crate) fn score(number: f64) -> String {
    decimals(number, if number.abs() < 0.1 { 4 } else { 3 })
}

/// A number with so many decimals and a true minus sign; never `-0.0`.
pub(crate) fn decimals(number: f64, digits: usize) -> String {
    if !number.is_finite() {
        return "–".to_owned();
    }
    let text = format!("{number:.digits$}");
    match text.strip_prefix('-') {
        Some(rest) if rest.chars().all(|c| c == '0' || c == '.') => rest.to_owned(),
        Some(rest) => format!("−{rest}"),
        None => text,
    }
}

/// The same with a plus sign for what is not zero.
pub(crate) fn signed(number: f64, digits: usize) -> String {
    let text = decimals(number, digits);
    let zero = text.chars().all(|c| c == '0' || c == '.');
    if number > 0.0 && !zero && number.is_finite() {
        format!("+{text}")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_data_becomes_text() {
        assert_eq!(
            escape("<b a=\"1\" c='2'>&\u{0}"),
            "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp; "
        );
    }

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
        let read: Vec<String> = shares
            .iter()
            .map(|s| percent(*s).replace(THIN, ""))
            .collect();
        assert_eq!(
            read,
            [
                "0%", "<0.1%", "3.4%", "10%", "38%", "99%", "99.5%", "99.9%", "100%", "–"
            ]
        );
        assert_eq!(
            (
                points(0.0083),
                signed_points(-0.012),
                signed_points(0.0001),
                points(0.0)
            ),
            ("0.8".into(), "−1.2".into(), "+0.01".into(), "0.0".into())
        );
        assert_eq!(
            (
                decimals(-0.0001, 2),
                signed(0.5, 2),
                decimals(f64::INFINITY, 1)
            ),
            ("0.00".into(), "+0.50".into(), "–".into())
        );
        assert_eq!(
            (count(1_234_567), counted(1, "user"), counted(0, "user")),
            ("1,234,567".into(), "1 user".into(), "0 users".into())
        );
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
        let read: Vec<String> = [0.0, 1e-9, 0.0042, 0.5, 0.9995, 1.0]
            .map(probability)
            .into();
        let all = [
            "less than 0.1 %",
            "less than 0.1 %",
            "0.4 %",
            "50 %",
            "more than 99.9 %",
            "more than 99.9 %",
        ];
        assert_eq!(
            read,
            all.map(|words| words.replace(" %", &format!("{THIN}%")))
        );
        assert_eq!(
            (
                counted_share(0.0),
                counted_share(1.0),
                probability(f64::NAN)
            ),
            ("none".into(), "all".into(), "–".into())
        );
        assert_eq!(
            (percent_to(0.0025, 2), percent_to(1.0, 1)),
            (format!("0.25{THIN}%"), format!("100.0{THIN}%"))
        );
    }

    #[test]
    fn words_are_joined_and_cut_at_characters() {
        let kinds = |n: usize| {
            ["a", "b", "c"]
                .iter()
                .take(n)
                .map(|s| (*s).to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            (any_of(&kinds(1)), any_of(&kinds(2)), any_of(&kinds(3))),
            ("a".into(), "a or b".into(), "a, b or c".into())
        );
        assert_eq!(
            (shorten("Zürich", 2), shorten("Zürich", 6)),
            ("Zü…".into(), "Zürich".into())
        );
        assert_eq!(
            (capital("élan vital"), words("one_active_day")),
            ("Élan vital".into(), "one active day".into())
        );
    }
}
