//! What the users of each segment are like.

use crate::card::{ProfileCard, SegmentCard};
use crate::features::Feature;
use crate::math::{quantile_sorted, wilson_interval};
use crate::model::{Preprocessing, Segment, Segments};
use crate::train::data::context::TrainContext;
use crate::train::data::dataset::Dataset;

/// The positions in a vector of the features that segments are made of.
fn positions(ctx: &TrainContext<'_>, segments: &Segments) -> Vec<usize> {
    let names = segments.features.iter();
    names
        .filter_map(|name| ctx.catalogue.position_of(name).ok())
        .collect()
}

/// The segment of every row; `None` without segments.
pub(crate) fn segment_of(
    ctx: &TrainContext<'_>,
    preprocessing: &Preprocessing,
    segments: &Segments,
    data: &Dataset,
) -> Vec<Option<usize>> {
    let positions = positions(ctx, segments);
    let columns = &preprocessing.columns;
    let segment = |row: &[f64]| {
        let axes = positions.iter().enumerate();
        let standardised =
            axes.map(|(axis, p)| segments.column(axis, &columns[*p]).standardise(row[*p]));
        segments.nearest(standardised).map(|(id, _)| id)
    };
    data.rows().map(segment).collect()
}

/// The segments as the users of one date fill them.
pub(crate) fn segment_cards(
    ctx: &TrainContext<'_>,
    preprocessing: &Preprocessing,
    segments: &Segments,
    data: &Dataset,
) -> Vec<SegmentCard> {
    let of = segment_of(ctx, preprocessing, segments, data);
    let mut cards: Vec<SegmentCard> = Vec::with_capacity(segments.items.len());
    for (id, segment) in segments.items.iter().enumerate() {
        cards.push(segment_card(segment, data, &of, id));
    }
    for position in positions(ctx, segments) {
        let feature = &ctx.catalogue.features()[position];
        let values: Vec<f64> = data.column(position).collect();
        let all = known(values.iter().copied());
        for (id, card) in cards.iter_mut().enumerate() {
            let own = values.iter().zip(&of).filter(|(_, of)| **of == Some(id));
            let own = known(own.map(|(value, _)| *value));
            card.profile.push(profile(feature, &all, &own));
        }
    }
    cards
}

/// The users of a segment, still without a profile.
fn segment_card(segment: &Segment, data: &Dataset, of: &[Option<usize>], id: usize) -> SegmentCard {
    let own = || {
        data.labels
            .iter()
            .zip(of)
            .filter(|(_, of)| **of == Some(id))
    };
    let users = own().count() as u64;
    let churners = own().filter(|(churned, _)| **churned).count();
    let churn_rate = churners as f64 / users.max(1) as f64;
    let (churn_low, churn_high) = wilson_interval(churn_rate, users);
    SegmentCard {
        key: Some(segment.key),
        name: segment.name.clone(),
        users,
        share: users as f64 / data.len().max(1) as f64,
        churn_rate,
        churn_low,
        churn_high,
        profile: Vec::new(),
    }
}

/// A feature's sorted values in a segment beside those of all users.
fn profile(feature: &Feature, all: &[f64], own: &[f64]) -> ProfileCard {
    let median = quantile_sorted(own, 0.5);
    ProfileCard {
        feature: feature.name.clone(),
        description: feature.description.clone(),
        unit: feature.unit.to_owned(),
        median,
        median_of_all: quantile_sorted(all, 0.5),
        rank: median.map(|median| rank(all, median)),
    }
}

/// The known values, sorted.
fn known(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut known: Vec<f64> = values.filter(|v| !v.is_nan()).collect();
    known.sort_by(f64::total_cmp);
    known
}

/// The share of sorted values below one, ties counted half.
fn rank(sorted: &[f64], value: f64) -> f64 {
    let below = sorted.partition_point(|v| *v < value);
    let upto = sorted.partition_point(|v| *v <= value);
    (below + upto) as f64 / 2.0 / sorted.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_count_ties_half() {
        assert_eq!(rank(&[1.0, 2.0, 2.0, 3.0], 2.0), 0.5);
        assert_eq!(
            (
                rank(&[1.0, 2.0], 0.0),
                rank(&[1.0, 2.0], 9.0),
                rank(&[], 1.0)
            ),
            (0.0, 1.0, 0.0)
        );
    }
}
