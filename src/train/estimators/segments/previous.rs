//! Segments that go on from those of an earlier bundle: the same users stay together, under the same key.
//!
//! k-means starts at the earlier centres, on the earlier scales. New centres are matched to earlier ones, and those that are
//! near enough take over key and name; the others get keys that no segment ever had.

use super::super::kmeans::{Fitted, Points, fit_from, fit_reference_from};
use super::{
    AVERAGE, Axis, Cluster, NOTABLE, Sample, SegmentUsers, TOLERANCE, add_new, axes, describe,
    fit_new, params, silhouette, sort,
};
use linfa::ParamGuard;

use crate::features::Catalogue;
use crate::math::least_cost_assignment;
use crate::model::{BundleSpec, Column, Preprocessing, Segment, Segments};
use crate::train::TrainError;
use crate::train::data::context::TrainContext;
use crate::train::data::dataset::Dataset;
use crate::train::settings::{SegmentConfig, SegmentSolver};

/// How much better the silhouette of another number of segments must be: a little better is not worth new segments.
const SILHOUETTE_GAIN: f64 = 0.03;
/// The share of the distance from an earlier centre to its nearest neighbour below which a new centre is the same segment:
/// within half of it, no other earlier centre can be nearer.
const SAME_WITHIN: f64 = 0.5;
/// How far off the average a segment must be to be no longer called average: twice what a new name needs, so that names
/// don't come and go.
const NO_LONGER_AVERAGE: f64 = 2.0 * NOTABLE;

/// Segments, and what became of those of the bundle before.
pub(crate) struct Segmented {
    pub(crate) segments: Segments,
    /// The segments of the bundle before with their scales, which the new ones go on from, or what they are made of
    /// otherwise, in words; `None` without such a bundle.
    pub(crate) earlier: Option<Result<Segments, Vec<String>>>,
}

/// Segments of the users of one date; they go on from those of the bundle before, where there is one.
///
/// # Errors
/// [`TrainError::Segments`] says what of the rows cannot be clustered.
pub(crate) fn segment_users(
    ctx: &TrainContext<'_>,
    preprocessing: &Preprocessing,
    newest: &Dataset,
) -> Result<Segmented, TrainError> {
    let catalogue = &ctx.catalogue;
    let axes = axes(catalogue);
    let own: Vec<&Column> = axes
        .iter()
        .map(|axis| &preprocessing.columns[axis.position])
        .collect();
    let earlier = ctx.previous.map(|before| earlier(ctx, before, &axes));
    let scales = match &earlier {
        Some(Ok(segments)) if !segments.items.is_empty() => segments.columns.iter().collect(),
        _ => own.clone(),
    };
    let points: Vec<f64> = newest
        .rows()
        .flat_map(|row| {
            let values = axes.iter().map(|axis| row[axis.position]);
            values
                .zip(&scales)
                .map(|(raw, column)| column.standardise(raw))
        })
        .collect();
    let users = SegmentUsers {
        points: &points,
        churned: &newest.labels,
        axes: &axes,
    };
    let (config, seed) = (&ctx.config.segments, ctx.config.model.seed);
    let mut segments = match &earlier {
        Some(Ok(before)) => go_on(catalogue, users, config, seed, before)?,
        _ => {
            let last_key = ctx.previous.map_or(0, |before| before.segments.last_key);
            fit_new(catalogue, users, config, seed, last_key)?
        }
    };
    if segments.columns.iter().eq(own) {
        segments.columns.clear();
    }
    Ok(Segmented { segments, earlier })
}

/// The segments of a bundle with their scales, or what they are made of that these axes are not.
fn earlier(
    ctx: &TrainContext<'_>,
    before: &BundleSpec,
    axes: &[Axis],
) -> Result<Segments, Vec<String>> {
    let features = ctx.catalogue.features();
    let now: Vec<&str> = axes
        .iter()
        .map(|axis| features[axis.position].name.as_str())
        .collect();
    let mut segments = before.segments.clone();
    let mut differences = Vec::new();
    for name in segments
        .features
        .iter()
        .filter(|name| !now.contains(&name.as_str()))
    {
        differences.push(format!("`{name}` is no feature of segments now"));
    }
    for name in now
        .iter()
        .filter(|now| !segments.features.iter().any(|name| name == **now))
    {
        differences.push(format!("`{name}` was no feature of segments then"));
    }
    let (then, now) = (&before.schema.activity, &ctx.catalogue.schema().activity);
    if then != now {
        let (then, now) = (then.join(", "), now.join(", "));
        differences.push(format!("activity was {then} then and is {now} now"));
    }
    if segments.columns.is_empty() {
        let of_models = &before.preprocessing.columns;
        let names = segments.features.iter();
        let columns = names.filter_map(|name| of_models.iter().find(|c| c.feature == *name));
        segments.columns = columns.cloned().collect();
    }
    for column in &segments.columns {
        let own = features.iter().find(|f| f.name == column.feature);
        if own.is_some_and(|own| own.scale != column.scale) {
            differences.push(format!("`{}` is on another scale now", column.feature));
        }
    }
    if differences.is_empty() {
        Ok(segments)
    } else {
        Err(differences)
    }
}

