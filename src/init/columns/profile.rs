//! What a column of a sample looks like.

use std::collections::HashMap;

use super::number::{Numbers, numbers};
use super::some_filled;
use super::time::{Times, times};
use crate::events::config::{Decimal, Mapping};
use crate::events::quality::printable::printable;
use crate::init::names::words;
use crate::init::sample::{Nature, Sample, SampleColumn, Value};

/// Values by which numbers are recognised, at even distances.
const VALUES: usize = 2_000;
/// Different values that are kept with their counts; columns with more are no kinds.
const FEW_VALUES: usize = 200;
/// Characters of a value that a description shows.
const CHARACTERS_SHOWN: usize = 24;

/// A column of a sample, described.
#[derive(Debug)]
pub(crate) struct Profile {
    pub(crate) name: String,
    pub(crate) mapping: Mapping,
    /// The words of its name.
    pub(crate) words: Vec<String>,
    /// Its position in the file, from 0.
    pub(crate) position: usize,
    /// Rows of the sample.
    pub(crate) rows: usize,
    /// The share of the rows with a value.
    pub(crate) filled: f64,
    /// Different values.
    pub(crate) distinct: usize,
    /// The values with how many rows have each, most first; empty where there are many.
    pub(crate) few: Vec<(String, usize)>,
    /// Characters of a value in the mean.
    pub(crate) length: f64,
    /// Whether values have blanks between words.
    pub(crate) is_prose: bool,
    /// Whether all values are of one length and begin with zeros or letters, as only ids are.
    pub(crate) has_padding: bool,
    pub(crate) nature: Nature,
    pub(crate) numbers: Option<Numbers>,
    pub(crate) times: Option<Times>,
    /// The values, as the sample has them.
    pub(crate) values: Vec<Value>,
    /// Whether another column has the same name, so that neither can be mapped.
    pub(crate) is_doubled: bool,
}

/// The columns of a sample, described.
pub(crate) fn profiles(sample: Sample, usual_decimal: Decimal) -> Vec<Profile> {
    let numbers_of = |column: &SampleColumn, usual: Decimal| {
        let texts = some_filled(&column.values, VALUES);
        let is_text = texts.iter().all(|value| value.nature == Nature::Text);
        let texts: Vec<&str> = texts.iter().map(|value| value.text.as_str()).collect();
        // Numbers by their own type need no decimal mark.
        numbers(&texts, usual).filter(|found| is_text || found.decimal.is_none())
    };
    let all_numbers = |usual: Decimal| -> Vec<Option<Numbers>> {
        let columns = sample.columns.iter();
        columns.map(|column| numbers_of(column, usual)).collect()
    };
    let mut numbers = all_numbers(usual_decimal);
    let shows_comma = |found: &Numbers| found.is_certain && found.decimal == Some(Decimal::Comma);
    let has_comma = numbers.iter().flatten().any(shows_comma);
    // What is certain of one column decides on others that could be read either way.
    if has_comma && usual_decimal == Decimal::Point {
        numbers = all_numbers(Decimal::Comma);
    }
    let day_first = has_comma || usual_decimal == Decimal::Comma;
    let names: Vec<String> = sample.columns.iter().map(|c| c.name.clone()).collect();
    let rows = sample.rows;
    let columns = sample.columns.into_iter().zip(numbers).enumerate();
    columns
        .map(|(position, (column, numbers))| {
            let times = times(&column.values, day_first);
            let same = names.iter().filter(|name| **name == column.name).count();
            Profile::new(column, position, rows, numbers, times, same > 1)
        })
        .collect()
}

impl Profile {
    fn new(
        column: SampleColumn,
        position: usize,
        rows: usize,
        numbers: Option<Numbers>,
        times: Option<Times>,
        is_doubled: bool,
    ) -> Self {
        let filled: Vec<&Value> = column
            .values
            .iter()
            .filter(|v| v.nature != Nature::Empty)
            .collect();
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for value in &filled {
            *counts.entry(value.text.as_str()).or_default() += 1;
        }
        let distinct = counts.len();
        let mut few: Vec<(String, usize)> = match distinct <= FEW_VALUES {
            true => counts
                .into_iter()
                .map(|(text, rows)| (text.to_owned(), rows))
                .collect(),
            false => Vec::new(),
        };
        few.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let all = filled.len().max(1) as f64;
        let length = filled.iter().map(|v| v.text.chars().count()).sum::<usize>() as f64 / all;
        let prose = filled
            .iter()
            .filter(|v| v.text.trim().contains(' '))
            .count();
        let padded = filled.iter().filter(|v| {
            v.text.len() == filled[0].text.len()
                && v.text
                    .starts_with(|c: char| c == '0' || c.is_ascii_alphabetic())
        });
        let has_padding = distinct > 1 && length > 2.0 && padded.count() as f64 > 0.9 * all;
        Self {
            words: words(&column.name),
            position,
            rows,
            filled: filled.len() as f64 / rows.max(1) as f64,
            distinct,
            few,
            length,
            is_prose: prose as f64 > 0.3 * all,
            has_padding,
            nature: filled.first().map_or(Nature::Empty, |value| value.nature),
            numbers,
            times,
            name: column.name,
            mapping: column.mapping,
            values: column.values,
            is_doubled,
        }
    }

    /// Rows with a value.
    pub(crate) fn filled_rows(&self) -> usize {
        (self.filled * self.rows as f64).round() as usize
    }

    /// Rows for each different value, in the mean.
    pub(crate) fn rows_a_value(&self) -> f64 {
        self.filled_rows() as f64 / self.distinct.max(1) as f64
    }

    /// What the column looks like, in a few words.
    pub(crate) fn looks(&self) -> String {
        let example = |text: &str| printable(text, CHARACTERS_SHOWN);
        let first = self.values.iter().find(|v| v.nature != Nature::Empty);
        let such_as = first.map_or_else(String::new, |value| {
            format!(" such as `{}`", example(&value.text))
        });
        let what = if self.is_doubled {
            "a name that several columns have".to_owned()
        } else if self.distinct == 0 {
            "empty".to_owned()
        } else if self.nature == Nature::Nested {
            "lists or structures".to_owned()
        } else if let Some(times) = self.times.as_ref().filter(|times| !times.are_numbers) {
            format!("times from {} to {}", times.span.0, times.span.1)
        } else if self.distinct == 1 {
            format!("always `{}`", example(&self.few[0].0))
        } else if let Some(numbers) = &self.numbers {
            let kind = if numbers.whole > 0.999 {
                "whole numbers"
            } else {
                "numbers"
            };
            format!("{kind}, {} different{such_as}", self.distinct)
        } else {
            format!("texts, {} different{such_as}", self.distinct)
        };
        let empty = 1.0 - self.filled;
        match empty > 0.005 && self.distinct > 0 {
            true => format!("{what}, {:.0} % empty", empty * 100.0),
            false => what,
        }
    }
}
