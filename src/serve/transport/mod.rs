//! Connections: taken by `listener`, served by `connection`, encrypted by `tls`; `codec` makes messages of bytes, and
//! `credentials` follows what changes on disk.

pub mod codec;
pub(crate) mod connection;
pub(crate) mod credentials;
pub(crate) mod field_limits;
pub(crate) mod listener;
pub(crate) mod tls;
pub(crate) mod tracker;
