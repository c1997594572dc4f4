//! What a model learns from: labels, snapshot dates, datasets.

pub(crate) mod attribute_levels;
pub(crate) mod context;
pub(crate) mod coverage_notes;
pub(crate) mod dataset;
pub mod labels;
pub mod schema;
pub mod snapshots;
pub(crate) mod value_rows;
