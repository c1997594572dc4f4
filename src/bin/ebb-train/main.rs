//! The offline trainer. Exit codes: 0 done, 1 failed, 2 a model was evaluated and is not good enough, 64 bad usage or configuration.

mod args;
mod commands;
mod hints;
mod outcome;
mod outputs;
mod progress;
mod renamed;
mod signals;
mod terminal;
mod values;
mod wrap;

use std::process::ExitCode;

use args::{Arguments, Command};
use outcome::{Failure, Output, say};

fn main() -> ExitCode {
    let arguments = match Arguments::of_process() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Asking for help or the version is no mistake.
            let code = if error.use_stderr() {
                Failure::USAGE
            } else {
                0
            };
            match renamed::explain(&error) {
                Some(explanation) => say(&format!("error: {explanation}")),
                // Nothing can be done about a closed terminal.
                None => drop(error.print()),
            }
            return ExitCode::from(code);
        }
    };
    signals::clean_up_on_signals();
    let output = Output {
        quiet: arguments.quiet,
        json: arguments.json,
        progress: arguments.progress,
    };
    let done = match &arguments.command {
        Command::Init(args) => commands::init(args, output),
        Command::Simulate(simulate) => commands::simulate(simulate, output),
        Command::Fit(fit) => commands::fit(fit, output),
        Command::Score(score) => commands::score(score, output),
        Command::Evaluate(evaluate) => commands::evaluate(evaluate, output),
        Command::Compare(compare) => commands::compare(compare, output),
        Command::Check(check) => commands::check(check, output),
        Command::Publish(args) => commands::publish(args, output),
        Command::Propose(args) => commands::propose(args, output),
        Command::Accept(args) => commands::accept(args, output),
        Command::Inspect(inspect) => commands::inspect(inspect, output),
        Command::Rollup(rollup) => commands::rollup(rollup, output),
        Command::RollupSql(rollup_sql) => commands::rollup_sql(rollup_sql, output),
        Command::Top(top) => commands::top(top, output),
        Command::Explain(explain) => commands::explain(explain, output),
        Command::Laws(args) => commands::laws(args, output),
        Command::Report(report) => commands::report(report, output),
        Command::Completions(completions) => commands::completions(completions, output),
        Command::Man(man) => commands::man(man, output),
        Command::Kpi(args) => commands::kpi(args, output),
        Command::Features(features) => commands::features(features, output),
        Command::FitMatrix(args) => commands::fit_matrix(args, output),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(message) = failure.message() {
                say(&format!("error: {message}"));
            }
            ExitCode::from(failure.code())
        }
    }
}
