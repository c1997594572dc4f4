use std::sync::Arc;

use super::scorer;
use crate::serve::convert::request::RequestContext;
use crate::serve::registry::{ModelRegistry, ServedModel};
use crate::serve::wire;

/// A request that the stable model has scored and its shadow is to score too.
pub(super) struct ShadowRequest {
    /// The shadow.
    pub(super) shadow: Arc<ServedModel>,
    /// The request's context, with the stable model.
    pub(super) context: Arc<RequestContext>,
    /// The request's subjects.
    pub(super) subjects: Vec<wire::Subject>,
}

impl ShadowRequest {
    /// Counts the users as not compared.
    pub(super) fn skip(self, registry: &ModelRegistry) {
        registry.compare(&self.context.model, &self.shadow, |stats| {
            stats.skipped += self.subjects.len() as u64;
        });
    }

    /// Scores the subjects by the shadow, and compares with the scores that were returned, in order; `None` where there
    /// was none.
    pub(super) fn compare(self, registry: &ModelRegistry, returned: &[Option<wire::Score>]) {
        let Self {
            shadow,
            context: stable,
            subjects,
        } = self;
        // A request that the shadow cannot take at all, such as features of the stable model, is unscored user by user.
        let by_shadow = stable
            .with_model(Arc::clone(&shadow))
            .map(|context| scorer::score_batch(&context, subjects))
            .unwrap_or_default();
        registry.compare(&stable.model, &shadow, |stats| {
            for (i, returned) in returned.iter().enumerate() {
                if let Some(returned) = returned {
                    let shadow = by_shadow.get(i).and_then(|result| result.as_ref().ok());
                    stats.add(returned, shadow);
                }
            }
        });
    }
}
