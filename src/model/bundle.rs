use serde::{Deserialize, Serialize};

use super::ModelError;
use super::predict::plan::Plan;
use super::transform::{Derived, Expansion, Preprocessing};
use crate::features::{Catalogue, Extractor, FeatureSchema};
use crate::history::Day;
use crate::lifecycle::{Eligibility, Thresholds};
use crate::math::dot;

/// The format of `bundle.json` that this build writes and reads.
pub const FORMAT_VERSION: u64 = 3;

/// A line through the log-odds, fitted on later data than the weights: `intercept + slope * log_odds`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Added to the log-odds.
    pub intercept: f64,
    /// Multiplies the log-odds; positive.
    pub slope: f64,
}

impl Calibration {
    /// Leaves the log-odds as they are.
    pub const IDENTITY: Self = Self {
        intercept: 0.0,
        slope: 1.0,
    };
}

/// A logistic churn model of one horizon.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChurnModel {
    /// The horizon in days.
    pub horizon_days: u16,
    /// Log-odds of the average user, before calibration.
    pub intercept: f64,
    /// What is weighed beyond the columns of the preprocessing.
    pub expansion: Expansion,
    /// One weight for each column of the preprocessing, then for each hinge and each product of the expansion.
    pub weights: Vec<f64>,
    /// The calibration on top.
    pub calibration: Calibration,
}

impl ChurnModel {
    /// What each column adds to the log-odds of a user with the standardised numbers `z`, before calibration: its own
    /// weight's part, its hinges', and half of its products'.
    pub fn contributions(&self, z: &[f64]) -> Vec<f64> {
        let (own, more) = self.weights.split_at(z.len().min(self.weights.len()));
        let mut shares: Vec<f64> = own.iter().zip(z).map(|(w, z)| w * z).collect();
        self.expansion.share(z, more, &mut shares);
        shares
    }

    /// The log-odds, before calibration, of a row of columns, hinges and interactions.
    pub fn log_odds(&self, row: &[f64]) -> f64 {
        self.intercept + dot(&self.weights, row)
    }
}

/// The probabilities from which churn risk is called medium and high.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bands {
    /// From here on the risk is medium.
    pub medium: f64,
    /// From here on the risk is high.
    pub high: f64,
}

impl Default for Bands {
    fn default() -> Self {
        Self {
            medium: 0.3,
            high: 0.6,
        }
    }
}

/// A churn probability in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RiskBand {
    /// Below `medium`.
    Low,
    /// From `medium` to below `high`.
    Medium,
    /// From `high` on.
    High,
}

impl RiskBand {
    /// The band's name in files and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

impl Bands {
    /// What is wrong with the bands; `None` when they are in order.
    pub fn problem(self) -> Option<String> {
        let Self { medium, high } = self;
        let legal = 0.0 < medium && medium < high && high < 1.0;
        (!legal)
            .then(|| format!("medium = {medium} and high = {high} must be 0 < medium < high < 1"))
    }

    /// The band of a churn probability.
    pub fn of(self, probability: f64) -> RiskBand {
        if probability >= self.high {
            RiskBand::High
        } else if probability >= self.medium {
            RiskBand::Medium
        } else {
            RiskBand::Low
        }
    }
}

/// One segment of users.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// What sets its users apart, such as "frequent, recent, high spend".
    pub name: String,
    /// Its centre in the standardised features of [`Segments::features`].
    pub centroid: Vec<f64>,
    /// How many users of the training snapshot fall into it.
    pub users: u64,
    /// Their churn rate over the first horizon.
    pub churn_rate: f64,
}

/// The segments, from the lowest churn rate to the highest; a segment's id is its position.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segments {
    /// The features that segments are made of.
    pub features: Vec<String>,
    /// The segments; empty when the users were too few or too alike to tell apart.
    pub items: Vec<Segment>,
}

