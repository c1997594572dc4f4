use super::ModelError;
use super::bundle::{Bundle, ChurnModel, RiskBand};
use super::design::Derived;
use crate::features::{Extractor, Quantity, Theme};
use crate::history::{Day, HistoryView};
use crate::lifecycle::{Behaviour, Rule, Stage, classify};
use crate::math::sigmoid;

/// Whom to score.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// A user's history.
    History(HistoryView<'a>),
    /// A feature vector in catalogue order, NaN where unknown.
    Features(&'a [f64]),
}

/// What a model can say of a user.
#[derive(Clone, Debug, PartialEq)]
pub enum Assessment {
    /// A full answer.
    Scored(Box<Score>),
    /// There is no activity before the as-of day to judge by.
    TooNew,
    /// No activity for longer than users count as active: the model was not made for them.
    Inactive {
        /// Days since the last activity.
        recency_days: f64,
    },
    /// The churn event already happened, and no activity since.
    AlreadyChurned,
}

/// One user's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// One entry for each horizon, shortest first.
    pub horizons: Vec<HorizonScore>,
    /// The lifecycle stage.
    pub stage: Stage,
    /// The rule that decided the stage.
    pub rule: Rule,
    /// The nearest segment; `None` when the bundle has none.
    pub segment: Option<SegmentMatch>,
}

/// The churn probability of one horizon and what it is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct HorizonScore {
    /// The horizon in days.
    pub horizon_days: u16,
    /// Probability of churn within the horizon.
    pub probability: f64,
    /// The probability in words.
    pub band: RiskBand,
    /// Log-odds of the probability: `base_log_odds` plus all contributions.
    pub log_odds: f64,
    /// Log-odds of the average user.
    pub base_log_odds: f64,
    /// What each theme adds to the log-odds, largest effect first.
    pub reasons: Vec<Reason>,
}

/// What one theme adds to a user's log-odds, told by its most telling feature.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason {
    /// The theme.
    pub theme: Theme,
    /// The sum of the contributions of the theme's features to the log-odds; positive raises churn.
    pub contribution: f64,
    /// The theme's feature with the largest contribution in the same direction.
    pub feature: String,
    /// That feature's raw value; `None` when it is unknown.
    pub value: Option<f64>,
    /// The unit of the value.
    pub unit: &'static str,
    /// A sentence on it; empty for reasons beyond those that were to be told.
    pub sentence: String,
}

/// The segment nearest to a user.
#[derive(Clone, Debug, PartialEq)]
pub struct SegmentMatch {
    /// Position in the bundle's segments.
    pub id: usize,
    /// The segment's name.
    pub name: String,
    /// Euclidean distance to its centre, in standard deviations.
    pub distance: f64,
}

impl Bundle {
    /// Scores a subject as known at the start of `as_of`. `extractor` comes from [`Bundle::extractor`] and is
    /// read only for histories. The first `told` reasons of each horizon are put into words; wording takes longer
    /// than scoring. Fails on a vector of the wrong width or without recency, tenure or active days.
    pub fn assess(
        &self,
        subject: Subject<'_>,
        as_of: Day,
        extractor: &mut Extractor<'_>,
        told: usize,
    ) -> Result<Assessment, ModelError> {
        let mut extracted;
        let vector = match subject {
            Subject::Features(vector) => vector,
            Subject::History(history) => {
                extracted = vec![f64::NAN; self.catalogue().len()];
                if !extractor.extract(history, as_of, &mut extracted) {
                    return Ok(Assessment::TooNew);
                }
                if extractor.ended(history, as_of) {
                    return Ok(Assessment::AlreadyChurned);
                }
                &extracted
            }
        };
        self.assess_vector(vector, told)
    }

    fn assess_vector(&self, vector: &[f64], told: usize) -> Result<Assessment, ModelError> {
        if vector.len() != self.catalogue().len() {
            return Err(ModelError::Width { expected: self.catalogue().len(), found: vector.len() });
        }
        if self.raw(vector, Quantity::ActiveDays) == Some(0.0) {
            return Ok(Assessment::TooNew);
        }
        let behaviour = Behaviour::of(self.catalogue(), vector).map_err(|name| ModelError::Needed { name })?;
        if behaviour.recency_days > f64::from(self.spec().active_within_days) {
            return Ok(Assessment::Inactive { recency_days: behaviour.recency_days });
        }
        let (stage, rule) = classify(&behaviour, &self.spec().lifecycle, self.spec().active_within_days);
        let z = self.standardise(vector);
        Ok(Assessment::Scored(Box::new(Score {
            horizons: self.horizons(vector, &z, told),
            stage,
            rule,
            segment: self.segment(&z),
        })))
    }

    /// The standardised features and derived numbers of a raw vector.
    pub fn standardise(&self, vector: &[f64]) -> Vec<f64> {
        let mut z = Vec::with_capacity(self.spec().design.columns.len());
        self.spec().design.standardise(self.catalogue(), vector, &mut z);
        z
    }

