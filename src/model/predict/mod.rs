//! Scores from feature vectors, with their explanations.

#[cfg(test)]
mod equivalence;
pub(crate) mod matrix;
pub(crate) mod plan;
pub(crate) mod score;
