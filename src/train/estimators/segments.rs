//! Segments: k-means on a few standardised features that a person can name. `previous` goes on from the segments of an
//! earlier bundle.

pub(crate) mod previous;

use linfa::metrics::SilhouetteScore;
use linfa::{DatasetBase, ParamGuard};
use ndarray::ArrayView2;

use super::kmeans::{Fitted, LloydKMeans, LloydKMeansValid, Points, fit_points, fit_reference};
use crate::features::{Catalogue, Quantity};
use crate::math::{evenly, mean};
use crate::model::{Segment, SegmentKey, Segments};
use crate::train::TrainError;
use crate::train::settings::{SegmentConfig, SegmentSolver};

/// A segment feature and what its high and low ends are called.
struct Axis {
    /// Its position in a feature vector.
    position: usize,
    high: &'static str,
    low: &'static str,
}

/// The documented subset of features: how recent, how frequent, how long known, how much spent.
fn axes(catalogue: &Catalogue) -> Vec<Axis> {
    // The longest window is the steadiest count of a habit.
    let frequency = catalogue.windows().last();
    let frequency = frequency.map(|longest| Quantity::ActiveDaysIn(*longest));
    let all = [
        (Some(Quantity::Recency), "lapsed", "recent"),
        (frequency, "frequent", "rare"),
        (Some(Quantity::Tenure), "long-standing", "new"),
        (Some(Quantity::AmountMean), "high spend", "low spend"),
    ];
    all.into_iter()
        .filter_map(|(quantity, high, low)| {
            let position = catalogue.position(quantity?)?;
            Some(Axis {
                position,
                high,
                low,
            })
        })
        .collect()
}

/// How many times k-means starts for each number of segments.
const RESTARTS: usize = 5;
/// The share of the mean variance that centroids may still move, squared: next to nothing, so that segments do not depend
/// on where it stopped.
const TOLERANCE: f64 = 1e-8;
/// Fewer users than this for each segment are too few to describe one.
const LEAST_USERS: usize = 20;
/// Users on whom the silhouette is computed at most: it compares every pair.
const SILHOUETTE_USERS: usize = 1_000;
/// A segment's name holds what lies at least this many standard deviations off the average.
const NOTABLE: f64 = 0.35;

/// Fits segments on the standardised rows `z` (one row for each user) with their outcomes. Too few users for
/// the smallest `k` give no segments. Keys follow the order of the segments.
///
/// # Errors
/// [`TrainError::Segments`] says what of the rows cannot be clustered.
pub fn fit_segments(
    catalogue: &Catalogue,
    z: &[f64],
    churned: &[bool],
    config: &SegmentConfig,
    seed: u64,
) -> Result<Segments, TrainError> {
    let axes = axes(catalogue);
    let points: Vec<f64> = z
        .chunks_exact(catalogue.len())
        .flat_map(|row| axes.iter().map(|axis| row[axis.position]))
        .collect();
    let users = SegmentUsers {
        points: &points,
        churned,
        axes: &axes,
    };
    fit_new(catalogue, users, config, seed, 0)
}

/// The users that segments are made of.
#[derive(Clone, Copy)]
struct SegmentUsers<'a> {
    /// Their standardised values on each axis, user after user.
    points: &'a [f64],
    churned: &'a [bool],
    axes: &'a [Axis],
}

impl<'a> SegmentUsers<'a> {
    fn points(&self) -> Points<'a> {
        Points {
            values: self.points,
            width: self.axes.len(),
        }
    }

    fn are_enough(&self, config: &SegmentConfig) -> bool {
        self.points().len() >= config.k_min * LEAST_USERS
    }
}

/// Segments whose keys are the next ones after `last_key`.
fn fit_new(
    catalogue: &Catalogue,
    users: SegmentUsers<'_>,
    config: &SegmentConfig,
    seed: u64,
    last_key: u32,
) -> Result<Segments, TrainError> {
    let items = if users.are_enough(config) {
        let fitted = best_fit(config, users, seed)?;
        describe(&fitted, users)
    } else {
        Vec::new()
    };
    let features = users.axes.iter();
    let feature = |axis: &Axis| catalogue.features()[axis.position].name.clone();
    let mut segments = Segments {
        features: features.map(feature).collect(),
        columns: Vec::new(),
        items: Vec::new(),
        last_key,
    };
    add_new(&mut segments, users.axes, items);
    sort(&mut segments.items);
    Ok(segments)
}

/// The centroids of the number of segments with the best silhouette, the fewest of equals.
fn best_fit(
    config: &SegmentConfig,
    users: SegmentUsers<'_>,
    seed: u64,
) -> Result<Fitted, TrainError> {
    let sample = Sample::of(users, config);
    let (mut best, mut top) = sample.fit(config, config.k_min, seed)?;
    for k in config.k_min + 1..=config.k_max {
        let (fitted, score) = sample.fit(config, k, seed)?;
        if score > top {
            (best, top) = (fitted, score);
        }
    }
    Ok(best)
}

/// The users that centres are fitted on, and those of them that silhouettes are computed on.
struct Sample {
    values: Vec<f64>,
    compared: Vec<f64>,
    width: usize,
}

impl Sample {
    fn of(users: SegmentUsers<'_>, config: &SegmentConfig) -> Self {
        let width = users.axes.len();
        let values = thin(users.points, width, config.sample_users);
        Self {
            compared: thin(&values, width, SILHOUETTE_USERS),
            values,
            width,
        }
    }

    fn points(&self) -> Points<'_> {
        Points {
            values: &self.values,
            width: self.width,
        }
    }

    /// `k` centres and their silhouette.
    fn fit(
        &self,
        config: &SegmentConfig,
        k: usize,
        seed: u64,
    ) -> Result<(Fitted, f64), TrainError> {
        let fitted = fit_k(config.solver, self.points(), k, seed)?;
        let score = silhouette(&self.compared, self.width, &fitted);
        Ok((fitted, score))
    }
}

