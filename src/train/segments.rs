//! Segments: k-means on a few standardised features that a person can name.

use linfa::DatasetBase;
use linfa::metrics::SilhouetteScore;
use linfa::traits::Fit;
use linfa_clustering::{KMeans, KMeansInit};
use ndarray::{Array2, ArrayView2};
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

use super::TrainError;
use crate::features::{Catalogue, Quantity};
use crate::math::{evenly, mean};
use crate::model::{Segment, Segments};

/// How segments are made: the `[segments]` table of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SegmentConfig {
    /// The fewest segments to try.
    pub k_min: usize,
    /// The most segments to try; the number with the best silhouette is taken.
    pub k_max: usize,
    /// Users that the centres are fitted on at most; all users are assigned afterwards.
    pub sample_users: usize,
}

impl Default for SegmentConfig {
    fn default() -> Self {
        Self { k_min: 3, k_max: 6, sample_users: 10_000 }
    }
}

impl SegmentConfig {
    /// What is wrong with the settings, naming the one at fault; `None` when they are in order.
    pub fn problem(&self) -> Option<String> {
        if self.k_min < 2 || self.k_max < self.k_min || self.k_max > 20 {
            let Self { k_min, k_max, .. } = self;
            return Some(format!("segments: k_min = {k_min} and k_max = {k_max} must be 2 <= k_min <= k_max <= 20"));
        }
        (self.sample_users < 100)
            .then(|| format!("segments.sample_users is {}: it must be at least 100", self.sample_users))
    }
}

/// A segment feature: what it measures and what its high and low ends are called.
struct Axis {
    quantity: Quantity,
    high: &'static str,
    low: &'static str,
}

/// The documented subset of features: how recent, how frequent, how long known, how much spent.
fn axes(catalogue: &Catalogue) -> Vec<Axis> {
    let longest = catalogue.windows().last().copied().unwrap_or_default();
    let all = [
        Axis { quantity: Quantity::Recency, high: "lapsed", low: "recent" },
        Axis { quantity: Quantity::ActiveDaysIn(longest), high: "frequent", low: "rare" },
        Axis { quantity: Quantity::Tenure, high: "long-standing", low: "new" },
        Axis { quantity: Quantity::AmountMean, high: "high spend", low: "low spend" },
    ];
    all.into_iter().filter(|axis| catalogue.position(axis.quantity).is_some()).collect()
}

/// Users on whom the silhouette is computed at most: it looks at every pair.
const SILHOUETTE_USERS: usize = 1_000;
/// A segment's name says what lies at least this many standard deviations off the average.
const TELLING: f64 = 0.35;

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
    let positions: Vec<usize> = axes.iter().filter_map(|a| catalogue.position(a.quantity)).collect();
    let features = positions.iter().filter_map(|p| catalogue.features().get(*p)).map(|f| f.name.clone()).collect();
    let points: Vec<f64> =
        z.chunks_exact(catalogue.len().max(1)).flat_map(|row| positions.iter().map(|p| row[*p])).collect();
    let width = axes.len();
    let users = points.len() / width.max(1);
    if users < config.k_min * 20 {
        return Ok(Segments { features, items: Vec::new() });
    }
    let sample = thin(&points, width, config.sample_users);
    let judged = thin(&sample, width, SILHOUETTE_USERS);
    let mut best: Option<(f64, Array2<f64>)> = None;
    for k in config.k_min..=config.k_max {
        let centroids = fit_k(&sample, width, k, seed)?;
        let score = silhouette(&judged, width, &centroids);
        if best.as_ref().is_none_or(|(top, _)| score > *top) {
            best = Some((score, centroids));
        }
    }
    let Some((_, centroids)) = best else { return Ok(Segments { features, items: Vec::new() }) };
    Ok(Segments { features, items: describe(&centroids, &points, churned, &axes) })
}

/// At most `most` rows, evenly taken.
fn thin(points: &[f64], width: usize, most: usize) -> Vec<f64> {
    let rows = points.len() / width;
    evenly(rows, most).flat_map(|row| &points[row * width..][..width]).copied().collect()
}

fn fit_k(sample: &[f64], width: usize, k: usize, seed: u64) -> Result<Array2<f64>, TrainError> {
    let rows = ArrayView2::from_shape((sample.len() / width, width), sample)
        .map_err(|_| TrainError::Segments { k, problem: "the sample does not make whole rows".into() })?;
    let dataset = DatasetBase::from(rows.to_owned());
    let model = KMeans::params_with_rng(k, Xoshiro256PlusPlus::seed_from_u64(seed))
        .n_runs(5)
        .tolerance(1e-4)
        .max_n_iterations(200)
        .init_method(KMeansInit::KMeansPlusPlus)
        .fit(&dataset)
        .map_err(|error| TrainError::Segments { k, problem: error.to_string() })?;
    Ok(model.centroids().to_owned())
}

/// The mean silhouette (Rousseeuw 1987) of the rows assigned to their nearest centre; -1 if they all share one.
fn silhouette(judged: &[f64], width: usize, centroids: &Array2<f64>) -> f64 {
    let Ok(rows) = ArrayView2::from_shape((judged.len() / width, width), judged) else { return -1.0 };
    let labels = rows.outer_iter().map(|row| nearest(centroids, row.as_slice().unwrap_or_default())).collect();
    let dataset = DatasetBase::new(rows.to_owned(), ndarray::Array1::<usize>::from_vec(labels));
    dataset.silhouette_score().ok().filter(|s: &f64| s.is_finite()).unwrap_or(-1.0)
}

