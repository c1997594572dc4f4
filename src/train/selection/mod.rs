//! The choice of hyperparameters by a rolling-origin backtest.

pub mod backtest;
pub mod candidate;
pub mod search;
