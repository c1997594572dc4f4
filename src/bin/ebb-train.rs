//! The offline trainer.
fn main() {}
