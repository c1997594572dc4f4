//! How feature vectors become the numbers that a model weighs: scales, BG/NBD, hinges and interactions, from data.

use super::bg_nbd;
use crate::features::{Catalogue, Quantity, Scale};
use crate::history::{Day, HistoryError};
use crate::math::{evenly, quantile_sorted};
use crate::model::{
    BgNbd, Column, Derived, Expansion, Hinge, Interaction, Preprocessing, Purchases,
};
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

struct Moments {
    mean: f64,
    /// 1 where nothing varies: such numbers say nothing, and any std_dev will do.
    std_dev: f64,
    clip_min: f64,
    clip_max: f64,
}

fn moments(values: impl Iterator<Item = f64>) -> Moments {
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

/// Hinges at these quantiles of every column that varies enough to have them.
const KNOTS: [f64; 3] = [0.25, 0.5, 0.75];

/// Rows from which hinges and interactions get their knots, means and ranges at most.
const EXPANSION_ROWS: usize = 20_000;

/// The hinges of the columns `hinge_columns` and the interactions of the columns `interaction_columns`, from standardised rows of `width` columns.
pub(crate) fn fit_expansion(
    z: &[f64],
    width: usize,
    hinge_columns: &[usize],
    interaction_columns: &[usize],
) -> Expansion {
    fit_expansion_of_known(z, width, (hinge_columns, &[]), interaction_columns)
}

/// The same with kinks of some of the columns among their known values alone: what is not known is 0 in a standardised column, and
/// where it is so of most users all quartiles would fall on it.
fn fit_expansion_of_known(
    z: &[f64],
    width: usize,
    (hinge_columns, of_known): (&[usize], &[usize]),
    interaction_columns: &[usize],
) -> Expansion {
    let rows = z.len() / width.max(1);
    let taken: Vec<usize> = evenly(rows, EXPANSION_ROWS).collect();
    let values = |column: usize| taken.iter().map(move |row| z[row * width + column]);
    let mut hinges = Vec::new();
    for &column in hinge_columns {
        let is_of_known = of_known.contains(&column);
        let known = |z: &f64| !is_of_known || *z != 0.0;
        let mut sorted: Vec<f64> = values(column).filter(known).collect();
        sorted.sort_by(f64::total_cmp);
        let inside = |knot: &f64| sorted.first().is_some_and(|clip_min| clip_min < knot);
        let mut knots: Vec<f64> = KNOTS
            .iter()
            .filter_map(|q| quantile_sorted(&sorted, *q))
            .filter(inside)
            .collect();
        knots.dedup();
        for knot in knots {
            let Moments {
                mean,
                std_dev,
                clip_min,
                clip_max,
            } = moments(values(column).map(|z| (z - knot).max(0.0)));
            if clip_max - clip_min > 1e-9 {
                hinges.push(Hinge {
                    column,
                    knot,
                    mean,
                    std_dev,
                });
            }
        }
    }
    let mut interactions = Vec::new();
    for (k, &first) in interaction_columns.iter().enumerate() {
        for &second in &interaction_columns[k..] {
            let Moments {
                mean,
                std_dev,
                clip_min,
                clip_max,
            } = moments(values(first).zip(values(second)).map(|(a, b)| a * b));
            if clip_max - clip_min > 1e-9 {
                interactions.push(Interaction {
                    first,
                    second,
                    mean,
                    std_dev,
                    clip_min,
                    clip_max,
                });
            }
        }
    }
    Expansion {
        hinges,
        interactions,
    }
}

/// What the columns of a design matrix are, and what for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Design<'a> {
    pub(crate) catalogue: &'a Catalogue,
    pub(crate) preprocessing: &'a Preprocessing,
    /// The horizon of a churn model, whose hinges leave out what was made for other horizons; `None` where all have hinges.
    pub(crate) horizon_days: Option<u16>,
}

/// The hinges and interactions of a model, from rows of standardised columns.
pub(crate) fn expand(design: &Design<'_>, standardised: &Matrix) -> Expansion {
    let is_of_known = |quantity| {
        matches!(
            quantity,
            Quantity::AttributeNumber(_) | Quantity::SignalAge(_)
        )
    };
    let features = design.catalogue.features().iter().enumerate();
    let of_known: Vec<usize> = features
        .filter(|(_, feature)| is_of_known(feature.quantity))
        .map(|(column, _)| column)
        .collect();
    fit_expansion_of_known(
        &standardised.values,
        standardised.width,
        (&hinge_columns(design), &of_known),
        &interaction_columns(design),
    )
}

/// The columns that get hinges.
fn hinge_columns(design: &Design<'_>) -> Vec<usize> {
    let Design {
        catalogue,
        preprocessing,
        horizon_days,
    } = *design;
    let Some(h) = horizon_days else {
        return (0..preprocessing.columns.len()).collect();
    };
    let near = |w: u16| (h.div_ceil(4)..=h.saturating_mul(4)).contains(&w);
    let own = |quantity| match quantity {
        Quantity::ActiveDaysIn(w) | Quantity::EventsIn(w) | Quantity::AmountIn(w) => near(w),
        Quantity::DecayedDays(w) => {
            [h.div_ceil(2), h, h.saturating_mul(2), h.saturating_mul(4)].contains(&w)
        }
        Quantity::Trend(w, _) | Quantity::KindCountIn(_, w) => w == h,
        Quantity::ActiveDaysInSeason(season) => season.horizon_days().is_none_or(|w| w == h),
        // A flag has no kinks.
        Quantity::AttributeLevel(..) | Quantity::AttributeMissing(_) => false,
        _ => true,
    };
    let features = catalogue.features().iter().map(|f| own(f.quantity));
    let derived = preprocessing
        .derived(catalogue)
        .into_iter()
        .map(|d| !matches!(d, Derived::Silent(days) if days != h));
    features
        .chain(derived)
        .enumerate()
        .filter_map(|(column, own)| own.then_some(column))
        .collect()
}

/// The columns that get interactions: recency, frequency, age and rhythm, the things of which one changes what
/// another means. Of orders, a catalogue of churn has no features.
fn interaction_columns(design: &Design<'_>) -> Vec<usize> {
    let Design {
        catalogue,
        preprocessing,
        horizon_days,
    } = *design;
    let horizons = &catalogue.schema().horizon_days;
    let horizon_days = horizon_days
        .or(horizons.last().copied())
        .unwrap_or_default();
    let features = [
        Quantity::Recency,
        Quantity::ActiveDays,
        Quantity::Tenure,
        Quantity::GapMean,
        Quantity::DecayedDays(horizon_days),
        Quantity::RecencyShare,
        Quantity::Overdue,
        Quantity::OrderRecency,
        Quantity::OrderDays,
        Quantity::OrderAmount,
        Quantity::OrderRepeatAmount,
    ];
    let silent = preprocessing
        .derived(catalogue)
        .iter()
        .position(|d| *d == Derived::Silent(horizon_days));
    let features = features.into_iter().filter_map(|q| catalogue.position(q));
    features
        .chain(silent.map(|k| catalogue.len() + k))
        .collect()
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
mod tests;
