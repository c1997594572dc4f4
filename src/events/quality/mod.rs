//! Which rows were rejected, and why.

pub(crate) mod attributes;
pub(crate) mod duplicates;
pub(crate) mod printable;
pub(crate) mod rejected_share;
pub(crate) mod rejection;
pub(crate) mod report;
pub(crate) mod text;
