//! What stops or qualifies a fit: leakage, columns that reveal the label, too few rows, doubtful mappings.

pub mod agreement;
pub(crate) mod few_rows;
pub mod leakage;
pub(crate) mod mapping_doubts;
pub mod target_leakage;
