//! A bundle applied to a whole log.

pub mod features;
pub mod list;
pub mod scores;
pub mod spend;
pub mod top;
