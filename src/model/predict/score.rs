use super::plan::Weighing;
use crate::features::{Contrast, Extractor, FeatureGroup, Quantity};
use crate::history::{Day, HistoryView};
use crate::lifecycle::{Eligibility, NotEligible, Rule, Stage, classify, is_inactive};
use crate::math::sigmoid;
use crate::model::ModelError;
use crate::model::bundle::{Bundle, RiskBand};
use crate::model::transform::Derived;

/// Whom to score.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// A user's history.
    History(HistoryView<'a>),
    /// A feature vector in catalogue order, NaN where unknown.
    Features(&'a [f64]),
}

/// What a model can say of a user; names are the bundle's.
#[derive(Clone, Debug, PartialEq)]
pub enum Prediction<'m> {
    /// A full answer.
    Scored(Score<'m>),
    /// There is no activity before the as-of day to judge by.
    TooNew,
    /// No activity for longer than users count as active: the model was not made for them.
    Inactive {
        /// Days since the last activity.
        recency_days: f64,
    },
    /// The churn event already happened, however long ago, and no activity since.
    AlreadyChurned,
}

/// One user's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Score<'m> {
    /// One entry for each horizon, shortest first.
    pub horizons: Vec<HorizonScore<'m>>,
    /// The lifecycle stage.
    pub stage: Stage,
    /// The rule that decided the stage.
    pub rule: Rule,
    /// The nearest segment; `None` when the bundle has none.
    pub segment: Option<SegmentMatch<'m>>,
}

/// The churn probability of one horizon and what it is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct HorizonScore<'m> {
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
    /// What groups add to the log-odds, largest effect first; as many as were to be told.
    pub reasons: Vec<Reason<'m>>,
    /// The sum of what the other groups add.
    pub other_contribution: f64,
}

/// What one group adds to a user's log-odds, told by its most telling feature.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason<'m> {
    /// The group.
    pub group: FeatureGroup,
    /// The sum of the contributions of the group's features to the log-odds; positive raises churn.
    pub contribution: f64,
    /// The group's feature that tells it: its own contribution goes the same way, and its value does as a reader expects.
    pub feature: &'m str,
    /// That feature's raw value; `None` when it is unknown.
    pub value: Option<f64>,
    /// The unit of the value.
    pub unit: &'static str,
    /// A description on it.
    pub description: String,
}

/// The segment nearest to a user.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SegmentMatch<'m> {
    /// Position in the bundle's segments.
    pub id: usize,
    /// The segment's name.
    pub name: &'m str,
    /// Euclidean distance to its centre, in standard deviations.
    pub distance: f64,
}

/// Scores subject after subject, keeping its buffers; comes from [`Bundle::predictor`].
#[derive(Clone, Debug)]
pub struct Predictor<'m> {
    bundle: &'m Bundle,
    kinds: &'m [String],
    /// Made for the first history.
    reader: Option<(Eligibility, Extractor<'m>)>,
    extracted: Vec<f64>,
    scratch: Scratch,
}

/// Room for the numbers of one subject.
#[derive(Clone, Debug, Default)]
struct Scratch {
    /// The derived numbers, NaN where unknown.
    derived: Vec<f64>,
    /// The standardised columns.
    z: Vec<f64>,
    /// What each column adds to the log-odds of a horizon.
    shares: Vec<f64>,
    terms: Vec<f64>,
}

/// Positions in the plan's groups and what they add to the log-odds, the largest effect first.
type Effects = Ordered<6>;

impl Bundle {
    /// Scores subjects one after another. Histories' records refer to `kinds`.
    pub fn predictor<'m>(&'m self, kinds: &'m [String]) -> Predictor<'m> {
        Predictor {
            bundle: self,
            kinds,
            reader: None,
            extracted: Vec::new(),
            scratch: Scratch::default(),
        }
    }

