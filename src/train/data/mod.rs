//! What a model learns from: labels, snapshot dates, datasets.

pub(crate) mod dataset;
pub mod labels;
pub mod snapshots;
