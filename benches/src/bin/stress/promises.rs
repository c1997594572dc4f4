//! What was promised, and whether it was kept.

use std::fmt::Display;

/// Prints each promise with its verdict and remembers whether all were kept.
#[derive(Default)]
pub struct Promises {
    broken: usize,
}

impl Promises {
    /// A figure that nothing was promised about.
    pub fn figure(&self, what: impl Display) {
        println!("   {what}");
    }

    /// A promise, told with the figures that decide it.
    pub fn hold(&mut self, kept: bool, what: impl Display) {
        println!("{} {what}", if kept { "ok" } else { "BROKEN" });
        self.broken += usize::from(!kept);
    }

    /// Whether all were kept.
    pub fn kept(&self) -> bool {
        self.broken == 0
    }
}
