//! The potential users who are most likely to convert.

use super::rows::ReasonRow;
use super::{REASONS, SPAN_BLOCKS, TopError};
use crate::batch::list::{List, Values};
use crate::history::{Day, Histories, HistoryView};
use crate::model::{Bundle, Predictor};
use crate::phases::{Phases, Unit};

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct PotentialRequest<'a> {
    /// A model with a part for potential users.
    pub bundle: &'a Bundle,
    /// All users of the log.
    pub histories: &'a Histories,
    /// The day at whose start users are judged.
    pub as_of: Day,
    /// The horizon; one of those of the part.
    pub horizon_days: u16,
    /// Users that are listed at most.
    pub limit: usize,
    /// Where it is seen how far the list has come.
    pub phases: Phases<'a>,
}

/// The first potential users, the likeliest to convert first; equal ones by their ids.
#[derive(Clone, Debug, PartialEq)]
pub struct TopPotential {
    /// The model's version.
    pub model: String,
    /// No event at or after this day was seen.
    pub as_of: Day,
    /// The horizon in days.
    pub horizon_days: u16,
    /// How many potential users there are.
    pub potential: u64,
    /// The first of them.
    pub users: Vec<PotentialUser>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq)]
pub struct PotentialUser {
    /// The user.
    pub user_id: String,
    /// Probability of conversion within the horizon.
    pub probability: f64,
    /// The feature groups with the largest effects.
    pub reasons: Vec<ReasonRow>,
}

/// Lists the first potential users.
///
/// # Errors
/// [`TopError`] names the user at fault.
pub fn top_potential(request: &PotentialRequest<'_>) -> Result<TopPotential, TopError> {
    let PotentialRequest {
        bundle,
        histories,
        as_of,
        limit,
        ..
    } = *request;
    let users = histories.len() as u64;
    let scoring = request.phases.begin("scoring users", users, Unit::Users);
    let (mut potential, mut first) = (0, Vec::new());
    histories.stream_spans(
        SPAN_BLOCKS,
        |span| {
            let mut predictor = bundle.predictor(histories.kinds());
            let (mut seen, mut found) = (0, Vec::new());
            span.for_each(|user, history| {
                seen += 1;
                let user = request.user(&mut predictor, user, history, 0)?;
                found.extend(user);
                Ok::<_, TopError>(())
            })?;
            Ok::<_, TopError>((seen, found))
        },
        |(seen, found)| {
            scoring.advance(seen);
            potential += found.len() as u64;
            first.extend(found);
            first.sort_unstable_by(|a: &PotentialUser, b| {
                let likelier = b.probability.total_cmp(&a.probability);
                likelier.then_with(|| a.user_id.cmp(&b.user_id))
            });
            first.truncate(limit);
            Ok::<_, TopError>(())
        },
    )?;
    let mut predictor = bundle.predictor(histories.kinds());
    let mut users = Vec::with_capacity(first.len());
    for listed in first {
        let history = histories.get(&listed.user_id)?;
        let explained = history
            .map(|h| request.user(&mut predictor, &listed.user_id, h.view(), REASONS))
            .transpose()?;
        users.push(explained.flatten().unwrap_or(listed));
    }
    Ok(TopPotential {
        model: bundle.version().to_owned(),
        as_of,
        horizon_days: request.horizon_days,
        potential,
        users,
    })
}

impl PotentialRequest<'_> {
    /// A user's row; `None` for who is no potential user.
    fn user(
        &self,
        predictor: &mut Predictor<'_>,
        user: &str,
        history: HistoryView<'_>,
        reasons: usize,
    ) -> Result<Option<PotentialUser>, TopError> {
        let horizons = predictor
            .conversion(history, self.as_of, reasons)
            .map_err(|source| TopError::Model {
                user: user.to_owned(),
                source,
            })?;
        let mut horizons = horizons.into_iter().flatten();
        let horizon = horizons.find(|h| h.horizon_days == self.horizon_days);
        Ok(horizon.map(|h| PotentialUser {
            user_id: user.to_owned(),
            probability: h.probability,
            reasons: h.reasons.iter().map(ReasonRow::from).collect(),
        }))
    }
}

impl TopPotential {
    /// The users as columns, in order.
    pub fn list(&self) -> List {
        let users = &self.users;
        let ranks = 1..=users.len() as u32;
        let horizon = Some(u32::from(self.horizon_days));
        let ids = users.iter().map(|user| Some(user.user_id.clone()));
        let probabilities = users.iter().map(|user| Some(user.probability));
        let mut columns = vec![
            ("rank".to_owned(), Values::Whole(ranks.map(Some).collect())),
            ("user_id".to_owned(), Values::Text(ids.collect())),
            (
                "as_of".to_owned(),
                Values::Day(vec![self.as_of; users.len()]),
            ),
            (
                "horizon_days".to_owned(),
                Values::Whole(vec![horizon; users.len()]),
            ),
            (
                "conversion_probability".to_owned(),
                Values::Number(probabilities.collect()),
            ),
        ];
        for k in 0..REASONS {
            let words = |user: &PotentialUser| {
                let reason = user.reasons.get(k)?;
                Some(format!(
                    "{} ({:+.2})",
                    reason.description, reason.contribution
                ))
            };
            let texts = Values::Text(users.iter().map(words).collect());
            columns.push((format!("reason_{}", k + 1), texts));
        }
        List::new(columns)
    }
}