    /// The standardised features and derived numbers of a raw vector.
    pub fn standardise(&self, vector: &[f64]) -> Vec<f64> {
        let mut scratch = Scratch::default();
        scratch.standardise(self, vector);
        scratch.z
    }
}

impl<'m> Predictor<'m> {
    /// Scores a subject as known at the start of `as_of`. The first `told` reasons of each horizon are told; putting
    /// them into words takes longer than scoring. Fails on a vector of the wrong width or without recency, tenure or
    /// active days.
    pub fn predict(
        &mut self,
        subject: Subject<'_>,
        as_of: Day,
        told: usize,
    ) -> Result<Prediction<'m>, ModelError> {
        let history = match subject {
            Subject::Features(vector) => return self.vector(vector, told),
            Subject::History(history) => history,
        };
        let Self { bundle, kinds, .. } = *self;
        let (eligibility, extractor) = self
            .reader
            .get_or_insert_with(|| (bundle.eligibility(kinds), bundle.extractor(kinds)));
        match eligibility.at(history, as_of) {
            Err(NotEligible::NotYetSeen | NotEligible::NoActivity) => {
                return Ok(Prediction::TooNew);
            }
            Err(NotEligible::AlreadyChurned) => return Ok(Prediction::AlreadyChurned),
            // The features tell for how long.
            Ok(()) | Err(NotEligible::Inactive) => {}
        }
        let mut extracted = std::mem::take(&mut self.extracted);
        extracted.resize(bundle.catalogue().len(), f64::NAN);
        extractor.extract(history, as_of, &mut extracted);
        let assessed = self.vector(&extracted, told);
        self.extracted = extracted;
        assessed
    }

    fn vector(&mut self, vector: &[f64], told: usize) -> Result<Prediction<'m>, ModelError> {
        let Self {
            bundle, scratch, ..
        } = self;
        let (catalogue, spec, places) = (bundle.catalogue(), bundle.spec(), &bundle.plan().places);
        if vector.len() != catalogue.len() {
            return Err(ModelError::Width {
                expected: catalogue.len(),
                found: vector.len(),
            });
        }
        if vector.get(places.active_days) == Some(&0.0) {
            return Ok(Prediction::TooNew);
        }
        let behaviour = places
            .behaviour(vector)
            .map_err(|position| ModelError::Needed {
                name: catalogue
                    .features()
                    .get(position)
                    .map(|f| f.name.clone())
                    .unwrap_or_default(),
            })?;
        if is_inactive(behaviour.recency_days, spec.active_within_days) {
            return Ok(Prediction::Inactive {
                recency_days: behaviour.recency_days,
            });
        }
        let (stage, rule) = classify(&behaviour, &spec.lifecycle, spec.active_within_days);
        scratch.standardise(bundle, vector);
        let segment = bundle.segment(&scratch.z);
        let horizons = scratch.horizons(bundle, vector, told);
        Ok(Prediction::Scored(Score {
            horizons,
            stage,
            rule,
            segment,
        }))
    }
}

impl Scratch {
    fn standardise(&mut self, bundle: &Bundle, vector: &[f64]) {
        self.derived.clear();
        if let Some(model) = &bundle.spec().preprocessing.bg_nbd {
            self.derived.extend(Derived::values(
                bundle.derived(),
                model,
                bundle.plan().purchases(vector),
            ));
        }
        self.z.clear();
        self.z.extend_from_slice(vector);
        self.z.extend_from_slice(&self.derived);
        bundle.plan().standardise(&mut self.z);
    }

