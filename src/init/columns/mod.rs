//! What the columns of a sample look like: numbers, times, ids, a few values that come again.

pub(crate) mod number;
mod pattern;
pub(crate) mod profile;
pub(crate) mod time;
pub(crate) mod zone;

use super::sample::{Nature, Value};
use crate::math::evenly;

/// At most so many values at even distances, without empty ones.
fn some_filled(values: &[Value], most: usize) -> Vec<&Value> {
    let is_filled = |value: &&Value| value.nature != Nature::Empty;
    let filled: Vec<&Value> = values.iter().filter(is_filled).collect();
    evenly(filled.len(), most).map(|at| filled[at]).collect()
}
