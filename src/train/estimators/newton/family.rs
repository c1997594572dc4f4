use super::{NewtonError, Rows};

/// A loss of a linear predictor that is convex in it, and what its targets are.
pub(crate) trait Family {
    /// What is known of each row.
    type Target: Copy + Send + Sync;

    /// Refuses targets that have no optimum.
    fn check(rows: &Rows<'_, Self::Target>) -> Result<(), NewtonError>;

    /// The loss at the linear predictor and its first derivative. May be infinite where the predictor is too large.
    fn loss(predictor: f64, target: Self::Target) -> Loss;

    /// The weight times the second derivative of the loss by the predictor, which does not depend on the target.
    fn curvature(predictor: f64, weight: f64) -> f64;
}

/// The loss of one row.
pub(crate) struct Loss {
    pub(crate) value: f64,
    /// Its first derivative by the linear predictor.
    pub(crate) slope: f64,
}
