use std::sync::Arc;

use super::subject::{Place, day};
use crate::history::Day;
use crate::serve::engine::users::KnownUsers;
use crate::serve::errors::CallError;
use crate::serve::limits::{Limits, size};
use crate::serve::registry::served::Served;
use crate::serve::wire;

/// How many reasons an answer shows when the request does not say.
const REASON_COUNT: usize = 3;

/// What answers a question.
#[derive(Clone, Debug)]
pub(crate) struct Asked<'s> {
    /// The model.
    pub(crate) served: &'s Served,
    /// The users known by id.
    pub(crate) users: Option<Arc<KnownUsers>>,
    /// How much may be asked.
    pub(crate) limits: &'s Limits,
}

/// What a request asks of its subjects, checked.
#[derive(Debug)]
pub(crate) struct Question<'s> {
    /// Whom it is put to.
    pub(crate) asked: Asked<'s>,
    /// The day at whose start all subjects are judged.
    pub(crate) as_of: Option<Day>,
    /// Whether the request itself gave that day.
    pub(crate) as_of_given: bool,
    /// How many reasons each horizon shows.
    pub(crate) reason_count: usize,
    /// Whether the request named the features that packed values are for.
    pub(crate) packed_allowed: bool,
    /// The horizons asked for; all when empty.
    horizon_days: Vec<u32>,
}

impl<'s> Question<'s> {
    /// Checks a request's settings. `subjects` decide whether the roll-up's day stands in for a missing one.
    fn new(
        asked: Asked<'s>,
        subjects: &[wire::Subject],
        as_of: &str,
        reason_count: Option<u32>,
        horizon_days: Vec<u32>,
        feature_hash: String,
    ) -> Result<Self, CallError> {
        let as_of_given = !as_of.is_empty();
        let known =
            |s: &wire::Subject| matches!(s.subject, Some(wire::subject::Subject::UserId(_)));
        let as_of = if as_of_given {
            Some(day(as_of).map_err(|problem| CallError::field("as_of", problem))?)
        } else if subjects.iter().any(known) {
            let bundle = asked.served.bundle();
            asked
                .users
                .as_ref()
                .and_then(|users| users.as_of(bundle.version(), bundle.spec()))
        } else {
            None
        };
        let of_model = &asked.served.bundle().spec().schema.horizon_days;
        if horizon_days.len() > of_model.len() {
            let (field, found, most) = (
                "horizon_days".to_owned(),
                horizon_days.len(),
                of_model.len(),
            );
            return Err(CallError::TooMany { field, found, most });
        }
        for (i, wanted) in horizon_days.iter().enumerate() {
            if !of_model.iter().any(|h| u32::from(*h) == *wanted) {
                let problem =
                    format!("the model has no horizon of {wanted} days, but {of_model:?}");
                return Err(CallError::field(format!("horizon_days[{i}]"), problem));
            }
        }
        let current = &asked.served.bundle().spec().feature_hash;
        let packed_allowed = !feature_hash.is_empty();
        if packed_allowed && feature_hash != *current {
            return Err(CallError::other_features(feature_hash, current.clone()));
        }
        let reason_count =
            reason_count.map_or(REASON_COUNT, |n| usize::try_from(n).unwrap_or(usize::MAX));
        Ok(Self {
            asked,
            as_of,
            as_of_given,
            reason_count,
            packed_allowed,
            horizon_days,
        })
    }

    /// Splits a request for one user into what is asked and about whom.
    pub(crate) fn single(
        asked: Asked<'s>,
        request: wire::ScoreUserRequest,
    ) -> Result<(Self, wire::Subject), CallError> {
        let wire::ScoreUserRequest {
            subject,
            as_of,
            reason_count,
            horizon_days,
            feature_hash,
            model: _,
        } = request;
        let Some(subject) = subject else {
            return Err(CallError::field(Place::Single.to_string(), "is required"));
        };
        let subjects = std::slice::from_ref(&subject);
        let question = Self::new(
            asked,
            subjects,
            &as_of,
            reason_count,
            horizon_days,
            feature_hash,
        )?;
        Ok((question, subject))
    }

    /// Splits a request for many users into what is asked and about whom.
    pub(crate) fn batch(
        asked: Asked<'s>,
        request: wire::BatchScoreUsersRequest,
    ) -> Result<(Self, Vec<wire::Subject>), CallError> {
        let wire::BatchScoreUsersRequest {
            subjects,
            as_of,
            reason_count,
            horizon_days,
            feature_hash,
            model: _,
        } = request;
        let most = size(asked.limits.batch_subjects);
        if subjects.len() > most {
            return Err(CallError::TooMany {
                field: "subjects".into(),
                found: subjects.len(),
                most,
            });
        }
        let question = Self::new(
            asked,
            &subjects,
            &as_of,
            reason_count,
            horizon_days,
            feature_hash,
        )?;
        Ok((question, subjects))
    }

    /// The model asked.
    pub(crate) fn served(&self) -> &'s Served {
        self.asked.served
    }

    /// Whether the answer for this horizon is wanted.
    pub(crate) fn wants(&self, horizon_days: u16) -> bool {
        self.horizon_days.is_empty() || self.horizon_days.contains(&u32::from(horizon_days))
    }

    /// The as-of day as answers write it.
    pub(crate) fn as_of_text(&self) -> String {
        self.as_of.map(|day| day.to_string()).unwrap_or_default()
    }
}
