//! Predictions from histories or feature vectors.
//!
//! [`kernel`] is the arithmetic, for one row or many side by side, over the look-up tables of [`plan`]; [`answer`] is
//! what comes out; [`explain`] finds the reasons of one row; [`matrix`] scores many rows without reasons. This file is
//! the way of one subject.

pub(crate) mod answer;
#[cfg(test)]
mod equivalence;
mod explain;
mod kernel;
pub(crate) mod matrix;
pub(crate) mod plan;
mod value;

use crate::features::Extractor;
use crate::history::{Day, HistoryView};
use crate::lifecycle::{Behaviour, Eligibility, NotEligible, classify, is_inactive};
use crate::math::sigmoid;
use crate::model::{Bundle, ModelError};
use answer::{HorizonContributions, HorizonScore, Prediction, Score, SegmentMatch, Subject};
use explain::Explanation;
use kernel::{Kernel, contradicts};

/// Scores subject after subject, keeping its buffers; comes from [`Bundle::predictor`].
#[derive(Clone, Debug)]
pub struct Predictor<'m> {
    bundle: &'m Bundle,
    kinds: &'m [String],
    /// Made for the first history.
    reader: Option<(Eligibility, Extractor<'m>)>,
    extracted: Vec<f64>,
    kernel: Kernel<1>,
    /// The derived numbers of the last vector, not standardised; NaN where unknown.
    derived: Vec<f64>,
    /// Made for the first tier of a history.
    checkpoint: Option<value::Checkpoint<'m>>,
    /// Whether the reasons of the spend are found, too.
    value_reasons: bool,
    /// Of the part for potential users, where the bundle has one.
    conversion: Option<Box<Predictor<'m>>>,
}

impl Bundle {
    /// Scores subjects one after another. Histories' records refer to `kinds`.
    pub fn predictor<'m>(&'m self, kinds: &'m [String]) -> Predictor<'m> {
        Predictor {
            bundle: self,
            kinds,
            reader: None,
            extracted: Vec::new(),
            kernel: Kernel::new(self.plan()),
            derived: Vec::new(),
            checkpoint: None,
            value_reasons: true,
            conversion: self
                .conversion()
                .map(|part| Box::new(part.predictor(kinds))),
        }
    }
}

impl<'m> Predictor<'m> {
    /// Leaves out the reasons of the spend, where nobody reads them.
    pub fn without_value_reasons(self) -> Self {
        Self {
            value_reasons: false,
            ..self
        }
    }

