//! How numbers are written in a column.

use crate::events::config::Decimal;
use crate::events::mapping::decimal::NO_BREAK_BLANKS;

/// The share of the values that must be numbers.
const LEAST_SHARE: f64 = 0.95;

/// What is written beside amounts of money, longer ones first.
const CURRENCIES: [&str; 26] = [
    "US$", "CA$", "AU$", "NZ$", "HK$", "R$", "USD", "EUR", "GBP", "BRL", "CHF", "SEK", "NOK",
    "DKK", "PLN", "INR", "JPY", "TL", "kr", "zł", "$", "€", "£", "¥", "₹", "₺",
];

/// The numbers of a column.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Numbers {
    /// How fractions and groups of digits are written; `None` for plain numbers.
    pub(crate) decimal: Option<Decimal>,
    /// Blanks and apostrophes between groups of digits, where values have them.
    pub(crate) spaces: Vec<char>,
    /// Whether the values show which of two ways is meant.
    pub(crate) is_certain: bool,
    /// The currency that is written beside them.
    pub(crate) currency: Option<&'static str>,
    /// The share of the values that are numbers.
    pub(crate) share: f64,
    /// The share of them without a fraction.
    pub(crate) whole: f64,
    /// The share of them below 0.
    pub(crate) negative: f64,
    /// The middle one by size, without its sign.
    pub(crate) median: f64,
}

/// The numbers in texts, `usual` being how fractions are written where the texts do not show it; `None` where they are
/// something else.
pub(crate) fn numbers(texts: &[&str], usual: Decimal) -> Option<Numbers> {
    let currency = CURRENCIES.into_iter().find(|currency| {
        let with = texts
            .iter()
            .filter(|text| has_currency(text, currency))
            .count();
        with as f64 >= LEAST_SHARE * texts.len() as f64 && with > 0
    });
    let bare: Vec<String> = texts.iter().map(|text| without(text, currency)).collect();
    let (decimal, is_certain) = style(&bare, usual)?;
    let mut values: Vec<f64> = bare
        .iter()
        .filter_map(|text| parse(text, decimal))
        .collect();
    let share = values.len() as f64 / texts.len().max(1) as f64;
    if share < LEAST_SHARE || values.is_empty() {
        return None;
    }
    let all = values.len() as f64;
    let share_of =
        |is: &dyn Fn(f64) -> bool| values.iter().filter(|v| is(**v)).count() as f64 / all;
    let (whole, negative) = (share_of(&|v| v.fract() == 0.0), share_of(&|v| v < 0.0));
    for value in &mut values {
        *value = value.abs();
    }
    values.sort_by(f64::total_cmp);
    let has_space = |space: &char| bare.iter().any(|text| text.contains(*space));
    let spaces = [' ', '\''].into_iter().chain(NO_BREAK_BLANKS);
    Some(Numbers {
        decimal,
        spaces: spaces.filter(has_space).collect(),
        is_certain,
        currency,
        share,
        whole,
        negative,
        median: values[values.len() / 2],
    })
}

impl Numbers {
    /// The number that a text of the column holds.
    pub(crate) fn read(&self, text: &str) -> Option<f64> {
        parse(&without(text, self.currency), self.decimal)
    }
}

/// A text without the currency beside its number.
fn without(text: &str, currency: Option<&str>) -> String {
    match currency {
        Some(currency) => text.replace(currency, "").trim().to_owned(),
        None => text.to_owned(),
    }
}

/// The number that a text holds.
fn parse(text: &str, decimal: Option<Decimal>) -> Option<f64> {
    match decimal {
        Some(decimal) => decimal.parse(text),
        None => text.parse().ok().filter(|number: &f64| number.is_finite()),
    }
}

fn has_currency(text: &str, currency: &str) -> bool {
    let bare = text.trim_start_matches(['-', '+', ' ']);
    (bare.starts_with(currency) || text.ends_with(currency))
        && text.bytes().any(|b| b.is_ascii_digit())
}

/// How numbers are written, and whether the texts show it: the plain way if it reads nearly all, otherwise the one of the two
/// others that reads more.
fn style(texts: &[String], usual: Decimal) -> Option<(Option<Decimal>, bool)> {
    let read =
        |decimal: Option<Decimal>| texts.iter().filter(|t| parse(t, decimal).is_some()).count();
    let enough = |count: usize| count as f64 >= LEAST_SHARE * texts.len() as f64;
    let (plain, comma, point) = (
        read(None),
        read(Some(Decimal::Comma)),
        read(Some(Decimal::Point)),
    );
    if enough(plain) && plain >= comma && plain >= point {
        return Some((None, true));
    }
    let (best, count) = match comma.cmp(&point) {
        std::cmp::Ordering::Greater => (Decimal::Comma, comma),
        std::cmp::Ordering::Less => (Decimal::Point, point),
        // `1,234` alone is both.
        std::cmp::Ordering::Equal => (usual, comma),
    };
    enough(count).then_some((Some(best), comma != point))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(texts: &[&str]) -> Option<(Option<Decimal>, bool, Option<&'static str>)> {
        numbers(texts, Decimal::Point).map(|n| (n.decimal, n.is_certain, n.currency))
    }

    #[test]
    fn the_values_show_how_numbers_are_written() {
        let (comma, point) = (Some(Decimal::Comma), Some(Decimal::Point));
        for (texts, expected) in [
            (vec!["1", "2.5", "-3e2"], Some((None, true, None))),
            (vec!["1,50", "12", "1.234,00"], Some((comma, true, None))),
            (vec!["1,234.50", "12", "9.99"], Some((point, true, None))),
            (vec!["1,234", "12", "5,678"], Some((point, false, None))),
            (vec!["$1,234.50", "$12.00"], Some((point, true, Some("$")))),
            (
                vec!["R$ 1.234,50", "R$ 3,00"],
                Some((comma, true, Some("R$"))),
            ),
            (vec!["12,50 €", "-3,00 €"], Some((comma, true, Some("€")))),
            (vec!["-$5.00", "$7.25"], Some((None, true, Some("$")))),
            (vec!["1 234,50", "12,00"], Some((comma, true, None))),
            (vec!["a", "1"], None),
            (vec!["2024-01-01", "2024-01-02"], None),
            (vec!["inf", "nan"], None),
        ] {
            assert_eq!(found(&texts), expected, "{texts:?}");
        }
        // Where nothing shows it, the file's other marks decide.
        let usual = numbers(&["1,234", "5,678"], Decimal::Comma).unwrap();
        assert_eq!((usual.decimal, usual.is_certain), (comma, false));
    }

    #[test]
    fn numbers_are_described() {
        let found = numbers(&["1", "2", "-3", "4.5"], Decimal::Point).unwrap();
        assert_eq!(
            (found.whole, found.negative, found.median),
            (0.75, 0.25, 3.0)
        );
    }
}
