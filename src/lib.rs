//! Ebb predicts which users are about to leave.

#[cfg(feature = "train")]
pub mod events;
pub mod features;
pub mod history;
pub mod lifecycle;
pub mod math;
pub mod model;

#[cfg(feature = "train")]
pub mod simulate;
#[cfg(feature = "train")]
pub mod train;
