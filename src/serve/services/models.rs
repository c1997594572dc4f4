//! `churn.v1.ModelService`.

use std::sync::Arc;

use crate::serve::context::CallContext;
use crate::serve::convert::model;
use crate::serve::errors::CallError;
use crate::serve::limits::size;
use crate::serve::registry::{Changed, ModelPage};
use crate::serve::state::ServerState;
use crate::serve::wire;

/// How many models a page has when the request does not say.
const DEFAULT_PAGE_SIZE: u32 = 20;
/// How many it has at most.
const MAX_PAGE_SIZE: u32 = 100;

/// Models change only while the server serves.
fn check_changeable(state: &ServerState) -> Result<(), CallError> {
    state.not_draining()?;
    state.model("").map(|_| ())
}

/// `GetModel`.
pub(crate) fn get_model(
    state: &ServerState,
    request: wire::GetModelRequest,
) -> Result<wire::GetModelResponse, CallError> {
    let wire::GetModelRequest { view, model: name } = request;
    let view = model::view(view)?;
    let model = state.model(&name)?;
    let users = state.known_users();
    let status = state.models.table().status(model.name());
    Ok(wire::GetModelResponse {
        model: Some(model::model(&model, view)),
        known_users: users.map(|users| model::known_users(&users, &model)),
        status: status.map(wire::ModelStatus::from),
    })
}

/// `ListModels`.
pub(crate) fn list_models(
    state: &ServerState,
    request: wire::ListModelsRequest,
) -> Result<wire::ListModelsResponse, CallError> {
    let wire::ListModelsRequest {
        page_size,
        page_token,
    } = request;
    let page_size = match page_size {
        0 => DEFAULT_PAGE_SIZE,
        given => given.min(MAX_PAGE_SIZE),
    };
    // Before the table is locked: changes lock the table first and the statistics then.
    let shadow = state.models.shadow_stats();
    // The token is the last name of the page before.
    let page = state.models.table().page(&page_token, size(page_size))?;
    let ModelPage {
        models,
        has_more,
        etag,
    } = page;
    let last = models.last().filter(|_| has_more);
    Ok(wire::ListModelsResponse {
        next_page_token: last.map_or_else(String::new, |last| last.name.clone()),
        models: models.into_iter().map(wire::ModelStatus::from).collect(),
        etag,
        shadow: shadow.map(wire::ShadowReport::from),
    })
}

/// `LoadModel`.
pub(crate) async fn load_model(
    state: Arc<ServerState>,
    call: CallContext,
    request: wire::LoadModelRequest,
) -> Result<wire::LoadModelResponse, CallError> {
    let wire::LoadModelRequest {
        name,
        validate_only,
    } = request;
    check_changeable(&state)?;
    let models = Arc::clone(&state.models);
    // In a task of its own: a client that cancels its call does not leave a model half loaded.
    let job = tokio::spawn(async move { models.load(&name, validate_only, &call).await });
    let (model, Changed { status, etag }) =
        job.await.map_err(|_| CallError::Crashed("loading"))??;
    Ok(wire::LoadModelResponse {
        model: Some(model::model(&model, wire::ModelView::Basic)),
        status: status.map(wire::ModelStatus::from),
        etag,
    })
}

/// `ActivateModel`.
pub(crate) async fn activate_model(
    state: &ServerState,
    call: &CallContext,
    request: wire::ActivateModelRequest,
) -> Result<wire::ActivateModelResponse, CallError> {
    let wire::ActivateModelRequest { label, name, etag } = request;
    check_changeable(state)?;
    let label = model::label(label)?;
    let Changed { status, etag } = state.models.activate(label, &name, &etag, call)?;
    // Answered after that: a label whose move was confirmed survives a restart.
    state.models.keep_labels().await;
    Ok(wire::ActivateModelResponse {
        status: status.map(wire::ModelStatus::from),
        etag,
    })
}

/// `UnloadModel`.
pub(crate) fn unload_model(
    state: &ServerState,
    call: &CallContext,
    request: wire::UnloadModelRequest,
) -> Result<wire::UnloadModelResponse, CallError> {
    let wire::UnloadModelRequest { name, etag } = request;
    check_changeable(state)?;
    let etag = state.models.unload(&name, &etag, call)?;
    Ok(wire::UnloadModelResponse { etag })
}
