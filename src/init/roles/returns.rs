//! Returns and cancellations in a log without kinds: a letter before the numbers of invoices, or amounts below 0.

use std::collections::BTreeMap;

use super::Finding;
use super::expression::Operand;
use crate::events::config::{Format, Mapping};
use crate::init::columns::profile::Profile;
use crate::init::sample::{Nature, Value};
use crate::init::vocabulary::Table;

/// The shares of the rows between which something may be a return.
const SHARES: std::ops::Range<f64> = 0.0003..0.4;
/// The share of the rows with a letter that must have a negative number.
const AGREEMENT: f64 = 0.9;

/// The expression that makes returns of some rows and purchases of the others.
pub(super) fn find(profiles: &[Profile], format: Format, amount: Option<usize>) -> Option<Finding> {
    let negative = negative_column(profiles, amount);
    let marked = profiles.iter().find_map(|p| marked(p, negative, format));
    marked.or_else(|| by_sign(negative?, format))
}

/// The column whose numbers are below 0 for returns: pieces before money.
fn negative_column(profiles: &[Profile], amount: Option<usize>) -> Option<&Profile> {
    let is_negative = |p: &&Profile| {
        let share = p.numbers.as_ref().map_or(0.0, |numbers| numbers.negative);
        SHARES.contains(&share) && !p.is_doubled
    };
    let pieces = |p: &&Profile| Table::Quantity.points(&p.words).best >= 20;
    let all = || profiles.iter().filter(is_negative);
    all()
        .find(pieces)
        .or_else(|| all().find(|p| Some(p.position) == amount))
}

/// A letter before the number of an order or invoice, as in `C536379`, in rows that are otherwise numbers.
fn marked(profile: &Profile, negative: Option<&Profile>, format: Format) -> Option<Finding> {
    let is_order = Table::Order.has_any(&profile.words);
    if !is_order || profile.nature != Nature::Text {
        return None;
    }
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let letter = |value: &Value| {
        let mut characters = value.text.chars();
        let first = characters.next().filter(char::is_ascii_alphabetic)?;
        is_digits(characters.as_str()).then_some(first)
    };
    let mut letters: BTreeMap<char, (usize, usize)> = BTreeMap::new();
    let mut numbers = 0;
    for (row, value) in profile.values.iter().enumerate() {
        numbers += usize::from(is_digits(&value.text));
        if let Some(letter) = letter(value) {
            let is_below = negative
                .and_then(|negative| negative.values.get(row))
                .is_some_and(|value| value.text.starts_with('-'));
            let (rows, below) = letters.entry(letter).or_default();
            *rows += 1;
            *below += usize::from(is_below);
        }
    }
    let rows = profile.filled_rows().max(1) as f64;
    let (letter, (count, below)) = letters.into_iter().max_by_key(|(_, (rows, _))| *rows)?;
    let is_return = SHARES.contains(&(count as f64 / rows))
        && numbers as f64 > 0.5 * rows
        && below as f64 >= AGREEMENT * count as f64;
    if !is_return {
        return None;
    }
    let condition = Operand::new(profile, format)?.starts_with(&letter.to_string());
    Some(Finding {
        mapping: Mapping::Expression(format!("{condition} ? \"return\" : \"purchase\"")),
        reason: format!(
            "{:.1} % of the rows have a `{letter}` before the number in `{}`, and numbers below 0",
            100.0 * count as f64 / rows,
            profile.name
        ),
        alternatives: Vec::new(),
        is_doubtful: false,
    })
}

fn by_sign(negative: &Profile, format: Format) -> Option<Finding> {
    let operand = Operand::new(negative, format)?;
    let share = negative
        .numbers
        .as_ref()
        .map_or(0.0, |numbers| numbers.negative);
    Some(Finding {
        mapping: Mapping::Expression(format!(
            "{} ? \"return\" : \"purchase\"",
            operand.is_negative(negative.filled)
        )),
        reason: format!(
            "{:.1} % of the rows have a number below 0 in `{}`",
            100.0 * share,
            negative.name
        ),
        alternatives: Vec::new(),
        is_doubtful: false,
    })
}
