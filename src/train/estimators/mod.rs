//! The fitters, a module for each model family.

pub mod bg_nbd;
pub(crate) mod effects;
pub(crate) mod expansion;
pub mod kmeans;
pub mod logistic;
pub(crate) mod orders;
pub(crate) mod random_forest;
pub mod segments;
pub(crate) mod terms;
pub(crate) mod training_rows;
pub(crate) mod transform;