    /// Every horizon's answer. A longer silence is never likelier than a shorter one: where a longer horizon's
    /// own model says otherwise, the shorter one's answer holds for it, reasons and all.
    fn horizons<'m>(
        &mut self,
        bundle: &'m Bundle,
        vector: &[f64],
        told: usize,
    ) -> Vec<HorizonScore<'m>> {
        let mut answers: Vec<HorizonScore<'m>> = Vec::with_capacity(bundle.plan().models.len());
        let silence = bundle.spec().churn_event.is_none();
        for (weighing, model) in bundle.plan().models.iter().zip(&bundle.spec().models) {
            let horizon_days = model.horizon_days;
            let (log_odds, effects) = self.weigh(bundle, weighing);
            let held = answers
                .last()
                .filter(|shorter| contradicts(shorter.log_odds, log_odds, silence));
            let answer = match held {
                Some(shorter) => HorizonScore {
                    horizon_days,
                    ..shorter.clone()
                },
                None => {
                    let probability = sigmoid(log_odds);
                    let telling = effects.iter().take(told);
                    HorizonScore {
                        horizon_days,
                        probability,
                        band: bundle.spec().bands.of(probability),
                        log_odds,
                        base_log_odds: weighing.base_log_odds,
                        reasons: telling
                            .map(|effect| self.reason(bundle, weighing, effect, vector))
                            .collect(),
                        // Not `sum`: over nothing that is -0.
                        other_contribution: effects
                            .iter()
                            .skip(told)
                            .fold(0.0, |sum, (_, c)| sum + c),
                    }
                }
            };
            answers.push(answer);
        }
        answers
    }

    /// The log-odds by one model, and what each group adds to them.
    fn weigh(&mut self, bundle: &Bundle, weighing: &Weighing) -> (f64, Effects) {
        weighing.contributions(&self.z, &mut self.shares, &mut self.terms);
        let mut effects = Effects::default();
        for (number, (_, members)) in bundle.plan().groups.iter().enumerate() {
            effects.insert(
                number,
                members.iter().filter_map(|k| self.shares.get(*k)).sum(),
            );
        }
        (
            weighing.base_log_odds + effects.iter().map(|(_, c)| c).sum::<f64>(),
            effects,
        )
    }

    /// What a group's effect on the last weighed horizon is told by.
    fn reason<'m>(
        &self,
        bundle: &'m Bundle,
        weighing: &Weighing,
        effect: (usize, f64),
        vector: &[f64],
    ) -> Reason<'m> {
        let (number, contribution) = effect;
        let (group, members) = bundle
            .plan()
            .groups
            .get(number)
            .map_or((FeatureGroup::Recency, &[][..]), |(group, members)| {
                (*group, members)
            });
        let (position, description) = self.telling(bundle, weighing, members, contribution, vector);
        let known = |value: &f64| !value.is_nan();
        let (feature, unit, value) = match bundle.catalogue().features().get(position) {
            Some(f) => (
                f.name.as_str(),
                f.unit,
                vector.get(position).copied().filter(known),
            ),
            None => {
                let k = position - bundle.catalogue().len();
                let name = bundle
                    .plan()
                    .derived_names
                    .get(k)
                    .map_or("", String::as_str);
                let unit = bundle.derived().get(k).map_or("", |d| d.unit());
                (name, unit, self.derived.get(k).copied().filter(known))
            }
        };
        let description =
            description.unwrap_or_else(|| bundle.description(position, vector, value));
        Reason {
            group,
            contribution,
            feature,
            value,
            unit,
            description,
        }
    }
}