/// Segments of users whose points are on the scales of earlier segments.
fn go_on(
    catalogue: &Catalogue,
    users: SegmentUsers<'_>,
    config: &SegmentConfig,
    seed: u64,
    before: &Segments,
) -> Result<Segments, TrainError> {
    if before.items.is_empty() || !users.are_enough(config) {
        return fit_new(catalogue, users, config, seed, before.last_key);
    }
    let fitted = fit_on_from(config, users, seed, &before.items)?;
    let mut segments = Segments {
        items: Vec::new(),
        ..before.clone()
    };
    let mut new = Vec::new();
    let clusters = describe(&fitted, users);
    let matched = matches(&before.items, &clusters);
    for (cluster, before) in clusters.into_iter().zip(matched) {
        match before {
            Some(before) => {
                let name = kept_name(&before.name, &cluster.off, users.axes);
                segments.items.push(cluster.into_segment(before.key, name));
            }
            None => new.push(cluster),
        }
    }
    unique_names(&mut segments.items, &before.items);
    add_new(&mut segments, users.axes, new);
    sort(&mut segments.items);
    Ok(segments)
}

/// Centres from those of earlier segments on; of another number only where that separates users clearly better.
fn fit_on_from(
    config: &SegmentConfig,
    users: SegmentUsers<'_>,
    seed: u64,
    before: &[Segment],
) -> Result<Fitted, TrainError> {
    let sample = Sample::of(users, config);
    let k = before.len();
    let others = (config.k_min..=config.k_max).filter(|other| *other != k);
    // A number that the configuration no longer allows is nothing to keep.
    let mut best = if (config.k_min..=config.k_max).contains(&k) {
        let kept = keep(config.solver, sample.points(), before)?;
        let score = silhouette(&sample.compared, sample.width, &kept);
        Some((kept, score + SILHOUETTE_GAIN))
    } else {
        None
    };
    for k in others {
        let (fitted, score) = sample.fit(config, k, seed)?;
        if best.as_ref().is_none_or(|(_, least)| score > *least) {
            best = Some((fitted, score));
        }
    }
    match best {
        Some((fitted, _)) => Ok(fitted),
        None => keep(config.solver, sample.points(), before),
    }
}

/// Centres from those of earlier segments on. Where they hardly move, they stay where they are, to the bit.
fn keep(
    solver: SegmentSolver,
    sample: Points<'_>,
    before: &[Segment],
) -> Result<Fitted, TrainError> {
    let k = before.len();
    let start: Vec<f64> = before.iter().flat_map(|s| s.centroid.clone()).collect();
    let fitted = params(k, 0).check().and_then(|params| match solver {
        SegmentSolver::Lloyd => fit_from(&params, sample, &start),
        SegmentSolver::Linfa => fit_reference_from(&params, sample, &start),
    });
    let mut fitted = fitted.map_err(|source| TrainError::Segments { k, source })?;
    if squared(&fitted.centres, &start) <= TOLERANCE * sample.mean_variance() {
        fitted.centres = start;
    }
    Ok(fitted)
}

/// The earlier segment that each cluster is: of all ways to pair them, the one with the least sum of squared distances, without
/// the pairs that are too far apart.
fn matches<'a>(before: &'a [Segment], clusters: &[Cluster]) -> Vec<Option<&'a Segment>> {
    let costs: Vec<f64> = before
        .iter()
        .flat_map(|b| clusters.iter().map(|c| squared(&b.centroid, &c.centroid)))
        .collect();
    let mut of_clusters = vec![None; clusters.len()];
    let assigned = least_cost_assignment(&costs, clusters.len());
    for (id, cluster) in assigned.into_iter().enumerate() {
        let Some(cluster) = cluster else { continue };
        let others = before.iter().enumerate().filter(|(other, _)| *other != id);
        let distances = others.map(|(_, b)| squared(&b.centroid, &before[id].centroid));
        let nearest = distances.fold(f64::INFINITY, f64::min);
        if costs[id * clusters.len() + cluster] < SAME_WITHIN * SAME_WITHIN * nearest {
            of_clusters[cluster] = Some(&before[id]);
        }
    }
    of_clusters
}

fn squared(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// The name of an earlier segment, unless one of its words has become untrue: the segment then lies on the other side of the
/// average.
fn kept_name(before: &str, off: &[f64], axes: &[Axis]) -> String {
    let base = without_number(before);
    let untrue = |word: &str| {
        let mut ends = off.iter().zip(axes);
        if word == AVERAGE {
            return ends.any(|(off, _)| off.abs() >= NO_LONGER_AVERAGE);
        }
        ends.any(|(off, axis)| {
            (word == axis.high && *off < 0.0) || (word == axis.low && *off > 0.0)
        })
    };
    if base.split(", ").any(untrue) {
        super::name(off, axes)
    } else {
        before.to_owned()
    }
}

/// A name without the number that sets it apart from its namesakes.
fn without_number(name: &str) -> &str {
    name.rsplit_once(" (").map_or(name, |(base, _)| base)
}

/// Numbers the names that are new where others have them.
fn unique_names(items: &mut [Segment], before: &[Segment]) {
    let is_kept = |item: &Segment| {
        before
            .iter()
            .any(|b| b.key == item.key && b.name == item.name)
    };
    // Those that are kept come first: they don't change for others.
    let (mut settled, renamed): (Vec<Segment>, Vec<Segment>) =
        items.iter().cloned().partition(is_kept);
    for item in renamed {
        let name = super::unlike(item.name.clone(), &settled);
        settled.push(Segment { name, ..item });
    }
    items.clone_from_slice(&settled);
}

#[cfg(test)]
mod tests;
