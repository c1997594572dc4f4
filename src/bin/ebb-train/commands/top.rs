use std::path::{Path, PathBuf};

use clap::ValueEnum;
use ebb::batch::list::list_destination;
use ebb::batch::top::{
    ChoiceError, Chosen, Order, PotentialRequest, Top, TopError, TopRequest, top as top_users,
    top_potential,
};
use ebb::events::ReadLog;
use ebb::history::Day;
use ebb::model::{self, Bundle};
use ebb::report::user;
use ebb::terminal::columns;
use ebb::train::checks::agreement;
use ebb::train::config::Config;
use serde_json::json;

use super::log::{check_conversion_stale, check_stale, read_briefly};
use crate::args;
use crate::outcome::{Failure, Outcome, Output, failed, quoted, shown, usage};
use crate::outputs;
use crate::progress::ProgressDisplay;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The bundle's folder.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) log: args::Log,
    /// What users are ordered by.
    #[arg(long, value_enum, default_value_t = By::Risk)]
    pub(crate) by: By,
    /// Only users of this segment, by its number, key or name; may be repeated.
    #[arg(long, value_name = "SEGMENT")]
    pub(crate) segment: Vec<String>,
    /// Only users in this lifecycle stage; may be repeated.
    #[arg(long, value_name = "STAGE")]
    pub(crate) stage: Vec<String>,
    /// Only users of this risk band: low, medium or high; may be repeated.
    #[arg(long, value_name = "BAND")]
    pub(crate) band: Vec<String>,
    /// Only users of this tier of value, by its name; may be repeated. The model needs a value part.
    #[arg(long, value_name = "TIER")]
    pub(crate) tier: Vec<String>,
    /// The horizon of probabilities, bands and losses [default: the model's shortest].
    #[arg(long, value_name = "DAYS")]
    pub(crate) horizon: Option<u16>,
    /// Users that are listed at most.
    #[arg(long, value_name = "USERS", default_value_t = 20)]
    pub(crate) limit: usize,
    /// Judge users as known at the start of this day [default: the day after the last one that the log covers].
    #[arg(long, value_name = "DATE")]
    pub(crate) as_of: Option<Day>,
    /// List users also more than three days beyond what the log covers, where all users look silent.
    #[arg(long)]
    pub(crate) allow_stale: bool,
    /// List users also if the log has no event of a kind that the model uses.
    #[arg(long)]
    pub(crate) allow_missing_kinds: bool,
    /// Write the list to top.csv or top.parquet instead of printing it.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// What users are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    /// The churn probability.
    Risk,
    /// The value at risk. Of a model without a value part the spend at risk: the churn probability times the user's spend in as
    /// many days as the horizon has, at the rate of the last 365.
    Loss,
    /// Potential users by the probability that they convert. The model needs a part for them.
    Conversion,
}

impl By {
    /// The order of users; `None` for potential users.
    fn order(self) -> Option<Order> {
        match self {
            Self::Risk => Some(Order::Risk),
            Self::Loss => Some(Order::Loss),
            Self::Conversion => None,
        }
    }
}

pub(crate) fn top(args: &Args, output: Output) -> Outcome {
    let destination = args.out.as_deref().map(list_destination).transpose();
    let destination = destination.map_err(outputs::refused)?;
    let config = Config::load(&args.log.config).map_err(usage)?;
    outputs::check(
        &args.log,
        &config,
        &[&args.model],
        destination.into_iter().collect(),
    )?;
    let bundle = model::load(&args.model).map_err(failed)?.bundle;
    agreement::check_config(bundle.spec(), &config.train).map_err(usage)?;
    let chosen = match args.by.order() {
        Some(order) => Ok((order, chosen(args, &bundle).map_err(usage)?)),
        None => Err(horizon_of_conversion(args, &bundle)?),
    };
    let ReadLog {
        histories,
        coverage,
        ..
    } = read_briefly(&args.log, &config, args.as_of, output)?;
    if !args.allow_missing_kinds {
        agreement::check_log(bundle.spec(), &histories).map_err(failed)?;
    }
    agreement::check_attributes(bundle.spec(), &histories).map_err(usage)?;
    let as_of = args.as_of.unwrap_or(match args.by {
        By::Risk | By::Loss => coverage.labels_until,
        By::Conversion => coverage
            .labels_until
            .min(coverage.of_conversion().labels_until),
    });
    check_stale(&coverage, as_of, args.allow_stale, "list", output)?;
    if args.by == By::Conversion {
        check_conversion_stale(&coverage, as_of, args.allow_stale, output)?;
    }
    let display = ProgressDisplay::new(output);
    let (order, chosen) = match chosen {
        Ok(chosen) => chosen,
        Err(horizon_days) => {
            let request = PotentialRequest {
                bundle: &bundle,
                histories: &histories,
                as_of,
                horizon_days,
                limit: args.limit,
                phases: display.phases(),
            };
            return print_potential(args, &request, output);
        }
    };
    let request = TopRequest {
        bundle: &bundle,
        histories: &histories,
        as_of,
        order,
        chosen: &chosen,
        limit: args.limit,
        phases: display.phases(),
    };
    let top = top_users(&request).map_err(refused)?;
    drop(display);
    if top.order == Order::Loss && top.value.is_none() {
        output.note(
            "the loss is the spend at risk, by the rate of the past alone; of a model that was fitted with [value] in its configuration \
             it is the value at risk",
        );
    }
    if let Some(path) = &args.out {
        top.list().write(path).map_err(outputs::refused)?;
    }
    print(args, &top, output)
}

