//! What holds of every feature vector that comes from a history: a vector that breaks it is a mistake, such as two
//! features swapped, and is refused rather than scored.

mod builder;
pub(crate) mod rule;
#[cfg(test)]
mod tests;

use super::Catalogue;
use rule::Rule;

/// A vector that no history gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// The position of the feature to blame.
    pub position: usize,
    /// The features with their values, and why they cannot be.
    pub problem: String,
}

/// The rules for vectors of one catalogue.
#[derive(Clone, Debug, PartialEq)]
pub struct Constraints {
    names: Vec<String>,
    rules: Vec<Rule>,
}

impl Constraints {
    /// The rules that follow from what the features of a catalogue measure.
    pub fn new(catalogue: &Catalogue) -> Self {
        let names = catalogue.features().iter().map(|f| f.name.clone());
        Self {
            names: names.collect(),
            rules: builder::rules(catalogue),
        }
    }

    /// Whether a history could give this whole vector, as far as it is known: NaN is what was not given.
    ///
    /// # Errors
    /// [`Contradiction`] of the first rule that is broken.
    pub fn check(&self, vector: &[f64]) -> Result<(), Contradiction> {
        let at = |position: &usize| vector[*position];
        match self.rules.iter().find(|rule| rule.is_broken(at)) {
            None => Ok(()),
            Some(rule) => Err(self.contradiction(rule, at)),
        }
    }

    /// The same for vectors one after another in `values`; the first row that no history gives.
    pub fn check_matrix(&self, values: &[f64]) -> Result<(), (usize, Contradiction)> {
        let mut rows = values.chunks_exact(self.names.len().max(1)).enumerate();
        rows.try_for_each(|(row, vector)| self.check(vector).map_err(|found| (row, found)))
    }

    #[cold]
    fn contradiction(&self, rule: &Rule, at: impl Fn(&usize) -> f64) -> Contradiction {
        let features = rule.features();
        let values: Vec<String> = features
            .iter()
            .map(|f| format!("`{}` is {}", self.name(*f), at(f)))
            .collect();
        let problem = format!("{}: {}", values.join(", "), rule.words());
        Contradiction {
            // Every rule reads a feature.
            position: features[0],
            problem,
        }
    }

    fn name(&self, position: usize) -> &str {
        &self.names[position]
    }
}
