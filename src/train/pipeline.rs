//! The whole fit: histories in, bundle content and card out.

use super::TrainError;
use super::checks::few_rows::few_rows;
use super::checks::leakage::{LeakageProbe, probe_catalogue};
use super::checks::mapping_doubts::{Returning, no_amounts};
use super::data::dataset::Dataset;
use super::data::labels::{ChurnConfig, DropCounts, Labeller};
use super::estimators::transform::{fit_bg_nbd, fit_design};
use super::horizon::{FittedHorizon, HorizonInput, fit_horizon};
use super::population::{Described, Population};
use super::selection::candidate::LEAST_ROWS;
use crate::card::{Card, HorizonCard};

use super::checks::target_leakage;
use super::data::snapshots::{Observed, Schedule, Spacing};
use super::estimators::segments::fit_segments;
use super::evaluation::slices::Slicer;
use super::settings::TrainConfig;

use crate::features::{Catalogue, FeatureSchema};
use crate::history::{Coverage, Day, Histories};
use crate::model::{BundleSpec, FORMAT_VERSION, Preprocessing, Segments, Training, version};

/// What a fit works on.
#[derive(Clone, Copy, Debug)]
pub struct FitInput<'a> {
    /// All users' histories, nothing at or after `as_of` in them.
    pub histories: &'a Histories,
    /// What the log covers.
    pub coverage: &'a Coverage,
    /// The configuration.
    pub config: &'a TrainConfig,
    /// No event at or after this day is used.
    pub as_of: Day,
    /// Whether to fit the random forest beside the model.
    pub random_forest: bool,
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
    let FitInput {
        histories,
        coverage,
        config,
        as_of,
        ..
    } = *input;
    config.check()?;
    let span = histories.span().filter(|(first, _)| *first < as_of);
    let Some((first, last)) = span else {
        return Err(TrainError::NoEvents { as_of });
    };
    let mut notes = target_leakage::in_columns(histories, &config.model.allow_leakage)?;
    let schema = schema(histories, config, &mut notes)?;
    let catalogue = Catalogue::new(schema.clone())?;
    let observed = Observed::new(first, coverage, as_of);
    notes.extend(coverage_notes(coverage, &observed, as_of));
    let labeller = Labeller::new(&config.churn, histories.kinds(), observed.clone());
    let ground = Ground {
        input,
        catalogue: &catalogue,
        labeller: &labeller,
        observed: &observed,
    };
    notes.extend(no_amounts(input.data_quality));
    notes.extend(ground.returning()?.note());
    let mut fitted: Vec<FittedHorizon> = Vec::new();
    let mut shared: Option<Shared> = None;
    for &horizon_days in &schema.horizon_days {
        let (schedule, data, dropped) = ground.rows(horizon_days)?;
        notes.extend(target_leakage::in_rows(
            &data,
            &catalogue,
            horizon_days,
            &config.model.allow_leakage,
        )?);
        let shared = match &mut shared {
            Some(shared) => &*shared,
            none => none.insert(ground.shared(&data, &schedule, horizon_days)?),
        };
        let mut done = ground.fit(&data, &schedule, shared, horizon_days)?;
        done.card.dropped = dropped;
        fitted.push(done);
    }
    let Some(Shared {
        design,
        segments,
        users,
    }) = shared
    else {
        return Err(TrainError::NoEvents { as_of });
    };
    let spec = BundleSpec {
        format_version: FORMAT_VERSION,
        feature_hash: catalogue.hash(),
        schema,
        timezone: config.timezone.clone(),
        active_within_days: config.churn.active_within_days,
        lead_days: config.churn.lead_days,
        churn_event: config.churn.churn_event.clone(),
        preprocessing: design,
        models: fitted.iter().map(|f| f.model.clone()).collect(),
        bands: config.bands,
        segments,
        lifecycle: config.lifecycle.clone(),
        training: training(input, &fitted, first, last)?,
    };
    let probe = probe_catalogue(
        histories,
        &catalogue,
        &spec.training.snapshots,
        config.model.seed,
    )?;
    let mut card = card(
        input,
        &spec,
        fitted.into_iter().map(|f| f.card).collect(),
        users,
        probe,
        notes,
    );
    card.model_version = version(&spec)?;
    Ok(Fit { spec, card })
}

/// What all horizons are fitted from.
#[derive(Clone, Copy)]
struct Ground<'a> {
    input: &'a FitInput<'a>,
    catalogue: &'a Catalogue,
    labeller: &'a Labeller,
    observed: &'a Observed,
}

/// What all horizons have in common, made from the rows of the shortest.
struct Shared {
    design: Preprocessing,
    segments: Segments,
    users: Described,
}

