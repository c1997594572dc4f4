//! K-means by Lloyd's method, behind linfa's traits.
//!
//! Minimises the sum over all points of the squared distance to the nearest of `k` centres. One seed gives one answer, bit
//! for bit, on any number of processors: whatever is added up is added up in an order that depends on the points only.

pub(crate) mod algorithm;
pub(crate) mod errors;
pub(crate) mod hyperparams;
pub(crate) mod initial;
pub(crate) mod points;
pub(crate) mod reference;

pub use algorithm::{Fitted, fit_from, fit_points};
pub use errors::KMeansError;
pub use hyperparams::{LloydKMeans, LloydKMeansValid};
pub use points::Points;
pub use reference::{fit_reference, fit_reference_from};
