//! From a log to a model bundle.

pub mod logistic;
