//! `ListUsers` of `churn.v1.ScoringService`.

use std::sync::Arc;

use bytes::Bytes;

use crate::serve::codec::{decode, encode};
use crate::serve::context::CallContext;
use crate::serve::convert::listing::Listing;
use crate::serve::convert::request::{self, RequestContext};
use crate::serve::engine::Cost;
use crate::serve::engine::ranking::order::Ranking;
use crate::serve::engine::scorer::score_batch;
use crate::serve::errors::CallError;
use crate::serve::state::ServerState;
use crate::serve::wire;
use crate::serve::wire::subject::Subject as SubjectForm;

/// So many users are looked through in the time in which one is scored.
const USERS_A_UNIT: usize = 1_000;

/// The answer to `ListUsers`.
pub(crate) async fn list_users(
    state: &Arc<ServerState>,
    call: CallContext,
    message: Bytes,
) -> Result<Bytes, CallError> {
    let request: wire::ListUsersRequest = decode(message, &call.form, &call.memory)?;
    let options = request::known_users(request.model.clone(), request.reason_count);
    let context = state.context(options)?;
    let listing = Listing::new(request, &context.model)?;
    let users = context.users.as_ref().ok_or(CallError::NoUsersToList)?;
    let rankings = &state.engine.rankings;
    let ranking = match context.params.as_of {
        // A roll-up without events has no day, and no users either.
        None => None,
        Some(as_of) => {
            let ranking = rankings.get(&context.model, users, as_of, call.deadline);
            Some(ranking.await?)
        }
    };
    let cost = Cost {
        units: listing.page_size + users.histories().len() / USERS_A_UNIT,
        inline_units: 0,
    };
    let (form, memory) = (call.form.clone(), Arc::clone(&call.memory));
    let job = move || {
        encode(
            &answer(&context, &listing, ranking.as_deref())?,
            &form,
            &memory,
        )
    };
    state.engine.run(&call, cost, job).await
}

/// One page of users, scored as `ScoreUser` scores them.
fn answer(
    context: &RequestContext,
    listing: &Listing,
    ranking: Option<&Ranking>,
) -> Result<wire::ListUsersResponse, CallError> {
    let horizons = &context.model.spec().schema.horizon_days;
    let mut answer = wire::ListUsersResponse {
        horizon_days: u32::from(horizons[listing.horizon]),
        model_version: context.model.version().to_owned(),
        as_of: context.as_of_text(),
        ..wire::ListUsersResponse::default()
    };
    let (Some(ranking), Some(users)) = (ranking, &context.users) else {
        return Ok(answer);
    };
    let page = ranking.page(listing, listing.place(ranking.id())?);
    let mut ids = Vec::with_capacity(page.positions.len());
    for position in &page.positions {
        let found = users.histories().at(*position as usize)?;
        let (id, _) = found.ok_or(CallError::Crashed("listing"))?;
        ids.push(id);
    }
    let subjects = ids.iter().map(|id| wire::Subject {
        subject: Some(SubjectForm::UserId(id.clone())),
        attributes: Vec::new(),
    });
    // Past the engine: what is listed is neither counted among the scores that callers ask for nor compared with a shadow's.
    let scores = score_batch(context, subjects.collect());
    for (user_id, score) in ids.into_iter().zip(scores) {
        let score = Some(score?);
        answer.users.push(wire::ListedUser { user_id, score });
    }
    answer.total_size = page.total as u64;
    let next = page.next.map(|place| listing.token(ranking.id(), place));
    answer.next_page_token = next.unwrap_or_default();
    Ok(answer)
}
