//! How often users are active, by stage and tier: which laws their counts and gaps follow, and at which week of their
//! tenure activity and churn turn.
//!
//! `strata` puts users into stages and tiers at the begin of a window and takes their active days in it, so that nothing of the
//! window decides where a user is counted. [`counts`] and [`gaps`] fit laws, [`tail`] the power law of the largest counts,
//! [`adequacy`] says whether a law is good enough, `regularity` gives intervals of shapes. `tenure` counts activity and churn by
//! week since the first active day, [`segmentation`] and [`turning`] find where their rates change. `claims` holds two common
//! claims against the strata.

pub mod adequacy;
mod claims;
pub mod counts;
pub mod gaps;
mod numeric;
mod random;
mod regularity;
pub mod segmentation;
pub mod silences;
mod strata;
pub mod tail;
mod tenure;
pub mod turning;
mod withheld;

use counts::{FittedCounts, Histogram, fit_counts};
use gaps::{FittedGaps, fit_gaps};
use rayon::prelude::*;
use silences::{GapWeights, UserGaps};
use strata::Pool;
use tail::{Support, Values, Vuong};

use super::TrainError;
use super::data::context::{FitInput, TrainContext};
use crate::card::{
    CountsCard, GapsCard, LawCard, LawsCard, ParameterCard, StratumCard, StratumName, TailCard,
    VuongCard,
};
use crate::history::Stretch;
use crate::math::splitmix::splitmix64;
use crate::model::Bundle;
use crate::phases::Unit;

/// The fewest users that laws are fitted on.
const LEAST_USERS: u64 = 30;

/// Users of a stratum that laws are fitted on, at most. Adequacy is a question of size: of many thousands no law is adequate.
pub const SAMPLE_USERS: usize = 1_000;

/// The laws of a log: by stage, and by tier of value where a bundle with a value model is given.
///
/// # Errors
/// [`TrainError`] names what is wrong with log or configuration; [`TrainError::LawsNotObserved`] where the log is too short.
pub fn laws(input: &FitInput<'_>, bundle: Option<&Bundle>) -> Result<LawsCard, TrainError> {
    let as_of = input.as_of;
    let span = input.histories.span();
    let (first_day, _) = span
        .filter(|(first, _)| *first < as_of)
        .ok_or(TrainError::NoEvents { as_of })?;
    let ctx = TrainContext::new(input, first_day)?;
    laws_of(&ctx, bundle)?.ok_or_else(|| TrainError::LawsNotObserved {
        shortest: ctx
            .config
            .churn
            .horizon_days
            .iter()
            .copied()
            .min()
            .unwrap_or(0),
        span_days: ctx.observed.until.since(ctx.observed.first),
    })
}

/// The same for a fit; `None` where the log is too short for the window of any horizon.
pub(crate) fn laws_of(
    ctx: &TrainContext<'_>,
    bundle: Option<&Bundle>,
) -> Result<Option<LawsCard>, TrainError> {
    let Some(window) = strata::window(&ctx.observed, &ctx.config.churn.horizon_days) else {
        return Ok(None);
    };
    let min_users = LEAST_USERS.max(ctx.config.privacy.min_users.into());
    let steps = ctx.phases.begin("laws of frequency", 3, Unit::Steps);
    let all = strata::strata(ctx, window, bundle)?;
    let users: Vec<_> = all.iter().map(|(name, pool)| (name, pool.users)).collect();
    let is_shown = withheld::shown(&users, min_users);
    let (shown, withheld): (Vec<_>, Vec<_>) = all
        .into_iter()
        .zip(is_shown)
        .partition(|(_, is_shown)| *is_shown);
    steps.advance(1);
    let seed = ctx.config.model.seed;
    let strata: Vec<StratumCard> = shown
        .into_par_iter()
        .enumerate()
        .map(|(k, ((name, pool), _))| {
            let seed = splitmix64(seed ^ splitmix64(k as u64 + 100));
            stratum(name, pool, window, min_users, seed)
        })
        .collect();
    steps.advance(1);
    let silence_days = window.until.since(window.from);
    let series = tenure::tenure(ctx, silence_days, min_users)?;
    steps.advance(1);
    Ok(Some(LawsCard {
        from: window.from,
        until: window.until,
        min_users,
        sample_users: SAMPLE_USERS as u64,
        claims: claims::claims(&strata, min_users),
        strata,
        withheld: withheld.into_iter().map(|((name, _), _)| name).collect(),
        series,
    }))
}

