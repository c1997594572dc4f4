//! The whole fit: histories in, bundle content and card out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::TrainError;
use super::card::{Card, HorizonCard};
use super::dataset::Dataset;
use super::design::{fit_bg_nbd, fit_design};
use super::horizon::{FittedHorizon, HorizonInput, fit_horizon};
use super::labels::{ChurnConfig, Labeller};
use super::population::{Described, Population};
use super::probe::{LeakageProbe, probe_catalogue};
use super::schedule::{Observed, Schedule, Spacing};
use super::segments::{SegmentConfig, fit_segments};
use super::slices::Slicer;
use super::suspects;
use crate::features::{Catalogue, FeatureSchema, HORIZON_LIMIT};
use crate::history::{Day, Histories};
use crate::lifecycle::Thresholds;
use crate::model::{Bands, BundleSpec, Design, FORMAT_VERSION, Segments, Training};

/// Which solver fits the logistic model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Solver {
    /// Newton's method.
    #[default]
    Newton,
    /// `linfa-logistic`, the reference.
    Linfa,
}

impl Solver {
    /// The solver's name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Newton => "newton",
            Self::Linfa => "linfa",
        }
    }
}

/// How models are fitted: the `[model]` table of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelConfig {
    /// The solver of the logistic fit.
    pub solver: Solver,
    /// The strength of the L2 penalty; without it dates in the past choose it.
    pub l2: Option<f64>,
    /// Whether kinks and products of features are weighed too; without it dates in the past choose it.
    pub expanded: Option<bool>,
    /// How many label windows (lead + horizon) ago a row counts half, 0 for all rows alike; without it dates in the past
    /// choose it.
    pub half_life_windows: Option<f64>,
    /// Days between the dates at which users are described; without it half of lead + horizon.
    pub spacing_days: Option<u16>,
    /// Rows (user, date) that a model is fitted on at most; beyond, every second, third, ... user is taken.
    pub most_rows: usize,
    /// The most dates at which users are described.
    pub snapshots: usize,
    /// Kinds of events, beside activity, that get features of their own at most.
    pub kinds: usize,
    /// Seed of everything drawn at random.
    pub seed: u64,
    /// Features, kinds and columns (`events.kind`, `events.amount`) that are meant although they look like identifiers,
    /// times or the answer itself; see [`suspects`].
    pub allow_suspect: Vec<String>,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            solver: Solver::Newton,
            l2: None,
            expanded: None,
            half_life_windows: None,
            spacing_days: None,
            most_rows: 200_000,
            snapshots: 12,
            kinds: 12,
            seed: 7,
            allow_suspect: Vec::new(),
        }
    }
}

impl ModelConfig {
    fn problem(&self) -> Option<String> {
        if self.l2.is_some_and(|l2| !(l2.is_finite() && l2 > 0.0)) {
            return Some("model.l2 must be positive".into());
        }
        if let Some(half_life) = self.half_life_windows.filter(|h| !(h.is_finite() && *h >= 0.0)) {
            return Some(format!("model.half_life_windows is {half_life}: it must be 0 or more"));
        }
        if self.solver == Solver::Linfa && self.half_life_windows.is_some_and(|h| h > 0.0) {
            return Some(
                "model.half_life_windows must be 0 with model.solver = \"linfa\": it weighs all rows alike".into(),
            );
        }
        if self.most_rows < 1_000 {
            return Some(format!("model.most_rows is {}: it must be at least 1000", self.most_rows));
        }
        if self.spacing_days == Some(0) {
            return Some("model.spacing_days must be at least 1".into());
        }
        (!(1..=100).contains(&self.snapshots)).then(|| "model.snapshots must lie between 1 and 100".into())
    }
}

/// Everything that decides a fit, beside the histories.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainConfig {
    /// The churn question.
    pub churn: ChurnConfig,
    /// How models are fitted.
    pub model: ModelConfig,
    /// How segments are made.
    pub segments: SegmentConfig,
    /// The risk bands.
    pub bands: Bands,
    /// The lifecycle thresholds.
    pub lifecycle: Thresholds,
    /// IANA name of the time zone in which the histories count days.
    pub timezone: String,
}

