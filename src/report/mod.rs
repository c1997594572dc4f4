//! What people read: the model card as HTML and as text, the quality gate over it, users with their reasons,
//! and what became of a bundle later.

pub(crate) mod conversion_text;
pub mod gate;
pub mod html;
pub mod later;
pub mod laws_text;
pub mod lines;
pub(crate) mod number;
pub(crate) mod reach;
pub mod rejected;
pub(crate) mod segment_text;
pub mod text;
pub mod user;
pub(crate) mod value_text;
pub(crate) mod wording;
pub(crate) mod worth;

pub use wording::segments::resegmented;