impl Segments {
    /// The position of the segment whose centre is nearest to a point in [`Segments::features`], and how far away
    /// it is; `None` without segments.
    pub fn nearest(&self, point: impl Iterator<Item = f64> + Clone) -> Option<(usize, f64)> {
        let squared = |centroid: &[f64]| {
            centroid
                .iter()
                .zip(point.clone())
                .map(|(c, x)| (c - x) * (c - x))
                .sum::<f64>()
        };
        let all = self
            .items
            .iter()
            .enumerate()
            .map(|(id, segment)| (id, squared(&segment.centroid)));
        all.min_by(|a, b| a.1.total_cmp(&b.1))
            .map(|(id, squared)| (id, squared.sqrt()))
    }
}

/// Where a bundle comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// No event at or after this day was seen.
    pub as_of: Day,
    /// The first and last day with an event.
    pub first_day: Day,
    /// See `first_day`.
    pub last_day: Day,
    /// The days at which users were described and labelled, oldest first.
    pub snapshots: Vec<Day>,
    /// Rows (user, snapshot) that the final models were fitted on.
    pub rows: u64,
    /// Users in the log before `as_of`.
    pub users: u64,
    /// SHA-256 of all histories before `as_of`.
    pub data_hash: String,
    /// Every kind of event in the log, with features of its own or not, in order of their names.
    #[serde(default)]
    pub kinds: Vec<String>,
    /// Seed of everything drawn at random.
    pub seed: u64,
    /// Version of the trainer.
    pub ebb_version: String,
}

/// The content of `bundle.json`, as read: not yet checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleSpec {
    /// See [`FORMAT_VERSION`].
    pub format_version: u64,
    /// What the catalogue of features is made from.
    pub schema: FeatureSchema,
    /// The catalogue's hash when the model was fitted.
    pub feature_hash: String,
    /// IANA name of the time zone whose days the histories count.
    pub timezone: String,
    /// Users without activity in this many days get no probability.
    pub active_within_days: u32,
    /// Days between the as-of day and the start of the horizon.
    pub lead_days: u32,
    /// The kind of event that is churn; `None` when churn is silence.
    pub churn_event: Option<String>,
    /// How a feature vector becomes standardised numbers.
    pub preprocessing: Preprocessing,
    /// One model for each horizon.
    pub models: Vec<ChurnModel>,
    /// The risk bands.
    pub bands: Bands,
    /// The segments.
    pub segments: Segments,
    /// The lifecycle thresholds.
    pub lifecycle: Thresholds,
    /// Where it comes from.
    pub training: Training,
}

/// A checked model bundle, ready to score.
#[derive(Clone, Debug, PartialEq)]
pub struct Bundle {
    spec: BundleSpec,
    catalogue: Catalogue,
    derived: Vec<Derived>,
    segment_positions: Vec<usize>,
    plan: Plan,
    version: String,
}

impl Bundle {
    /// Checks that every part fits the others and every number is finite. `version` is the short hash of the
    /// file that `spec` was read from or will be written to.
    pub fn new(spec: BundleSpec, version: String) -> Result<Self, ModelError> {
        let catalogue = Catalogue::new(spec.schema.clone())?;
        if catalogue.hash() != spec.feature_hash {
            return Err(ModelError::FeatureHash {
                expected: spec.feature_hash,
                found: catalogue.hash(),
            });
        }
        let derived = spec.preprocessing.derived(&catalogue);
        check_preprocessing(&spec.preprocessing, &catalogue, &derived)?;
        check_models(&spec)?;
        let segment_positions = check_segments(&spec, &catalogue)?;
        if let Some(problem) = spec.bands.problem() {
            return Err(inconsistent("bands", &problem));
        }
        if let Some(problem) = spec.lifecycle.problem() {
            return Err(inconsistent("lifecycle", &problem));
        }
        crate::history::DayClock::new(&spec.timezone)?;
        let plan = Plan::new(&spec, &catalogue, &derived);
        Ok(Self {
            spec,
            catalogue,
            derived,
            segment_positions,
            plan,
            version,
        })
    }

    /// Everything in `bundle.json`.
    pub fn spec(&self) -> &BundleSpec {
        &self.spec
    }

    /// The features, in the order of a feature vector.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// What is derived from the features, in the order of the preprocessing's last columns.
    pub fn derived(&self) -> &[Derived] {
        &self.derived
    }

