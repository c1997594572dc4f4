//! Ebb predicts which users are about to leave.
#![warn(unreachable_pub)]

pub mod history;
#[cfg(feature = "train")]
pub mod simulate;
