//! Readers of the model card: the HTML report, the text summary, the quality gate; and of what became of a bundle later.

pub mod gate;
pub mod html;
pub mod later;
pub(crate) mod number;
pub(crate) mod reach;
pub mod rejected;
pub mod text;
pub(crate) mod wording;