fn nearest(centroids: &Array2<f64>, point: &[f64]) -> usize {
    let squared = |c: &ndarray::ArrayView1<'_, f64>| c.iter().zip(point).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
    let all = centroids.outer_iter().enumerate();
    all.min_by(|(_, a), (_, b)| squared(a).total_cmp(&squared(b))).map_or(0, |(id, _)| id)
}

/// Counts and names the segments, ordered by churn rate. Sizes are recounted over all users: the counts that
/// linfa-clustering reports belong to another of its runs more often than not.
fn describe(centroids: &Array2<f64>, points: &[f64], churned: &[bool], axes: &[Axis]) -> Vec<Segment> {
    let mut users = vec![0_u64; centroids.nrows()];
    let mut leavers = vec![0_u64; centroids.nrows()];
    for (point, churned) in points.chunks_exact(axes.len()).zip(churned) {
        let id = nearest(centroids, point);
        users[id] += 1;
        leavers[id] += u64::from(*churned);
    }
    let centre: Vec<f64> = (0..axes.len())
        .map(|axis| mean(&points.iter().skip(axis).step_by(axes.len()).copied().collect::<Vec<_>>()))
        .collect();
    let mut items: Vec<Segment> = centroids
        .outer_iter()
        .zip(users.iter().zip(&leavers))
        .filter(|(_, (users, _))| **users > 0)
        .map(|(centroid, (users, leavers))| Segment {
            name: name(&centroid.to_vec(), &centre, axes),
            centroid: centroid.to_vec(),
            users: *users,
            churn_rate: *leavers as f64 / *users as f64,
        })
        .collect();
    items.sort_by(|a, b| a.churn_rate.total_cmp(&b.churn_rate).then_with(|| a.name.cmp(&b.name)));
    tell_apart(&mut items);
    items
}

/// What sets a centre apart from the average user, strongest first.
fn name(centroid: &[f64], average: &[f64], axes: &[Axis]) -> String {
    let mut words: Vec<(f64, &str)> = centroid
        .iter()
        .zip(average)
        .zip(axes)
        .map(|((c, m), axis)| (c - m, axis))
        .filter(|(off, _)| off.abs() >= TELLING)
        .map(|(off, axis)| (off.abs(), if off > 0.0 { axis.high } else { axis.low }))
        .collect();
    words.sort_by(|a, b| b.0.total_cmp(&a.0));
    if words.is_empty() { "average".to_owned() } else { words.iter().map(|w| w.1).collect::<Vec<_>>().join(", ") }
}

/// Numbers segments of one name: "recent, frequent (2)".
fn tell_apart(items: &mut [Segment]) {
    for i in 1..items.len() {
        let (before, rest) = items.split_at_mut(i);
        let Some(item) = rest.first_mut() else { continue };
        let namesakes =
            before.iter().filter(|b| b.name == item.name || b.name.starts_with(&format!("{} (", item.name)));
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
        })
        .unwrap()
    }

    /// Three clear groups in the standardised space, the third of them all churners.
    fn groups() -> (Vec<f64>, Vec<bool>) {
        let catalogue = catalogue();
        let positions: Vec<usize> = axes(&catalogue).iter().map(|a| catalogue.position(a.quantity).unwrap()).collect();
        let centres = [[-1.0, 1.2, 0.1, 1.0], [-0.8, -0.2, -1.5, -0.1], [1.6, -1.0, 0.2, -0.9]];
        let mut z = Vec::new();
        let mut churned = Vec::new();
        for i in 0..900_usize {
            let mut row = vec![0.0; catalogue.len()];
            for (axis, p) in positions.iter().enumerate() {
                row[*p] = centres[i % 3][axis] + ((i * 7 + axis * 13) % 29) as f64 / 100.0;
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
        assert_eq!(segments.features, ["recency_days", "active_days_120d", "tenure_days", "amount_mean"]);
        let found: Vec<(&str, u64)> = segments.items.iter().map(|s| (s.name.as_str(), s.users)).collect();
        assert_eq!(
            found,
            [
                ("frequent, high spend, recent, long-standing", 300),
                ("new, recent", 300),
                ("lapsed, rare, low spend, long-standing", 300)
            ]
        );
        assert!(segments.items.is_sorted_by(|a, b| a.churn_rate <= b.churn_rate));
        assert_eq!(segments.items[2].churn_rate, 1.0);
    }

    #[test]
    fn one_seed_gives_one_answer() {
        assert_eq!(fit(&SegmentConfig::default()), fit(&SegmentConfig::default()));
    }

    #[test]
    fn too_few_users_make_no_segments() {
        let (z, churned) = groups();
        let some = 50 * catalogue().len();
        let segments = fit_segments(&catalogue(), &z[..some], &churned[..50], &SegmentConfig::default(), 7).unwrap();
        assert!(segments.items.is_empty());
    }

    #[test]
    fn identical_users_are_one_segment() {
        let z = vec![0.0; 200 * catalogue().len()];
        let segments = fit_segments(&catalogue(), &z, &[false; 200], &SegmentConfig::default(), 7).unwrap();
        assert_eq!(segments.items.iter().map(|s| s.users).sum::<u64>(), 200);
        assert!(segments.items.len() == 1 && segments.items[0].name == "average");
    }
}
