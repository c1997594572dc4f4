use linfa::ParamGuard;

use super::NewtonError;

/// Hyperparameters of the Newton fit, not yet checked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Newton(NewtonValid);

/// Checked hyperparameters of the Newton fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NewtonValid {
    l2: f64,
    tolerance: f64,
    max_steps: usize,
}

impl Default for Newton {
    fn default() -> Self {
        Self(NewtonValid {
            l2: 1.0,
            tolerance: 1e-10,
            max_steps: 100,
        })
    }
}

impl Newton {
    /// The penalty on the sum of squared weights, on the scale of the summed (not averaged) loss.
    pub fn l2(mut self, l2: f64) -> Self {
        self.0.l2 = l2;
        self
    }

    /// Converged when no component of the gradient, over the sum of weights, is larger than this.
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.0.tolerance = tolerance;
        self
    }

    /// The most Newton steps before giving up.
    pub fn max_steps(mut self, max_steps: usize) -> Self {
        self.0.max_steps = max_steps;
        self
    }
}

impl NewtonValid {
    /// The penalty.
    pub fn l2(&self) -> f64 {
        self.l2
    }

    /// The tolerance on the gradient.
    pub fn tolerance(&self) -> f64 {
        self.tolerance
    }

    /// The most steps.
    pub fn max_steps(&self) -> usize {
        self.max_steps
    }
}

impl ParamGuard for Newton {
    type Checked = NewtonValid;
    type Error = NewtonError;

    fn check_ref(&self) -> Result<&Self::Checked, Self::Error> {
        let positive = |x: f64| x.is_finite() && x > 0.0;
        if !positive(self.0.l2) {
            Err(NewtonError::L2(self.0.l2))
        } else if !positive(self.0.tolerance) {
            Err(NewtonError::Tolerance(self.0.tolerance))
        } else if self.0.max_steps == 0 {
            Err(NewtonError::MaxSteps)
        } else {
            Ok(&self.0)
        }
    }

    fn check(self) -> Result<Self::Checked, Self::Error> {
        self.check_ref()?;
        Ok(self.0)
    }
}
