use super::attributes::attributes;
use super::features::{named, packed};
use super::history::{InlineHistory, inline};
use super::request::RequestContext;
use crate::history::{Attributes, Day, DayClock, History};
use crate::serve::errors::{CallError, FieldPath};
use crate::serve::wire;
use crate::serve::wire::subject::Subject as SubjectForm;

/// A subject, checked and ready for the model.
#[derive(Debug)]
pub(crate) enum ParsedSubject {
    /// A user of the roll-up, and the as-of day.
    User(History, Day),
    /// An inline history.
    Inline(InlineHistory),
    /// Features by name, in catalogue order.
    Named(Vec<f64>),
    /// Features that came in catalogue order.
    Packed(Vec<f64>),
}

/// Checks a subject and turns it into the model's input.
pub(crate) fn parse(
    context: &RequestContext,
    clock: &mut DayClock,
    subject: wire::Subject,
    path: FieldPath,
) -> Result<ParsedSubject, CallError> {
    let wire::Subject {
        subject,
        attributes: given,
    } = subject;
    let is_vector = matches!(
        subject,
        Some(SubjectForm::Features(_) | SubjectForm::PackedFeatures(_))
    );
    if is_vector && !given.is_empty() {
        return Err(CallError::field(
            format!("{path}.attributes"),
            "belongs to user_id and history: features have attributes in them already",
        ));
    }
    let known = attributes(&context.model, given, path)?;
    match subject {
        Some(SubjectForm::UserId(id)) => user(context, id, known, path),
        Some(SubjectForm::History(history)) => {
            inline(context, clock, history, known, path).map(ParsedSubject::Inline)
        }
        Some(SubjectForm::Features(features)) => {
            named(&context.model, features, path).map(ParsedSubject::Named)
        }
        Some(SubjectForm::PackedFeatures(features)) => {
            packed(context, features, path).map(ParsedSubject::Packed)
        }
        None => Err(CallError::field(
            path.to_string(),
            "set one of user_id, history, features and packed_features",
        )),
    }
}

/// Looks a user up in the roll-up.
fn user(
    context: &RequestContext,
    id: String,
    attributes: Attributes,
    path: FieldPath,
) -> Result<ParsedSubject, CallError> {
    let users = context
        .users
        .as_ref()
        .ok_or(CallError::NoKnownUsers { subject: path })?;
    let trimmed = id.trim();
    if trimmed.is_empty() {
        return Err(CallError::field(
            format!("{path}.user_id"),
            "must not be empty",
        ));
    }
    let find = |id: &str| {
        users
            .histories()
            .get(id)
            .map_err(|source| CallError::Users { source })
    };
    // The reader of logs trims ids; a roll-up from elsewhere may have ids with whitespace all the same.
    let found = match find(&id)? {
        None if trimmed.len() < id.len() => find(trimmed)?,
        found => found,
    };
    // A roll-up without events has no day, and no users either.
    match (found, context.params.as_of) {
        (Some(history), Some(as_of)) => {
            let history = history.with_attributes(attributes);
            Ok(ParsedSubject::User(history, as_of))
        }
        _ => Err(CallError::unknown_user(path, id)),
    }
}