    /// Every horizon's answer. A longer silence is never likelier than a shorter one: where a longer horizon's
    /// own model says otherwise, the shorter one's answer holds for it, reasons and all.
    fn horizons(&self, vector: &[f64], z: &[f64], told: usize) -> Vec<HorizonScore> {
        let mut answers: Vec<HorizonScore> = Vec::with_capacity(self.spec().models.len());
        let silence = self.spec().churn_event.is_none();
        for model in &self.spec().models {
            let own = self.horizon(model, vector, z, told);
            let held = answers.last().filter(|shorter| {
                if silence { shorter.log_odds < own.log_odds } else { shorter.log_odds > own.log_odds }
            });
            answers.push(match held {
                Some(shorter) => HorizonScore { horizon_days: model.horizon_days, ..shorter.clone() },
                None => own,
            });
        }
        answers
    }

    fn horizon(&self, model: &ChurnModel, vector: &[f64], z: &[f64], told: usize) -> HorizonScore {
        let slope = model.calibration.slope;
        let base_log_odds = model.calibration.intercept + slope * model.intercept;
        let contributions: Vec<f64> = model.contributions(z).into_iter().map(|c| slope * c).collect();
        let reasons = self.reasons(&contributions, vector, told);
        let log_odds = base_log_odds + reasons.iter().map(|r| r.contribution).sum::<f64>();
        let probability = sigmoid(log_odds);
        let band = self.spec().bands.of(probability);
        HorizonScore { horizon_days: model.horizon_days, probability, band, log_odds, base_log_odds, reasons }
    }

    fn reasons(&self, contributions: &[f64], vector: &[f64], told: usize) -> Vec<Reason> {
        const THEMES: [Theme; 6] =
            [Theme::Recency, Theme::Frequency, Theme::Tenure, Theme::Rhythm, Theme::Amount, Theme::OtherKinds];
        let features = self.catalogue().features();
        let themes = || features.iter().map(|f| f.theme).chain(self.derived().iter().map(|d| d.theme()));
        let mut reasons: Vec<(usize, Reason)> = Vec::with_capacity(THEMES.len());
        for theme in THEMES {
            let members = || themes().zip(contributions).enumerate().filter(move |(_, (t, _))| *t == theme);
            let contribution: f64 = members().map(|(_, (_, c))| c).sum();
            let telling = members().max_by(|(_, (_, a)), (_, (_, b))| {
                (*a * contribution.signum()).total_cmp(&(*b * contribution.signum()))
            });
            let Some((position, _)) = telling else { continue };
            reasons.push((position, self.reason(theme, contribution, position, vector)));
        }
        reasons.sort_by(|(_, a), (_, b)| b.contribution.abs().total_cmp(&a.contribution.abs()));
        for (position, reason) in reasons.iter_mut().take(told) {
            reason.sentence = self.sentence(*position, vector, reason.value);
        }
        reasons.into_iter().map(|(_, reason)| reason).collect()
    }

    /// A reason, not yet put into words, told by the column at `position`.
    fn reason(&self, theme: Theme, contribution: f64, position: usize, vector: &[f64]) -> Reason {
        let known = |value: &f64| !value.is_nan();
        let (feature, unit, value) = match self.catalogue().features().get(position) {
            Some(f) => (f.name.clone(), f.unit, vector.get(position).copied().filter(known)),
            None => {
                let derived = self.derived().get(position - self.catalogue().len());
                let value = derived.and_then(|d| self.spec().design.derive(self.catalogue(), vector, *d));
                let (name, unit) = derived.map_or((String::new(), ""), |d| (d.name(), d.unit()));
                (name, unit, value)
            }
        };
        Reason { theme, contribution, feature, value, unit, sentence: String::new() }
    }

    fn sentence(&self, position: usize, vector: &[f64], value: Option<f64>) -> String {
        let derived = position.checked_sub(self.catalogue().len()).and_then(|k| self.derived().get(k));
        let own = match derived {
            // What a silence means is told by what anyone can check: how long it is, and how long it usually is.
            Some(Derived::Alive | Derived::Silent(_)) => {
                self.catalogue().position(Quantity::Recency).and_then(|p| self.catalogue().phrase(p, vector))
            }
            Some(Derived::Rate) => value.map(|days| format!("as frequent as users with {days:.1} active days a year")),
            None => self.catalogue().phrase(position, vector),
        };
        own.unwrap_or_else(|| {
            let feature = self.catalogue().features().get(position).map(|f| f.sentence.clone());
            let sentence = feature.or_else(|| derived.map(|d| d.sentence())).unwrap_or_default();
            format!("{}: unknown", sentence.trim_end_matches('.'))
        })
    }

    /// The segment nearest to a standardised vector.
    pub fn segment(&self, z: &[f64]) -> Option<SegmentMatch> {
        let point: Vec<f64> = self.segment_positions().iter().filter_map(|p| z.get(*p)).copied().collect();
        let segments = &self.spec().segments;
        let (id, distance) = segments.nearest(&point)?;
        segments.items.get(id).map(|s| SegmentMatch { id, name: s.name.clone(), distance })
    }

    /// The raw value of a quantity in a feature vector; `None` when unknown or not in the catalogue.
    pub fn raw(&self, vector: &[f64], quantity: Quantity) -> Option<f64> {
        let position = self.catalogue().position(quantity)?;
        vector.get(position).copied().filter(|v| !v.is_nan())
    }
}
