use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ebb::card::Card;
use ebb::events::ReadLog;
use ebb::explain::{ExplainError, Question, explain as explain_user};
use ebb::history::Day;
use ebb::output::{self, Destination};
use ebb::report::{html, user};
use ebb::train::checks::agreement;
use ebb::train::config::Config;

use super::card::card_of;
use super::log::{check_conversion_stale, check_stale, read_briefly};
use crate::args;
use crate::outcome::{Failure, Outcome, Output, failed, usage};
use crate::outputs;
use crate::terminal;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The bundle's folder.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) log: args::Log,
    /// The user's id.
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    pub(crate) user: String,
    /// Explain as known at the start of this day [default: the day after the last one that the log covers].
    #[arg(long, value_name = "DATE")]
    pub(crate) as_of: Option<Day>,
    /// Answer for this horizon of the model only.
    #[arg(long, value_name = "DAYS")]
    pub(crate) horizon: Option<u16>,
    /// Suppose events, such as "purchase today" or "2 purchase 3 days ago 49.90": `[COUNT] KIND WHEN [AMOUNT]`, where WHEN is
    /// today (the as-of day), yesterday, 3 days ago or a date, and the amount that of each event [default: the user's mean];
    /// may be repeated.
    #[arg(long = "if", value_name = "EVENTS")]
    pub(crate) suppose: Vec<String>,
    /// Also write all of it as one HTML page: explain.html
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Explain also more than three days beyond what the log covers, where all users look silent.
    #[arg(long)]
    pub(crate) allow_stale: bool,
    /// Explain also if the log has no event of a kind that the model uses.
    #[arg(long)]
    pub(crate) allow_missing_kinds: bool,
}

pub(crate) fn explain(args: &Args, output: Output) -> Outcome {
    let config = Config::load(&args.log.config).map_err(usage)?;
    let destination = args.out.as_deref().map(page_destination).transpose()?;
    outputs::check(
        &args.log,
        &config,
        &[&args.model],
        destination.into_iter().collect(),
    )?;
    let (bundle, card) = card_of(&args.model)?;
    agreement::check_config(bundle.spec(), &config.train).map_err(usage)?;
    // All users are read: their traffic decides which days the log covers, and so what of this user counts.
    let ReadLog {
        histories,
        coverage,
        ..
    } = read_briefly(&args.log, &config, args.as_of, output)?;
    if !args.allow_missing_kinds {
        agreement::check_log(bundle.spec(), &histories).map_err(failed)?;
    }
    agreement::check_attributes(bundle.spec(), &histories).map_err(usage)?;
    let as_of = args.as_of.unwrap_or(coverage.labels_until);
    check_stale(&coverage, as_of, args.allow_stale, "explain", output)?;
    if bundle.conversion().is_some() {
        check_conversion_stale(&coverage, as_of, args.allow_stale, output)?;
    }
    let question = Question {
        bundle: &bundle,
        base_rates: &base_rates(&card),
        histories: &histories,
        first_day: coverage.span.from,
        user: &args.user,
        as_of,
        horizon_days: args.horizon,
        suppose: &args.suppose,
    };
    let explanation = explain_user(&question).map_err(refused)?;
    if let Some(path) = &args.out {
        let page = html::render_user(&explanation);
        output::write(page_destination(path)?, page.as_bytes()).map_err(outputs::refused)?;
    }
    let json = serde_json::to_value(&explanation).map_err(failed)?;
    let lines = user::explanation(&explanation, terminal::text_columns());
    output.painted(&json, &lines)?;
    if let Some(path) = &args.out {
        output.note(&format!("the page is {}", path.display()));
    }
    Ok(())
}

/// Where a page can be written: a file whose name ends in `.html`.
fn page_destination(path: &Path) -> Result<Destination, Failure> {
    if path.extension().is_none_or(|extension| extension != "html") {
        return Err(usage(anyhow::anyhow!(
            "{}: the name must end in .html",
            path.display()
        )));
    }
    Destination::file(path).map_err(outputs::refused)
}

/// The churn rates of the rows that the model was fitted on.
fn base_rates(card: &Card) -> BTreeMap<u16, f64> {
    let rates = card.horizons.iter();
    rates.map(|h| (h.horizon_days, h.churn_rate)).collect()
}

fn refused(error: ExplainError) -> Failure {
    if error.is_question() {
        usage(error)
    } else {
        failed(error)
    }
}
