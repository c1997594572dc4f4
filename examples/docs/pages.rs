//! The pages of the documentation that are made from the code.

use std::io;
use std::process::Command;

use ebb::configuration::reference::markdown;
use ebb::serve::reference::sections;
use ebb::serve::{Limits, errors_page};
use ebb::train::config::reference::SECTIONS;

/// The page of all settings.
pub fn configuration() -> String {
    let head = "\
# Configuration

Every section and key of the files of both programs. A key that is not known is an error, one of an earlier version an error that
names its successor, and so is a value outside of its range. Relative paths start at the folder of the file. Defaults are what holds where the key is left out.

This page is made from the code by `just docs`.

## `ebb.toml`

[ebb.toml](ebb.toml) is an example with every key. [Logs](logs.md) describes `[events]` in full, the guide for
[data scientists](data-scientists.md) says which settings are worth changing.
";
    let server = "
## `ebb-serve.toml`

[ebb-serve.toml](ebb-serve.toml) is an example with every key. `ebb-serve --config ebb-serve.toml --check-config` checks a file.
";
    [
        head,
        &markdown(&SECTIONS, 3),
        server,
        &markdown(&sections(), 3),
    ]
    .concat()
}

/// The page of all commands: what `--help` of both programs prints. `program` gives the command that runs one of them.
pub fn command_line(program: impl Fn(&str) -> Command) -> io::Result<String> {
    let mut page =
        "# Command line\n\nThis page is what `--help` prints, made by `just docs`.\n".to_owned();
    for name in ["ebb-train", "ebb-serve"] {
        let help = help(program(name), &[])?;
        page += &block("##", name, &help);
        for command in commands(&help) {
            let help = self::help(program(name), &[command])?;
            page += &block("###", &format!("{name} {command}"), &help);
        }
    }
    Ok(page)
}

fn help(mut program: Command, arguments: &[&str]) -> io::Result<String> {
    let done = program
        .args(arguments)
        .arg("--help")
        // The page is as wide for everybody.
        .env_remove("COLUMNS")
        .output()?;
    if !done.status.success() {
        let problem = String::from_utf8_lossy(&done.stderr).into_owned();
        return Err(io::Error::other(problem));
    }
    String::from_utf8(done.stdout).map_err(io::Error::other)
}

/// The commands that a help text lists; none for a program without commands.
fn commands(help: &str) -> Vec<&str> {
    let Some((_, list)) = help.split_once("Commands:\n") else {
        return Vec::new();
    };
    list.lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        // Its own help is about helping.
        .filter(|name| *name != "help")
        .collect()
}

fn block(marks: &str, title: &str, help: &str) -> String {
    // Some lines end in a blank, which editors would remove.
    let lines: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
    format!(
        "\n{marks} `{title}`\n\n```text\n{}\n```\n",
        lines.join("\n")
    )
}

/// The page of errors.
pub fn errors() -> String {
    errors_page()
}

/// The page on tuning, with the table of limits between its marks.
pub fn tuning(page: &str) -> Option<String> {
    const START: &str = "<!-- limits -->\n";
    const END: &str = "<!-- end of limits -->";
    let (before, rest) = page.split_once(START)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{START}{}{END}{after}", Limits::table()))
}
