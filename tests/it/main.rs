//! The integration tests: one module for each boundary.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may fail loudly")]

#[cfg(feature = "serve")]
mod serve;
mod support;
