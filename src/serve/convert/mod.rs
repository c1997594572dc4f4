//! Messages of the protocol to and from the types that models work with.
//!
//! Messages are taken apart in full, so that a new field breaks the build until its meaning is decided.

pub(crate) mod attributes;
pub(crate) mod conversion;
pub(crate) mod features;
pub(crate) mod history;
pub(crate) mod kpi;
pub(crate) mod listing;
pub(crate) mod model;
pub(crate) mod request;
pub(crate) mod score;
pub(crate) mod subject;
pub(crate) mod value;
