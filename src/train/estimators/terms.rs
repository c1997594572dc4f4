//! Which terms a candidate weighs, and fits of some terms beside those of all.

use std::borrow::Cow;

use super::newton::Fitted;
use super::training_rows::TrainingRows;
use crate::card::Hyperparameters;

/// The terms that a candidate weighs.
pub(crate) struct Terms {
    /// Positions in a row of the design matrix, increasing.
    pub(crate) positions: Vec<usize>,
    /// Each one's penalty as a multiple of the candidate's.
    pub(crate) penalty_factors: Vec<f64>,
}

impl TrainingRows<'_> {
    /// The terms of a candidate: columns, then hinges and interactions.
    pub(crate) fn terms(&self, candidate: &Hyperparameters) -> Terms {
        let wanted = |column: usize| candidate.seasonal_features || !self.seasonal[column];
        let columns = (0..self.matrix.columns).map(|column| (wanted(column), 1.0));
        let hinges = self.expansion.hinges.iter().map(|hinge| {
            let wanted = candidate.nonlinear_terms && wanted(hinge.column);
            (wanted, candidate.hinge_penalty)
        });
        let interactions = self.expansion.interactions.iter().map(|pair| {
            let columns = wanted(pair.first) && wanted(pair.second);
            let wanted = candidate.nonlinear_terms && columns;
            (wanted, candidate.interaction_penalty)
        });
        let terms = columns.chain(hinges).chain(interactions).enumerate();
        let (positions, penalty_factors) = terms
            .filter(|(_, (wanted, _))| *wanted)
            .map(|(position, (_, factor))| (position, factor))
            .unzip();
        Terms {
            positions,
            penalty_factors,
        }
    }
}

/// A fit restricted to some terms, to start from.
pub(crate) fn narrowed<'f>(fitted: &'f Fitted, terms: &[usize]) -> Cow<'f, Fitted> {
    let width = fitted.weights.len();
    if terms.len() == width {
        return Cow::Borrowed(fitted);
    }
    let mut curvature = Vec::new();
    if !fitted.curvature.is_empty() {
        // The intercept comes last.
        let kept: Vec<usize> = terms.iter().copied().chain([width]).collect();
        for i in &kept {
            curvature.extend(kept.iter().map(|j| fitted.curvature[i * (width + 1) + j]));
        }
    }
    Cow::Owned(Fitted {
        weights: terms.iter().map(|term| fitted.weights[*term]).collect(),
        curvature,
        ..*fitted
    })
}

/// A fit of some terms as one of all `width` terms, with a weight of 0 for the others. Its curvature is not known of them, so
/// no fit can start from it.
pub(crate) fn widened(fitted: Fitted, terms: &[usize], width: usize) -> Fitted {
    if terms.len() == width {
        return fitted;
    }
    let mut weights = vec![0.0; width];
    for (term, weight) in terms.iter().zip(&fitted.weights) {
        weights[*term] = *weight;
    }
    Fitted {
        weights,
        curvature: Vec::new(),
        ..fitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A fit of three terms; of the curvature's lower triangle each entry names its row and its column.
    fn fitted() -> Fitted {
        Fitted {
            intercept: 0.5,
            weights: vec![1.0, 2.0, 3.0],
            objective: 4.0,
            steps: 5,
            curvature: vec![
                0.0, 0.0, 0.0, 0.0, //
                10.0, 11.0, 0.0, 0.0, //
                20.0, 21.0, 22.0, 0.0, //
                30.0, 31.0, 32.0, 33.0,
            ],
        }
    }

    #[test]
    fn a_fit_of_some_terms_keeps_their_weights_and_curvature() {
        let fitted = fitted();
        let some = narrowed(&fitted, &[0, 2]);
        assert_eq!(
            (some.weights.clone(), some.intercept),
            (vec![1.0, 3.0], 0.5)
        );
        assert_eq!(
            some.curvature,
            [0.0, 0.0, 0.0, 20.0, 22.0, 0.0, 30.0, 32.0, 33.0]
        );
        let wide = widened(some.into_owned(), &[0, 2], 3);
        assert_eq!(wide.weights, [1.0, 0.0, 3.0]);
        assert!(
            wide.curvature.is_empty(),
            "it is not known of the middle term"
        );
        // Of all terms nothing is copied or lost.
        assert!(matches!(narrowed(&fitted, &[0, 1, 2]), Cow::Borrowed(_)));
        assert_eq!(widened(fitted.clone(), &[0, 1, 2], 3), fitted);
    }
}
