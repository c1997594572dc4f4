//! Columns and expressions to the fields of an event.

pub(crate) mod cel;
pub(crate) mod cel_cost;
pub(crate) mod cel_usage;
pub(crate) mod decimal;
pub(crate) mod field;
pub(crate) mod mapper;
pub(crate) mod patterns;
pub(crate) mod time;
pub(crate) mod time_format;
pub(crate) mod value;
