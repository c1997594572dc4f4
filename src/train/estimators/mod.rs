//! The fitters, a module for each model family.

pub mod bg_nbd;
pub mod kmeans;
pub mod logistic;
pub(crate) mod random_forest;
pub mod segments;
pub(crate) mod transform;
