//! A bundle applied to a whole log.

pub mod features;
pub mod scores;