impl TrainConfig {
    /// Checks every setting against its range; the error names the one at fault.
    pub fn check(&self) -> Result<(), TrainError> {
        let churn = &self.churn;
        let within = |days: u32| (1..=36_600).contains(&days);
        let own = if churn.activity.is_empty() {
            Some("churn.activity names no kind of event".to_owned())
        } else if churn.horizon_days.is_empty() || !churn.horizon_days.iter().all(|h| (1..=HORIZON_LIMIT).contains(h)) {
            let given = &churn.horizon_days;
            Some(format!("churn.horizon_days is {given:?}: it must hold numbers of days from 1 to {HORIZON_LIMIT}"))
        } else if !within(churn.active_within_days) {
            Some(format!("churn.active_within_days is {}: it must lie between 1 and 36600", churn.active_within_days))
        } else if churn.lead_days > 3_660 {
            Some(format!("churn.lead_days is {}: it must be at most 3660", churn.lead_days))
        } else if churn.churn_event.as_ref().is_some_and(|e| churn.activity.contains(e)) {
            Some("churn.churn_event is also in churn.activity: an event can't be both".to_owned())
        } else {
            None
        };
        let problem = own
            .or_else(|| self.model.problem())
            .or_else(|| self.segments.problem())
            .or_else(|| self.bands.problem().map(|problem| format!("risk_bands: {problem}")))
            .or_else(|| self.lifecycle.problem());
        problem.map_or(Ok(()), |p| Err(TrainError::Setting(p)))
    }
}

/// What a fit works on.
#[derive(Clone, Copy, Debug)]
pub struct FitInput<'a> {
    /// All users' histories, nothing at or after `as_of` in them.
    pub histories: &'a Histories,
    /// The configuration.
    pub config: &'a TrainConfig,
    /// No event at or after this day is used.
    pub as_of: Day,
    /// Whether to fit the random forest beside the model.
    pub challenger: bool,
    /// The data-quality report, for the card.
    pub data_quality: &'a serde_json::Value,
}

/// What a fit gives.
#[derive(Clone, Debug)]
pub struct Fit {
    /// The content of `bundle.json`.
    pub spec: BundleSpec,
    /// The content of `card.json`.
    pub card: Card,
}

