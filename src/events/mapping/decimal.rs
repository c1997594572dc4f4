//! Amounts as people write them: with a decimal comma, and with groups of three digits.

use crate::events::config::Decimal;

/// Blanks that do not break a line, which stand between groups of digits in many countries.
pub(crate) const NO_BREAK_BLANKS: [char; 2] = ['\u{a0}', '\u{202f}'];

impl Decimal {
    /// The mark before the fraction.
    pub(crate) fn mark(self) -> char {
        match self {
            Self::Point => '.',
            Self::Comma => ',',
        }
    }

    /// The marks that may stand between groups of three digits, beside [`NO_BREAK_BLANKS`].
    pub(crate) fn group_marks(self) -> [char; 3] {
        match self {
            Self::Point => [',', ' ', '\''],
            Self::Comma => ['.', ' ', '\''],
        }
    }

    /// The number that a text without blanks around it stands for; `None` where it is written in another way.
    pub(crate) fn parse(self, text: &str) -> Option<f64> {
        let (mantissa, exponent) = match text.find(['e', 'E']) {
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        let unsigned = mantissa.strip_prefix(['+', '-']).unwrap_or(mantissa);
        let (whole, fraction) = unsigned.split_once(self.mark()).unwrap_or((unsigned, ""));
        let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(fraction) || whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let whole = self.ungrouped(whole)?;
        let sign = if mantissa.starts_with('-') { "-" } else { "" };
        // What follows the sign is digits by now, so that the parser reads no `inf` and no `nan`.
        format!("{sign}{whole}.{fraction}0{exponent}").parse().ok()
    }

    /// The digits of a whole part without the marks between its groups; all marks must be the same.
    fn ungrouped(self, whole: &str) -> Option<String> {
        if whole.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(format!("0{whole}"));
        }
        let blank = whole.replace(NO_BREAK_BLANKS, " ");
        let mark = blank.chars().find(|c| !c.is_ascii_digit())?;
        if !self.group_marks().contains(&mark) {
            return None;
        }
        let mut groups = blank.split(mark);
        let first = groups.next().unwrap_or_default();
        let digits = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
        let is_grouped = (1..=3).contains(&first.len())
            && digits(first)
            && groups.all(|group| group.len() == 3 && digits(group));
        is_grouped.then(|| blank.replace(mark, ""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_comma_and_groups_are_read_and_what_is_written_in_another_way_is_not() {
        for (text, expected) in [
            ("1,50", Some(1.5)),
            ("-1.234,50", Some(-1_234.5)),
            ("1.234.567", Some(1_234_567.0)),
            ("1 234,5", Some(1_234.5)),
            ("1\u{a0}234\u{202f}567,25", Some(1_234_567.25)),
            ("1'234,50", Some(1_234.5)),
            ("+7", Some(7.0)),
            (",5", Some(0.5)),
            ("5,", Some(5.0)),
            ("1,5e-3", Some(0.0015)),
            ("1.50", None),
            ("1.2345,0", None),
            ("1234.567", None),
            ("1.234 567", None),
            ("1,2,3", None),
            ("1,234.50", None),
            (".234,5", None),
            ("inf", None),
            ("nan", None),
            (",", None),
            ("", None),
            ("-", None),
            ("--1", None),
            ("1,5 €", None),
        ] {
            assert_eq!(Decimal::Comma.parse(text), expected, "{text}");
        }
    }

    #[test]
    fn a_point_that_is_set_takes_groups_of_commas() {
        for (text, expected) in [
            ("1,234.50", Some(1_234.5)),
            ("12,345,678", Some(12_345_678.0)),
            ("1234.5", Some(1_234.5)),
            ("1e3", Some(1_000.0)),
            ("1,5", None),
            ("1,23,456", None),
        ] {
            assert_eq!(Decimal::Point.parse(text), expected, "{text}");
        }
    }
}
