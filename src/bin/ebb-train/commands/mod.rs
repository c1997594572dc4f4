//! One function for each command: arguments are checked, the library is called once, its result is printed.

mod check;
mod compare;
mod evaluate;
mod features;
mod fit;
pub(crate) mod log;
mod publish;
mod rollup;
mod score;
mod simulate;

pub(crate) use check::{Check, check, inspect};
pub(crate) use compare::{Compare, compare};
pub(crate) use evaluate::{Evaluate, evaluate};
pub(crate) use features::features;
pub(crate) use fit::fit;
pub(crate) use publish::publish;
pub(crate) use rollup::{rollup, rollup_sql};
pub(crate) use score::score;
pub(crate) use simulate::simulate;
