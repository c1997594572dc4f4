use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ebb::card::Card;
use ebb::model::{self, KEPT_BUNDLES, KeptBundle, ModelError, Published};
use serde_json::{Value, json};

use crate::outcome::{Failure, Outcome, Output, failed, quoted, shown, usage};
use crate::outputs;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The new bundle's folder. It is loaded and must reproduce its golden answers; a copy of it is published.
    #[arg(
        long,
        value_name = "FOLDER",
        requires = "live",
        required_unless_present_any = ["rollback", "history"]
    )]
    pub(crate) model: Option<PathBuf>,
    /// The folder of the bundle in use, which is kept beside it as FOLDER.previous, and the ones before as FOLDER.history.
    #[arg(
        long,
        value_name = "FOLDER",
        requires = "model",
        required_unless_present_any = ["rollback", "history"]
    )]
    pub(crate) live: Option<PathBuf>,
    /// How many earlier bundles are kept.
    #[arg(
        long,
        value_name = "BUNDLES",
        conflicts_with_all = ["rollback", "history"],
        default_value_t = KEPT_BUNDLES as u16,
        value_parser = clap::value_parser!(u16).range(1..)
    )]
    pub(crate) keep: u16,
    /// Swap the bundle in this folder with the one that was there before; a second time swaps them back.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["model", "live"])]
    pub(crate) rollback: Option<PathBuf>,
    /// Put the earlier bundle with this version back, or with a version that begins so.
    #[arg(long, value_name = "VERSION", requires = "rollback")]
    pub(crate) to: Option<String>,
    /// List the bundle in this folder and the earlier ones that are kept.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["model", "live", "rollback"])]
    pub(crate) history: Option<PathBuf>,
}

pub(crate) fn publish(args: &Args, output: Output) -> Outcome {
    if let Some(live) = &args.history {
        return history(live, output);
    }
    let (live, done) = match (&args.model, &args.live, &args.rollback) {
        (_, _, Some(live)) => match &args.to {
            Some(version) => (live, model::roll_back_to(live, version)),
            None => (live, model::roll_back(live)),
        },
        (Some(model), Some(live), None) => {
            let kept = usize::from(args.keep);
            (live, model::publish_keeping(model, live, kept))
        }
        // The parser of arguments asks for both.
        _ => {
            return Err(usage(anyhow::anyhow!(
                "give --model and --live, or --rollback, or --history"
            )));
        }
    };
    print(live, done.map_err(refused)?, output)?;
    if args.model.is_some() {
        output.next(&format!("ebb-serve --model {}", quoted(live)));
    }
    Ok(())
}

fn print(live: &Path, published: Published, output: Output) -> Outcome {
    let Published {
        version,
        previous,
        previous_dir,
        unchanged,
    } = published;
    let how = if unchanged {
        "was in use already at"
    } else {
        "is in use now at"
    };
    let kept = previous.as_ref().map(|previous| {
        format!(
            "; {previous}, the one before, is kept at {}",
            previous_dir.display()
        )
    });
    let text = format!(
        "Model {version} {how} {}{}",
        live.display(),
        kept.unwrap_or_default()
    );
    let json = json!({
        "model": version,
        "live": shown(live),
        "previous": previous,
        "previous_dir": previous.as_ref().map(|_| shown(&previous_dir)),
        "unchanged": unchanged,
    });
    output.result(&json, &text)
}

fn refused(error: ModelError) -> Failure {
    match error {
        ModelError::SameFolder { .. } => usage(error),
        ModelError::Output(error) => outputs::refused(error),
        _ => failed(error),
    }
}

