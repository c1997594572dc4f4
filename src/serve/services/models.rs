use std::sync::Arc;

use tonic::{Request, Response, Status};

use crate::serve::context::CallContext;
use crate::serve::convert::model;
use crate::serve::errors::CallError;
use crate::serve::limits::size;
use crate::serve::registry::{Changed, ModelPage};
use crate::serve::state::ServerState;
use crate::serve::wire;
use crate::serve::wire::model_service_server::ModelService;

/// How many models a page has when the request does not say.
const DEFAULT_PAGE_SIZE: u32 = 20;
/// How many it has at most.
const MAX_PAGE_SIZE: u32 = 100;

/// `churn.v1.ModelService`.
pub(crate) struct ModelServiceImpl {
    state: Arc<ServerState>,
}

impl ModelServiceImpl {
    /// The service of this state.
    pub(crate) fn new(state: Arc<ServerState>) -> Self {
        Self { state }
    }

    /// Models change only while the server serves.
    fn check_changeable(&self) -> Result<(), CallError> {
        self.state.not_draining()?;
        self.state.model("").map(|_| ())
    }
}

#[tonic::async_trait]
impl ModelService for ModelServiceImpl {
    async fn get_model(
        &self,
        request: Request<wire::GetModelRequest>,
    ) -> Result<Response<wire::GetModelResponse>, Status> {
        let wire::GetModelRequest { view, model: name } = request.into_inner();
        let view = model::view(view)?;
        let model = self.state.model(&name)?;
        let users = self.state.known_users();
        let status = self.state.models.table().status(model.name());
        Ok(Response::new(wire::GetModelResponse {
            model: Some(model::model(&model, view)),
            known_users: users.map(|users| model::known_users(&users, &model)),
            status: status.map(wire::ModelStatus::from),
        }))
    }

    async fn list_models(
        &self,
        request: Request<wire::ListModelsRequest>,
    ) -> Result<Response<wire::ListModelsResponse>, Status> {
        let wire::ListModelsRequest {
            page_size,
            page_token,
        } = request.into_inner();
        let page_size = match page_size {
            0 => DEFAULT_PAGE_SIZE,
            given => given.min(MAX_PAGE_SIZE),
        };
        // Before the table is locked: changes lock the table first and the statistics then.
        let shadow = self.state.models.shadow_stats();
        // The token is the last name of the page before.
        let page = self
            .state
            .models
            .table()
            .page(&page_token, size(page_size))?;
        let ModelPage {
            models,
            has_more,
            etag,
        } = page;
        let last = models.last().filter(|_| has_more);
        Ok(Response::new(wire::ListModelsResponse {
            next_page_token: last.map_or_else(String::new, |last| last.name.clone()),
            models: models.into_iter().map(wire::ModelStatus::from).collect(),
            etag,
            shadow: shadow.map(wire::ShadowReport::from),
        }))
    }

    async fn load_model(
        &self,
        request: Request<wire::LoadModelRequest>,
    ) -> Result<Response<wire::LoadModelResponse>, Status> {
        let (_, extensions, message) = request.into_parts();
        let wire::LoadModelRequest {
            name,
            validate_only,
        } = message;
        self.check_changeable()?;
        let call = CallContext::of(&extensions).clone();
        let models = Arc::clone(&self.state.models);
        // In a task of its own: a client that cancels its call does not leave a model half loaded.
        let job = tokio::spawn(async move { models.load(&name, validate_only, &call).await });
        let (model, Changed { status, etag }) =
            job.await.map_err(|_| CallError::Crashed("loading"))??;
        Ok(Response::new(wire::LoadModelResponse {
            model: Some(model::model(&model, wire::ModelView::Basic)),
            status: status.map(wire::ModelStatus::from),
            etag,
        }))
    }

    async fn activate_model(
        &self,
        request: Request<wire::ActivateModelRequest>,
    ) -> Result<Response<wire::ActivateModelResponse>, Status> {
        let (_, extensions, message) = request.into_parts();
        let wire::ActivateModelRequest { label, name, etag } = message;
        self.check_changeable()?;
        let label = model::label(label)?;
        let call = CallContext::of(&extensions);
        let models = &self.state.models;
        let Changed { status, etag } = models.activate(label, &name, &etag, call)?;
        // Answered after that: a label that a caller was told of survives a restart.
        models.keep_labels().await;
        Ok(Response::new(wire::ActivateModelResponse {
            status: status.map(wire::ModelStatus::from),
            etag,
        }))
    }

    async fn unload_model(
        &self,
        request: Request<wire::UnloadModelRequest>,
    ) -> Result<Response<wire::UnloadModelResponse>, Status> {
        let (_, extensions, message) = request.into_parts();
        let wire::UnloadModelRequest { name, etag } = message;
        self.check_changeable()?;
        let call = CallContext::of(&extensions);
        let etag = self.state.models.unload(&name, &etag, call)?;
        Ok(Response::new(wire::UnloadModelResponse { etag }))
    }
}
