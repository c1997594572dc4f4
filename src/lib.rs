//! Ebb predicts which users are about to leave.
#![warn(unreachable_pub)]

#[cfg(feature = "train")]
pub mod events;
pub mod history;
