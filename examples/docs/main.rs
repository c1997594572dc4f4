//! Writes the pages of the documentation that are made from the code: `just docs`. Tests compare them with the code.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

mod pages;

fn main() -> anyhow::Result<()> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    // Examples are built into a folder beside the programs.
    let own = std::env::current_exe()?;
    let programs = own.ancestors().nth(2).context("no folder of programs")?;
    for name in ["ebb-train", "ebb-serve"] {
        let path = programs.join(name);
        ensure!(path.exists(), "{} is not built", path.display());
    }
    let tune = docs.join("serving/tune.md");
    let tuning = std::fs::read_to_string(&tune).with_context(|| tune.display().to_string())?;
    let tuning = pages::tuning(&tuning).context("serving/tune.md has no place for the limits")?;
    let made = [
        ("configuration.md", pages::configuration()),
        (
            "cli.md",
            pages::command_line(|name| Command::new(programs.join(name)))?,
        ),
        ("errors.md", pages::errors()),
        ("serving/tune.md", tuning),
    ];
    for (name, text) in made {
        let path = docs.join(name);
        std::fs::write(&path, text).with_context(|| path.display().to_string())?;
        println!("docs/{name}");
    }
    Ok(())
}
