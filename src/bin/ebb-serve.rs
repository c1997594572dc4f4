//! The scoring server.
fn main() {}