fn stratum(
    name: StratumName,
    pool: Pool,
    window: Stretch,
    min_users: u64,
    seed: u64,
) -> StratumCard {
    let users = pool.users;
    let sample = pool.into_sample();
    let days = window.until.since(window.from) as usize;
    StratumCard {
        name,
        users,
        fitted_users: sample.len() as u64,
        counts: counts_card(&sample, min_users, seed),
        gaps: gaps_card(&sample, days, splitmix64(seed)),
    }
}

fn counts_card(sample: &[UserGaps], min_users: u64, seed: u64) -> CountsCard {
    let counts = Histogram::of(sample.iter().map(UserGaps::ended));
    let fitted = fit_counts(&counts);
    let best = fitted.first();
    let numbers: Vec<f64> = sample.iter().map(|user| user.ended() as f64).collect();
    CountsCard {
        mean: counts.mean(),
        variance: counts.variance(),
        laws: fitted.iter().map(count_law).collect(),
        p_adequate: best.map(|best| adequacy::of_counts(&best.law, &counts, seed)),
        tail: tail_card(&Values::new(&numbers, Support::Discrete), min_users),
    }
}

fn tail_card(values: &Values, min_users: u64) -> Option<TailCard> {
    let law = values.power_law(min_users)?;
    let vuong = |vuong: Vuong| VuongCard {
        z: vuong.z,
        p: vuong.p,
    };
    Some(TailCard {
        from: law.from as u64,
        users: law.observations,
        exponent: law.exponent,
        distance: law.distance,
        log_normal: vuong(values.against_log_normal(&law)),
        exponential: vuong(values.against_exponential(&law)),
    })
}

fn gaps_card(sample: &[UserGaps], window: usize, seed: u64) -> Option<GapsCard> {
    let terms = GapWeights::of(sample).terms(GapWeights::scale(sample));
    let fitted = fit_gaps(&terms, sample.len() as f64);
    let best = fitted.first()?;
    let shape = |name: &str| {
        let law = fitted.iter().find(|f| f.law.name() == name)?;
        law.shape(sample, window)
    };
    Some(GapsCard {
        ended: sample.iter().map(|user| user.ended() as u64).sum(),
        open: sample.len() as u64,
        laws: fitted.iter().map(gap_law).collect(),
        p_adequate: adequacy::of_gaps(best, sample, window, seed),
        regularity: shape("gamma"),
        weibull_shape: shape("weibull"),
    })
}

fn count_law(fitted: &FittedCounts) -> LawCard {
    let law = (fitted.law.name(), fitted.law.parameters());
    law_card(law, fitted.log_likelihood, fitted.aic())
}

fn gap_law(fitted: &FittedGaps) -> LawCard {
    let law = (fitted.law.name(), fitted.law.parameters());
    law_card(law, fitted.log_likelihood, fitted.aic())
}

fn law_card(
    (name, parameters): (&str, Vec<(&'static str, f64)>),
    log_likelihood: f64,
    aic: f64,
) -> LawCard {
    let parameter = |(name, value): (&'static str, f64)| ParameterCard {
        name: name.to_owned(),
        value,
    };
    LawCard {
        law: name.to_owned(),
        parameters: parameters.into_iter().map(parameter).collect(),
        log_likelihood,
        aic,
    }
}