impl Scratch {
    /// Which of a group's columns its effect is told by, and the description if it takes more than the column's own value.
    ///
    /// Only a column whose own contribution goes the group's way can tell it. Of those the largest is taken whose value
    /// goes that way as a reader expects: many purchases for staying, few for leaving. Where the weights of columns that
    /// say nearly the same make up for each other, a value may go the other way; that is understood only in contrast to
    /// what the user did lately, if there is one.
    fn telling(
        &self,
        bundle: &Bundle,
        weighing: &Weighing,
        members: &[usize],
        contribution: f64,
        vector: &[f64],
    ) -> (usize, Option<String>) {
        let raises = contribution >= 0.0;
        let towards =
            |k: usize| self.shares.get(k).copied().unwrap_or_default() * contribution.signum();
        let contrast = |k: usize| bundle.catalogue().phrase_by_contrast(k, vector);
        let mut candidates: Vec<usize> = members
            .iter()
            .copied()
            .filter(|k| towards(*k) > 0.0)
            .collect();
        candidates.sort_by(|a, b| towards(*b).total_cmp(&towards(*a)));
        for k in &candidates {
            let is_clear = |contrast: &Contrast| {
                if raises {
                    contrast.is_fall
                } else {
                    contrast.is_rise
                }
            };
            // Whether much of a kind is good or bad is for the reader to say, who needs to know when it was.
            let is_kind = weighing.counts_kind(*k);
            let told = contrast(*k).filter(|contrast| is_kind || is_clear(contrast));
            let z = self.z.get(*k).copied().unwrap_or_default();
            if weighing.is_expected(*k, z, raises) || told.as_ref().is_some_and(is_clear) {
                return (*k, told.map(|contrast| contrast.words));
            }
        }
        let strongest = candidates
            .first()
            .or(members.first())
            .copied()
            .unwrap_or_default();
        (
            strongest,
            contrast(strongest).map(|contrast| contrast.words),
        )
    }
}

/// Whether a longer horizon's own log-odds contradict a shorter one's: an event is likelier in a longer time, and so is
/// an end of silence.
pub(crate) fn contradicts(shorter: f64, longer: f64, silence: bool) -> bool {
    if silence {
        shorter < longer
    } else {
        shorter > longer
    }
}

/// At most `N` numbered values, by decreasing absolute value; equal ones in the order in which they came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ordered<const N: usize> {
    items: [(usize, f64); N],
    len: usize,
}

impl<const N: usize> Default for Ordered<N> {
    fn default() -> Self {
        Self {
            items: [(0, 0.0); N],
            len: 0,
        }
    }
}

impl<const N: usize> Ordered<N> {
    /// Puts a value in its place; one too many is left out.
    #[inline]
    pub(crate) fn insert(&mut self, number: usize, value: f64) {
        let mut at = self.len;
        while let Some(before) = at.checked_sub(1).and_then(|at| self.items.get(at)).copied() {
            if before.1.abs().total_cmp(&value.abs()).is_ge() {
                break;
            }
            if let Some(slot) = self.items.get_mut(at) {
                *slot = before;
            }
            at -= 1;
        }
        if let Some(slot) = self.items.get_mut(at) {
            *slot = (number, value);
        }
        self.len = (self.len + 1).min(N);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, f64)> {
        self.items.iter().copied().take(self.len)
    }
}

impl Bundle {
    fn description(&self, position: usize, vector: &[f64], value: Option<f64>) -> String {
        let derived = position
            .checked_sub(self.catalogue().len())
            .and_then(|k| self.derived().get(k));
        let own = match derived {
            // What a silence means is told by what anyone can check: how long it is, and how long it usually is.
            Some(Derived::Alive | Derived::Silent(_)) => self
                .catalogue()
                .position(Quantity::Recency)
                .and_then(|p| self.catalogue().phrase(p, vector)),
            Some(Derived::Rate) => {
                value.map(|days| format!("as frequent as users with {days:.1} active days a year"))
            }
            None => self.catalogue().phrase(position, vector),
        };
        own.unwrap_or_else(|| {
            let feature = self
                .catalogue()
                .features()
                .get(position)
                .map(|f| f.description.clone());
            let description = feature
                .or_else(|| derived.map(|d| d.description()))
                .unwrap_or_default();
            format!("{}: unknown", description.trim_end_matches('.'))
        })
    }

    /// The segment nearest to a standardised vector.
    pub fn segment(&self, z: &[f64]) -> Option<SegmentMatch<'_>> {
        let point = self
            .segment_positions()
            .iter()
            .filter_map(|p| z.get(*p))
            .copied();
        let segments = &self.spec().segments;
        let (id, distance) = segments.nearest(point)?;
        segments.items.get(id).map(|s| SegmentMatch {
            id,
            name: &s.name,
            distance,
        })
    }
}
