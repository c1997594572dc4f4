//! K-means by Lloyd's method, behind linfa's traits.
//!
//! Minimises the sum over all points of the squared distance to the nearest of `k` centres. Distances that the triangle
//! inequality rules out are not computed; every point is still given to the centre that computing all of them would
//! find. One seed gives one answer, bit for bit, on any number of processors.

pub(crate) mod algorithm;
pub(crate) mod bounds;
pub(crate) mod distances;
pub(crate) mod errors;
pub(crate) mod hyperparams;
pub(crate) mod initial;
pub(crate) mod points;
pub(crate) mod reference;

pub use algorithm::{Fitted, fit_points};
pub use errors::KMeansError;
pub use hyperparams::{LloydKMeans, LloydKMeansValid};
pub use points::Points;
pub use reference::fit_reference;
