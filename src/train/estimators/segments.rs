//! Segments: k-means on a few standardised features that a person can name.

use linfa::metrics::SilhouetteScore;
use linfa::{DatasetBase, ParamGuard};
use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::kmeans::{Fitted, LloydKMeans, Points, fit_points, fit_reference};
use crate::features::{Catalogue, Quantity};
use crate::math::{evenly, mean};
use crate::model::{Segment, Segments};
use crate::train::TrainError;

/// Which solver finds the segments' centres.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SegmentSolver {
    /// Lloyd's method.
    #[default]
    Lloyd,
    /// `linfa-clustering`, the reference.
    Linfa,
}

/// How segments are made: the `[segments]` table of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SegmentConfig {
    /// The solver of k-means.
    pub solver: SegmentSolver,
    /// The fewest segments to try.
    pub k_min: usize,
    /// The most segments to try; the number with the best silhouette is taken.
    pub k_max: usize,
    /// Users that the centres are fitted on at most; all users are assigned afterwards.
    pub sample_users: usize,
}

impl Default for SegmentConfig {
    fn default() -> Self {
        Self {
            solver: SegmentSolver::Lloyd,
            k_min: 3,
            k_max: 6,
            sample_users: 10_000,
        }
    }
}

impl SegmentConfig {
    /// What is wrong with the settings, naming the one at fault; `None` when they are in order.
    pub fn problem(&self) -> Option<String> {
        if self.k_min < 2 || self.k_max < self.k_min || self.k_max > 20 {
            let Self { k_min, k_max, .. } = self;
            return Some(format!(
                "segments: k_min = {k_min} and k_max = {k_max} must be 2 <= k_min <= k_max <= 20"
            ));
        }
        (self.sample_users < 100).then(|| {
            format!(
                "segments.sample_users is {}: it must be at least 100",
                self.sample_users
            )
        })
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
        Axis {
            quantity: Quantity::Recency,
            high: "lapsed",
            low: "recent",
        },
        Axis {
            quantity: Quantity::ActiveDaysIn(longest),
            high: "frequent",
            low: "rare",
        },
        Axis {
            quantity: Quantity::Tenure,
            high: "long-standing",
            low: "new",
        },
        Axis {
            quantity: Quantity::AmountMean,
            high: "high spend",
            low: "low spend",
        },
    ];
    all.into_iter()
        .filter(|axis| catalogue.position(axis.quantity).is_some())
        .collect()
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
    let positions: Vec<usize> = axes
        .iter()
        .filter_map(|a| catalogue.position(a.quantity))
        .collect();
    let features = positions
        .iter()
        .filter_map(|p| catalogue.features().get(*p))
        .map(|f| f.name.clone())
        .collect();
    let points: Vec<f64> = z
        .chunks_exact(catalogue.len().max(1))
        .flat_map(|row| positions.iter().map(|p| row[*p]))
        .collect();
    let width = axes.len();
    let users = points.len() / width.max(1);
    if users < config.k_min * 20 {
        return Ok(Segments {
            features,
            items: Vec::new(),
        });
    }
    let sample = thin(&points, width, config.sample_users);
    let judged = thin(&sample, width, SILHOUETTE_USERS);
    let mut best: Option<(f64, Fitted)> = None;
    for k in config.k_min..=config.k_max {
        let fitted = fit_k(
            config.solver,
            Points {
                values: &sample,
                width,
            },
            k,
            seed,
        )?;
        let score = silhouette(&judged, width, &fitted);
        if best.as_ref().is_none_or(|(top, _)| score > *top) {
            best = Some((score, fitted));
        }
    }
    let Some((_, fitted)) = best else {
        return Ok(Segments {
            features,
            items: Vec::new(),
        });
    };
    Ok(Segments {
        features,
        items: describe(&fitted, &points, churned, &axes),
    })
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
        .restarts(5)
        .tolerance(1e-8)
        .max_steps(300)
        .seed(seed)
        .check();
    let fitted = params.and_then(|params| match solver {
        SegmentSolver::Lloyd => fit_points(&params, sample),
        SegmentSolver::Linfa => fit_reference(&params, sample),
    });
    fitted.map_err(|source| TrainError::Segments { k, source })
}

/// The mean silhouette (Rousseeuw 1987) of the rows assigned to their nearest centre; -1 if they all share one.
fn silhouette(judged: &[f64], width: usize, fitted: &Fitted) -> f64 {
    let Ok(rows) = ArrayView2::from_shape((judged.len() / width, width), judged) else {
        return -1.0;
    };
    let labels = ndarray::Array1::from_vec(fitted.labels(Points {
        values: judged,
        width,
    }));
    let dataset = DatasetBase::new(rows.to_owned(), labels);
    dataset
        .silhouette_score()
        .ok()
        .filter(|s: &f64| s.is_finite())
        .unwrap_or(-1.0)
}

/// Counts and names the segments of all users, ordered by churn rate.
fn describe(fitted: &Fitted, points: &[f64], churned: &[bool], axes: &[Axis]) -> Vec<Segment> {
    let k = fitted.centres.len() / axes.len();
    let (mut users, mut leavers) = (vec![0_u64; k], vec![0_u64; k]);
    for (id, churned) in fitted
        .labels(Points {
            values: points,
            width: axes.len(),
        })
        .into_iter()
        .zip(churned)
    {
        users[id] += 1;
        leavers[id] += u64::from(*churned);
    }
    let centre: Vec<f64> = (0..axes.len())
        .map(|axis| {
            mean(
                &points
                    .iter()
                    .skip(axis)
                    .step_by(axes.len())
                    .copied()
                    .collect::<Vec<_>>(),
            )
        })
        .collect();
    let mut items: Vec<Segment> = fitted
        .centres
        .chunks_exact(axes.len())
        .zip(users.iter().zip(&leavers))
        .filter(|(_, (users, _))| **users > 0)
        .map(|(centroid, (users, leavers))| Segment {
            name: name(centroid, &centre, axes),
            centroid: centroid.to_vec(),
            users: *users,
            churn_rate: *leavers as f64 / *users as f64,
        })
        .collect();
    items.sort_by(|a, b| {
        a.churn_rate
            .total_cmp(&b.churn_rate)
            .then_with(|| a.name.cmp(&b.name))
    });
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
    if words.is_empty() {
        "average".to_owned()
    } else {
        words.iter().map(|w| w.1).collect::<Vec<_>>().join(", ")
    }
}

/// Numbers segments of one name: "recent, frequent (2)".
fn tell_apart(items: &mut [Segment]) {
    for i in 1..items.len() {
        let (before, rest) = items.split_at_mut(i);
        let Some(item) = rest.first_mut() else {
            continue;
        };
        let namesakes = before
            .iter()
            .filter(|b| b.name == item.name || b.name.starts_with(&format!("{} (", item.name)));
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
        let positions: Vec<usize> = axes(&catalogue)
            .iter()
            .map(|a| catalogue.position(a.quantity).unwrap())
            .collect();
        let centres = [
            [-1.0, 1.2, 0.1, 1.0],
            [-0.8, -0.2, -1.5, -0.1],
            [1.6, -1.0, 0.2, -0.9],
        ];
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

    #[test]
    fn one_seed_gives_one_answer() {
        assert_eq!(
            fit(&SegmentConfig::default()),
            fit(&SegmentConfig::default())
        );
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
