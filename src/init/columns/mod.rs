//! What the columns of a sample look like: numbers, times, ids, a few values that come again.

pub(crate) mod number;
mod pattern;
pub(crate) mod profile;
pub(crate) mod time;
pub(crate) mod zone;