/// The bundles at a place, newest first.
fn history(live: &Path, output: Output) -> Outcome {
    let bundles = model::kept_bundles(live).map_err(refused)?;
    let rows: Vec<HistoryRow> = bundles.into_iter().map(HistoryRow::from).collect();
    let head = ["version", "published", "as of", "log loss", "folder"].map(str::to_owned);
    let table: Vec<[String; 5]> = std::iter::once(head)
        .chain(rows.iter().map(HistoryRow::cells))
        .collect();
    let widths: [usize; 5] = std::array::from_fn(|column| {
        let cells = table.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or_default()
    });
    let line = |row: &[String; 5]| {
        let cells = row.iter().zip(widths);
        let cells = cells.map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let lines: Vec<String> = table.iter().map(line).collect();
    let bundles: Vec<Value> = rows.iter().map(HistoryRow::json).collect();
    output.result(
        &json!({"live": shown(live), "bundles": bundles}),
        &lines.join("\n"),
    )
}

/// A bundle as the history lists it.
struct HistoryRow {
    folder: PathBuf,
    in_use: bool,
    published: Option<jiff::Timestamp>,
    /// The version and the card, or what is wrong.
    content: Result<(String, Card), String>,
}

impl From<KeptBundle> for HistoryRow {
    fn from(bundle: KeptBundle) -> Self {
        let KeptBundle {
            folder,
            in_use,
            published,
            saved,
        } = bundle;
        let content = saved.map_err(|error| error.to_string()).and_then(|saved| {
            let card: Card =
                serde_json::from_str(&saved.card).map_err(|error| error.to_string())?;
            Ok((saved.bundle.version().to_owned(), card))
        });
        Self {
            folder,
            in_use,
            published: published.and_then(to_the_second),
            content,
        }
    }
}

fn to_the_second(time: SystemTime) -> Option<jiff::Timestamp> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    jiff::Timestamp::from_second(i64::try_from(since.as_secs()).ok()?).ok()
}

impl HistoryRow {
    /// The log loss of each horizon on the test date, in order of the horizons; `None` where it was not judged.
    fn losses(card: &Card) -> Vec<(u16, Option<f64>)> {
        let loss = |horizon: &ebb::card::HorizonCard| {
            let evaluation = horizon.evaluation.as_ref();
            evaluation.map(|evaluation| evaluation.model.log_loss.value)
        };
        let horizons = card.horizons.iter();
        horizons
            .map(|horizon| (horizon.horizon_days, loss(horizon)))
            .collect()
    }

    /// A row of the table. A damaged bundle has the problem in the place of its log loss.
    fn cells(&self) -> [String; 5] {
        let published = self.published.map(|time| time.to_string());
        let published = published.unwrap_or_default();
        let used = if self.in_use { " (in use)" } else { "" };
        let folder = format!("{}{used}", shown(&self.folder));
        let (version, card) = match &self.content {
            Ok(content) => content,
            Err(problem) => {
                let none = String::new();
                return [
                    "damaged".to_owned(),
                    published,
                    none,
                    problem.clone(),
                    folder,
                ];
            }
        };
        let losses: Vec<String> = Self::losses(card)
            .into_iter()
            .map(|(days, loss)| match loss {
                Some(loss) => format!("{loss:.4} ({days} days)"),
                None => format!("not tested ({days} days)"),
            })
            .collect();
        let as_of = card.as_of.to_string();
        [version.clone(), published, as_of, losses.join(", "), folder]
    }

    fn json(&self) -> Value {
        let published = self.published.map(|time| time.to_string());
        match &self.content {
            Ok((version, card)) => {
                let horizons: Vec<Value> = Self::losses(card)
                    .into_iter()
                    .map(|(days, loss)| json!({"horizon_days": days, "log_loss": loss}))
                    .collect();
                json!({
                    "model": version,
                    "folder": shown(&self.folder),
                    "in_use": self.in_use,
                    "published": published,
                    "as_of": card.as_of,
                    "horizons": horizons,
                })
            }
            Err(problem) => json!({
                "model": null,
                "folder": shown(&self.folder),
                "in_use": self.in_use,
                "published": published,
                "problem": problem,
            }),
        }
    }
}
