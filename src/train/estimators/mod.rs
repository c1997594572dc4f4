//! The fitters, a module for each model family.

pub mod bg_nbd;
pub(crate) mod climb;
pub(crate) mod counts;
pub(crate) mod effects;
pub mod gamma_gamma;
pub mod kmeans;
pub mod newton;
pub(crate) mod orders;
pub mod pareto_nbd;
pub(crate) mod random_forest;
pub mod segments;
pub(crate) mod terms;
pub(crate) mod training_rows;
pub(crate) mod transform;
