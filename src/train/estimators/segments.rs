//! Segments: k-means on a few standardised features that a person can name.

use linfa::metrics::SilhouetteScore;
use linfa::{DatasetBase, ParamGuard};
use ndarray::ArrayView2;

use super::kmeans::{Fitted, LloydKMeans, Points, fit_points, fit_reference};
use crate::features::{Catalogue, Quantity};
use crate::math::{evenly, mean};
use crate::model::{Segment, Segments};
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
/// the smallest `k` give no segments.
pub fn fit_segments(
    catalogue: &Catalogue,
    z: &[f64],
    churned: &[bool],
    config: &SegmentConfig,
    seed: u64,
) -> Result<Segments, TrainError> {
    let axes = axes(catalogue);
    let (width, columns) = (axes.len(), catalogue.len());
    let features = axes
        .iter()
        .map(|axis| catalogue.features()[axis.position].name.clone())
        .collect();
    let points: Vec<f64> = z
        .chunks_exact(columns)
        .flat_map(|row| axes.iter().map(|axis| row[axis.position]))
        .collect();
    let mut items = Vec::new();
    if points.len() / width >= config.k_min * LEAST_USERS {
        let fitted = best_fit(config, &points, width, seed)?;
        items = describe(&fitted, &points, churned, &axes);
    }
    Ok(Segments { features, items })
}

