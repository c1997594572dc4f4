use linfa::ParamGuard;

use super::KMeansError;

/// The most steps of one start; what is reached by then is taken.
pub(super) const MAX_STEPS: usize = 300;

/// Hyperparameters of k-means, not yet checked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LloydKMeans(LloydKMeansValid);

/// Checked hyperparameters of k-means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LloydKMeansValid {
    pub(super) k: usize,
    pub(super) restarts: usize,
    pub(super) tolerance: f64,
    pub(super) seed: u64,
}

impl LloydKMeans {
    /// `k` clusters from one start, with tolerance 1e-4 and seed 0.
    pub fn new(k: usize) -> Self {
        Self(LloydKMeansValid {
            k,
            restarts: 1,
            tolerance: 1e-4,
            seed: 0,
        })
    }

    /// How many times to start; the end with the lowest inertia is taken.
    pub fn restarts(mut self, restarts: usize) -> Self {
        self.0.restarts = restarts;
        self
    }

    /// Converged when the squared distances that the centres moved, added up, are at most this share of the mean
    /// variance of the columns. The same as scikit-learn's `tol`.
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.0.tolerance = tolerance;
        self
    }

    /// The seed of the first centres.
    pub fn seed(mut self, seed: u64) -> Self {
        self.0.seed = seed;
        self
    }
}

impl ParamGuard for LloydKMeans {
    type Checked = LloydKMeansValid;
    type Error = KMeansError;

    fn check_ref(&self) -> Result<&Self::Checked, Self::Error> {
        let tolerance = self.0.tolerance;
        if self.0.k == 0 {
            Err(KMeansError::Clusters)
        } else if self.0.restarts == 0 {
            Err(KMeansError::Restarts)
        } else if !(tolerance.is_finite() && tolerance >= 0.0) {
            Err(KMeansError::Tolerance(tolerance))
        } else {
            Ok(&self.0)
        }
    }

    fn check(self) -> Result<Self::Checked, Self::Error> {
        self.check_ref()?;
        Ok(self.0)
    }
}
