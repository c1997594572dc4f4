//! The compute pool and the scoring that runs on it.

pub(crate) mod pool;
pub(crate) mod scorer;
pub(crate) mod users;
