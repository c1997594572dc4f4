//! The types generated from `proto/`, private to this module's siblings. [`super::client`] shows the part that a Rust
//! client needs.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::too_many_lines,
    reason = "generated code"
)]

tonic::include_proto!("churn.v1");

/// The Open Inference Protocol.
pub(crate) mod inference {
    tonic::include_proto!("inference");
}

/// The encoded descriptor of both protocols with the comments of their files.
pub(crate) const DOCUMENTED: &[u8] = tonic::include_file_descriptor_set!("ebb.documented");

/// The encoded descriptor of both protocols, for reflection.
pub(crate) const DESCRIPTOR: &[u8] = tonic::include_file_descriptor_set!("ebb.descriptor");
