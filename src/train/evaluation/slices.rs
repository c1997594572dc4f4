//! Which stage, segment and tenure a row belongs to.

use crate::features::{Catalogue, Quantity};
use crate::lifecycle::{Behaviour, Stage, Thresholds, classify};
use crate::math::quantile_sorted;
use crate::model::{Column, Segments};
use crate::train::data::dataset::Dataset;

/// Tells parts of users apart by their feature vectors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slicer<'a> {
    pub(crate) catalogue: &'a Catalogue,
    pub(crate) columns: &'a [Column],
    pub(crate) segments: &'a Segments,
    pub(crate) thresholds: &'a Thresholds,
    pub(crate) active_within_days: u32,
}

/// Rows in parts: the parts' names in order, and for each row the position of its part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slicing {
    /// What the rows are parted by.
    pub dimension: String,
    /// The parts.
    pub names: Vec<String>,
    /// The part of each row; `None` for a row that belongs to none.
    pub of: Vec<Option<usize>>,
}

impl Slicer<'_> {
    /// The lifecycle stage of a raw vector.
    pub(crate) fn stage(&self, vector: &[f64]) -> Option<Stage> {
        let behaviour = Behaviour::of(self.catalogue, vector).ok()?;
        Some(classify(&behaviour, self.thresholds, self.active_within_days).0)
    }

    /// The positions in a vector of the features that segments are made of.
    pub(crate) fn segment_positions(&self) -> Vec<usize> {
        self.segments
            .features
            .iter()
            .filter_map(|name| self.catalogue.position_of(name).ok())
            .collect()
    }

    /// The segment of every row; `None` without segments.
    pub(crate) fn segment_of(&self, data: &Dataset) -> Vec<Option<usize>> {
        let positions = self.segment_positions();
        let standard = |row: &[f64], p: usize| Some(self.columns.get(p)?.standardise(*row.get(p)?));
        let segment = |row: &[f64]| {
            self.segments
                .nearest(positions.iter().filter_map(|p| standard(row, *p)))
                .map(|(id, _)| id)
        };
        data.rows().map(segment).collect()
    }

    /// The rows by stage, by segment and by quarter of tenure.
    pub(crate) fn slicings(&self, data: &Dataset) -> Vec<Slicing> {
        let stage = |row| {
            self.stage(row)
                .and_then(|stage| Stage::ALL.iter().position(|s| *s == stage))
        };
        let stages = Slicing {
            dimension: "stage".to_owned(),
            names: Stage::ALL.map(|stage| stage.name().to_owned()).into(),
            of: data.rows().map(stage).collect(),
        };
        let segments = Slicing {
            dimension: "segment".to_owned(),
            names: self.segments.items.iter().map(|s| s.name.clone()).collect(),
            of: self.segment_of(data),
        };
        let tenure = self
            .catalogue
            .position(Quantity::Tenure)
            .map(|p| data.column(p).collect::<Vec<f64>>());
        [
            Some(stages),
            Some(segments),
            tenure.map(|days| by_tenure(&days)),
        ]
        .into_iter()
        .flatten()
        .collect()
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