fn chosen(args: &Args, bundle: &Bundle) -> Result<Chosen, ChoiceError> {
    let mut chosen = Chosen::all(bundle);
    if let Some(horizon_days) = args.horizon {
        chosen = chosen.over(bundle, horizon_days)?;
    }
    for segment in &args.segment {
        chosen = chosen.with_segment(bundle, segment)?;
    }
    for stage in &args.stage {
        chosen = chosen.with_stage(stage)?;
    }
    for band in &args.band {
        chosen = chosen.with_band(band)?;
    }
    for tier in &args.tier {
        chosen = chosen.with_tier(bundle, tier)?;
    }
    Ok(chosen)
}

/// The horizon of a list of potential users.
fn horizon_of_conversion(args: &Args, bundle: &Bundle) -> Result<u16, Failure> {
    let Some(part) = bundle.conversion() else {
        return Err(usage(anyhow::anyhow!(
            "the model has no part for potential users; configure [conversion] and fit again, or order by risk"
        )));
    };
    let filters = [&args.segment, &args.stage, &args.band, &args.tier];
    if filters.iter().any(|filter| !filter.is_empty()) {
        return Err(usage(anyhow::anyhow!(
            "potential users have no segment, stage, band or tier: leave --segment, --stage, --band and --tier out"
        )));
    }
    let horizons = &part.spec().schema.horizon_days;
    let asked = args.horizon.or(horizons.first().copied());
    asked
        .filter(|horizon| horizons.contains(horizon))
        .ok_or_else(|| {
            usage(anyhow::anyhow!(
                "the model predicts conversion within {horizons:?} days: give one of them as --horizon"
            ))
        })
}

fn print_potential(args: &Args, request: &PotentialRequest<'_>, output: Output) -> Outcome {
    let top = top_potential(request).map_err(refused)?;
    let mut json = json!({
        "model": top.model,
        "as_of": top.as_of,
        "horizon_days": top.horizon_days,
        "by": "conversion",
        "potential": top.potential,
        "out": args.out.as_deref().map(shown),
    });
    if let Some(path) = &args.out {
        top.list().write(path).map_err(outputs::refused)?;
        let text = user::potential_summary(&top);
        return output.result(&json, &format!("{text}\nThey are in {}.", path.display()));
    }
    json["users"] = top.list().to_json();
    let lines = user::potential_list(&top, columns(std::io::stdout()));
    output.painted(&json, &lines)
}

fn refused(error: TopError) -> Failure {
    match error {
        TopError::Choice(_) | TopError::NoAmounts { .. } => usage(error),
        _ => failed(error),
    }
}

fn print(args: &Args, top: &Top, output: Output) -> Outcome {
    let mut json = json!({
        "model": top.model,
        "as_of": top.as_of,
        "horizon_days": top.horizon_days,
        "by": top.order.name(),
        "loss": top.loss_name(),
        "currency": top.value.as_ref().and_then(|terms| terms.currency.as_ref()),
        "scored": top.scored,
        "matching": top.matching,
        "skipped": top.skipped,
        "out": args.out.as_deref().map(shown),
    });
    if let Some(path) = &args.out {
        let text = format!("{}\nThey are in {}.", user::summary(top), path.display());
        output.result(&json, &text)?;
        next(args, top, output);
        return Ok(());
    }
    json["users"] = top.list().to_json();
    let lines = user::list(top, columns(std::io::stdout()));
    output.painted(&json, &lines)?;
    next(args, top, output);
    Ok(())
}

/// The first user is the next question.
fn next(args: &Args, top: &Top, output: Output) {
    if let Some(first) = top.users.first() {
        output.next(&format!(
            "ebb-train explain --model {} --config {} --user {}",
            quoted(&args.model),
            quoted(&args.log.config),
            quoted(Path::new(&first.user_id))
        ));
    }
}
