use crate::features::{Catalogue, Extractor};
use crate::history::{Day, Histories};
use crate::model::Column;

use super::labels::{DropCounts, Labeller};

/// Labelled rows (user, date) of one horizon, in order of user and then date.
#[derive(Clone, Debug, Default)]
pub struct Dataset {
    /// Features per row.
    pub width: usize,
    /// Raw feature values, row after row; NaN where unknown.
    pub raw: Vec<f64>,
    /// Whether the row's user churned.
    pub labels: Vec<bool>,
    /// The row's user, by position in the histories.
    pub users: Vec<u32>,
    /// The row's date.
    pub dates: Vec<Day>,
}

impl Dataset {
    /// Describes and labels every eligible user at every date, in one pass over the histories. Pairs that are
    /// dropped are added to `dropped`.
    pub fn build(
        histories: &Histories,
        catalogue: &Catalogue,
        labeller: &Labeller,
        dates: &[Day],
        horizon_days: u16,
        dropped: &mut DropCounts,
    ) -> Self {
        let width = catalogue.len();
        let mut extractor = Extractor::new(catalogue, histories.kinds());
        let mut vector = vec![f64::NAN; width];
        let mut data = Self { width, ..Self::default() };
        let mut count = |reason: &str| *dropped.entry(reason.to_owned()).or_default() += 1;
        for (user, (_, history)) in histories.iter().enumerate() {
            for &date in dates {
                if let Err(reason) = labeller.eligible(history, date) {
                    count(reason.name());
                    continue;
                }
                let Some(churned) = labeller.churned(history, date, horizon_days) else {
                    count("label_not_observed");
                    continue;
                };
                extractor.extract(history, date, &mut vector);
                data.raw.extend_from_slice(&vector);
                data.labels.push(churned);
                data.users.push(user as u32);
                data.dates.push(date);
            }
        }
        data
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The share of rows that churned; 0 without rows.
    pub fn churn_rate(&self) -> f64 {
        let churned = self.labels.iter().filter(|y| **y).count();
        if self.is_empty() { 0.0 } else { churned as f64 / self.len() as f64 }
    }

    /// The rows of some dates.
    pub fn at(&self, dates: &[Day]) -> Self {
        let mut part = Self { width: self.width, ..Self::default() };
        for (row, date) in self.dates.iter().enumerate().filter(|(_, d)| dates.contains(d)) {
            part.raw.extend_from_slice(self.raw.get(row * self.width..(row + 1) * self.width).unwrap_or_default());
            part.labels.push(self.labels[row]);
            part.users.push(self.users[row]);
            part.dates.push(*date);
        }
        part
    }

    /// The raw values of one feature.
    pub fn column(&self, position: usize) -> impl Iterator<Item = f64> {
        self.raw.iter().skip(position).step_by(self.width.max(1)).copied()
    }

    /// The rows as raw vectors.
    pub fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.raw.chunks_exact(self.width.max(1))
    }

    /// How each feature is standardised, from these rows' known values.
    pub fn columns(&self, catalogue: &Catalogue) -> Vec<Column> {
        let describe = |(position, feature): (usize, &crate::features::Feature)| {
            let known = self.column(position).filter(|v| !v.is_nan());
            let mut count = 0.0;
            let (mut center, mut squares) = (0.0, 0.0);
            let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
            for bent in known.map(|raw| Column::bend(feature.scale, raw)) {
                count += 1.0;
                let delta = bent - center;
                center += delta / count;
                squares += delta * (bent - center);
                (low, high) = (low.min(bent), high.max(bent));
            }
            if count == 0.0 {
                (low, high) = (0.0, 0.0);
            }
            // A feature that never varies says nothing; any spread will do.
            let spread = if high - low > 1e-9 { (squares / count).sqrt() } else { 1.0 };
            Column { feature: feature.name.clone(), scale: feature.scale, center, spread, low, high }
        };
        catalogue.features().iter().enumerate().map(describe).collect()
    }

    /// All rows standardised, row after row.
    pub fn standardised(&self, columns: &[Column]) -> Vec<f64> {
        let mut z = Vec::with_capacity(self.raw.len());
        for row in self.rows() {
            z.extend(columns.iter().zip(row).map(|(column, raw)| column.standardise(*raw)));
        }
        z
    }
}
