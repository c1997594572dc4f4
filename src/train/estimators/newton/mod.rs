//! Generalised linear models with an L2 penalty, by Newton's method.
//!
//! Minimises `sum_i w_i * loss(y_i, b + x_i . beta) + l2 / 2 * |beta|^2`; the intercept `b` is not penalised. The loss is
//! that of a family:
//!
//! - logistic: `ln(1 + e^(-s_i eta_i))` with `s_i = 1` for `true` and `-1` for `false`. `true` is always the positive
//!   class, whichever class is the larger one. Also behind linfa's traits.
//! - quasi-Poisson with a log link: `e^eta_i - y_i / m * eta_i`, where `m` is the weighted mean of the targets. Only the
//!   mean is assumed to be right, not that targets are counts.

pub(crate) mod algorithm;
pub(crate) mod curvature;
pub(crate) mod errors;
pub(crate) mod family;
pub(crate) mod hyperparams;
pub(crate) mod logistic;
pub(crate) mod poisson;
pub(crate) mod reference;
pub(crate) mod rows;

pub use algorithm::Fitted;
pub use errors::NewtonError;
pub use hyperparams::{Newton, NewtonValid};
pub use logistic::fit_logistic;
pub use poisson::fit_poisson;
pub use reference::fit_reference;
pub use rows::Rows;
