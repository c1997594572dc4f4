//! What is often said of frequency, held against the strata.

use crate::card::{Claim, ClaimCard, Finding, LawCard, StratumCard, TailCard, VuongCard};
use crate::lifecycle::Stage;

/// A p-value at or below this speaks against chance.
pub const SIGNIFICANCE: f64 = 0.05;

/// A law whose AIC is worse by more than this has no support (Burnham and Anderson 2002, 2.6).
const NO_SUPPORT: f64 = 10.0;

/// The claims of users early and late in their lifecycle.
pub(super) fn claims(strata: &[StratumCard], min_users: u64) -> Vec<ClaimCard> {
    let of = |claim, stage: Stage| {
        let stratum = strata
            .iter()
            .find(|s| s.name.stage == stage.name() && s.name.tier.is_none());
        let (finding, reason) = match (stratum, claim) {
            (None, _) => (
                Finding::Undecided,
                format!("the stage has fewer than {min_users} users"),
            ),
            (Some(stratum), Claim::EarlyPareto) => pareto(stratum, min_users),
            (Some(stratum), Claim::LateNormal) => normal(stratum),
        };
        ClaimCard {
            claim,
            stage: stage.name().to_owned(),
            finding,
            reason,
        }
    };
    vec![
        of(Claim::EarlyPareto, Stage::Acquisition),
        of(Claim::LateNormal, Stage::Mature),
    ]
}

fn pareto(stratum: &StratumCard, min_users: u64) -> (Finding, String) {
    let Some(tail) = &stratum.counts.tail else {
        let reason = format!(
            "no tail of {min_users} users or more has two different numbers of active days"
        );
        return (Finding::Undecided, reason);
    };
    let rivals = [
        ("log-normal", tail.log_normal),
        ("exponential", tail.exponential),
    ];
    let figures = |(name, vuong): (&str, VuongCard)| {
        format!(
            "the {name} law (z = {:.1}, p = {})",
            vuong.z,
            p_value(vuong.p)
        )
    };
    let from = format!("from {} active days on", tail.from);
    let worse = rivals
        .iter()
        .find(|(_, v)| v.z < 0.0 && v.p <= SIGNIFICANCE);
    if let Some(rival) = worse {
        let reason = format!("{from}, the power law is worse than {}", figures(*rival));
        return (Finding::Refuted, reason);
    }
    let open = rivals.iter().find(|(_, v)| v.p > SIGNIFICANCE);
    if let Some(rival) = open {
        let reason = format!(
            "{from}, the power law is no better than {}",
            figures(*rival)
        );
        return (Finding::Undecided, reason);
    }
    if let Some(reason) = small_part(stratum, tail) {
        return (Finding::Undecided, reason);
    }
    let [first, second] = rivals.map(figures);
    let reason = format!("{from}, the power law is better than {first} and {second}");
    (Finding::Confirmed, reason)
}

/// A tail that leaves out most users is no law of the stage.
fn small_part(stratum: &StratumCard, tail: &TailCard) -> Option<String> {
    (2 * tail.users < stratum.fitted_users).then(|| {
        format!(
            "the power law holds from {} active days on only, for {} of {} users",
            tail.from, tail.users, stratum.fitted_users
        )
    })
}

fn normal(stratum: &StratumCard) -> (Finding, String) {
    let laws = &stratum.counts.laws;
    let found = laws.iter().find(|law| law.law == "normal");
    let (Some(best), Some(normal)) = (laws.first(), found) else {
        let reason = "all users have the same number of active days".to_owned();
        return (Finding::Undecided, reason);
    };
    if best.law == normal.law {
        return match stratum.counts.p_adequate {
            Some(p) if p <= SIGNIFICANCE => {
                let reason = format!(
                    "the normal law is the nearest of four, but it is not adequate (p = {})",
                    p_value(p)
                );
                (Finding::Refuted, reason)
            }
            p => {
                let p = p_value(p.unwrap_or(f64::NAN));
                let reason =
                    format!("the normal law is the nearest of four, and adequate (p = {p})");
                (Finding::Confirmed, reason)
            }
        };
    }
    let worse = normal.aic - best.aic;
    let reason = format!(
        "the {} law is nearer than the normal law (AIC lower by {worse:.1})",
        name(best)
    );
    let finding = if worse > NO_SUPPORT {
        Finding::Refuted
    } else {
        Finding::Undecided
    };
    (finding, reason)
}

fn name(law: &LawCard) -> String {
    law.law
        .replace("zero_inflated", "zero-inflated")
        .replace('_', " ")
}

/// A p-value in three decimals.
fn p_value(p: f64) -> String {
    if p < 0.001 {
        "less than 0.001".to_owned()
    } else {
        format!("{p:.3}")
    }
}
