use std::path::PathBuf;

use ebb::output::{self, Destination, Inputs, check_apart};
use ebb::train::estimators::newton::NewtonError;
use ebb::train::matrix::{MatrixError, MatrixOptions, fit_matrix as fit_table, read_matrix};
use serde_json::json;

use crate::outcome::{Failure, Outcome, Output, failed, shown, usage};
use crate::outputs;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A Parquet file with one row for each user: the features, and the label.
    #[arg(long, value_name = "FILE")]
    pub(crate) features: PathBuf,
    /// The column of the label, 1 for churn and 0 otherwise; all other columns are features, unknown where they are null.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) label: String,
    /// The L2 penalty on the summed loss.
    #[arg(long, value_name = "PENALTY", default_value_t = 1.0)]
    pub(crate) l2: f64,
    /// Also weigh hinges at the quartiles of every feature.
    #[arg(long)]
    pub(crate) nonlinear_terms: bool,
    /// The file of the model, as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

pub(crate) fn fit_matrix(args: &Args, output: Output) -> Outcome {
    let destination = Destination::file(&args.out).map_err(outputs::refused)?;
    let mut inputs = Inputs::default();
    inputs.add(&args.features);
    check_apart(std::slice::from_ref(&destination), &inputs).map_err(outputs::refused)?;
    let table = read_matrix(&args.features, &args.label).map_err(failed)?;
    let options = MatrixOptions {
        l2: args.l2,
        nonlinear_terms: args.nonlinear_terms,
    };
    let model = fit_table(&table, &options).map_err(refused)?;
    let text = serde_json::to_string(&model).map_err(failed)?;
    output::write(destination, text.as_bytes()).map_err(outputs::refused)?;
    let summary = format!(
        "a logistic model of {} rows and {} features in {}",
        model.rows,
        model.columns.len(),
        args.out.display()
    );
    output.result(
        &json!({"out": shown(&args.out), "rows": model.rows, "features": model.columns.len()}),
        &summary,
    )
}

fn refused(error: MatrixError) -> Failure {
    match error {
        MatrixError::Logistic(NewtonError::L2(_)) => usage(error),
        _ => failed(error),
    }
}
