//! The columns of value: what a user is worth, beside each of its scores.

use std::sync::Arc;

use arrow_array::builder::{Float64Builder, StringBuilder};
use arrow_array::{Array, ArrayRef, Float64Array, StringArray};

use crate::model::{Rfm, ValueEstimate};

/// Their names, in order.
pub(crate) const VALUE_COLUMNS: [&str; 8] = [
    "value_expected_spend",
    "value_low",
    "value_high",
    "value_residual",
    "value_at_risk",
    "value_tier",
    "rfm",
    "value_status",
];

/// How many of them are numbers, which come first.
const NUMBERS: usize = 5;
/// How many are texts.
const TEXTS: usize = VALUE_COLUMNS.len() - NUMBERS;

/// Rows of these columns.
#[derive(Default)]
pub(crate) struct ValueColumns {
    numbers: [Float64Builder; NUMBERS],
    texts: [StringBuilder; TEXTS],
}

impl ValueColumns {
    pub(crate) fn push(&mut self, estimate: Option<&ValueEstimate<'_>>) {
        let numbers = estimate.map(|e| {
            [
                e.expected_spend,
                e.low,
                e.high,
                e.residual_value,
                e.value_at_risk,
            ]
        });
        for (position, column) in self.numbers.iter_mut().enumerate() {
            let number = numbers.map(|numbers| numbers[position]);
            // What is unknown is no number in a file, neither here nor elsewhere.
            column.append_option(number.filter(|number| !number.is_nan()));
        }
        let [tier, rfm, status] = &mut self.texts;
        tier.append_option(estimate.filter(|e| e.tier.is_some()).map(|e| e.tier_name));
        rfm.append_option(estimate.and_then(|e| e.rfm).map(Rfm::text));
        status.append_option(estimate.map(|e| e.status.name()));
    }

    /// The columns for Parquet.
    pub(crate) fn arrays(&mut self) -> Vec<ArrayRef> {
        let numbers = self.numbers.iter_mut();
        let numbers = numbers.map(|column| Arc::new(column.finish()) as ArrayRef);
        let texts = self.texts.iter_mut();
        let texts = texts.map(|column| Arc::new(column.finish()) as ArrayRef);
        numbers.chain(texts).collect()
    }

    /// The columns for CSV.
    pub(crate) fn finish(&mut self) -> FinishedValues {
        FinishedValues {
            numbers: self.numbers.each_mut().map(Float64Builder::finish),
            texts: self.texts.each_mut().map(StringBuilder::finish),
        }
    }
}

/// Rows that are complete.
pub(crate) struct FinishedValues {
    numbers: [Float64Array; NUMBERS],
    texts: [StringArray; TEXTS],
}

impl FinishedValues {
    /// The fields of a row; empty where nothing is known.
    pub(crate) fn fields(&self, row: usize) -> impl Iterator<Item = String> {
        let number = move |column: &Float64Array| match column.is_valid(row) {
            true => column.value(row).to_string(),
            false => String::new(),
        };
        let text = move |column: &StringArray| match column.is_valid(row) {
            true => column.value(row).to_owned(),
            false => String::new(),
        };
        let numbers = self.numbers.iter().map(number);
        numbers.chain(self.texts.iter().map(text))
    }
}
