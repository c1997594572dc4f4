use std::sync::Arc;

use crate::history::Day;
use crate::serve::errors::{CallError, FieldPath};
use crate::serve::limits::{Limits, size};
use crate::serve::registry::ServedModel;
use crate::serve::registry::users::KnownUsers;
use crate::serve::wire;
use crate::serve::wire::subject::Subject as SubjectForm;

/// How many reasons an answer has when the request does not say.
const DEFAULT_REASON_COUNT: usize = 3;

/// What a scoring request says beside its subjects, as it came.
#[derive(Clone, Debug)]
pub(crate) struct ScoreOptions {
    /// The name or label of the model; empty for the stable one.
    pub(crate) model: String,
    as_of: String,
    reason_count: Option<u32>,
    horizon_days: Vec<u32>,
    feature_hash: String,
    /// Whether a subject is a user id: the roll-up's day then is the default of `as_of`.
    has_user_ids: bool,
}

/// The same, checked against one model.
#[derive(Clone, Debug)]
pub(crate) struct ScoreParams {
    /// The day that all scores are for.
    pub(crate) as_of: Option<Day>,
    /// Whether the request itself gave that day.
    pub(crate) as_of_given: bool,
    /// How many reasons each horizon has.
    pub(crate) reason_count: usize,
    /// Whether the request named the features that packed values are for.
    pub(crate) packed_allowed: bool,
}

/// Everything that the scores of one request are computed from.
#[derive(Clone)]
pub(crate) struct RequestContext {
    /// The model.
    pub(crate) model: Arc<ServedModel>,
    /// The users known by id; `None` without a roll-up.
    pub(crate) users: Option<Arc<KnownUsers>>,
    /// The most events and daily activities in one inline history.
    pub(crate) max_history_entries: usize,
    /// The checked options.
    pub(crate) params: ScoreParams,
    options: ScoreOptions,
}

impl RequestContext {
    /// Checks a request's options against its model.
    pub(crate) fn new(
        model: Arc<ServedModel>,
        users: Option<Arc<KnownUsers>>,
        limits: &Limits,
        options: ScoreOptions,
    ) -> Result<Self, CallError> {
        Ok(Self {
            params: ScoreParams::new(&options, &model, users.as_deref())?,
            model,
            users,
            max_history_entries: size(limits.max_history_entries),
            options,
        })
    }

    /// The context of the same request to another model.
    pub(crate) fn with_model(&self, model: Arc<ServedModel>) -> Result<Self, CallError> {
        Ok(Self {
            // The default day, the horizons and the feature hash are a model's own.
            params: ScoreParams::new(&self.options, &model, self.users.as_deref())?,
            model,
            ..self.clone()
        })
    }

    /// Whether the score for this horizon is to be returned.
    pub(crate) fn wants(&self, horizon_days: u16) -> bool {
        let wanted = &self.options.horizon_days;
        wanted.is_empty() || wanted.contains(&u32::from(horizon_days))
    }

    /// The as-of day as answers write it; empty without one.
    pub(crate) fn as_of_text(&self) -> String {
        self.params
            .as_of
            .map_or_else(String::new, |day| day.to_string())
    }
}

impl ScoreParams {
    fn new(
        options: &ScoreOptions,
        model: &ServedModel,
        users: Option<&KnownUsers>,
    ) -> Result<Self, CallError> {
        let ScoreOptions {
            model: _,
            as_of,
            reason_count,
            horizon_days,
            feature_hash,
            has_user_ids,
        } = options;
        let as_of_given = !as_of.is_empty();
        let as_of = if as_of_given {
            Some(day(as_of).map_err(|problem| CallError::field("as_of", problem))?)
        } else {
            users
                .filter(|_| *has_user_ids)
                .and_then(|users| users.as_of(model.version(), model.spec()))
        };
        check_horizons(horizon_days, &model.spec().schema.horizon_days)?;
        let current = &model.spec().feature_hash;
        let packed_allowed = !feature_hash.is_empty();
        if packed_allowed && feature_hash != current {
            return Err(CallError::other_features(
                feature_hash.clone(),
                current.clone(),
            ));
        }
        Ok(Self {
            as_of,
            as_of_given,
            reason_count: reason_count.map_or(DEFAULT_REASON_COUNT, size),
            packed_allowed,
        })
    }
}