impl Ground<'_> {
    /// A horizon's dates, its labelled rows and what was dropped on the way.
    fn rows(&self, horizon_days: u16) -> Result<(Schedule, Dataset, DropCounts), TrainError> {
        let TrainConfig { churn, model, .. } = self.input.config;
        let spacing = Spacing {
            days: model.spacing_days,
            most: model.snapshots,
        };
        let schedule = Schedule::new(self.observed, churn.lead_days, horizon_days, spacing)?;
        let mut dropped = DropCounts::new();
        let (histories, dates, most) = (self.input.histories, &schedule.fit, model.most_rows);
        let data = Dataset::build(
            histories,
            self.catalogue,
            self.labeller,
            dates,
            horizon_days,
            most,
            &mut dropped,
        )?;
        self.check_rows(&data, &dropped, horizon_days)?;
        Ok((schedule, data, dropped))
    }

    /// Whether there is something to learn from, and if not, why.
    fn check_rows(
        &self,
        data: &Dataset,
        dropped: &DropCounts,
        horizon_days: u16,
    ) -> Result<(), TrainError> {
        let churn = &self.input.config.churn;
        let rows = data.len();
        let mut users = data.users.clone();
        users.dedup();
        if rows < LEAST_ROWS || users.len() < 2 {
            let (users, least) = (users.len(), LEAST_ROWS);
            let cause = few_rows(churn, self.input.histories.len(), dropped);
            return Err(TrainError::TooFewRows {
                horizon_days,
                rows,
                users,
                least,
                cause,
            });
        }
        let silence = churn.churn_event.is_none();
        match data.churn_rate() {
            0.0 => Err(TrainError::OneClass {
                horizon_days,
                rows,
                churned: false,
                silence,
            }),
            1.0 => {
                let Returning { active, returned } = self.returning()?;
                if silence && returned == 0 {
                    return Err(TrainError::NobodyReturns {
                        users: active,
                        activity: churn.activity.clone(),
                    });
                }
                Err(TrainError::OneClass {
                    horizon_days,
                    rows,
                    churned: true,
                    silence,
                })
            }
            _ => Ok(()),
        }
    }

    fn returning(&self) -> Result<Returning, TrainError> {
        Ok(Returning::of(
            self.input.histories,
            self.labeller,
            self.observed.until,
        )?)
    }

    fn shared(
        &self,
        data: &Dataset,
        schedule: &Schedule,
        horizon_days: u16,
    ) -> Result<Shared, TrainError> {
        let FitInput {
            histories,
            config,
            as_of,
            ..
        } = *self.input;
        let bg_nbd = fit_bg_nbd(histories, self.labeller, self.observed.until)?;
        let design = fit_design(data, self.catalogue, bg_nbd);
        let columns = design
            .columns
            .get(..self.catalogue.len())
            .unwrap_or_default();
        let newest = data.at(schedule
            .fit
            .last()
            .map(std::slice::from_ref)
            .unwrap_or_default());
        let z: Vec<f64> = newest
            .rows()
            .flat_map(|raw| columns.iter().zip(raw).map(|(c, x)| c.standardise(*x)))
            .collect();
        let segments = fit_segments(
            self.catalogue,
            &z,
            &newest.labels,
            &config.segments,
            config.model.seed,
        )?;
        let mut shared = Shared {
            design,
            segments,
            users: Described::default(),
        };
        let slicer = self.slicer(&shared);
        let all = Population {
            histories,
            labeller: self.labeller,
            slicer: &slicer,
        };
        shared.users = all.describe(
            data,
            &schedule.fit,
            self.observed,
            as_of,
            i32::from(horizon_days),
        )?;
        Ok(shared)
    }

    fn slicer<'s>(&'s self, shared: &'s Shared) -> Slicer<'s> {
        Slicer {
            catalogue: self.catalogue,
            columns: shared
                .design
                .columns
                .get(..self.catalogue.len())
                .unwrap_or_default(),
            segments: &shared.segments,
            thresholds: &self.input.config.lifecycle,
            active_within_days: self.input.config.churn.active_within_days,
        }
    }

    fn fit(
        &self,
        data: &Dataset,
        schedule: &Schedule,
        shared: &Shared,
        horizon_days: u16,
    ) -> Result<FittedHorizon, TrainError> {
        fit_horizon(&HorizonInput {
            histories: self.input.histories,
            labeller: self.labeller,
            data,
            schedule,
            design: &shared.design,
            silence: self.input.config.churn.churn_event.is_none(),
            catalogue: self.catalogue,
            horizon_days,
            config: &self.input.config.model,
            random_forest: self.input.random_forest,
            slicer: &self.slicer(shared),
        })
    }
}

