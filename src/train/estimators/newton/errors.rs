/// What can go wrong in a fit by Newton's method.
#[derive(Debug, thiserror::Error)]
pub enum NewtonError {
    /// A penalty that is not positive and finite.
    #[error("l2 is {0}: it must be positive and finite")]
    L2(f64),
    /// A tolerance that is not positive and finite.
    #[error("tolerance is {0}: it must be positive and finite")]
    Tolerance(f64),
    /// No step allowed.
    #[error("max_steps is 0: at least one is needed")]
    MaxSteps,
    /// Rows, targets and weights of different lengths, or values that do not fill whole rows.
    #[error("{values} values, {targets} targets and {weights} weights do not make rows of {width}")]
    Shape {
        /// How many feature values there are.
        values: usize,
        /// How many targets.
        targets: usize,
        /// How many weights.
        weights: usize,
        /// How many features a row should have.
        width: usize,
    },
    /// Penalty factors that are not one for each feature.
    #[error("{factors} penalty factors for {width} features")]
    PenaltyFactors {
        /// How many factors there are.
        factors: usize,
        /// How many features a row has.
        width: usize,
    },
    /// A value that is NaN or infinite.
    #[error("row {row} has a value or weight that is not finite (or a negative weight)")]
    NotFinite {
        /// The row, from 0.
        row: usize,
    },
    /// Only one of the two classes is there.
    #[error("all {rows} rows have the same label: there is nothing to tell apart")]
    OneClass {
        /// How many rows there are.
        rows: usize,
    },
    /// A target of a Poisson fit that cannot be an expected amount.
    #[error("row {row} has the target {target}: it must be finite and at least 0")]
    Target {
        /// The row, from 0.
        row: usize,
        /// What it has.
        target: f64,
    },
    /// Targets of a Poisson fit whose mean has no finite logarithm.
    #[error("the targets of all {rows} rows have the mean {mean}: it must be positive and finite")]
    Mean {
        /// How many rows there are.
        rows: usize,
        /// The weighted mean of the targets.
        mean: f64,
    },
    /// The method stopped before it reached the optimum.
    #[error("no convergence after {steps} steps: the gradient is still {gradient:e}")]
    NotConverged {
        /// How many steps were taken.
        steps: usize,
        /// The largest absolute component of the gradient, over the sum of weights.
        gradient: f64,
    },
    /// What linfa said.
    #[error(transparent)]
    Linfa(#[from] linfa::Error),
    /// What linfa-logistic said.
    #[error(transparent)]
    Reference(#[from] linfa_logistic::error::Error),
}
