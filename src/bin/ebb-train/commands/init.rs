use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use ebb::history::MemoryBudget;
use ebb::init::{Columns, InitError, InitRequest, Proposal, Question, choose, examine, propose};
use ebb::output::{self, Destination};
use serde_json::json;

use super::log::today;
use crate::outcome::{Outcome, Output, failed, quoted, shown, usage};
use crate::outputs;
use crate::progress::ProgressDisplay;

/// Which log, which columns, and where the configuration goes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files, folders or patterns: CSV or other delimited text, JSON Lines or Parquet, as they are or compressed with gzip or
    /// zstd.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The configuration to write, or - to print it.
    #[arg(long, value_name = "FILE", default_value = "ebb.toml")]
    out: PathBuf,
    /// Print the configuration and write nothing.
    #[arg(long, conflicts_with = "out")]
    stdout: bool,
    /// Replace a configuration that is there.
    #[arg(long)]
    force: bool,
    /// The column of the user's id [default: the likeliest].
    #[arg(long, value_name = "COLUMN")]
    user: Option<String>,
    /// The column of the time [default: the likeliest].
    #[arg(long, value_name = "COLUMN")]
    time: Option<String>,
    /// The column of the kind of event [default: the likeliest, if any].
    #[arg(long, value_name = "COLUMN")]
    kind: Option<String>,
    /// The column of the amount [default: the likeliest, if any].
    #[arg(long, value_name = "COLUMN")]
    amount: Option<String>,
}

pub(crate) fn init(args: &Args, output: Output) -> Outcome {
    let is_printed = args.stdout || args.out == Path::new("-");
    let folder = match args.out.parent() {
        Some(parent) if !is_printed && !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if !is_printed && !args.force && args.out.symlink_metadata().is_ok() {
        return Err(usage(anyhow::anyhow!(
            "{} is there already; --force replaces it, --out names another file, --stdout prints the configuration",
            args.out.display()
        )));
    }
    let destination = match is_printed {
        true => None,
        false => Some(Destination::file(&args.out).map_err(outputs::refused)?),
    };
    let columns = Columns {
        user: args.user.clone(),
        time: args.time.clone(),
        kind: args.kind.clone(),
        amount: args.amount.clone(),
    };
    let request = InitRequest {
        files: &args.files,
        folder,
        columns: &columns,
        memory: &MemoryBudget::of_machine(std::env::temp_dir()),
        today: today("UTC")?,
    };
    let proposal = proposed(&request, output).map_err(|error| {
        if error.is_usage() {
            usage(error)
        } else {
            failed(error)
        }
    })?;
    let text = proposal.to_toml();
    if let Some(destination) = destination {
        output::write(destination, text.as_bytes()).map_err(outputs::refused)?;
    }
    let out = (!is_printed).then(|| shown(&args.out));
    let json = json!({"out": out, "toml": text, "proposal": proposal});
    if is_printed {
        output.note(&proposal.summary());
        return output.document(&json, &text);
    }
    output.result(
        &json,
        &format!("{}Wrote {}", proposal.summary(), args.out.display()),
    )?;
    output.next(&format!(
        "ebb-train fit --config {} --out model",
        quoted(&args.out)
    ));
    Ok(())
}

/// The proposal, with progress where work is done and questions where somebody is there.
fn proposed(request: &InitRequest<'_>, output: Output) -> Result<Proposal, InitError> {
    let is_watched = !output.quiet
        && !output.json
        && std::io::stdin().is_terminal()
        && std::io::stderr().is_terminal();
    let mut ask = |question: &Question| is_watched.then(|| answer(question)).flatten();
    // No bar is there while somebody is asked.
    let sampled = examine(request, ProgressDisplay::new(output).phases())?;
    let mapped = choose(request, sampled, &mut ask)?;
    propose(request, mapped, ProgressDisplay::new(output).phases())
}

/// The answer that somebody types at a terminal: a number, or nothing for the first option.
fn answer(question: &Question) -> Option<usize> {
    let mut terminal = std::io::stderr();
    let mut ask = || -> std::io::Result<usize> {
        writeln!(terminal, "{}", output::visible_lines(&question.text))?;
        for (number, option) in (1..).zip(&question.options) {
            writeln!(terminal, "  {number}  {}", output::visible_lines(option))?;
        }
        loop {
            write!(terminal, "[1] ")?;
            terminal.flush()?;
            let mut line = String::new();
            // The end of the input is the first option.
            if std::io::stdin().lock().read_line(&mut line)? == 0 || line.trim().is_empty() {
                return Ok(0);
            }
            match line.trim().parse::<usize>() {
                Ok(number) if (1..=question.options.len()).contains(&number) => {
                    return Ok(number - 1);
                }
                _ => writeln!(
                    terminal,
                    "a number from 1 to {}, please",
                    question.options.len()
                )?,
            }
        }
    };
    ask().ok()
}