/// Rejects horizons that the model does not have.
fn check_horizons(wanted: &[u32], of_model: &[u16]) -> Result<(), CallError> {
    // Repeated horizons would pass the check below, as many as a message holds.
    if wanted.len() > of_model.len() {
        return Err(CallError::TooMany {
            field: "horizon_days".to_owned(),
            found: wanted.len(),
            most: of_model.len(),
        });
    }
    for (i, wanted) in wanted.iter().enumerate() {
        if !of_model.iter().any(|h| u32::from(*h) == *wanted) {
            let problem = format!("the model has no horizon of {wanted} days, but {of_model:?}");
            return Err(CallError::field(format!("horizon_days[{i}]"), problem));
        }
    }
    Ok(())
}

/// The options and the subject of a request for one user.
pub(crate) fn single(
    request: wire::ScoreUserRequest,
) -> Result<(ScoreOptions, wire::Subject), CallError> {
    let wire::ScoreUserRequest {
        subject,
        as_of,
        reason_count,
        horizon_days,
        feature_hash,
        model,
    } = request;
    let subject =
        subject.ok_or_else(|| CallError::field(FieldPath::Subject.to_string(), "is required"))?;
    let options = ScoreOptions {
        model,
        as_of,
        reason_count,
        horizon_days,
        feature_hash,
        has_user_ids: is_user_id(&subject),
    };
    Ok((options, subject))
}

/// The options and the subjects of a request for many users.
pub(crate) fn batch(
    request: wire::BatchScoreUsersRequest,
    limits: &Limits,
) -> Result<(ScoreOptions, Vec<wire::Subject>), CallError> {
    let wire::BatchScoreUsersRequest {
        subjects,
        as_of,
        reason_count,
        horizon_days,
        feature_hash,
        model,
    } = request;
    // Before anything that costs time for each subject.
    let most = size(limits.max_batch_size);
    if subjects.len() > most {
        return Err(CallError::TooMany {
            field: "subjects".into(),
            found: subjects.len(),
            most,
        });
    }
    let options = ScoreOptions {
        model,
        as_of,
        reason_count,
        horizon_days,
        feature_hash,
        has_user_ids: subjects.iter().any(is_user_id),
    };
    Ok((options, subjects))
}

/// The options of a request for known users.
pub(crate) fn known_users(model: String, reason_count: Option<u32>) -> ScoreOptions {
    ScoreOptions {
        model,
        as_of: String::new(),
        reason_count,
        horizon_days: Vec::new(),
        feature_hash: String::new(),
        has_user_ids: true,
    }
}

fn is_user_id(subject: &wire::Subject) -> bool {
    matches!(subject.subject, Some(SubjectForm::UserId(_)))
}

/// A date as `YYYY-MM-DD`, or what is wrong with it.
pub(crate) fn day(text: &str) -> Result<Day, String> {
    match text {
        "" => Err("is required, as YYYY-MM-DD".to_owned()),
        _ => text.parse::<Day>().map_err(|error| error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_a_date_of_the_years_of_a_log() {
        assert_eq!(
            day("2024-06-01").map(|day| day.to_string()),
            Ok("2024-06-01".to_owned())
        );
        for (text, problem) in [
            ("", "is required, as YYYY-MM-DD"),
            (
                "2024-06-01T23:59:59",
                "`2024-06-01T23:59:59` is not a date; write it as YYYY-MM-DD",
            ),
            (
                "9999-12-31",
                "9999-12-31 lies outside the years 1900 to 2199",
            ),
        ] {
            assert_eq!(day(text), Err(problem.to_owned()));
        }
    }
}
