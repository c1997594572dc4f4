//! What `benches/fitters.sh` times: one of Ebb's own fitters on a raw file of little-endian numbers. Prints one line of
//! JSON with the seconds that the fit alone took, the process's memory before and at its peak, and the result.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use ebb::model::Purchases;
use ebb::train::estimators::gamma_gamma::{self, OrderAmounts};
use ebb::train::estimators::kmeans::{LloydKMeans, Points, fit_points};
use ebb::train::estimators::newton::{Newton, Rows, fit_logistic};
use ebb::train::estimators::pareto_nbd;
use linfa::ParamGuard;
use serde_json::{Value, json};

#[derive(Parser)]
enum Arguments {
    /// The logistic regression of `labels.u8` on `values.f64`.
    Logistic {
        /// The folder with the files.
        #[arg(long)]
        data: PathBuf,
        /// How many columns there are.
        #[arg(long)]
        width: usize,
        /// The penalty on the sum of squared weights.
        #[arg(long)]
        l2: f64,
        /// The largest mean gradient that counts as none.
        #[arg(long)]
        tolerance: f64,
    },
    /// K-means of `values.f64`.
    Kmeans {
        /// The folder with the file.
        #[arg(long)]
        data: PathBuf,
        /// How many columns there are.
        #[arg(long)]
        width: usize,
        /// The number of clusters.
        #[arg(long)]
        k: usize,
        /// The number of starts.
        #[arg(long)]
        restarts: usize,
        /// The share of the mean variance that the centres may still move, squared.
        #[arg(long)]
        tolerance: f64,
        /// The seed of the first centres.
        #[arg(long)]
        seed: u64,
    },
    /// Pareto/NBD and gamma-gamma of `customers.f64`: for each customer the repeat orders, the days from the first order to
    /// the last and to the as-of day, the total amount and the mean amount of repeat orders.
    Orders {
        /// The folder with the file.
        #[arg(long)]
        data: PathBuf,
    },
}

fn main() -> Result<()> {
    let result = match Arguments::parse() {
        Arguments::Logistic {
            data,
            width,
            l2,
            tolerance,
        } => logistic(&data, width, l2, tolerance)?,
        Arguments::Kmeans {
            data,
            width,
            k,
            restarts,
            tolerance,
            seed,
        } => kmeans(
            &data,
            width,
            LloydKMeans::new(k)
                .restarts(restarts)
                .tolerance(tolerance)
                .seed(seed),
        )?,
        Arguments::Orders { data } => orders(&data)?,
    };
    println!("{result}");
    Ok(())
}

fn logistic(data: &Path, width: usize, l2: f64, tolerance: f64) -> Result<Value> {
    let values = numbers(&data.join("values.f64"))?;
    let labels: Vec<bool> = std::fs::read(data.join("labels.u8"))?
        .into_iter()
        .map(|y| y != 0)
        .collect();
    let weights = vec![1.0; labels.len()];
    let rows = Rows {
        values: &values,
        width,
        targets: &labels,
        weights: &weights,
        penalty_factors: &[],
    };
    let params = Newton::default().l2(l2).tolerance(tolerance).check()?;
    let (loaded_mib, start) = (memory_mib("VmRSS:")?, Instant::now());
    let fitted = fit_logistic(&params, &rows, None)?;
    let seconds = start.elapsed().as_secs_f64();
    Ok(json!({
        "seconds": seconds,
        "loaded_mib": loaded_mib,
        "peak_mib": memory_mib("VmHWM:")?,
        "steps": fitted.steps,
        "intercept": fitted.intercept,
        "weights": fitted.weights,
    }))
}

fn kmeans(data: &Path, width: usize, params: LloydKMeans) -> Result<Value> {
    let values = numbers(&data.join("values.f64"))?;
    let params = params.check()?;
    let (loaded_mib, start) = (memory_mib("VmRSS:")?, Instant::now());
    let fitted = fit_points(
        &params,
        Points {
            values: &values,
            width,
        },
    )?;
    let seconds = start.elapsed().as_secs_f64();
    Ok(json!({
        "seconds": seconds,
        "loaded_mib": loaded_mib,
        "peak_mib": memory_mib("VmHWM:")?,
        "steps": fitted.steps,
        "inertia": fitted.inertia,
        "centres": fitted.centres,
    }))
}

fn orders(data: &Path) -> Result<Value> {
    let numbers = numbers(&data.join("customers.f64"))?;
    let (customers, rest) = numbers.as_chunks::<5>();
    ensure!(rest.is_empty(), "customers.f64 is cut off");
    let counts: Option<Vec<Purchases>> = customers
        .iter()
        .map(|[repeats, last, age, ..]| Purchases::new(*repeats as u32, *last, *age))
        .collect();
    let counts = counts.context("a customer whose counts cannot be")?;
    // A customer without a paid order has no amount.
    let amounts: Vec<OrderAmounts> = customers
        .iter()
        .filter_map(|[repeats, _, _, total, mean]| OrderAmounts::new(repeats + 1.0, *total, *mean))
        .collect();
    let start = Instant::now();
    let fitted = pareto_nbd::fit(&counts)?;
    let orders_seconds = start.elapsed().as_secs_f64();
    let spend = gamma_gamma::fit(&amounts)?;
    let seconds = start.elapsed().as_secs_f64();
    let params = spend.gamma_gamma.context("no gamma-gamma")?;
    let per_customer = |model: &ebb::model::ParetoNbd| -> f64 {
        counts.iter().map(|c| model.log_likelihood(c)).sum::<f64>() / counts.len() as f64
    };
    Ok(json!({
        "seconds": seconds,
        "orders_seconds": orders_seconds,
        "customers": fitted.customers,
        "pareto_nbd": fitted.params,
        "log_likelihood": per_customer(&fitted.params),
        "gamma_gamma": params,
    }))
}

/// The numbers of a file, read straight to where they stay.
fn numbers(path: &Path) -> Result<Vec<f64>> {
    let mut file = File::open(path).with_context(|| path.display().to_string())?;
    let count = usize::try_from(file.metadata()?.len() / 8)?;
    let mut numbers = Vec::with_capacity(count);
    let mut buffer = vec![0; 1 << 20];
    while numbers.len() < count {
        let take = buffer.len().min((count - numbers.len()) * 8);
        file.read_exact(&mut buffer[..take])?;
        let (whole, rest) = buffer[..take].as_chunks::<8>();
        ensure!(rest.is_empty(), "{} is cut off", path.display());
        numbers.extend(whole.iter().map(|bytes| f64::from_le_bytes(*bytes)));
    }
    Ok(numbers)
}

/// A figure of Linux's account of this process, in MiB.
fn memory_mib(figure: &str) -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(figure))
        .context("no such figure")?;
    let kib: f64 = line
        .split_whitespace()
        .next()
        .context("no number")?
        .parse()?;
    Ok(kib / 1024.0)
}
