use super::algorithm::fit_family;
use super::family::{Family, Loss};
use super::{Fitted, NewtonError, NewtonValid, Rows};

/// The quasi-Poisson loss of the logarithm of an expected target.
struct Poisson;

impl Family for Poisson {
    type Target = f64;

    fn check(rows: &Rows<'_, f64>) -> Result<(), NewtonError> {
        let illegal = |y: &f64| !(y.is_finite() && *y >= 0.0);
        let mut targets = rows.targets.iter().copied().enumerate();
        match targets.find(|(_, y)| illegal(y)) {
            Some((row, target)) => Err(NewtonError::Target { row, target }),
            None => weighted_mean(rows).map(|_| ()),
        }
    }

    fn loss(predictor: f64, target: f64) -> Loss {
        // Infinite for a predictor that is too large: the line search then takes a shorter step.
        let mean = libm::exp(predictor);
        Loss {
            value: mean - target * predictor,
            slope: mean - target,
        }
    }

    fn curvature(predictor: f64, weight: f64) -> f64 {
        weight * libm::exp(predictor)
    }
}

/// The weighted mean of the targets, which must have a finite logarithm.
fn weighted_mean(rows: &Rows<'_, f64>) -> Result<f64, NewtonError> {
    let total: f64 = rows.weights.iter().sum();
    let sum: f64 = rows
        .targets
        .iter()
        .zip(rows.weights)
        .map(|(y, w)| y * w)
        .sum();
    let mean = sum / total;
    if mean.is_finite() && mean > 0.0 {
        Ok(mean)
    } else {
        Err(NewtonError::Mean {
            rows: rows.targets.len(),
            mean,
        })
    }
}

/// The regression of the rows' amounts on a log scale, from `start` where there is one.
///
/// The targets are taken over their weighted mean, so that the penalty means the same in any currency: targets that are
/// twice as large add `ln 2` to the intercept and change nothing else.
///
/// Source: quasi-likelihood with a variance in proportion to the mean, McCullagh and Nelder, Generalized Linear Models
/// (1989), 9.2; Gourieroux, Monfort and Trognon, Econometrica 52 (1984).
pub fn fit_poisson(
    params: &NewtonValid,
    rows: &Rows<'_, f64>,
    start: Option<&Fitted>,
) -> Result<Fitted, NewtonError> {
    rows.check()?;
    Poisson::check(rows)?;
    let mean = weighted_mean(rows)?;
    let level = libm::log(mean);
    let targets: Vec<f64> = rows.targets.iter().map(|y| y / mean).collect();
    let start = start.map(|fitted| Fitted {
        intercept: fitted.intercept - level,
        ..fitted.clone()
    });
    let rows = Rows {
        targets: &targets,
        ..*rows
    };
    let mut fitted = fit_family::<Poisson>(params, &rows, start.as_ref())?;
    fitted.intercept += level;
    Ok(fitted)
}

#[cfg(test)]
mod tests;
