use ebb::simulate::{SimulateError, SimulateOptions};
use serde_json::json;

use crate::args;
use crate::outcome::{Outcome, Output, failed, usage};
use crate::outputs;

pub(crate) fn simulate(args: &args::Simulate, output: Output) -> Outcome {
    let reaction = |error| match error {
        SimulateError::Write { .. } | SimulateError::Occupied { .. } => failed(error),
        SimulateError::Output(error) => outputs::refused(error),
        _ => usage(error),
    };
    let mut options = SimulateOptions::new(args.users, args.days, args.seed, args.out.clone());
    options.start = args.start;
    options.corruption_rate = args.corruption_rate;
    options.season = args.season.into();
    let summary = ebb::simulate::simulate(&options).map_err(reaction)?;
    output.result(&json!(summary), &summary.to_string())
}
