//! One user's explanation, and lists of users, as text for a terminal.

mod bars;
mod explanation;
mod list;
mod weeks;
mod worth;

pub use explanation::explanation;
pub use list::{list, summary};
