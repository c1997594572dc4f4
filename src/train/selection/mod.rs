//! Which way to fit: candidates, the backtest that compares them, and the calibration that it implies.

pub(crate) mod backtest;
pub(crate) mod calibration;
pub(crate) mod candidate;
pub(crate) mod fitting;
pub(crate) mod forecast;
pub(crate) mod guard;
pub(crate) mod search;
