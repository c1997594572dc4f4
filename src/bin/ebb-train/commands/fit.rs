use std::path::PathBuf;

use ebb::card::Card;
use ebb::events::ReadLog;
use ebb::history::{Day, Users};
use ebb::model::{self, Bundle};
use ebb::report::{html, resegmented, text as card_text};
use ebb::train::config::Config;
use ebb::train::pipeline::{FitInput, fit as fit_all};
use serde_json::json;

use super::if_changed::{Earlier, earlier, made_from};
use super::log::{check_rejected, fit_failed, read};
use crate::args;
use crate::outcome::{Failure, Outcome, Output, failed, quoted, shown, usage};
use crate::outputs;
use crate::progress::ProgressDisplay;
use crate::values::share;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) log: args::Log,
    /// No event at or after this day is seen [default: the day after the last one that the log covers].
    #[arg(long, value_name = "DATE")]
    pub(crate) as_of: Option<Day>,
    /// Also fit a random forest on the same rows and put its figures among the baselines of the card.
    #[arg(long = "random-forest-baseline")]
    pub(crate) random_forest: bool,
    /// Write the bundle even if a model does not beat the recency-only baseline.
    #[arg(long)]
    pub(crate) allow_below_baseline: bool,
    /// Fit on this share of the users, such as 0.05, chosen by a hash of their ids.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub(crate) sample_users: Option<f64>,
    /// Do nothing if the bundle in --out was made by such a fit from the same: contents of the log's files, configuration
    /// file, as-of day, users and version of this program.
    #[arg(long)]
    pub(crate) if_changed: bool,
    /// Go on from this bundle, such as the one in use: its segments keep their keys, and its value tiers their bounds, so that
    /// a user of the same value stays in the same tier. Bounds are made anew where tiers have other names, or with
    /// value.retier = true.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) previous: Option<PathBuf>,
    /// Write the bundle even if users change segment whose behaviour does not: more than a quarter of them have another key
    /// than under --previous while the population is the same, or its segments are made of other features.
    #[arg(long, requires = "previous")]
    pub(crate) resegment: bool,
    /// The bundle's folder.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: PathBuf,
}

pub(crate) fn fit(args: &Args, output: Output) -> Outcome {
    let destination = model::destination(&args.out).map_err(outputs::refused)?;
    let config = Config::load(&args.log.config).map_err(usage)?;
    outputs::check(&args.log, &config, &[], vec![destination])?;
    let previous = args.previous.as_deref().map(model::load).transpose();
    let previous: Option<Bundle> = previous.map_err(failed)?.map(|saved| saved.bundle);
    // Before the log is read: what changes meanwhile is a change for the next fit.
    let made_from = match args.if_changed {
        true => Some(made_from(
            args,
            &config,
            previous.as_ref(),
            &ProgressDisplay::new(output),
        )?),
        false => None,
    };
    if let Some(made_from) = &made_from {
        match earlier(args, &config, made_from)? {
            Earlier::Same { version, card } => return print_same(args, &version, &card, output),
            Earlier::Other(reasons) => output.note(&format!("fitting: {}", reasons.join("; "))),
        }
    }
    let users = args.sample_users.map_or(Users::All, Users::Share);
    let ReadLog {
        histories,
        coverage,
        quality,
    } = read(&args.log, &config, args.as_of, users, output)?;
    check_rejected(&quality, &config)?;
    let as_of = args.as_of.unwrap_or(coverage.labels_until);
    let display = ProgressDisplay::new(output);
    let input = FitInput {
        histories: &histories,
        coverage: &coverage,
        config: &config.train,
        as_of,
        random_forest: args.random_forest,
        previous: previous.as_ref().map(Bundle::spec),
        data_quality: &quality.without_users(),
        phases: display.phases(),
    };
    let mut fitted = fit_all(&input).map_err(fit_failed)?;
    drop(display);
    if !args.allow_below_baseline {
        refuse_below_baseline(&fitted.card, output)?;
    }
    if !args.resegment {
        refuse_other_segments(&fitted.card, output)?;
    }
    fitted.card.made_from = made_from;
    let card = fitted.card.to_json().map_err(failed)?;
    let report = html::render(&fitted.card);
    let bundle = model::save(&args.out, fitted.spec, &card, &report).map_err(failed)?;
    let text = format!(
        "{}\nModel {} written to {}",
        card_text::render(&fitted.card),
        bundle.version(),
        args.out.display()
    );
    output.result(
        &json!({"model": bundle.version(), "out": shown(&args.out), "unchanged": false, "card": fitted.card}),
        &text,
    )?;
    output.next(&format!("ebb-train report --model {}", quoted(&args.out)));
    Ok(())
}

/// The bundle that a fit would make is there.
fn print_same(args: &Args, version: &str, card: &Card, output: Output) -> Outcome {
    let text = format!(
        "Model {version} in {} is up to date: log, configuration and program are the same",
        args.out.display()
    );
    let json = json!({
        "model": version,
        "out": shown(&args.out),
        "unchanged": true,
        "card": card,
    });
    output.result(&json, &text)
}

/// A model that gives many users another segment without need is shown, and not written.
fn refuse_other_segments(card: &Card, output: Output) -> Outcome {
    let Some(migration) = &card.segment_migration else {
        return Ok(());
    };
    if !migration.needs_resegment {
        return Ok(());
    }
    let text = card_text::render(card);
    output.result(
        &json!({"model": null, "out": null, "needs_resegment": true, "card": card}),
        &text,
    )?;
    Err(Failure::Failed(anyhow::anyhow!(
        "{}; nothing was written. --resegment writes it all the same, and fitting without --previous begins again with s01",
        resegmented(migration)
    )))
}

/// A model that does not beat recency alone is shown, and not written.
fn refuse_below_baseline(card: &Card, output: Output) -> Outcome {
    let below: Vec<u16> = card
        .weak_horizons()
        .iter()
        .map(|h| h.horizon_days)
        .collect();
    if below.is_empty() {
        return Ok(());
    }
    let text = card_text::render(card);
    output.result(
        &json!({"model": null, "out": null, "horizons_below_baseline": below, "card": card}),
        &text,
    )?;
    let days: Vec<String> = below.iter().map(|days| format!("{days}-day")).collect();
    Err(Failure::Verdict(Some(format!(
        "the {} model does not beat the recency-only baseline, so nothing was written; --allow-below-baseline writes it all \
         the same",
        days.join(" and the ")
    ))))
}
