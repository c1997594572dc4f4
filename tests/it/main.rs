//! The integration tests: one module for each boundary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests may fail loudly"
)]

#[cfg(feature = "serve")]
mod bundles;
#[cfg(feature = "train")]
mod cli;
#[cfg(feature = "serve")]
mod dice;
#[cfg(all(feature = "train", feature = "serve"))]
mod docs;
#[cfg(all(feature = "train", feature = "serve"))]
mod eligibility;
mod layering;
#[cfg(feature = "train")]
mod sample;
#[cfg(feature = "serve")]
mod serve;
#[cfg(feature = "serve")]
mod support;
