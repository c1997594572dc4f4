//! One function for each command: arguments are checked, the library is called once, its result is printed.

mod card;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod explain;
pub(crate) mod features;
pub(crate) mod fit;
pub(crate) mod fit_matrix;
mod if_changed;
pub(crate) mod init;
pub(crate) mod inspect;
mod log;
pub(crate) mod man;
pub(crate) mod publish;
pub(crate) mod report;
pub(crate) mod rollup;
pub(crate) mod rollup_sql;
pub(crate) mod score;
pub(crate) mod simulate;
pub(crate) mod top;

pub(crate) use check::check;
pub(crate) use completions::completions;
pub(crate) use explain::explain;
pub(crate) use features::features;
pub(crate) use fit::fit;
pub(crate) use fit_matrix::fit_matrix;
pub(crate) use init::init;
pub(crate) use inspect::inspect;
pub(crate) use man::man;
pub(crate) use publish::publish;
pub(crate) use report::report;
pub(crate) use rollup::rollup;
pub(crate) use rollup_sql::rollup_sql;
pub(crate) use score::score;
pub(crate) use simulate::simulate;
pub(crate) use top::top;
