use linfa::ParamGuard;

use super::KMeansError;

/// Hyperparameters of k-means, not yet checked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LloydKMeans(LloydKMeansValid);

/// Checked hyperparameters of k-means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LloydKMeansValid {
    k: usize,
    restarts: usize,
    tolerance: f64,
    max_steps: usize,
    seed: u64,
}

impl LloydKMeans {
    /// `k` clusters, with everything else as usual: one start, tolerance 1e-4, at most 300 steps, seed 0.
    pub fn new(k: usize) -> Self {
        Self(LloydKMeansValid {
            k,
            restarts: 1,
            tolerance: 1e-4,
            max_steps: 300,
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

    /// The most steps of one start; what is reached by then is taken.
    pub fn max_steps(mut self, max_steps: usize) -> Self {
        self.0.max_steps = max_steps;
        self
    }

    /// The seed of the first centres.
    pub fn seed(mut self, seed: u64) -> Self {
        self.0.seed = seed;
        self
    }
}

impl LloydKMeansValid {
    /// The number of clusters.
    pub fn k(&self) -> usize {
        self.k
    }

    /// The number of starts.
    pub fn restarts(&self) -> usize {
        self.restarts
    }

    /// The tolerance on the movement of the centres.
    pub fn tolerance(&self) -> f64 {
        self.tolerance
    }

    /// The most steps.
    pub fn max_steps(&self) -> usize {
        self.max_steps
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }
}

impl ParamGuard for LloydKMeans {
    type Checked = LloydKMeansValid;
    type Error = KMeansError;

    fn check_ref(&self) -> Result<&Self::Checked, Self::Error> {
        let LloydKMeansValid {
            k,
            restarts,
            tolerance,
            max_steps,
            seed: _,
        } = self.0;
        if k == 0 {
            Err(KMeansError::Clusters)
        } else if restarts == 0 {
            Err(KMeansError::Restarts)
        } else if !(tolerance.is_finite() && tolerance >= 0.0) {
            Err(KMeansError::Tolerance(tolerance))
        } else if max_steps == 0 {
            Err(KMeansError::MaxSteps)
        } else {
            Ok(&self.0)
        }
    }

    fn check(self) -> Result<Self::Checked, Self::Error> {
        self.check_ref()?;
        Ok(self.0)
    }
}