/// The centroids of the number of segments with the best silhouette, the fewest of equals.
fn best_fit(
    config: &SegmentConfig,
    points: &[f64],
    width: usize,
    seed: u64,
) -> Result<Fitted, TrainError> {
    let values = thin(points, width, config.sample_users);
    let sample = Points {
        values: &values,
        width,
    };
    let compared = thin(&values, width, SILHOUETTE_USERS);
    let fit = |k| fit_k(config.solver, sample, k, seed);
    let mut best = fit(config.k_min)?;
    let mut top = silhouette(&compared, width, &best);
    for k in config.k_min + 1..=config.k_max {
        let fitted = fit(k)?;
        let score = silhouette(&compared, width, &fitted);
        if score > top {
            (best, top) = (fitted, score);
        }
    }
    Ok(best)
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
    let params = LloydKMeans::new(k)
        .restarts(RESTARTS)
        .tolerance(TOLERANCE)
        .seed(seed)
        .check();
    let fitted = params.and_then(|params| match solver {
        SegmentSolver::Lloyd => fit_points(&params, sample),
        SegmentSolver::Linfa => fit_reference(&params, sample),
    });
    fitted.map_err(|source| TrainError::Segments { k, source })
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

/// Counts and names the segments of all users, ordered by churn rate.
fn describe(fitted: &Fitted, points: &[f64], churned: &[bool], axes: &[Axis]) -> Vec<Segment> {
    let width = axes.len();
    let points = Points {
        values: points,
        width,
    };
    let k = fitted.centres.len() / width;
    let (mut users, mut leavers) = (vec![0_u64; k], vec![0_u64; k]);
    for (id, churned) in fitted.labels(points).into_iter().zip(churned) {
        users[id] += 1;
        leavers[id] += u64::from(*churned);
    }
    let average: Vec<f64> = (0..width)
        .map(|axis| mean(&points.iter().map(|point| point[axis]).collect::<Vec<_>>()))
        .collect();
    let mut items: Vec<Segment> = fitted
        .centres
        .chunks_exact(width)
        .zip(users.iter().zip(&leavers))
        .filter(|(_, (users, _))| **users > 0)
        .map(|(centroid, (users, leavers))| Segment {
            name: name(centroid, &average, axes),
            centroid: centroid.to_vec(),
            users: *users,
            churn_rate: *leavers as f64 / *users as f64,
        })
        .collect();
    items.sort_by(|a, b| {
        let rates = a.churn_rate.total_cmp(&b.churn_rate);
        rates.then_with(|| a.name.cmp(&b.name))
    });
    number_namesakes(&mut items);
    items
}

/// What sets a centroid apart from the average user, strongest first.
fn name(centroid: &[f64], average: &[f64], axes: &[Axis]) -> String {
    let mut words: Vec<(f64, &str)> = Vec::new();
    for ((at, average), axis) in centroid.iter().zip(average).zip(axes) {
        let off = at - average;
        if off.abs() >= NOTABLE {
            words.push((off.abs(), if off > 0.0 { axis.high } else { axis.low }));
        }
    }
    words.sort_by(|a, b| b.0.total_cmp(&a.0));
    if words.is_empty() {
        return "average".to_owned();
    }
    let words: Vec<&str> = words.into_iter().map(|(_, word)| word).collect();
    words.join(", ")
}

/// Numbers segments of one name: "recent, frequent (2)".
fn number_namesakes(items: &mut [Segment]) {
    for i in 1..items.len() {
        let (before, rest) = items.split_at_mut(i);
        let item = &mut rest[0];
        let numbered = format!("{} (", item.name);
        let namesakes = before
            .iter()
            .filter(|b| b.name == item.name || b.name.starts_with(&numbered));
        let number = namesakes.count() + 1;
        if number > 1 {
            item.name = format!("{} ({number})", item.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::FeatureSchema;

    fn catalogue() -> Catalogue {
        Catalogue::new(FeatureSchema {
            activity: vec!["purchase".into()],
            other_kinds: vec![],
            horizon_days: vec![30],
            amounts: true,
            seasonal_years: 0,
            lead_days: 0,
            value_kinds: Vec::new(),
        })
        .unwrap()
    }

    /// Three clear groups in the standardised space, the third of them all churners.
    fn groups() -> (Vec<f64>, Vec<bool>) {
        let catalogue = catalogue();
        let axes = axes(&catalogue);
        let centres = [
            [-1.0, 1.2, 0.1, 1.0],
            [-0.8, -0.2, -1.5, -0.1],
            [1.6, -1.0, 0.2, -0.9],
        ];
        let mut z = Vec::new();
        let mut churned = Vec::new();
        for i in 0..900_usize {
            let mut row = vec![0.0; catalogue.len()];
            for (axis, Axis { position, .. }) in axes.iter().enumerate() {
                row[*position] = centres[i % 3][axis] + ((i * 7 + axis * 13) % 29) as f64 / 100.0;
            }
            z.extend(row);
            churned.push(i % 3 == 2 || (i % 3 == 1 && i % 2 == 0));
        }
        (z, churned)
    }

    fn fit(config: &SegmentConfig) -> Segments {
        let (z, churned) = groups();
        fit_segments(&catalogue(), &z, &churned, config, 7).unwrap()
    }

    #[test]
    fn clear_groups_are_found_counted_ordered_and_named() {
        let segments = fit(&SegmentConfig::default());
        assert_eq!(
            segments.features,
            [
                "recency_days",
                "active_days_120d",
                "tenure_days",
                "amount_mean"
            ]
        );
        let found: Vec<(&str, u64)> = segments
            .items
            .iter()
            .map(|s| (s.name.as_str(), s.users))
            .collect();
        assert_eq!(
            found,
            [
                ("frequent, high spend, recent, long-standing", 300),
                ("new, recent", 300),
                ("lapsed, rare, low spend, long-standing", 300)
            ]
        );
        assert!(
            segments
                .items
                .is_sorted_by(|a, b| a.churn_rate <= b.churn_rate)
        );
        assert_eq!(segments.items[2].churn_rate, 1.0);
    }

    /// Enough users for several parts of work, which threads share.
    #[test]
    fn one_seed_gives_one_answer_on_any_number_of_threads() {
        let (z, churned) = groups();
        let (z, churned) = (z.repeat(25), churned.repeat(25));
        let config = SegmentConfig {
            sample_users: 20_000,
            k_max: 4,
            ..Default::default()
        };
        let on = |threads, seed| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            let fit = || fit_segments(&catalogue(), &z, &churned, &config, seed).unwrap();
            // Debug prints the shortest text that reads back as the same number, so equal text is equal bits.
            format!("{:?}", pool.build().unwrap().install(fit))
        };
        let alone = on(1, 7);
        assert_eq!(alone, on(3, 7));
    }

    #[test]
    fn the_reference_finds_the_same_groups() {
        let counts = |solver| {
            fit(&SegmentConfig {
                solver,
                ..Default::default()
            })
            .items
            .into_iter()
            .map(|s| (s.name, s.users))
        };
        assert!(counts(SegmentSolver::Lloyd).eq(counts(SegmentSolver::Linfa)));
    }

    #[test]
    fn too_few_users_make_no_segments() {
        let (z, churned) = groups();
        let some = 50 * catalogue().len();
        let segments = fit_segments(
            &catalogue(),
            &z[..some],
            &churned[..50],
            &SegmentConfig::default(),
            7,
        )
        .unwrap();
        assert!(segments.items.is_empty());
    }

    #[test]
    fn identical_users_are_one_segment() {
        let z = vec![0.0; 200 * catalogue().len()];
        let segments = fit_segments(
            &catalogue(),
            &z,
            &[false; 200],
            &SegmentConfig::default(),
            7,
        )
        .unwrap();
        assert_eq!(segments.items.iter().map(|s| s.users).sum::<u64>(), 200);
        assert!(segments.items.len() == 1 && segments.items[0].name == "average");
    }
}
