//! One file for each RPC service.

pub(crate) mod health;
pub(crate) mod inference;
pub(crate) mod models;
pub(crate) mod scoring;
pub(crate) mod stream;
