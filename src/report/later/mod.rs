//! Bundles that were judged on a later day: as text, as Markdown, and as a page.

pub(crate) mod comparison;
pub(crate) mod evaluation;
#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod table;

pub use comparison::{markdown as comparison_markdown, text as comparison_text};
pub use evaluation::{markdown, text};
