//! Logistic regression with an L2 penalty, by Newton's method, behind linfa's traits.
//!
//! Minimises `sum_i w_i * ln(1 + e^(-s_i (b + x_i . beta))) + l2 / 2 * |beta|^2` with `s_i = 1` for `true` and
//! `-1` for `false`; the intercept `b` is not penalised. `true` is always the positive class, whichever class
//! is the larger one.

pub(crate) mod algorithm;
pub(crate) mod curvature;
pub(crate) mod errors;
pub(crate) mod hyperparams;
pub(crate) mod reference;
pub(crate) mod rows;

pub use algorithm::{Fitted, fit_rows};
pub use errors::LogisticError;
pub use hyperparams::{NewtonLogistic, NewtonLogisticValid};
pub use reference::fit_reference;
pub use rows::Rows;
