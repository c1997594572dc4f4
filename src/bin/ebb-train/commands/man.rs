use std::path::PathBuf;

use anyhow::Context;
use clap::{Command, CommandFactory as _};
use ebb::output::{self, Destination};
use serde_json::json;

use crate::args::Arguments;
use crate::outcome::{Outcome, Output, shown};
use crate::outputs;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder that gets ebb-train.1 and a page for each command, such as /usr/local/share/man/man1.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: PathBuf,
}

pub(crate) fn man(args: &Args, output: Output) -> Outcome {
    // Built, each command has the flags that all of them share.
    let mut program = Arguments::command();
    program.build();
    let mut pages = vec![page(program.clone())?];
    // The help on help is about itself.
    for command in program
        .get_subcommands()
        .filter(|command| command.get_name() != "help")
    {
        pages.push(page(command.clone())?);
    }
    // All names are looked at before the first is written.
    let destinations = pages
        .iter()
        .map(|(name, _)| Destination::file(&args.out.join(name)).map_err(outputs::refused))
        .collect::<Result<Vec<_>, _>>()?;
    for (destination, (_, page)) in destinations.into_iter().zip(&pages) {
        output::write(destination, page).map_err(outputs::refused)?;
    }
    let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
    output.result(
        &json!({"out": shown(&args.out), "pages": names}),
        &format!("{} pages in {}", names.len(), args.out.display()),
    )
}

/// A manual page, and the name of its file.
fn page(command: Command) -> anyhow::Result<(String, Vec<u8>)> {
    let version = concat!("ebb-train ", env!("CARGO_PKG_VERSION"));
    let man = clap_mangen::Man::new(command).source(version).manual("Ebb");
    let name = man.get_filename();
    let mut page = Vec::new();
    man.render(&mut page).context(name.clone())?;
    Ok((name, page))
}
