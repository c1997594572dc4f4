//! Which users are listed, by names that are looked up in the model.

use crate::lifecycle::Stage;
use crate::model::{Bundle, RiskBand};

/// Every band, from the highest risk on.
const BANDS: [RiskBand; 3] = [RiskBand::High, RiskBand::Medium, RiskBand::Low];

/// A name that the model does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no {what} `{asked}`; there are {}", legal.join(", "))]
pub struct ChoiceError {
    /// `segment`, `stage`, `band` or `horizon`.
    pub what: &'static str,
    /// What was asked for.
    pub asked: String,
    /// All that there are.
    pub legal: Vec<String>,
}

/// Which users are listed; of an empty list all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The horizon of probabilities, bands and losses, in days.
    pub horizon_days: u16,
    /// Positions of segments.
    pub segments: Vec<usize>,
    /// Lifecycle stages.
    pub stages: Vec<Stage>,
    /// Risk bands.
    pub bands: Vec<RiskBand>,
}

impl Chosen {
    /// Every user, over the model's shortest horizon.
    pub fn all(bundle: &Bundle) -> Self {
        Self {
            horizon_days: bundle.spec().schema.horizon_days[0],
            segments: Vec::new(),
            stages: Vec::new(),
            bands: Vec::new(),
        }
    }

    /// The same over another horizon of the model.
    ///
    /// # Errors
    /// [`ChoiceError`] lists the model's horizons.
    pub fn over(self, bundle: &Bundle, horizon_days: u16) -> Result<Self, ChoiceError> {
        let all = &bundle.spec().schema.horizon_days;
        if !all.contains(&horizon_days) {
            return Err(ChoiceError {
                what: "horizon",
                asked: horizon_days.to_string(),
                legal: all.iter().map(u16::to_string).collect(),
            });
        }
        Ok(Self {
            horizon_days,
            ..self
        })
    }

    /// The same with a segment, by its number or its name.
    ///
    /// # Errors
    /// [`ChoiceError`] lists the model's segments.
    pub fn with_segment(mut self, bundle: &Bundle, asked: &str) -> Result<Self, ChoiceError> {
        let all = &bundle.spec().segments.items;
        let by_number = asked.parse().ok().filter(|id: &usize| *id < all.len());
        let by_name = || all.iter().position(|segment| segment.name == asked);
        let found = by_number.or_else(by_name);
        self.segments.push(found.ok_or_else(|| {
            let named = all.iter().enumerate();
            ChoiceError {
                what: "segment",
                asked: asked.to_owned(),
                legal: named.map(|(id, s)| format!("{id} `{}`", s.name)).collect(),
            }
        })?);
        Ok(self)
    }

    /// The same with a lifecycle stage, by its name.
    ///
    /// # Errors
    /// [`ChoiceError`] lists the stages.
    pub fn with_stage(mut self, asked: &str) -> Result<Self, ChoiceError> {
        let found = named("stage", asked, &Stage::ALL, Stage::name)?;
        self.stages.push(found);
        Ok(self)
    }

    /// The same with a risk band, by its name.
    ///
    /// # Errors
    /// [`ChoiceError`] lists the bands.
    pub fn with_band(mut self, asked: &str) -> Result<Self, ChoiceError> {
        let found = named("band", asked, &BANDS, RiskBand::name)?;
        self.bands.push(found);
        Ok(self)
    }
}

fn named<T: Copy>(
    what: &'static str,
    asked: &str,
    all: &[T],
    name: fn(T) -> &'static str,
) -> Result<T, ChoiceError> {
    let found = all.iter().copied().find(|value| name(*value) == asked);
    found.ok_or_else(|| ChoiceError {
        what,
        asked: asked.to_owned(),
        legal: all.iter().map(|value| name(*value).to_owned()).collect(),
    })
}
