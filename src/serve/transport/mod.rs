//! Sockets, TLS, HTTP/2 bodies and the codec of messages.

pub(crate) mod body;
pub mod codec;
pub(crate) mod credentials;
pub(crate) mod listener;
pub(crate) mod tls;