    /// The first 12 hexadecimal digits of the SHA-256 of `bundle.json`: names this model and no other.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// An extractor for histories whose records refer to `kinds`.
    pub fn extractor(&self, kinds: &[String]) -> Extractor<'_> {
        Extractor::new(&self.catalogue, kinds)
    }

    /// The rule of who is asked about, for histories whose records refer to `kinds`.
    pub fn eligibility(&self, kinds: &[String]) -> Eligibility {
        let BundleSpec {
            schema,
            churn_event,
            active_within_days,
            ..
        } = &self.spec;
        Eligibility::new(
            kinds,
            &schema.activity,
            churn_event.as_deref(),
            *active_within_days,
        )
    }

    /// What scoring looks up.
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The positions in a feature vector of the features that segments are made of.
    pub(crate) fn segment_positions(&self) -> &[usize] {
        &self.segment_positions
    }
}

fn inconsistent(field: &str, problem: &str) -> ModelError {
    ModelError::Inconsistent {
        field: field.to_owned(),
        problem: problem.to_owned(),
    }
}

fn check_preprocessing(
    preprocessing: &Preprocessing,
    catalogue: &Catalogue,
    derived: &[Derived],
) -> Result<(), ModelError> {
    if let Some(problem) = preprocessing.bg_nbd.and_then(|model| model.problem()) {
        return Err(inconsistent("preprocessing.bg_nbd", &problem));
    }
    let features = catalogue
        .features()
        .iter()
        .map(|f| (f.name.clone(), f.scale));
    let expected = features.chain(derived.iter().map(|d| (d.name(), d.scale())));
    let count = catalogue.len() + derived.len();
    if preprocessing.columns.len() != count {
        let problem = format!(
            "has {} entries for {count} features and derived numbers",
            preprocessing.columns.len()
        );
        return Err(inconsistent("preprocessing.columns", &problem));
    }
    for (column, (name, scale)) in preprocessing.columns.iter().zip(expected) {
        let field = format!("preprocessing.columns[{}]", column.feature);
        if column.feature != name || column.scale != scale {
            return Err(inconsistent(
                &field,
                &format!("should describe `{name}` at scale {scale:?}"),
            ));
        }
        if let Some(problem) = column.problem() {
            return Err(inconsistent(&field, problem));
        }
    }
    Ok(())
}

fn check_models(spec: &BundleSpec) -> Result<(), ModelError> {
    let horizons: Vec<u16> = spec.models.iter().map(|m| m.horizon_days).collect();
    if horizons != spec.schema.horizon_days {
        return Err(inconsistent(
            "models",
            &format!(
                "are for horizons {horizons:?}, not {:?}",
                spec.schema.horizon_days
            ),
        ));
    }
    for model in &spec.models {
        let field = format!("models[{} days]", model.horizon_days);
        let columns = spec.preprocessing.columns.len();
        if let Some(problem) = model.expansion.problem(columns) {
            return Err(inconsistent(&format!("{field}.expansion"), problem));
        }
        let weighed = columns + model.expansion.len();
        if model.weights.len() != weighed {
            let problem = format!("has {} weights for {weighed} numbers", model.weights.len());
            return Err(inconsistent(&field, &problem));
        }
        let Calibration { intercept, slope } = model.calibration;
        let finite = [model.intercept, intercept, slope]
            .iter()
            .chain(&model.weights)
            .all(|x| x.is_finite());
        if !finite || slope <= 0.0 {
            return Err(inconsistent(
                &field,
                "needs finite numbers and a positive calibration slope",
            ));
        }
    }
    Ok(())
}

fn check_segments(spec: &BundleSpec, catalogue: &Catalogue) -> Result<Vec<usize>, ModelError> {
    let Segments { features, items } = &spec.segments;
    for (id, item) in items.iter().enumerate() {
        let finite = item
            .centroid
            .iter()
            .chain([&item.churn_rate])
            .all(|x| x.is_finite());
        if !finite || item.centroid.len() != features.len() {
            return Err(inconsistent(
                &format!("segments.items[{id}]"),
                "needs one finite number for each segment feature",
            ));
        }
    }
    features
        .iter()
        .map(|name| Ok(catalogue.position_of(name)?))
        .collect()
}
