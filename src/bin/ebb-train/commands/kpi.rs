use std::path::{Path, PathBuf};

use clap::ValueEnum;
use ebb::batch::list::{List, Values, list_destination};
use ebb::events::ReadLog;
use ebb::history::{AttributeKind, Coverage, Day, Histories};
use ebb::kpi::{
    Costs, Definitions, KpiError, KpiRequest, Observation, PeriodKind, Report, Row, SliceBy,
    compute, read_costs, table,
};
use ebb::model::{self, Bundle};
use ebb::train::checks::agreement;
use ebb::train::config::Config;
use serde_json::{Map, Value, json};

use super::log::{check_rejected, read_briefly};
use crate::args;
use crate::outcome::{Failure, Outcome, Output, failed, shown, usage};
use crate::outputs;
use crate::progress::ProgressDisplay;

/// The most periods times slices.
const MOST_CELLS: usize = 20_000;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) log: args::Log,
    /// A bundle with the tiers, segments and values of users.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) model: Option<PathBuf>,
    /// The first day of the periods [default: the first one that the log covers].
    #[arg(long, value_name = "DATE")]
    pub(crate) from: Option<Day>,
    /// The day after the last one of the periods [default: the day after the last one that the log covers].
    #[arg(long, value_name = "DATE")]
    pub(crate) to: Option<Day>,
    /// How long periods are; `all` is one period from --from to before --to.
    #[arg(long, value_enum, default_value_t = PeriodArg::Month)]
    pub(crate) period: PeriodArg,
    /// What users are grouped by, beside everybody, as they were known before a period began; with commas between them.
    #[arg(long, value_enum, value_name = "GROUPS", value_delimiter = ',')]
    pub(crate) by: Vec<By>,
    /// kpi.csv or kpi.parquet, or - for CSV on standard output [default: a table as text].
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum PeriodArg {
    /// From Monday to Sunday.
    Week,
    /// Calendar months.
    Month,
    /// Calendar quarters.
    Quarter,
    /// All days as one period.
    All,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum By {
    /// The lifecycle stage.
    Stage,
    /// The tier of value, of a model with a value part.
    Tier,
    /// The segment of a model.
    Segment,
    /// The period of the first activity.
    Cohort,
}

impl From<PeriodArg> for PeriodKind {
    fn from(period: PeriodArg) -> Self {
        match period {
            PeriodArg::Week => Self::Week,
            PeriodArg::Month => Self::Month,
            PeriodArg::Quarter => Self::Quarter,
            PeriodArg::All => Self::All,
        }
    }
}

impl From<By> for SliceBy {
    fn from(by: By) -> Self {
        match by {
            By::Stage => Self::Stage,
            By::Tier => Self::Tier,
            By::Segment => Self::Segment,
            By::Cohort => Self::Cohort,
        }
    }
}

/// Where rows go.
enum Target<'a> {
    Text,
    Stdout,
    File(&'a Path),
}

pub(crate) fn kpi(args: &Args, output: Output) -> Outcome {
    let target = match args.out.as_deref() {
        None => Target::Text,
        Some(path) if path.as_os_str() == "-" => Target::Stdout,
        Some(path) => Target::File(path),
    };
    let destination = match target {
        Target::File(path) => Some(list_destination(path).map_err(outputs::refused)?),
        _ => None,
    };
    let config = Config::load(&args.log.config).map_err(usage)?;
    let costs = costs(&config)?;
    let costs_file = config
        .costs
        .file
        .as_ref()
        .map(|file| config.folder.join(file));
    let inputs: Vec<&Path> = args
        .model
        .iter()
        .chain(&costs_file)
        .map(PathBuf::as_path)
        .collect();
    outputs::check(
        &args.log,
        &config,
        &inputs,
        destination.into_iter().collect(),
    )?;
    let bundle = bundle(args, &config)?;
    // Nothing is left out of what is known: what comes after --to may decide figures of periods before it.
    let ReadLog {
        histories,
        coverage,
        quality,
    } = read_briefly(&args.log, &config, None, output)?;
    check_rejected(&quality, &config)?;
    if let Some(bundle) = &bundle {
        agreement::check_log(bundle.spec(), &histories).map_err(failed)?;
        agreement::check_attributes(bundle.spec(), &histories).map_err(usage)?;
    }
    check_channels(&config, &histories)?;
    let definitions = definitions(&config, bundle.as_ref());
    check_order_kinds(&config, &definitions, &histories)?;
    let observation = observation(&histories, &coverage);
    let by = groupings(args);
    let display = ProgressDisplay::new(output);
    let request = KpiRequest {
        histories: &histories,
        definitions: &definitions,
        observation: &observation,
        period: args.period.into(),
        from: args.from,
        to: args.to,
        by: &by,
        bundle: bundle.as_ref(),
        costs: costs.as_ref(),
        weekly: true,
        most_cells: MOST_CELLS,
        phases: display.phases(),
    };
    let report = compute(&request).map_err(refused)?;
    drop(display);
    print(&target, &report, output)
}

fn costs(config: &Config) -> Result<Option<Costs>, Failure> {
    let Some(file) = &config.costs.file else {
        return Ok(None);
    };
    let costs = read_costs(&config.folder.join(file)).map_err(usage)?;
    Ok(Some(Costs {
        channel_attribute: config.costs.channel_attribute.clone(),
        ..costs
    }))
}

/// Refuses an attribute of channels that is none, or a number.
fn check_channels(config: &Config, histories: &Histories) -> Result<(), Failure> {
    let Some(name) = &config.costs.channel_attribute else {
        return Ok(());
    };
    let categories = histories.attribute_columns().iter();
    let categories: Vec<&str> = categories
        .filter(|column| column.kind == AttributeKind::Category)
        .map(|column| column.name.as_str())
        .collect();
    if categories.contains(&name.as_str()) {
        return Ok(());
    }
    let there = match categories.as_slice() {
        [] => "there is none".to_owned(),
        names => format!("they are {}", names.join(", ")),
    };
    Err(usage(anyhow::anyhow!(
        "costs.channel_attribute names `{name}`, which is no category of [attributes]; {there}"
    )))
}

fn bundle(args: &Args, config: &Config) -> Result<Option<Bundle>, Failure> {
    let Some(folder) = &args.model else {
        return Ok(None);
    };
    let bundle = model::load(folder).map_err(failed)?.bundle;
    agreement::check_config(bundle.spec(), &config.train).map_err(usage)?;
    Ok(Some(bundle))
}

/// The definitions of a configuration; the stages of a bundle are by its own thresholds.
fn definitions(config: &Config, bundle: Option<&Bundle>) -> Definitions {
    let churn = &config.train.churn;
    let value = config.train.value.as_ref();
    let spec = bundle.map(Bundle::spec);
    let horizons = spec.map_or(&churn.horizon_days, |spec| &spec.schema.horizon_days);
    Definitions {
        activity: churn.activity.clone(),
        churn_event: churn.churn_event.clone(),
        active_within_days: churn.active_within_days,
        lifecycle: spec
            .map_or(&config.train.lifecycle, |spec| &spec.lifecycle)
            .clone(),
        window_days: horizons.iter().min().copied().unwrap_or(1),
        order_kinds: order_kinds(config),
        margin: value.map_or(1.0, |value| value.margin),
        settings: config.kpi.clone(),
        min_users: config.train.privacy.min_users,
    }
}

/// The kinds of events whose amounts are revenue.
pub(super) fn order_kinds(config: &Config) -> Vec<String> {
    let named = &config.kpi.order_kinds;
    match (named.is_empty(), &config.train.value) {
        (false, _) => named.clone(),
        (true, Some(value)) => value.kinds.clone(),
        (true, None) => config.train.churn.activity.clone(),
    }
}

/// Refuses kinds of orders that the log lacks: all figures of orders would be 0.
fn check_order_kinds(config: &Config, definitions: &Definitions, histories: &Histories) -> Outcome {
    let missing = definitions
        .order_kinds
        .iter()
        .find(|kind| !histories.kinds().contains(kind));
    match missing {
        Some(kind) if !config.kpi.order_kinds.is_empty() => Err(usage(anyhow::anyhow!(
            "kpi.order_kinds names `{kind}`, of which the log has no event; it has {}",
            histories.kinds().join(", ")
        ))),
        _ => Ok(()),
    }
}

fn observation(histories: &Histories, coverage: &Coverage) -> Observation {
    let until = coverage.labels_until;
    Observation {
        first: histories.span().map_or(until, |(first, _)| first),
        until,
        holes: coverage.holes.iter().map(|hole| hole.days).collect(),
    }
}

/// The groupings that are asked for, each once.
fn groupings(args: &Args) -> Vec<SliceBy> {
    let mut by: Vec<SliceBy> = args.by.iter().map(|by| (*by).into()).collect();
    by.sort_unstable();
    by.dedup();
    by
}

fn refused(error: KpiError) -> Failure {
    match error {
        KpiError::NeedsModel { .. } | KpiError::NoDays { .. } | KpiError::TooManyCells { .. } => {
            usage(error)
        }
        _ => failed(error),
    }
}

fn print(target: &Target<'_>, report: &Report, output: Output) -> Outcome {
    let list = list(&report.rows);
    let summary = json!({
        "rows": report.rows.len(),
        "withheld": report.withheld,
        "bad_answers": report.bad_answers,
        "notes": report.notes,
    });
    let said = || {
        if report.withheld > 0 {
            output.note(&format!(
                "{} figures are withheld because they count too few users",
                report.withheld
            ));
        }
        if report.bad_answers > 0 {
            output.note(&format!(
                "{} answers lie outside of 0 to 10 and are not used",
                report.bad_answers
            ));
        }
        report.notes.iter().for_each(|note| output.note(note));
    };
    match target {
        Target::Text => {
            let mut json = summary;
            json["kpis"] = list.to_json();
            output.result(&json, &table(report))
        }
        Target::Stdout => {
            said();
            let mut json = summary;
            json["kpis"] = list.to_json();
            output.document(&json, &list.to_csv().map_err(failed)?)
        }
        Target::File(path) => {
            list.write(path).map_err(outputs::refused)?;
            said();
            let mut json: Map<String, Value> = summary.as_object().cloned().unwrap_or_default();
            json.insert("out".to_owned(), shown(path).into());
            let text = format!("{} rows in {}", report.rows.len(), path.display());
            output.result(&json.into(), &text)
        }
    }
}

/// The rows as columns.
fn list(rows: &[Row]) -> List {
    let text = |get: fn(&Row) -> Option<String>| Values::Text(rows.iter().map(get).collect());
    let number = |get: fn(&Row) -> Option<f64>| Values::Number(rows.iter().map(get).collect());
    let day = |get: fn(&Row) -> Day| Values::Day(rows.iter().map(get).collect());
    let columns = [
        ("kpi", text(|row| Some(row.kpi.clone()))),
        ("period", text(|row| Some(row.period.clone()))),
        ("from", day(Row::from)),
        ("until", day(Row::until)),
        ("slice", text(|row| Some(row.slice.clone()))),
        ("value", number(|row| row.value)),
        ("numerator", number(|row| row.numerator)),
        ("denominator", number(|row| row.denominator)),
        ("low", number(|row| row.low)),
        ("high", number(|row| row.high)),
        (
            "complete",
            Values::Truth(rows.iter().map(|row| row.complete).collect()),
        ),
        (
            "problem",
            text(|row| row.problem.map(|problem| problem.name().to_owned())),
        ),
    ];
    List::new(
        columns
            .into_iter()
            .map(|(name, values)| (name.to_owned(), values))
            .collect(),
    )
}
