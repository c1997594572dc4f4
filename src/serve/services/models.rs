//! The model service: tells of models, loads them, gives labels.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use crate::serve::convert::model;
use crate::serve::errors::CallError;
use crate::serve::limits::size;
use crate::serve::registry::{Label, Shelf};
use crate::serve::state::ServerState;
use crate::serve::wire;
use crate::serve::wire::model_service_server::ModelService;

/// How many models a page has when the request does not say.
const PAGE_SIZE: u32 = 20;
/// How many it has at most.
const PAGE_SIZE_MAX: u32 = 100;

/// The model service.
pub(crate) struct ModelDesk {
    state: Arc<ServerState>,
}

impl ModelDesk {
    /// Tells of the models of this state.
    pub(crate) fn new(state: Arc<ServerState>) -> Self {
        Self { state }
    }
}

#[tonic::async_trait]
impl ModelService for ModelDesk {
    async fn get_model(
        &self,
        request: Request<wire::GetModelRequest>,
    ) -> Result<Response<wire::GetModelResponse>, Status> {
        let wire::GetModelRequest { view, model } = request.into_inner();
        let view = wire::ModelView::try_from(view).map_err(|_| {
            CallError::field("view", format!("{view} is not a ModelView of this version"))
        })?;
        let loaded = self.state.model(&model)?;
        Ok(Response::new(wire::GetModelResponse {
            model: Some(model::model(&loaded.served, view)),
            known_users: self
                .state
                .known_users()
                .map(|known| model::known_users(&known, loaded.served.bundle())),
            status: model::status(&self.state.models.shelf(), &loaded.name),
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
        let shadow = self.state.models.comparison().map(wire::ShadowReport::from);
        let shelf = self.state.models.shelf();
        // The token is the last name of the page before.
        if !page_token.is_empty() && !shelf.entries().contains_key(&page_token) {
            let problem = "is not a token of this list any more; begin with an empty one";
            return Err(CallError::field("page_token", problem).into());
        }
        let page_size = size(if page_size == 0 {
            PAGE_SIZE
        } else {
            page_size.min(PAGE_SIZE_MAX)
        });
        let names: Vec<&String> = shelf
            .entries()
            .keys()
            .filter(|name| **name > page_token)
            .collect();
        let page = names.get(..page_size).unwrap_or(&names);
        let more = page.len() < names.len();
        Ok(Response::new(wire::ListModelsResponse {
            models: page
                .iter()
                .filter_map(|name| model::status(&shelf, name))
                .collect(),
            next_page_token: page
                .last()
                .filter(|_| more)
                .map(|name| (*name).clone())
                .unwrap_or_default(),
            etag: shelf.etag(),
            shadow,
        }))
    }

    async fn load_model(
        &self,
        request: Request<wire::LoadModelRequest>,
    ) -> Result<Response<wire::LoadModelResponse>, Status> {
        let wire::LoadModelRequest {
            name,
            validate_only,
        } = request.into_inner();
        self.may_change()?;
        let models = Arc::clone(&self.state.models);
        let named = name.clone();
        // In a task of its own: a client that hangs up does not leave a model half loaded.
        let tell = move |shelf: &Shelf| (model::status(shelf, &name), shelf.etag());
        let job = tokio::spawn(async move { models.load(&named, validate_only, tell).await });
        let (loaded, (status, etag)) = job.await.map_err(|_| CallError::Crashed("loading"))??;
        let model = Some(model::model(&loaded.served, wire::ModelView::Basic));
        Ok(Response::new(wire::LoadModelResponse {
            model,
            status,
            etag,
        }))
    }

    async fn activate_model(
        &self,
        request: Request<wire::ActivateModelRequest>,
    ) -> Result<Response<wire::ActivateModelResponse>, Status> {
        let wire::ActivateModelRequest { label, name, etag } = request.into_inner();
        self.may_change()?;
        let tell = |shelf: &Shelf| (model::status(shelf, &name), shelf.etag());
        let (status, etag) = self
            .state
            .models
            .activate(label_of(label)?, &name, &etag, tell)?;
        Ok(Response::new(wire::ActivateModelResponse { status, etag }))
    }

    async fn unload_model(
        &self,
        request: Request<wire::UnloadModelRequest>,
    ) -> Result<Response<wire::UnloadModelResponse>, Status> {
        let wire::UnloadModelRequest { name, etag } = request.into_inner();
        self.may_change()?;
        let etag = self.state.models.unload(&name, &etag)?;
        Ok(Response::new(wire::UnloadModelResponse { etag }))
    }
}

impl ModelDesk {
    /// Models change only while the server serves.
    fn may_change(&self) -> Result<(), CallError> {
        self.state.not_draining()?;
        self.state.model("").map(|_| ())
    }
}

fn label_of(label: i32) -> Result<Label, CallError> {
    match wire::ModelLabel::try_from(label) {
        Ok(wire::ModelLabel::Stable) => Ok(Label::Stable),
        Ok(wire::ModelLabel::Canary) => Ok(Label::Canary),
        Ok(wire::ModelLabel::Shadow) => Ok(Label::Shadow),
        Ok(wire::ModelLabel::Unspecified) => Err(CallError::field("label", "is required")),
        Err(_) => Err(CallError::field(
            "label",
            format!("{label} is not a ModelLabel of this version"),
        )),
    }
}