/// At most `most` rows, evenly taken.
fn thin(points: &[f64], width: usize, most: usize) -> Vec<f64> {
    let rows = points.len() / width;
    evenly(rows, most)
        .flat_map(|row| &points[row * width..][..width])
        .copied()
        .collect()
}

fn fit_k(
    solver: SegmentSolver,
    sample: Points<'_>,
    k: usize,
    seed: u64,
) -> Result<Fitted, TrainError> {
    let fit = |params: LloydKMeansValid| match solver {
        SegmentSolver::Lloyd => fit_points(&params, sample),
        SegmentSolver::Linfa => fit_reference(&params, sample),
    };
    let fitted = params(k, seed).check().and_then(fit);
    fitted.map_err(|source| TrainError::Segments { k, source })
}

fn params(k: usize, seed: u64) -> LloydKMeans {
    LloydKMeans::new(k)
        .restarts(RESTARTS)
        .tolerance(TOLERANCE)
        .seed(seed)
}

/// The mean silhouette (Rousseeuw 1987) of the rows assigned to their nearest centroid; -1 if they all share one.
fn silhouette(rows: &[f64], width: usize, fitted: &Fitted) -> f64 {
    let points = Points {
        values: rows,
        width,
    };
    let Ok(records) = ArrayView2::from_shape((points.len(), width), rows) else {
        return -1.0;
    };
    let labels = ndarray::Array1::from_vec(fitted.labels(points));
    let score = DatasetBase::new(records.to_owned(), labels).silhouette_score();
    score.ok().filter(|s: &f64| s.is_finite()).unwrap_or(-1.0)
}

/// Users of one cluster.
struct Cluster {
    centroid: Vec<f64>,
    /// Where it lies from the average user on each axis.
    off: Vec<f64>,
    users: u64,
    churn_rate: f64,
}

/// Counts the users of each cluster; clusters without any are left out.
fn describe(fitted: &Fitted, users: SegmentUsers<'_>) -> Vec<Cluster> {
    let width = users.axes.len();
    let points = users.points();
    let k = fitted.centres.len() / width;
    let (mut counts, mut leavers) = (vec![0_u64; k], vec![0_u64; k]);
    for (id, churned) in fitted.labels(points).into_iter().zip(users.churned) {
        counts[id] += 1;
        leavers[id] += u64::from(*churned);
    }
    let average: Vec<f64> = (0..width)
        .map(|axis| mean(&points.iter().map(|point| point[axis]).collect::<Vec<_>>()))
        .collect();
    let off = |centroid: &[f64]| {
        centroid
            .iter()
            .zip(&average)
            .map(|(at, mean)| at - mean)
            .collect()
    };
    let centroids = fitted.centres.chunks_exact(width);
    centroids
        .zip(counts.iter().zip(&leavers))
        .filter(|(_, (users, _))| **users > 0)
        .map(|(centroid, (users, leavers))| Cluster {
            centroid: centroid.to_vec(),
            off: off(centroid),
            users: *users,
            churn_rate: *leavers as f64 / *users as f64,
        })
        .collect()
}

/// Adds clusters that no earlier segment is like, by rising churn rate: with the next keys, and names that no other has.
fn add_new(segments: &mut Segments, axes: &[Axis], clusters: Vec<Cluster>) {
    let named = clusters.into_iter();
    let mut named: Vec<(String, Cluster)> = named.map(|c| (name(&c.off, axes), c)).collect();
    named.sort_by(|(name_a, a), (name_b, b)| {
        let rates = a.churn_rate.total_cmp(&b.churn_rate);
        rates.then_with(|| name_a.cmp(name_b))
    });
    for (name, cluster) in named {
        let key = SegmentKey::at(segments.last_key as usize);
        segments.last_key = key.number();
        let name = unlike(name, &segments.items);
        segments.items.push(cluster.into_segment(key, name));
    }
}

impl Cluster {
    fn into_segment(self, key: SegmentKey, name: String) -> Segment {
        Segment {
            key,
            name,
            centroid: self.centroid,
            users: self.users,
            churn_rate: self.churn_rate,
        }
    }
}

/// By rising churn rate, equal ones by name.
fn sort(items: &mut [Segment]) {
    items.sort_by(|a, b| {
        let rates = a.churn_rate.total_cmp(&b.churn_rate);
        rates.then_with(|| a.name.cmp(&b.name))
    });
}

/// What an average user is called, and a cluster of them.
const AVERAGE: &str = "average";

/// What sets a cluster apart from the average user, strongest first.
fn name(off: &[f64], axes: &[Axis]) -> String {
    let mut words: Vec<(f64, &str)> = Vec::new();
    for (off, axis) in off.iter().zip(axes) {
        if off.abs() >= NOTABLE {
            words.push((off.abs(), if *off > 0.0 { axis.high } else { axis.low }));
        }
    }
    words.sort_by(|a, b| b.0.total_cmp(&a.0));
    if words.is_empty() {
        return AVERAGE.to_owned();
    }
    let words: Vec<&str> = words.into_iter().map(|(_, word)| word).collect();
    words.join(", ")
}

/// The name, numbered where others have it: "recent, frequent (2)".
fn unlike(name: String, others: &[Segment]) -> String {
    let is_taken = |name: &str| others.iter().any(|other| other.name == name);
    if !is_taken(&name) {
        return name;
    }
    let numbered = (2..).map(|number| format!("{name} ({number})"));
    numbered
        .take(others.len() + 1)
        .find(|numbered| !is_taken(numbered))
        .unwrap_or(name)
}

#[cfg(test)]
mod tests;
