use super::{RfmCuts, SpendIntervals, SpendModel, SpendRegression, ValueModel};
use crate::model::{Calibration, ChurnModel, FigureError, all_finite};

impl ValueModel {
    /// Whether all figures are legal, for a number of columns of the preprocessing.
    pub(crate) fn validate(&self, columns: usize) -> Result<(), FigureError> {
        let illegal = |what: &'static str| Err(FigureError::Value { what });
        let share = |x: f64| (0.0..=1.0).contains(&x);
        if !(self.margin > 0.0 && self.margin <= 1.0) {
            return illegal("margin must be above 0 and at most 1");
        }
        if self.learnt_days == 0 || self.learnt_days > self.horizon_days {
            return illegal("learnt_days must lie between 1 and horizon_days");
        }
        let years = self.residual_years.unwrap_or_default();
        if !(self.annual_discount >= 0.0 && all_finite(&[self.annual_discount])) {
            return illegal("annual_discount must be 0 or more");
        }
        if !(0.0..=100.0).contains(&years) {
            return illegal("residual_years must lie between 0 and 100, or be absent");
        }
        if self.residual_years.is_none() && self.annual_discount == 0.0 {
            return illegal("annual_discount must be above 0 without an end of the residual value");
        }
        if !share(self.regression_share)
            || (self.regression.is_none() && self.regression_share > 0.0)
        {
            return illegal(
                "regression_share must lie between 0 and 1, and be 0 without a regression",
            );
        }
        if !(self.level > 0.0 && self.level.is_finite()) {
            return illegal("level must be above 0");
        }
        self.orders.validate()?;
        match &self.spend {
            SpendModel::GammaGamma(model) => model.validate()?,
            SpendModel::Mean(mean) if *mean > 0.0 && mean.is_finite() => {}
            SpendModel::Mean(_) => return illegal("spend must have a mean above 0"),
        }
        if let Some(regression) = &self.regression {
            regression.expansion.validate(columns)?;
            regression.as_model(self.learnt_days).validate(columns)?;
        }
        self.intervals.validate()?;
        self.rfm.validate()?;
        let bounds: Vec<f64> = self.tiers.iter().map(|tier| tier.from).collect();
        let falling = bounds.is_sorted_by(|a, b| a > b) && bounds.last() == Some(&0.0);
        if !falling || !all_finite(&bounds) {
            return illegal("tiers must begin at decreasing values, the last one at 0");
        }
        Ok(())
    }
}

impl SpendRegression {
    /// The regression in the form of a churn model without calibration: its log-odds are the logarithm of the spend.
    pub(crate) fn as_model(&self, learnt_days: u16) -> ChurnModel {
        ChurnModel {
            horizon_days: learnt_days,
            intercept: self.intercept,
            expansion: self.expansion.clone(),
            weights: self.weights.clone(),
            calibration: Calibration {
                intercept: 0.0,
                slope: 1.0,
            },
        }
    }
}

impl SpendIntervals {
    /// The interval of an expected spend.
    pub(crate) fn of(&self, expected: f64) -> (f64, f64) {
        let band = self.bands.partition_point(|band| band.from <= expected);
        let band = self.bands[band.saturating_sub(1)];
        (band.low * expected, band.high * expected)
    }

    fn validate(&self) -> Result<(), FigureError> {
        let legal = |band: &super::SpendIntervalBand| {
            all_finite(&[band.from, band.low, band.high])
                && 0.0 <= band.low
                && band.low <= band.high
        };
        let rising = self.bands.is_sorted_by(|a, b| a.from < b.from);
        let first = self.bands.first().is_some_and(|band| band.from == 0.0);
        let covers = self.covers > 0.0 && self.covers < 1.0;
        if covers && rising && first && self.bands.iter().all(legal) {
            Ok(())
        } else {
            Err(FigureError::Value {
                what: "intervals must have bands by increasing spend from 0 on, with 0 <= low <= high",
            })
        }
    }
}

impl RfmCuts {
    fn validate(&self) -> Result<(), FigureError> {
        let legal = |cuts: &Vec<f64>| {
            cuts.len() <= 4 && all_finite(cuts) && cuts.is_sorted_by(|a, b| a < b)
        };
        if [&self.recency_days, &self.orders, &self.amount]
            .into_iter()
            .all(legal)
        {
            Ok(())
        } else {
            Err(FigureError::Value {
                what: "rfm must have at most four increasing cut points each",
            })
        }
    }
}
