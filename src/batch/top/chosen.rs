//! Which users are listed, by names that are looked up in the model.

use crate::lifecycle::Stage;
use crate::model::{Bundle, RiskBand, Segment};

/// Every band, from the highest risk on.
const BANDS: [RiskBand; 3] = [RiskBand::High, RiskBand::Medium, RiskBand::Low];

/// A name that the model does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no {what} `{asked}`{}", alternatives(nearest.as_deref(), what, legal))]
pub struct ChoiceError {
    /// `segment`, `stage`, `band`, `tier` or `horizon`.
    pub what: &'static str,
    /// What was asked for.
    pub asked: String,
    /// The most similar name, if one is similar.
    pub nearest: Option<String>,
    /// All that there are.
    pub legal: Vec<String>,
}

/// Names that are less similar are no misspellings of each other.
const LEAST_SIMILARITY: f64 = 0.8;

impl ChoiceError {
    fn of_name<'n>(
        what: &'static str,
        asked: &str,
        names: impl Iterator<Item = &'n str>,
        legal: Vec<String>,
    ) -> Self {
        let similarity = |name: &&str| strsim::jaro_winkler(asked, name);
        let nearest = names.max_by(|a, b| similarity(a).total_cmp(&similarity(b)));
        Self {
            what,
            asked: asked.to_owned(),
            nearest: nearest
                .filter(|name| similarity(name) >= LEAST_SIMILARITY)
                .map(str::to_owned),
            legal,
        }
    }
}

/// What there is instead.
fn alternatives(nearest: Option<&str>, what: &str, legal: &[String]) -> String {
    if legal.is_empty() && what == "tier" {
        return ": the model has no value part; set [value] in the configuration and fit again"
            .to_owned();
    }
    let nearest = nearest.map_or_else(String::new, |name| format!("; the nearest is `{name}`"));
    format!("; there are {}{nearest}", legal.join(", "))
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
    /// Positions of tiers of value.
    pub tiers: Vec<usize>,
}

impl Chosen {
    /// Every user, over the model's shortest horizon.
    pub fn all(bundle: &Bundle) -> Self {
        Self {
            horizon_days: bundle.spec().schema.horizon_days[0],
            segments: Vec::new(),
            stages: Vec::new(),
            bands: Vec::new(),
            tiers: Vec::new(),
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
                nearest: None,
                legal: all.iter().map(u16::to_string).collect(),
            });
        }
        Ok(Self {
            horizon_days,
            ..self
        })
    }

    /// The same with a segment, by its number, its key or its name.
    ///
    /// # Errors
    /// [`ChoiceError`] lists the model's segments.
    pub fn with_segment(mut self, bundle: &Bundle, asked: &str) -> Result<Self, ChoiceError> {
        let all = &bundle.spec().segments.items;
        let by_number = asked.parse().ok().filter(|id: &usize| *id < all.len());
        let is_asked = |s: &Segment| s.key.to_string() == asked || s.name == asked;
        let found = by_number.or_else(|| all.iter().position(is_asked));
        self.segments.push(found.ok_or_else(|| {
            let named = all.iter().enumerate();
            let legal = named.map(|(id, s)| format!("{id} ({}) `{}`", s.key, s.name));
            let legal = legal.collect();
            let names = all.iter().map(|segment| segment.name.as_str());
            ChoiceError::of_name("segment", asked, names, legal)
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

    /// The same with a tier of value, by its name.
    ///
    /// # Errors
    /// [`ChoiceError`] lists the model's tiers; a model without a value part has none.
    pub fn with_tier(mut self, bundle: &Bundle, asked: &str) -> Result<Self, ChoiceError> {
        let model = bundle.spec().value.as_ref();
        let all = model.map_or(&[][..], |model| &model.tiers);
        let found = all.iter().position(|tier| tier.name == asked);
        self.tiers.push(found.ok_or_else(|| {
            let names = all.iter().map(|tier| tier.name.as_str());
            let legal = names.clone().map(str::to_owned).collect();
            ChoiceError::of_name("tier", asked, names, legal)
        })?);
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
    found.ok_or_else(|| {
        let names = all.iter().map(|value| name(*value));
        let legal = names.clone().map(str::to_owned).collect();
        ChoiceError::of_name(what, asked, names, legal)
    })
}
