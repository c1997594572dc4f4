/// What can go wrong in k-means.
#[derive(Debug, thiserror::Error)]
pub enum KMeansError {
    /// No cluster asked for.
    #[error("k is 0: at least one cluster is needed")]
    Clusters,
    /// No start asked for.
    #[error("restarts is 0: at least one is needed")]
    Restarts,
    /// A tolerance that is negative or not finite.
    #[error("tolerance is {0}: it must be finite and not negative")]
    Tolerance(f64),
    /// No step allowed.
    #[error("max_steps is 0: at least one is needed")]
    MaxSteps,
    /// Values that do not fill whole rows.
    #[error("{values} values do not make rows of {width}")]
    Shape {
        /// How many values there are.
        values: usize,
        /// How many a point should have.
        width: usize,
    },
    /// Fewer points than clusters.
    #[error("{points} points cannot make k = {k} clusters")]
    TooFewPoints {
        /// How many points there are.
        points: usize,
        /// How many clusters were asked for.
        k: usize,
    },
    /// A value that is NaN or infinite.
    #[error("row {row} has a value that is not finite")]
    NotFinite {
        /// The row, from 0.
        row: usize,
    },
    /// Values whose squared distances are not finite.
    #[error(
        "the values are so far apart that their squared distances are not finite: scale the columns"
    )]
    TooFarApart,
    /// What linfa-clustering said.
    #[error(transparent)]
    Reference(#[from] linfa_clustering::KMeansError),
    /// What linfa-clustering said of its settings.
    #[error(transparent)]
    ReferenceParams(#[from] linfa_clustering::KMeansParamsError),
    /// What linfa said.
    #[error(transparent)]
    Linfa(#[from] linfa::Error),
}
