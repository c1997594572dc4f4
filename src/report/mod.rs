//! Readers of the model card: the HTML report, the text summary, the quality gate.

pub mod gate;
pub mod html;
pub(crate) mod reach;
pub mod rejected;
pub mod text;
