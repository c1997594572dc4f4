//! Wire messages to and from domain types.

pub(crate) mod model;
pub(crate) mod request;
pub(crate) mod score;
pub(crate) mod subject;
pub(crate) mod vocabulary;
