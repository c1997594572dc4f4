//! Ebb predicts which users are about to leave.
#![warn(unreachable_pub)]

pub mod features;
pub mod history;
pub mod lifecycle;
pub mod math;
pub mod model;
#[cfg(feature = "serve")]
pub mod serve;
