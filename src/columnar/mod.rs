//! Arrow cells in, Parquet row groups out.

pub(crate) mod cell;
pub(crate) mod column;
pub(crate) mod guard;
pub(crate) mod int96;
#[cfg(feature = "train")]
pub(crate) mod table;

pub(crate) use cell::{Cell, NoId};
pub(crate) use column::Column;
pub(crate) use guard::guarded;
pub(crate) use int96::exact_int96;