    /// Scores a subject as known at the start of `as_of`. The first `reason_count` reasons of each horizon are explained;
    /// putting them into words takes longer than scoring.
    ///
    /// # Errors
    /// [`ModelError::Width`] for a vector of the wrong width, [`ModelError::Needed`] for one without recency, tenure or
    /// active days.
    pub fn predict(
        &mut self,
        subject: Subject<'_>,
        as_of: Day,
        reason_count: usize,
    ) -> Result<Prediction<'m>, ModelError> {
        match subject {
            Subject::Features(vector) => self.predict_vector(vector, reason_count),
            Subject::History(history) => self.predict_history(history, as_of, reason_count),
        }
    }

    /// Scores a history with all reasons, and what every feature adds to the answer of each horizon; nothing of a
    /// history without a score.
    ///
    /// # Errors
    /// Those of [`Self::predict`].
    pub fn explain(
        &mut self,
        history: HistoryView<'_>,
        as_of: Day,
    ) -> Result<(Prediction<'m>, Vec<HorizonContributions<'m>>), ModelError> {
        let groups = self.bundle.plan().groups.len();
        let prediction = self.predict(Subject::History(history), as_of, groups)?;
        let contributions = match prediction {
            // The kernel still holds the standardised numbers.
            Prediction::Scored(_) => self.contributions(),
            _ => Vec::new(),
        };
        Ok((prediction, contributions))
    }

    /// Whether a potential user will convert, as known at the start of `as_of`: an answer for each horizon, shortest first, with
    /// the first `reason_count` reasons. `None` for a user who is not a potential one, and without a model of conversion.
    ///
    /// # Errors
    /// Those of [`Self::predict`].
    pub fn conversion(
        &mut self,
        history: HistoryView<'_>,
        as_of: Day,
        reason_count: usize,
    ) -> Result<Option<Vec<HorizonScore<'m>>>, ModelError> {
        let Some(part) = &mut self.conversion else {
            return Ok(None);
        };
        let subject = Subject::History(history);
        Ok(match part.predict(subject, as_of, reason_count)? {
            Prediction::Scored(score) => Some(score.horizons),
            Prediction::TooNew | Prediction::Inactive { .. } | Prediction::AlreadyChurned => None,
        })
    }

    fn predict_history(
        &mut self,
        history: HistoryView<'_>,
        as_of: Day,
        reason_count: usize,
    ) -> Result<Prediction<'m>, ModelError> {
        let Self { bundle, kinds, .. } = *self;
        let (eligibility, extractor) = self
            .reader
            .get_or_insert_with(|| (bundle.eligibility(kinds), bundle.extractor(kinds)));
        match eligibility.at(history, as_of) {
            Err(NotEligible::NotYetSeen | NotEligible::NoActivity) => {
                return Ok(Prediction::TooNew);
            }
            // The event that is asked about lies behind the user.
            Err(NotEligible::AlreadyChurned | NotEligible::AlreadyConverted) => {
                return Ok(Prediction::AlreadyChurned);
            }
            // For how long is in the features.
            Ok(()) | Err(NotEligible::Inactive) => {}
        }
        let mut vector = std::mem::take(&mut self.extracted);
        vector.resize(bundle.catalogue().len(), f64::NAN);
        extractor.extract(history, as_of, &mut vector);
        let prediction = self.predict_vector(&vector, reason_count);
        self.extracted = vector;
        let mut prediction = prediction?;
        if let Prediction::Scored(Score {
            value: Some(value), ..
        }) = &mut prediction
            && value.tier.is_some()
        {
            self.hold_tier(value, history, as_of)?;
        }
        Ok(prediction)
    }

    fn predict_vector(
        &mut self,
        vector: &[f64],
        reason_count: usize,
    ) -> Result<Prediction<'m>, ModelError> {
        let bundle = self.bundle;
        let (spec, plan) = (bundle.spec(), bundle.plan());
        let behaviour = match bundle.behaviour(vector)? {
            Ok(behaviour) => behaviour,
            Err(Unscored::TooNew) => return Ok(Prediction::TooNew),
            Err(Unscored::Inactive { recency_days }) => {
                return Ok(Prediction::Inactive { recency_days });
            }
            Err(Unscored::Lacks(position)) => {
                let name = bundle.catalogue().features()[position].name.clone();
                return Err(ModelError::Needed { name });
            }
        };
        let (stage, rule) = classify(&behaviour, &spec.lifecycle, spec.active_within_days);
        self.kernel.set_row(0, vector);
        self.kernel.derive(plan, 0);
        self.derived.clear();
        self.derived
            .extend_from_slice(&self.kernel.numbers()[vector.len()..]);
        self.kernel.standardise(plan);
        let horizons = self.horizons(vector, reason_count);
        let churn = horizons.last().map_or(f64::NAN, |h| h.probability);
        Ok(Prediction::Scored(Score {
            value: self.value(
                vector,
                churn,
                if self.value_reasons { reason_count } else { 0 },
            ),
            horizons,
            stage,
            rule,
            segment: self.segment(),
        }))
    }

    /// Every horizon's answer. A longer silence is never likelier than a shorter one: where a longer horizon's own model
    /// contradicts that, the shorter one's answer holds for it, reasons and all.
    fn horizons(&mut self, vector: &[f64], reason_count: usize) -> Vec<HorizonScore<'m>> {
        let bundle = self.bundle;
        let (spec, plan) = (bundle.spec(), bundle.plan());
        let silence = bundle.question().is_silence();
        let mut answers: Vec<HorizonScore<'m>> = Vec::with_capacity(plan.models.len());
        for (compiled, model) in plan.models.iter().zip(&spec.models) {
            let horizon_days = model.horizon_days;
            self.kernel.contribute(plan, compiled);
            let effects = self.kernel.effects(0);
            let log_odds = effects.log_odds(compiled);
            let shorter = answers
                .last()
                .filter(|shorter| contradicts(shorter.log_odds, log_odds, silence));
            if let Some(shorter) = shorter {
                let capped = HorizonScore {
                    horizon_days,
                    ..shorter.clone()
                };
                answers.push(capped);
                continue;
            }
            let probability = sigmoid(log_odds);
            let explanation = Explanation {
                bundle,
                model: compiled,
                kernel: &self.kernel,
                vector,
                derived: &self.derived,
            };
            let (explained, others) = effects
                .ranked()
                .split_at(reason_count.min(effects.ranked().len()));
            answers.push(HorizonScore {
                horizon_days,
                probability,
                band: spec.bands.of(probability),
                log_odds,
                base_log_odds: compiled.base_log_odds,
                reasons: explained
                    .iter()
                    .map(|(group, effect)| explanation.reason(*group, *effect))
                    .collect(),
                // Not `sum`: over nothing that is -0.
                other_contribution: others.iter().fold(0.0, |sum, (_, effect)| sum + effect),
            });
        }
        answers
    }

    /// What every feature adds to the answers of the last history that was scored; see [`Self::horizons`].
    fn contributions(&mut self) -> Vec<HorizonContributions<'m>> {
        let bundle = self.bundle;
        let (spec, plan) = (bundle.spec(), bundle.plan());
        let silence = bundle.question().is_silence();
        let mut answers: Vec<HorizonContributions<'m>> = Vec::with_capacity(plan.models.len());
        let mut answered = None;
        for (compiled, model) in plan.models.iter().zip(&spec.models) {
            let horizon_days = model.horizon_days;
            self.kernel.contribute(plan, compiled);
            let log_odds = self.kernel.effects(0).log_odds(compiled);
            let shorter = answers.last().zip(answered);
            if let Some((shorter, answered)) = shorter
                && contradicts(answered, log_odds, silence)
            {
                let capped = HorizonContributions {
                    horizon_days,
                    ..shorter.clone()
                };
                answers.push(capped);
                continue;
            }
            answered = Some(log_odds);
            let explanation = Explanation {
                bundle,
                model: compiled,
                kernel: &self.kernel,
                vector: &self.extracted,
                derived: &self.derived,
            };
            answers.push(HorizonContributions {
                horizon_days,
                answered_by_horizon_days: horizon_days,
                features: explanation.contributions(),
            });
        }
        answers
    }

    fn segment(&self) -> Option<SegmentMatch<'m>> {
        let segments = &self.bundle.spec().segments;
        let [nearest] = self
            .kernel
            .nearest_segments(segments, &self.bundle.plan().segments);
        nearest.map(|(id, squared)| SegmentMatch {
            id,
            key: segments.items[id].key,
            name: &segments.items[id].name,
            distance: squared.sqrt(),
        })
    }
}

/// Why a feature vector has no score.
enum Unscored {
    /// No activity to predict from.
    TooNew,
    /// A feature that every answer needs is unknown: its position.
    Lacks(usize),
    /// No activity for longer than users count as active.
    Inactive { recency_days: f64 },
}

impl Bundle {
    /// The behaviour that a feature vector describes, or why it has no score. Fails on a vector of the wrong width.
    #[inline]
    fn behaviour(&self, vector: &[f64]) -> Result<Result<Behaviour, Unscored>, ModelError> {
        let expected = self.catalogue().len();
        if vector.len() != expected {
            let found = vector.len();
            return Err(ModelError::Width { expected, found });
        }
        let positions = &self.plan().positions;
        // Before all else: of a user without activity nothing else can be known.
        if vector[positions.active_days] == 0.0 {
            return Ok(Err(Unscored::TooNew));
        }
        Ok(match positions.behaviour(vector) {
            Err(position) => Err(Unscored::Lacks(position)),
            Ok(Behaviour { recency_days, .. })
                if is_inactive(recency_days, self.spec().active_within_days) =>
            {
                Err(Unscored::Inactive { recency_days })
            }
            Ok(behaviour) => Ok(behaviour),
        })
    }
}
