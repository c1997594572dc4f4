use std::path::PathBuf;

use ebb::history::Day;
use ebb::simulate::{
    PaceChange, Planted, SimulateError, SimulateOptions, SpendGrowth, simulate_observed,
};
use serde_json::json;

use crate::outcome::{Outcome, Output, failed, quoted, usage};
use crate::outputs;
use crate::progress::ProgressDisplay;
use crate::values::{Season, pace_change, spend_growth};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many users.
    #[arg(long, default_value_t = 20_000)]
    pub(crate) users: u32,
    /// How many days.
    #[arg(long, default_value_t = 540)]
    pub(crate) days: u32,
    /// Seed of everything drawn at random.
    #[arg(long, default_value_t = 7)]
    pub(crate) seed: u64,
    /// The first day.
    #[arg(long, value_name = "DATE", default_value_t = ebb::simulate::default_start())]
    pub(crate) start: Day,
    /// The share of rows that are late, repeated or broken, as in real logs.
    #[arg(long, default_value_t = ebb::simulate::DEFAULT_CORRUPTION_RATE)]
    pub(crate) corruption_rate: f64,
    /// What the time of year does to the business.
    #[arg(long, value_enum, default_value_t = Season::Mild)]
    pub(crate) season: Season,
    /// How many people beside the users look around first, and buy later or never; the configuration asks who converts.
    #[arg(long, default_value_t = 0)]
    pub(crate) visitors: u32,
    /// All users buy and visit so many times as often from a day on, such as 2025-03-01=1.2: a change for `propose` to find.
    #[arg(long, value_name = "DATE=FACTOR", value_parser = pace_change)]
    pub(crate) pace: Option<PaceChange>,
    /// The same for the two weeks from a day on.
    #[arg(long, value_name = "DATE=FACTOR", value_parser = pace_change)]
    pub(crate) shock: Option<PaceChange>,
    /// From a day on all users visit, fill carts without buying and click so many times as often, such as 2025-03-01=2: what
    /// a release may do.
    #[arg(long, value_name = "DATE=FACTOR", value_parser = pace_change)]
    pub(crate) release: Option<PaceChange>,
    /// Baskets grow by this share in each month of their user's tenure, for so many months, such as 0.08=9.
    #[arg(long, value_name = "SHARE=MONTHS", value_parser = spend_growth)]
    pub(crate) spend_growth: Option<SpendGrowth>,
    /// Also write attributes.csv: a plan that changes over time, an age and a country of each user, for `[attributes]`.
    #[arg(long)]
    pub(crate) attributes: bool,
    /// The folder to write.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: PathBuf,
}

pub(crate) fn simulate(args: &Args, output: Output) -> Outcome {
    let reaction = |error| match error {
        SimulateError::Write { .. } | SimulateError::Occupied { .. } => failed(error),
        SimulateError::Output(error) => outputs::refused(error),
        _ => usage(error),
    };
    let mut options = SimulateOptions::new(args.users, args.days, args.seed, args.out.clone());
    options.start = args.start;
    options.corruption_rate = args.corruption_rate;
    options.season = args.season.into();
    options.visitors = args.visitors;
    options.planted = Planted {
        pace: args.pace,
        shock: args.shock,
        release: args.release,
        spend: args.spend_growth,
    };
    options.attributes = args.attributes;
    let display = ProgressDisplay::new(output);
    let summary = simulate_observed(&options, display.phases()).map_err(reaction)?;
    drop(display);
    output.result(&json!(summary), &summary.to_string())?;
    let config = args.out.join("ebb.toml");
    output.next(&format!(
        "ebb-train fit --config {} --out model",
        quoted(&config)
    ));
    Ok(())
}
