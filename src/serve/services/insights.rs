//! `churn.v1.InsightService`.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::history::BLOCK_USERS;
use crate::kpi::{
    Definitions, KpiConfig, KpiRequest, Observation, Tally, cell_count, report, tally,
};
use crate::model::BundleSpec;
use crate::phases::Phases;
use crate::serve::codec::{decode, encode};
use crate::serve::context::CallContext;
use crate::serve::convert::kpi::{KpiQuestion, refusal};
use crate::serve::errors::CallError;
use crate::serve::quota::Resource;
use crate::serve::registry::ServedModel;
use crate::serve::registry::users::KnownUsers;
use crate::serve::state::ServerState;
use crate::serve::wire;

/// The most periods times slices of a request.
const MOST_CELLS: usize = 2_000;
/// What the sums of a cell take, with those of a part that is added to them.
const CELL_BYTES: usize = 32_768;
/// Blocks of users that are counted in one job, so that other callers wait for some milliseconds.
const JOB_BLOCKS: usize = 2;

/// What is counted.
struct Counting {
    model: Arc<ServedModel>,
    users: Arc<KnownUsers>,
    question: KpiQuestion,
    definitions: Definitions,
    observation: Observation,
}

/// The framed answer to `GetKpis`.
pub(crate) async fn get_kpis(
    state: &Arc<ServerState>,
    call: CallContext,
    message: Bytes,
) -> Result<Bytes, CallError> {
    let request: wire::GetKpisRequest = decode(message, &call.form, &call.memory)?;
    let question = KpiQuestion::try_from(request)?;
    let model = state.model(&question.model)?;
    let users = state.known_users().ok_or(CallError::NoUsersToList)?;
    let mut answer = wire::GetKpisResponse {
        model_version: model.version().to_owned(),
        ..wire::GetKpisResponse::default()
    };
    // A roll-up without events has no day, and no figures either.
    if let Some(observation) = users.observation(model.spec()) {
        let counting = Arc::new(Counting {
            definitions: definitions(model.spec(), state.min_users),
            model,
            users,
            question,
            observation,
        });
        // One request at a time: the threads are there for scores.
        let turn = state.engine.insights.acquire().await;
        let _turn = turn.map_err(|_| CallError::Draining)?;
        let cells = cell_count(&counting.request()).map_err(refusal)?;
        let memory = call.memory.another(cells * CELL_BYTES);
        let limit = Resource::Memory.limit();
        let _memory = memory.ok_or(CallError::TooManyCalls { limit })?;
        counting.run(state, &call, &mut answer).await?;
    }
    encode(&answer, &call.form, &call.memory)
}

impl Counting {
    fn request(&self) -> KpiRequest<'_> {
        KpiRequest {
            histories: self.users.histories(),
            definitions: &self.definitions,
            observation: &self.observation,
            period: self.question.period,
            from: self.question.from,
            to: self.question.to,
            by: &self.question.by,
            bundle: Some(self.model.bundle()),
            costs: None,
            weekly: true,
            most_cells: MOST_CELLS,
            phases: Phases::default(),
        }
    }

    fn count(&self, blocks: Range<usize>) -> Result<Tally, CallError> {
        tally(&self.request(), blocks).map_err(refusal)
    }

    /// Counts users job by job; a call that ends early begins no more of them.
    async fn run(
        self: Arc<Self>,
        state: &Arc<ServerState>,
        call: &CallContext,
        answer: &mut wire::GetKpisResponse,
    ) -> Result<(), CallError> {
        let blocks = self.users.histories().block_count();
        let mut all = self.count(0..0)?;
        for start in (0..blocks).step_by(JOB_BLOCKS) {
            let counting = Arc::clone(&self);
            let end = blocks.min(start + JOB_BLOCKS);
            let job = move || counting.count(start..end);
            let pool = &state.engine.pool;
            all.add(pool.run_with_backpressure(call, BLOCK_USERS, job).await?);
        }
        let made = report(&self.request(), &all).map_err(refusal)?;
        answer.withheld = made.withheld;
        answer.bad_answers = made.bad_answers;
        answer.kpis = made.rows.into_iter().map(wire::Kpi::from).collect();
        Ok(())
    }
}

/// The definitions of a bundle, and the defaults of what it does not have. No figure counts fewer than `min_users`.
fn definitions(spec: &BundleSpec, min_users: u32) -> Definitions {
    let orders = match spec.schema.value_kinds.is_empty() {
        true => &spec.schema.activity,
        false => &spec.schema.value_kinds,
    };
    Definitions {
        activity: spec.schema.activity.clone(),
        churn_event: spec.churn_event.clone(),
        active_within_days: spec.active_within_days,
        lifecycle: spec.lifecycle.clone(),
        window_days: spec.schema.horizon_days.first().copied().unwrap_or(1),
        order_kinds: orders.clone(),
        margin: spec.value.as_ref().map_or(1.0, |value| value.margin),
        settings: KpiConfig::default(),
        min_users,
    }
}
