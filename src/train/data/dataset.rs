use std::collections::BTreeMap;

use crate::features::{Catalogue, Extractor};
use crate::history::{Block, Day, Histories, HistoryError, HistoryView};

use super::labels::{DropCounts, Labeller};
use crate::lifecycle::NotEligible;

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
    /// Describes and labels every eligible user at every date, in order of users. Where that would be more than
    /// `most_rows` rows, every second, third, ... user is taken with all their dates. Pairs that are dropped are
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
        let extractor = Extractor::new(catalogue, histories.kinds());
        let builder = Builder {
            extractor,
            labeller,
            dates,
            horizon_days,
        };
        let mut labelled = 0;
        for part in histories.map_blocks(|block| builder.count(block))? {
            labelled += part.labelled;
            for (reason, pairs) in part.dropped {
                *dropped.entry(reason.to_owned()).or_default() += pairs;
            }
        }
        let every = labelled.div_ceil(most_rows.max(1)).max(1);
        let mut data = Self {
            width: catalogue.len(),
            ..Self::default()
        };
        histories.stream_chosen(
            |position| position.is_multiple_of(every),
            |block| builder.rows(block),
            |part| {
                data.raw.extend(part.raw);
                data.labels.extend(part.labels);
                data.users.extend(part.users);
                data.dates.extend(part.dates);
                Ok::<_, HistoryError>(())
            },
        )?;
        if data.len() < labelled {
            *dropped.entry("subsampled".to_owned()).or_default() += (labelled - data.len()) as u64;
        }
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
        if self.is_empty() {
            0.0
        } else {
            churned as f64 / self.len() as f64
        }
    }

    /// The rows of some dates.
    pub fn at(&self, dates: &[Day]) -> Self {
        let mut part = Self {
            width: self.width,
            ..Self::default()
        };
        for (row, date) in self
            .dates
            .iter()
            .enumerate()
            .filter(|(_, d)| dates.contains(d))
        {
            part.raw.extend_from_slice(
                self.raw
                    .get(row * self.width..(row + 1) * self.width)
                    .unwrap_or_default(),
            );
            part.labels.push(self.labels[row]);
            part.users.push(self.users[row]);
            part.dates.push(*date);
        }
        part
    }

    /// The raw values of one feature.
    pub fn column(&self, position: usize) -> impl Iterator<Item = f64> {
        self.raw
            .iter()
            .skip(position)
            .step_by(self.width.max(1))
            .copied()
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
}

/// How many pairs of a user and a date make a row, and how many do not, by reason.
#[derive(Default)]
struct Counted {
    labelled: usize,
    dropped: BTreeMap<&'static str, u64>,
}

impl Builder<'_> {
    /// The label of a user at a date, or why there is none.
    fn label(&self, history: HistoryView<'_>, date: Day) -> Result<bool, &'static str> {
        self.labeller
            .eligible(history, date)
            .map_err(NotEligible::name)?;
        self.labeller
            .churned(history, date, self.horizon_days)
            .ok_or("label_not_observed")
    }

    fn count(&self, block: &Block) -> Counted {
        let mut counted = Counted::default();
        for (_, _, history) in block.iter() {
            for &date in self.dates {
                match self.label(history, date) {
                    Ok(_) => counted.labelled += 1,
                    Err(reason) => *counted.dropped.entry(reason).or_default() += 1,
                }
            }
        }
        counted
    }

    fn rows(&self, block: &Block) -> Dataset {
        let mut extractor = self.extractor.clone();
        let mut vector = vec![f64::NAN; extractor.width()];
        let mut data = Dataset::default();
        for (user, _, history) in block.iter() {
            for &date in self.dates {
                if let Ok(churned) = self.label(history, date) {
                    extractor.extract(history, date, &mut vector);
                    data.raw.extend_from_slice(&vector);
                    data.labels.push(churned);
                    data.users.push(user as u32);
                    data.dates.push(date);
                }
            }
        }
        data
    }
}
