//! The users to look after first: the riskiest, or those with most to lose, of some segments, stages, bands and tiers.

pub(crate) mod chosen;
pub(crate) mod potential;
pub(crate) mod rows;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::batch::spend::expected_spend;
use crate::history::{Day, Histories, HistoryError, HistoryView, Span};
use crate::lifecycle::{Eligibility, NotEligible};
use crate::model::{
    Bundle, HorizonScore, ModelError, Prediction, Predictor, RiskBand, Score, Subject,
};
use crate::phases::{Phases, Unit};
pub use chosen::{ChoiceError, Chosen};
pub use potential::{PotentialRequest, PotentialUser, TopPotential, top_potential};
pub use rows::{Top, TopUser, UserSegment, UserValue, ValueTerms};

/// Blocks of users that are scored at once.
const SPAN_BLOCKS: usize = 64;
/// Reasons of a user.
const REASONS: usize = 3;

/// What users are ordered by, the largest first; equal ones by their ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The churn probability.
    Risk,
    /// The value at risk; of a model without a value part the spend at risk, which is the churn probability times what the user
    /// would spend within the horizon at the rate of the past.
    Loss,
}

impl Order {
    /// The order's name in files and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Risk => "risk",
            Self::Loss => "loss",
        }
    }
}

/// What can go wrong with a list of users.
#[derive(Debug, thiserror::Error)]
pub enum TopError {
    /// A segment, stage, band or horizon that there is not.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
    /// A log without amounts, which a loss is made of.
    #[error(
        "the log has no amount of {activity}, so no loss can be computed: set events.amount, or order by risk"
    )]
    NoAmounts {
        /// The kinds of activity.
        activity: String,
    },
    /// Histories that could not be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// A user that could not be scored.
    #[error("user `{user}`: {source}")]
    Model {
        /// The user.
        user: String,
        /// Why.
        source: ModelError,
    },
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct TopRequest<'a> {
    /// The model.
    pub bundle: &'a Bundle,
    /// All users of the log.
    pub histories: &'a Histories,
    /// The day at whose start users are judged.
    pub as_of: Day,
    /// What they are ordered by.
    pub order: Order,
    /// Which of them are listed.
    pub chosen: &'a Chosen,
    /// Users that are listed at most.
    pub limit: usize,
    /// Where it is seen how far the list has come.
    pub phases: Phases<'a>,
}

/// Lists the first users in order.
///
/// # Errors
/// [`TopError`] names the user or the setting at fault.
pub fn top(request: &TopRequest<'_>) -> Result<Top, TopError> {
    let TopRequest {
        bundle,
        histories,
        as_of,
        order,
        limit,
        ..
    } = *request;
    let ranking = Ranking::new(request);
    let mut found = Found::default();
    let users = histories.len() as u64;
    let scoring = request.phases.begin("scoring users", users, Unit::Users);
    histories.stream_spans(
        SPAN_BLOCKS,
        |span| ranking.of(span),
        |part| {
            scoring.advance(part.scored + part.skipped.values().sum::<u64>());
            found.add(part, limit);
            Ok::<_, TopError>(())
        },
    )?;
    if order == Order::Loss && bundle.spec().value.is_none() && !found.has_amounts {
        return Err(TopError::NoAmounts {
            activity: format!("`{}`", bundle.spec().schema.activity.join("` or `")),
        });
    }
    let value = bundle.spec().value.as_ref();
    let mut predictor = bundle.predictor(histories.kinds()).without_value_reasons();
    let mut users = Vec::with_capacity(found.first.len());
    for candidate in found.first {
        users.push(ranking.user(&mut predictor, candidate, found.has_amounts)?);
    }
    Ok(Top {
        model: bundle.version().to_owned(),
        as_of,
        order,
        horizon_days: request.chosen.horizon_days,
        value: value.map(ValueTerms::from),
        scored: found.scored,
        matching: found.matching,
        skipped: found.skipped,
        users,
    })
}

/// A user that may be listed.
#[derive(Clone, Debug)]
struct Candidate {
    user: String,
    probability: f64,
    expected_spend: f64,
    /// What users are ordered by.
    size: f64,
}

impl Candidate {
    fn rank(&self, other: &Self) -> Ordering {
        let size = other.size.total_cmp(&self.size);
        size.then_with(|| self.user.cmp(&other.user))
    }
}

/// The first users among some, and how many there are.
#[derive(Debug, Default)]
struct Found {
    scored: u64,
    matching: u64,
    skipped: BTreeMap<&'static str, u64>,
    has_amounts: bool,
    first: Vec<Candidate>,
}

impl Found {
    fn add(&mut self, other: Self, limit: usize) {
        self.scored += other.scored;
        self.matching += other.matching;
        for (reason, users) in other.skipped {
            *self.skipped.entry(reason).or_default() += users;
        }
        self.has_amounts |= other.has_amounts;
        self.first.extend(other.first);
        self.cut(limit);
    }

    fn cut(&mut self, limit: usize) {
        self.first.sort_unstable_by(Candidate::rank);
        self.first.truncate(limit);
    }
}

/// How users are ordered.
struct Ranking<'a> {
    request: TopRequest<'a>,
    eligibility: Eligibility,
}

impl<'a> Ranking<'a> {
    fn new(request: &TopRequest<'a>) -> Self {
        let kinds = request.histories.kinds();
        Self {
            request: *request,
            eligibility: request.bundle.eligibility(kinds),
        }
    }

