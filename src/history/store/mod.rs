//! All users of a log, compact, in memory or spilled to temporary files.

pub(crate) mod builder;
pub(crate) mod histories;
pub(crate) mod interner;
pub(crate) mod memory_limit;
pub(crate) mod merge;
pub(crate) mod sampling;
pub(crate) mod spill;
pub(crate) mod totals;
