use ebb::simulate::{
    BulkOptions, DEFAULT_BULK_EVENTS, SimulateError, SimulateOptions, simulate_bulk,
};
use serde_json::json;

use crate::args;
use crate::outcome::{Outcome, Output, failed, usage};
use crate::outputs;

pub(crate) fn simulate(args: &args::Simulate, output: Output) -> Outcome {
    let reaction = |error| match error {
        SimulateError::Write { .. }
        | SimulateError::Parquet { .. }
        | SimulateError::Occupied { .. } => failed(error),
        SimulateError::Output(error) => outputs::refused(error),
        _ => usage(error),
    };
    if let Some(events) = args.bulk {
        let events = events.unwrap_or(DEFAULT_BULK_EVENTS);
        let mut options = BulkOptions::new(events, args.days, args.seed, args.out.clone());
        options.start = args.start;
        options.format = args.format.into();
        options.users = args.users.unwrap_or(options.users);
        options.threads = args.threads.unwrap_or(options.threads);
        let summary = simulate_bulk(&options).map_err(reaction)?;
        return output.result(&json!(summary), &summary.to_string());
    }
    let mut options = SimulateOptions::new(
        args.users.unwrap_or(20_000),
        args.days,
        args.seed,
        args.out.clone(),
    );
    options.start = args.start;
    options.corruption_rate = args.corruption_rate;
    let summary = ebb::simulate::simulate(&options).map_err(reaction)?;
    output.result(&json!(summary), &summary.to_string())
}