    /// The first users of some blocks.
    fn of(&self, span: Span<'_>) -> Result<Found, TopError> {
        let TopRequest {
            bundle,
            histories,
            limit,
            ..
        } = self.request;
        let mut predictor = bundle.predictor(histories.kinds()).without_value_reasons();
        let mut found = Found::default();
        span.for_each(|user, history| {
            found.has_amounts |= self.has_amount(history);
            match self.score(&mut predictor, user, history, 0)? {
                Err(reason) => *found.skipped.entry(reason.name()).or_default() += 1,
                Ok(score) => {
                    found.scored += 1;
                    if let Some(candidate) = self.candidate(user, history, &score) {
                        found.matching += 1;
                        found.first.push(candidate);
                    }
                }
            }
            // Sorted now and then, so that no more than twice as many are held as are listed.
            if found.first.len() >= limit.saturating_mul(2).max(1_024) {
                found.cut(limit);
            }
            Ok::<_, TopError>(())
        })?;
        found.cut(limit);
        Ok(found)
    }

    fn has_amount(&self, history: HistoryView<'_>) -> bool {
        let mut seen = history.before(self.request.as_of).records().iter();
        seen.any(|r| r.amount.micros() != 0 && self.eligibility.is_activity(r.kind))
    }

    /// A user's score, or why there is none.
    fn score<'m>(
        &self,
        predictor: &mut Predictor<'m>,
        user: &str,
        history: HistoryView<'_>,
        reasons: usize,
    ) -> Result<Result<Score<'m>, NotEligible>, TopError> {
        let as_of = self.request.as_of;
        if let Err(reason) = self.eligibility.at(history, as_of) {
            return Ok(Err(reason));
        }
        let prediction = predictor
            .predict(Subject::History(history), as_of, reasons)
            .map_err(|source| TopError::Model {
                user: user.to_owned(),
                source,
            })?;
        match prediction {
            Prediction::Scored(score) => Ok(Ok(score)),
            // Scoring and eligibility are one rule.
            unscored => unreachable!("the eligible user {user} has no score: {unscored:?}"),
        }
    }

    /// The user as a candidate, if it is one of those that are chosen.
    fn candidate(
        &self,
        user: &str,
        history: HistoryView<'_>,
        score: &Score<'_>,
    ) -> Option<Candidate> {
        let TopRequest {
            as_of,
            order,
            chosen,
            ..
        } = self.request;
        let horizon = horizon(score, chosen.horizon_days);
        if !chosen.has(score, horizon.band) {
            return None;
        }
        let is_activity = |kind| self.eligibility.is_activity(kind);
        let spend = expected_spend(history, is_activity, as_of, chosen.horizon_days);
        let expected_spend = spend.unwrap_or(0.0);
        let probability = horizon.probability;
        Some(Candidate {
            user: user.to_owned(),
            probability,
            expected_spend,
            size: match order {
                Order::Risk => probability,
                Order::Loss => match &score.value {
                    // An unknown value comes last.
                    Some(value) => value.value_at_risk.max(0.0),
                    None => probability * expected_spend,
                },
            },
        })
    }

    /// The row of a user that is listed; its reasons are put into words only now.
    fn user(
        &self,
        predictor: &mut Predictor<'_>,
        candidate: Candidate,
        has_amounts: bool,
    ) -> Result<TopUser, TopError> {
        let TopRequest {
            histories, chosen, ..
        } = self.request;
        let Candidate {
            user,
            probability,
            expected_spend,
            ..
        } = candidate;
        let history = histories.get(&user)?;
        let history = history.unwrap_or_else(|| unreachable!("{user} was listed from these users"));
        let score = self.score(predictor, &user, history.view(), REASONS)?;
        let score =
            score.unwrap_or_else(|reason| unreachable!("{user} had a score: {}", reason.name()));
        let h = horizon(&score, chosen.horizon_days);
        Ok(TopUser {
            churn_probability: probability,
            risk_band: h.band.name(),
            stage: score.stage.name(),
            segment: score.segment.map(rows::UserSegment::from),
            expected_spend: (has_amounts && score.value.is_none()).then_some(expected_spend),
            value: score.value.as_ref().map(UserValue::from),
            reasons: h.reasons.iter().map(rows::ReasonRow::from).collect(),
            user_id: user,
        })
    }
}

fn horizon<'s, 'm>(score: &'s Score<'m>, horizon_days: u16) -> &'s HorizonScore<'m> {
    let mut horizons = score.horizons.iter();
    horizons
        .find(|h| h.horizon_days == horizon_days)
        .unwrap_or_else(|| unreachable!("the model has the horizon that was chosen"))
}

impl Chosen {
    /// Whether a user with this score is listed.
    fn has(&self, score: &Score<'_>, band: RiskBand) -> bool {
        let segment = score.segment.map(|segment| segment.id);
        let tier = score.value.as_ref().and_then(|value| value.tier);
        let of = |segments: &[usize]| segment.is_some_and(|id| segments.contains(&id));
        (self.segments.is_empty() || of(&self.segments))
            && (self.stages.is_empty() || self.stages.contains(&score.stage))
            && (self.bands.is_empty() || self.bands.contains(&band))
            && (self.tiers.is_empty() || tier.is_some_and(|tier| self.tiers.contains(&tier)))
    }
}
