//! Parts of the users by stage, segment and tenure, and how good the model is on each.

use super::{Predictions, share};
use crate::card::SliceCard;
use crate::features::Quantity;
use crate::lifecycle::Stage;
use crate::math::{quantile_sorted, wilson_interval};
use crate::model::{Preprocessing, Segments};
use crate::train::data::context::TrainContext;
use crate::train::data::dataset::Dataset;
use crate::train::metrics::Ranking;
use crate::train::population::segments::segment_of;
use crate::train::population::stages::stage_of;

/// Parts with fewer users are not measured: they say nothing.
const MIN_USERS: usize = 30;

/// Rows in parts: the parts' names in order, and for each row the position of its part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slicing {
    /// What the rows are divided by.
    pub(crate) dimension: String,
    /// The parts.
    pub(crate) names: Vec<String>,
    /// The part of each row; `None` for a row that belongs to none.
    pub(crate) of: Vec<Option<usize>>,
}

/// A part of the users; with a ranking of its own where it is large enough to be measured.
pub(crate) struct Slice {
    pub(crate) card: SliceCard,
    pub(crate) ranking: Option<Ranking>,
}

/// The rows by stage, by segment and by quarter of tenure.
pub(crate) fn slicings(
    ctx: &TrainContext<'_>,
    preprocessing: &Preprocessing,
    segments: &Segments,
    data: &Dataset,
) -> Vec<Slicing> {
    let stage = |row| {
        let stage = stage_of(ctx, row)?;
        Stage::ALL.iter().position(|other| *other == stage)
    };
    let mut slicings = Vec::new();
    // Stages and segments are those of customers.
    if !ctx.question.is_conversion() {
        slicings.push(Slicing {
            dimension: "stage".to_owned(),
            names: Stage::ALL.map(|stage| stage.name().to_owned()).into(),
            of: data.rows().map(stage).collect(),
        });
        slicings.push(Slicing {
            dimension: "segment".to_owned(),
            names: segments.items.iter().map(|s| s.name.clone()).collect(),
            of: segment_of(ctx, preprocessing, segments, data),
        });
    }
    if let Some(position) = ctx.catalogue.position(Quantity::Tenure) {
        let days: Vec<f64> = data.column(position).collect();
        slicings.push(by_tenure(&days));
    }
    slicings
}

/// The parts that hold any user; `users` numbers the rows' users for resampling.
pub(crate) fn slices(predictions: &Predictions<'_>, users: &[u32]) -> Vec<Slice> {
    let mut slices = Vec::new();
    for slicing in &predictions.slicings {
        for (part, name) in slicing.names.iter().enumerate() {
            let rows: Vec<usize> = (0..users.len())
                .filter(|row| slicing.of[*row] == Some(part))
                .collect();
            if !rows.is_empty() {
                slices.push(slice(predictions, users, &rows, (&slicing.dimension, name)));
            }
        }
    }
    slices
}

fn slice(
    predictions: &Predictions<'_>,
    users: &[u32],
    rows: &[usize],
    (dimension, name): (&str, &str),
) -> Slice {
    let predicted: Vec<f64> = rows.iter().map(|row| predictions.model[*row]).collect();
    let churned: Vec<bool> = rows.iter().map(|row| predictions.churned[*row]).collect();
    let own: Vec<u32> = rows.iter().map(|row| users[*row]).collect();
    let (users, churn_rate) = (rows.len() as u64, share(&churned));
    let (churn_low, churn_high) = wilson_interval(churn_rate, users);
    Slice {
        ranking: (rows.len() >= MIN_USERS).then(|| Ranking::new(&predicted, &churned, &own)),
        card: SliceCard {
            dimension: dimension.to_owned(),
            name: name.to_owned(),
            users,
            churn_rate,
            churn_low,
            churn_high,
            predicted: predicted.iter().sum::<f64>() / rows.len() as f64,
            metrics: None,
        },
    }
}

/// Rows in quarters of their tenure, called by the days that they span.
fn by_tenure(days: &[f64]) -> Slicing {
    let mut sorted: Vec<f64> = days.iter().copied().filter(|d| !d.is_nan()).collect();
    sorted.sort_by(f64::total_cmp);
    let mut ends: Vec<f64> = [0.25, 0.5, 0.75, 1.0]
        .iter()
        .filter_map(|q| quantile_sorted(&sorted, *q))
        .collect();
    ends.iter_mut().for_each(|end| *end = end.floor());
    ends.dedup();
    let mut from = sorted.first().copied().unwrap_or(0.0);
    let mut names = Vec::new();
    for end in &ends {
        names.push(if from == *end {
            format!("{end:.0} days")
        } else {
            format!("{from:.0}-{end:.0} days")
        });
        from = end + 1.0;
    }
    let part = |day: &f64| {
        (!day.is_nan()).then(|| ends.partition_point(|end| end < day).min(ends.len() - 1))
    };
    Slicing {
        dimension: "tenure".to_owned(),
        names,
        of: days.iter().map(part).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenure_is_cut_at_quarters_and_every_day_has_one_part() {
        let days: Vec<f64> = (1..=400).map(f64::from).collect();
        let cut = by_tenure(&days);
        assert_eq!(
            cut.names,
            ["1-100 days", "101-200 days", "201-300 days", "301-400 days"]
        );
        for (day, part) in days.iter().zip(&cut.of) {
            let (from, to) = cut.names[part.unwrap()]
                .strip_suffix(" days")
                .unwrap()
                .split_once('-')
                .unwrap();
            assert!(
                (from.parse().unwrap()..=to.parse().unwrap()).contains(day),
                "{day} {from} {to}"
            );
        }
    }

    #[test]
    fn tenures_that_many_share_make_fewer_parts() {
        let mut days = vec![30.0; 300];
        days.extend((31..=130).map(f64::from));
        assert_eq!(by_tenure(&days).names, ["30 days", "31-130 days"]);
        assert_eq!(by_tenure(&[5.0, f64::NAN]).of, [Some(0), None]);
        assert!(by_tenure(&[]).names.is_empty());
    }
}
