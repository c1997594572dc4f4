//! One user's explanation, and lists of users, as text for a terminal.

mod bars;
mod explanation;
mod list;
mod potential;
mod weeks;
mod worth;

pub use explanation::explanation;
pub use list::{list, summary};
pub use potential::{potential_list, potential_summary};
