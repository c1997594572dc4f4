use std::collections::BTreeMap;

use crate::features::{Catalogue, Extractor};
use crate::history::{Block, Day, Histories, HistoryError, HistoryView};

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
    ) -> Result<Self, HistoryError> {
        let rows =
            |history: HistoryView<'_>| dates.iter().filter(|date| labeller.eligible(history, **date).is_ok()).count();
        let asked = histories.map_blocks(|block| block.iter().map(|user| rows(user.2)).sum::<usize>())?;
        let every = asked.into_iter().sum::<usize>().div_ceil(most_rows.max(1)).max(1);
        let extractor = Extractor::new(catalogue, histories.kinds());
        let builder = Builder { extractor, labeller, dates, horizon_days, every };
        let mut data = Self { width: catalogue.len(), ..Self::default() };
        histories.stream_blocks::<_, HistoryError>(
            |block| builder.rows(block),
            |(part, reasons)| {
                data.raw.extend(part.raw);
                data.labels.extend(part.labels);
                data.users.extend(part.users);
                data.dates.extend(part.dates);
                for (reason, pairs) in reasons {
                    *dropped.entry(reason.to_owned()).or_default() += pairs;
                }
                Ok(())
            },
        )?;
        Ok(data)
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

/// How the rows of a block of users are made.
struct Builder<'a> {
    extractor: Extractor<'a>,
    labeller: &'a Labeller,
    dates: &'a [Day],
    horizon_days: u16,
    /// Every user whose position is a multiple of this is taken.
    every: usize,
}

impl Builder<'_> {
    /// The rows of a block, and how many pairs of a user and a date make none, by reason.
    fn rows(&self, block: &Block) -> (Dataset, BTreeMap<&'static str, u64>) {
        let mut extractor = self.extractor.clone();
        let mut vector = vec![f64::NAN; extractor.width()];
        let (mut data, mut dropped) = (Dataset::default(), BTreeMap::new());
        let mut drop = |reason: &'static str| *dropped.entry(reason).or_default() += 1;
        for (user, _, history) in block.iter() {
            for &date in self.dates {
                if let Err(reason) = self.labeller.eligible(history, date) {
                    drop(reason.name());
                    continue;
                }
                let Some(churned) = self.labeller.churned(history, date, self.horizon_days) else {
                    drop("label_not_observed");
                    continue;
                };
                if !user.is_multiple_of(self.every) {
                    drop("thinned");
                    continue;
                }
                extractor.extract(history, date, &mut vector);
                data.raw.extend_from_slice(&vector);
                data.labels.push(churned);
                data.users.push(user as u32);
                data.dates.push(date);
            }
        }
        (data, dropped)
    }
}
