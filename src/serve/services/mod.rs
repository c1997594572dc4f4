//! One file for each service of the protocols. A handler is three steps: context and conversion in, engine, conversion
//! out.

pub(crate) mod batch;
pub(crate) mod health;
pub(crate) mod inference;
pub(crate) mod insights;
pub(crate) mod listing;
mod message;
pub(crate) mod models;
pub(crate) mod scoring;
pub(crate) mod stream;
