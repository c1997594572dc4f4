//! How feature vectors become the numbers that a model weighs: scales and BG/NBD, from data, and the design matrix.

use super::bg_nbd;
use crate::features::{Catalogue, Scale};
use crate::history::{Day, HistoryError};
use crate::model::{BgNbd, Column, Derived, Expansion, Preprocessing, Purchases};
use crate::train::data::context::TrainContext;
use crate::train::data::dataset::Dataset;

/// BG/NBD of all users that were active before `as_of`; `None` when no user came back.
pub(crate) fn fit_bg_nbd(
    ctx: &TrainContext<'_>,
    as_of: Day,
) -> Result<Option<BgNbd>, HistoryError> {
    // Twice as many as the fit looks at, for some of them were not active yet.
    let looked_at = ctx
        .histories
        .evenly(2 * bg_nbd::MOST_CUSTOMERS, |history| {
            Purchases::of_days(ctx.labeller.active_days(history, as_of), as_of)
        })?;
    let customers: Vec<Purchases> = looked_at.into_iter().flatten().collect();
    let fitted = bg_nbd::fit(&customers).ok();
    Ok(fitted
        .map(|fitted| fitted.params)
        .filter(|params| params.validate().is_ok()))
}

/// How the rows' features and derived numbers are standardised.
pub(crate) fn fit_preprocessing(
    data: &Dataset,
    catalogue: &Catalogue,
    bg_nbd: Option<BgNbd>,
) -> Preprocessing {
    let features = catalogue.features().iter().enumerate();
    let mut columns: Vec<Column> = features
        .map(|(position, f)| column(&f.name, f.scale, data.column(position)))
        .collect();
    let bare = &Preprocessing {
        columns: Vec::new(),
        bg_nbd,
    };
    let derived = bare.derived(catalogue);
    let own = |d: Derived| {
        data.rows()
            .filter_map(move |raw| bare.derive(catalogue, raw, d))
    };
    columns.extend(
        derived
            .iter()
            .map(|d| column(&d.name(), d.scale(), own(*d))),
    );
    Preprocessing { columns, bg_nbd }
}

pub(crate) fn column(name: &str, scale: Scale, values: impl Iterator<Item = f64>) -> Column {
    let known = values
        .filter(|v| !v.is_nan())
        .map(|raw| Column::transform(scale, raw));
    let Moments {
        mean,
        std_dev,
        clip_min,
        clip_max,
    } = moments(known);
    Column {
        feature: name.to_owned(),
        scale,
        mean,
        std_dev,
        clip_min,
        clip_max,
    }
}

pub(super) struct Moments {
    pub(super) mean: f64,
    /// 1 where nothing varies: such numbers say nothing, and any std_dev will do.
    pub(super) std_dev: f64,
    pub(super) clip_min: f64,
    pub(super) clip_max: f64,
}

pub(super) fn moments(values: impl Iterator<Item = f64>) -> Moments {
    let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
    let (mut clip_min, mut clip_max) = (f64::INFINITY, f64::NEG_INFINITY);
    for value in values {
        count += 1.0;
        let delta = value - mean;
        mean += delta / count;
        squares += delta * (value - mean);
        (clip_min, clip_max) = (clip_min.min(value), clip_max.max(value));
    }
    if count == 0.0 {
        (clip_min, clip_max) = (0.0, 0.0);
    }
    let std_dev = if clip_max - clip_min > 1e-9 {
        (squares / count).sqrt()
    } else {
        1.0
    };
    Moments {
        mean,
        std_dev,
        clip_min,
        clip_max,
    }
}

/// The design matrix: rows of the numbers that a model weighs.
#[derive(Clone, Debug)]
pub(crate) struct Matrix {
    /// Numbers per row: columns, hinges, interactions.
    pub(crate) width: usize,
    /// The first of them that are columns.
    pub(crate) columns: usize,
    /// Row after row.
    pub(crate) values: Vec<f64>,
}

impl Matrix {
    pub(crate) fn new(
        data: &Dataset,
        catalogue: &Catalogue,
        preprocessing: &Preprocessing,
        expansion: &Expansion,
    ) -> Self {
        let columns = preprocessing.columns.len();
        let width = columns + expansion.len();
        let mut values = Vec::with_capacity(data.len() * width);
        for raw in data.rows() {
            let start = values.len();
            preprocessing.standardise(catalogue, raw, &mut values);
            expansion.extend(&mut values, start);
        }
        Self {
            width,
            columns,
            values,
        }
    }

    /// The same rows with hinges and interactions after the columns.
    pub(crate) fn expanded(&self, expansion: &Expansion) -> Self {
        let width = self.columns + expansion.len();
        let mut values = Vec::with_capacity(self.values.len() / self.width.max(1) * width);
        for row in self.values.chunks_exact(self.width.max(1)) {
            let start = values.len();
            values.extend_from_slice(&row[..self.columns]);
            expansion.extend(&mut values, start);
        }
        Self {
            width,
            columns: self.columns,
            values,
        }
    }

    pub(crate) fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.width..][..self.width]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_nothing_and_of_a_constant_divide_by_one() {
        assert_eq!(moments(std::iter::empty()).std_dev, 1.0);
        let m = moments([3.0, 3.0].into_iter());
        assert_eq!(
            (m.mean, m.std_dev, m.clip_min, m.clip_max),
            (3.0, 1.0, 3.0, 3.0)
        );
        assert_eq!(moments([1.0, 3.0].into_iter()).std_dev, 1.0);
        assert_eq!(moments([1.0, 5.0].into_iter()).std_dev, 2.0);
    }
}