/// Fits everything. The same input gives the same output, bit for bit.
pub fn fit(input: &FitInput<'_>) -> Result<Fit, TrainError> {
    let FitInput { histories, config, as_of, .. } = *input;
    config.check()?;
    let span = histories.span().filter(|(first, _)| *first < as_of);
    let Some((first, last)) = span else { return Err(TrainError::NoEvents { as_of }) };
    let mut notes = suspects::in_columns(histories, &config.model.allow_suspect)?;
    let schema = schema(histories, config, &mut notes)?;
    let catalogue = Catalogue::new(schema.clone())?;
    let observed = Observed { first, until: as_of.min(last.plus(1)) };
    if observed.until < as_of {
        notes.push(format!("The log ends on {last}; labels count as observed up to then, not up to {as_of}."));
    }
    let labeller = Labeller::new(&config.churn, histories.kinds(), observed.until);
    let bg_nbd = fit_bg_nbd(histories, &labeller, observed.until);
    let mut design: Option<Design> = None;
    let mut fitted: Vec<FittedHorizon> = Vec::new();
    let mut segments = Segments::default();
    let mut users: Option<Described> = None;
    for &horizon_days in &schema.horizon_days {
        let spacing = Spacing { days: config.model.spacing_days, most: config.model.snapshots };
        let schedule = Schedule::new(observed, config.churn.lead_days, horizon_days, spacing)?;
        let mut dropped = BTreeMap::new();
        let most = config.model.most_rows;
        let data = Dataset::build(histories, &catalogue, &labeller, &schedule.fit, horizon_days, most, &mut dropped);
        check_rows(&data, horizon_days)?;
        notes.extend(suspects::in_rows(&data, &catalogue, horizon_days, &config.model.allow_suspect)?);
        let first = design.is_none();
        let design = &*design.get_or_insert_with(|| fit_design(&data, &catalogue, bg_nbd));
        let columns = design.columns.get(..catalogue.len()).unwrap_or_default();
        if first {
            let newest = data.at(schedule.fit.last().map(std::slice::from_ref).unwrap_or_default());
            let z: Vec<f64> =
                newest.rows().flat_map(|raw| columns.iter().zip(raw).map(|(c, x)| c.standardise(*x))).collect();
            segments = fit_segments(&catalogue, &z, &newest.labels, &config.segments, config.model.seed)?;
        }
        let slicer = Slicer {
            catalogue: &catalogue,
            columns,
            segments: &segments,
            thresholds: &config.lifecycle,
            active_within_days: config.churn.active_within_days,
        };
        if users.is_none() {
            let all = Population { histories, labeller: &labeller, slicer: &slicer };
            users = Some(all.describe(&data, &schedule.fit, observed, as_of, i32::from(horizon_days)));
        }
        let horizon = HorizonInput {
            histories,
            labeller: &labeller,
            data: &data,
            schedule: &schedule,
            design,
            silence: config.churn.churn_event.is_none(),
            catalogue: &catalogue,
            horizon_days,
            config: &config.model,
            challenger: input.challenger,
            slicer: &slicer,
        };
        let mut done = fit_horizon(&horizon)?;
        done.card.dropped = dropped;
        fitted.push(done);
    }
    let spec = BundleSpec {
        format_version: FORMAT_VERSION,
        feature_hash: catalogue.hash(),
        schema,
        timezone: config.timezone.clone(),
        active_within_days: config.churn.active_within_days,
        lead_days: config.churn.lead_days,
        churn_event: config.churn.churn_event.clone(),
        design: design.unwrap_or(Design { columns: Vec::new(), bg_nbd: None }),
        models: fitted.iter().map(|f| f.model.clone()).collect(),
        bands: config.bands,
        segments,
        lifecycle: config.lifecycle.clone(),
        training: training(input, &fitted, first, last),
    };
    let probe = probe_catalogue(histories, &catalogue, &spec.training.snapshots, config.model.seed)?;
    let horizons = fitted.into_iter().map(|f| f.card).collect();
    let card = card(input, &spec, horizons, users.unwrap_or_default(), probe, notes);
    Ok(Fit { spec, card })
}

