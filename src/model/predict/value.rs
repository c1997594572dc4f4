//! The value part of an answer.

use super::explain::{Explanation, value_reasons};
use super::kernel::Kernel;
use super::plan::Plan;
use super::{Predictor, Unscored};
use crate::features::Extractor;
use crate::history::{Day, HistoryView};
use crate::lifecycle::Eligibility;
use crate::model::value::hysteresis::tier_at;
use crate::model::value::scorer::{Spend, ValuePlan};
use crate::model::{Bundle, ModelError, ValueEstimate, ValueModel};

/// The value model of a bundle with what it looks up.
#[derive(Clone, Copy)]
pub(super) struct ValueParts<'m> {
    pub(super) model: &'m ValueModel,
    pub(super) plan: &'m ValuePlan,
}

impl Bundle {
    pub(super) fn value_parts(&self) -> Option<ValueParts<'_>> {
        let model = self.spec().value.as_ref()?;
        let plan = self.plan().value.as_ref()?;
        Some(ValueParts { model, plan })
    }
}

impl<'m> ValueParts<'m> {
    /// Makes the kernel's contributions those of the regression.
    pub(super) fn contribute<const N: usize>(&self, plan: &Plan, kernel: &mut Kernel<N>) {
        if let Some(regression) = &self.plan.regression {
            kernel.contribute(plan, regression);
        }
    }

    /// The spend of a row, after [`Self::contribute`]; `None` where the row lacks the user's orders.
    pub(super) fn spend<const N: usize>(
        &self,
        kernel: &Kernel<N>,
        row: usize,
        vector: &[f64],
    ) -> Option<Spend> {
        let regression = self.plan.regression.as_ref();
        let log_spend = regression.map(|model| kernel.effects(row).log_odds(model));
        self.plan.spend(self.model, vector, log_spend)
    }
}

impl<'m> Predictor<'m> {
    /// The estimate for the row whose standardised numbers the kernel has; `churn` is the probability of the longest horizon.
    pub(super) fn value(
        &mut self,
        vector: &[f64],
        churn: f64,
        reason_count: usize,
    ) -> Option<ValueEstimate<'m>> {
        let bundle = self.bundle;
        let parts = bundle.value_parts()?;
        parts.contribute(bundle.plan(), &mut self.kernel);
        let spend = parts.spend(&self.kernel, 0, vector);
        let mut estimate = parts.plan.estimate(parts.model, vector, spend, churn);
        if let (Some(model), true) = (&parts.plan.regression, spend.is_some()) {
            let explanation = Explanation {
                bundle,
                model,
                kernel: &self.kernel,
                vector,
                derived: &self.derived,
            };
            estimate.reasons = value_reasons(&explanation, reason_count);
        }
        Some(estimate)
    }

    /// Gives an estimate the tier of the weekly checkpoints up to the as-of day, where they decide it.
    pub(super) fn hold_tier(
        &mut self,
        estimate: &mut ValueEstimate<'m>,
        history: HistoryView<'_>,
        as_of: Day,
    ) -> Result<(), ModelError> {
        let bundle = self.bundle;
        let (Some(parts), Some((eligibility, extractor))) =
            (bundle.value_parts(), &mut self.reader)
        else {
            return Ok(());
        };
        let present = estimate.residual_value;
        let checkpoint = self
            .checkpoint
            .get_or_insert_with(|| Checkpoint::new(bundle));
        let tier = tier_at(&parts.model.tiers, as_of, |day| {
            if day == as_of {
                return Ok(Some(present));
            }
            checkpoint.residual(parts, (eligibility, extractor), history, day)
        })?;
        if let Some(tier) = tier {
            estimate.tier = Some(tier);
            estimate.tier_name = &parts.model.tiers[tier].name;
        }
        Ok(())
    }
}

/// Room for the value of a user at an earlier day.
#[derive(Clone, Debug)]
pub(super) struct Checkpoint<'m> {
    bundle: &'m Bundle,
    vector: Vec<f64>,
    kernel: Kernel<1>,
}

impl<'m> Checkpoint<'m> {
    fn new(bundle: &'m Bundle) -> Self {
        Self {
            bundle,
            vector: vec![f64::NAN; bundle.catalogue().len()],
            kernel: Kernel::new(bundle.plan()),
        }
    }

    /// The residual value at a day; `None` where the user had no score.
    fn residual(
        &mut self,
        parts: ValueParts<'m>,
        (eligibility, extractor): (&Eligibility, &mut Extractor<'m>),
        history: HistoryView<'_>,
        day: Day,
    ) -> Result<Option<f64>, ModelError> {
        if eligibility.at(history, day).is_err() {
            return Ok(None);
        }
        extractor.extract(history, day, &mut self.vector);
        match self.bundle.behaviour(&self.vector)? {
            Ok(_) => {}
            Err(Unscored::TooNew | Unscored::Lacks(_) | Unscored::Inactive { .. }) => {
                return Ok(None);
            }
        }
        let plan = self.bundle.plan();
        self.kernel.set_row(0, &self.vector);
        self.kernel.derive(plan, 0);
        self.kernel.standardise(plan);
        parts.contribute(plan, &mut self.kernel);
        let spend = parts.spend(&self.kernel, 0, &self.vector);
        Ok(spend.map(|spend| parts.plan.residual(parts.model, &spend)))
    }
}
