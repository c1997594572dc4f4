use crate::features::{Catalogue, Extractor};
use crate::history::{Day, Histories};

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
    /// Describes and labels every eligible user at every date, in one pass over the histories. Where that would be more
    /// than `most_rows` rows, every second, third, ... user is taken with all their dates. Pairs that are dropped are
    /// added to `dropped`.
    pub fn build(
        histories: &Histories,
        catalogue: &Catalogue,
        labeller: &Labeller,
        dates: &[Day],
        horizon_days: u16,
        most_rows: usize,
        dropped: &mut DropCounts,
    ) -> Self {
        let width = catalogue.len();
        let mut extractor = Extractor::new(catalogue, histories.kinds());
        let mut vector = vec![f64::NAN; width];
        let mut data = Self { width, ..Self::default() };
        let mut count = |reason: &str| *dropped.entry(reason.to_owned()).or_default() += 1;
        let rows = |history| dates.iter().filter(|date| labeller.eligible(history, **date).is_ok()).count();
        let asked: usize = histories.iter().map(|(_, history)| rows(history)).sum();
        let every = asked.div_ceil(most_rows.max(1)).max(1);
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
                if !user.is_multiple_of(every) {
                    count("thinned");
                    continue;
                }
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
}