/// Where the bundle comes from.
fn training(input: &FitInput<'_>, fitted: &[FittedHorizon], first_day: Day, last_day: Day) -> Training {
    Training {
        as_of: input.as_of,
        first_day,
        last_day,
        snapshots: fitted.first().map(|f| f.card.snapshots.clone()).unwrap_or_default(),
        rows: fitted.iter().map(|f| f.card.rows).sum(),
        users: input.histories.len() as u64,
        data_hash: data_hash(input.histories),
        seed: input.config.model.seed,
        ebb_version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// Which kinds and horizons the catalogue is made from.
fn schema(histories: &Histories, config: &TrainConfig, notes: &mut Vec<String>) -> Result<FeatureSchema, TrainError> {
    let kinds = histories.kinds();
    let churn = &config.churn;
    let (present, absent): (Vec<&String>, Vec<&String>) = churn.activity.iter().partition(|k| kinds.contains(k));
    if present.is_empty() {
        return Err(TrainError::NoActivity { activity: churn.activity.clone(), kinds: kinds.to_vec() });
    }
    if let Some(name) = churn.churn_event.as_ref().filter(|name| !kinds.contains(name)) {
        return Err(TrainError::NoChurnEvent { name: name.clone(), kinds: kinds.to_vec() });
    }
    notes.extend(absent.iter().map(|k| format!("The activity kind `{k}` does not occur in the log.")));
    let mut users = vec![0_u64; kinds.len()];
    let mut amounts = false;
    for (_, history) in histories.iter() {
        let mut seen = vec![false; kinds.len()];
        for record in history.records() {
            amounts |= record.amount.micros() != 0;
            if !std::mem::replace(&mut seen[usize::from(record.kind)], true) {
                users[usize::from(record.kind)] += 1;
            }
        }
    }
    let widespread = (histories.len() as u64 / 100).max(10);
    let mut others: Vec<(u64, &String)> =
        users.into_iter().zip(kinds).filter(|(n, k)| *n >= widespread && !churn.activity.contains(k)).collect();
    others.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    let mut horizon_days = churn.horizon_days.clone();
    horizon_days.sort_unstable();
    horizon_days.dedup();
    Ok(FeatureSchema {
        activity: present.into_iter().cloned().collect(),
        other_kinds: others.into_iter().take(config.model.kinds).map(|(_, k)| k.clone()).collect(),
        horizon_days,
        amounts,
    })
}

/// The fewest labelled rows that a model is fitted on.
const LEAST_ROWS: usize = 50;

fn check_rows(data: &Dataset, horizon_days: u16) -> Result<(), TrainError> {
    let rows = data.len();
    let mut users = data.users.clone();
    users.dedup();
    if rows < LEAST_ROWS || users.len() < 2 {
        return Err(TrainError::TooFewRows { horizon_days, rows, users: users.len(), least: LEAST_ROWS });
    }
    match data.churn_rate() {
        0.0 => Err(TrainError::OneClass { horizon_days, rows, churned: false }),
        1.0 => Err(TrainError::OneClass { horizon_days, rows, churned: true }),
        _ => Ok(()),
    }
}

/// SHA-256 over every user's id and records in order.
fn data_hash(histories: &Histories) -> String {
    let mut digest = Sha256::new();
    for kind in histories.kinds() {
        digest.update((kind.len() as u64).to_le_bytes());
        digest.update(kind);
    }
    for (user, history) in histories.iter() {
        digest.update((user.len() as u64).to_le_bytes());
        digest.update(user);
        digest.update((history.records().len() as u64).to_le_bytes());
        for r in history.records() {
            digest.update(r.day.number().to_le_bytes());
            digest.update(r.kind.to_le_bytes());
            digest.update(r.count.to_le_bytes());
            digest.update(r.amount.micros().to_le_bytes());
        }
    }
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn card(
    input: &FitInput<'_>,
    spec: &BundleSpec,
    horizons: Vec<HorizonCard>,
    users: Described,
    leakage_probe: LeakageProbe,
    mut notes: Vec<String>,
) -> Card {
    for horizon in &horizons {
        let days = horizon.horizon_days;
        match horizon.evaluation.as_ref().map(|e| e.beats_recency_only) {
            None => notes.push(format!(
                "The log is too short to judge the {days}-day model on a later date: it was not tested, and nobody can \
                 say whether it beats recency alone."
            )),
            Some(Some(false)) => {
                notes.push(format!("The {days}-day model does not beat a model that knows recency only."));
            }
            Some(_) => {}
        }
    }
    let Described { segments, stages, stage_sizes, transitions, retention } = users;
    let training = &spec.training;
    Card {
        ebb_version: training.ebb_version.clone(),
        as_of: training.as_of,
        first_day: training.first_day,
        last_day: training.last_day,
        users: training.users,
        records: input.histories.record_count() as u64,
        data_hash: training.data_hash.clone(),
        seed: training.seed,
        question: ChurnConfig { horizon_days: spec.schema.horizon_days.clone(), ..input.config.churn.clone() },
        horizons,
        segments,
        stages,
        leakage_probe,
        stage_sizes,
        transitions,
        retention,
        notes,
        data_quality: input.data_quality.clone(),
    }
}