/// What a reader should know of what the log covers.
fn coverage_notes(coverage: &Coverage, observed: &Observed, as_of: Day) -> Vec<String> {
    let mut notes = Vec::new();
    if observed.until < as_of {
        let last = observed.until.plus(-1);
        let what = if observed.until < coverage.span.until {
            "The feed of the kinds that tell churn"
        } else {
            "The log"
        };
        notes.push(format!(
            "{what} ends on {last}; labels count as observed up to then, not up to {as_of}."
        ));
    }
    for hole in &coverage.holes {
        let (from, last, days) = (hole.days.from, hole.days.until.plus(-1), hole.days.days());
        notes.push(format!(
            "The {days} days from {from} to {last} were not observed: some {:.0} users were to be expected. Label windows \
             that overlap them do not count. If the business was closed, set events.hole = \"keep\".",
            hole.expected_users
        ));
    }
    notes
}

/// Where the bundle comes from.
fn training(
    input: &FitInput<'_>,
    fitted: &[FittedHorizon],
    first_day: Day,
    last_day: Day,
) -> Result<Training, TrainError> {
    Ok(Training {
        as_of: input.as_of,
        first_day,
        last_day,
        snapshots: fitted
            .first()
            .map(|f| f.card.snapshots.clone())
            .unwrap_or_default(),
        rows: fitted.iter().map(|f| f.card.rows).sum(),
        users: input.histories.len() as u64,
        data_hash: input.histories.digest()?,
        kinds: input.histories.kinds().to_vec(),
        seed: input.config.model.seed,
        ebb_version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

/// Which kinds and horizons the catalogue is made from.
pub(crate) fn schema(
    histories: &Histories,
    config: &TrainConfig,
    notes: &mut Vec<String>,
) -> Result<FeatureSchema, TrainError> {
    let kinds = histories.kinds();
    let churn = &config.churn;
    let (present, absent): (Vec<&String>, Vec<&String>) =
        churn.activity.iter().partition(|k| kinds.contains(k));
    if present.is_empty() {
        return Err(TrainError::NoActivity {
            activity: churn.activity.clone(),
            kinds: kinds.to_vec(),
        });
    }
    if let Some(name) = churn
        .churn_event
        .as_ref()
        .filter(|name| !kinds.contains(name))
    {
        return Err(TrainError::NoChurnEvent {
            name: name.clone(),
            kinds: kinds.to_vec(),
        });
    }
    notes.extend(
        absent
            .iter()
            .map(|k| format!("The activity kind `{k}` does not occur in the log.")),
    );
    let users = histories.totals().kinds().iter().map(|kind| kind.users);
    let widespread = (histories.len() as u64 / 100).max(10);
    let mut others: Vec<(u64, &String)> = users
        .zip(kinds)
        .filter(|(n, k)| *n >= widespread && !churn.activity.contains(k))
        .collect();
    others.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    // The most widespread are chosen, and stand in order of their names: how widespread they are changes with every log,
    // and the order of features must not.
    let mut other_kinds: Vec<String> = others
        .into_iter()
        .take(config.model.kinds)
        .map(|(_, k)| k.clone())
        .collect();
    other_kinds.sort_unstable();
    let mut horizon_days = churn.horizon_days.clone();
    horizon_days.sort_unstable();
    horizon_days.dedup();
    Ok(FeatureSchema {
        activity: present.into_iter().cloned().collect(),
        other_kinds,
        horizon_days,
        amounts: histories.totals().has_amounts(),
    })
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
            None => notes.push(horizon.untested_words(&input.config.churn)),
            Some(Some(false)) => {
                notes.push(format!(
                    "The {days}-day model does not beat a model that knows recency only."
                ));
            }
            Some(_) => {}
        }
    }
    let Described {
        segments,
        stages,
        stage_sizes,
        transitions,
        retention,
    } = users;
    let training = &spec.training;
    Card {
        schema_version: crate::card::SCHEMA_VERSION,
        ebb_version: training.ebb_version.clone(),
        model_version: String::new(),
        config_hash: input.config.hash.clone(),
        as_of: training.as_of,
        first_day: training.first_day,
        last_day: training.last_day,
        users: training.users,
        records: input.histories.record_count() as u64,
        data_hash: training.data_hash.clone(),
        seed: training.seed,
        label_definition: ChurnConfig {
            horizon_days: spec.schema.horizon_days.clone(),
            ..input.config.churn.clone()
        },
        horizons,
        segments,
        stages,
        leakage_probe,
        stage_sizes,
        transitions,
        retention,
        notes,
        coverage: Some(input.coverage.clone()),
        data_quality: input.data_quality.clone(),
    }
}
