//! Sentences on the laws of frequency.

use crate::card::{
    Claim, ClaimCard, CountsCard, Finding, GapsCard, Interval, LawCard, LawsCard, StratumCard,
    StratumName, TailCard, TenureCard, TenureSeries, TurningPointCard,
};
use crate::report::number::{counted, decimals, thousands};

/// A law with a p-value above this is adequate; a comparison with one at or below it is decided.
const SIGNIFICANCE: f64 = 0.05;

/// A turning point has a p-value of at most this, corrected for all numbers of points and all points.
const TURNING: f64 = 0.01;

/// A stratum's name: its stage, and its tier where it is a tier.
pub(crate) fn name(name: &StratumName) -> String {
    match &name.tier {
        Some(tier) => format!("{}, tier {tier}", name.stage),
        None => name.stage.clone(),
    }
}

/// What was counted, without a full stop.
pub(crate) fn window(laws: &LawsCard) -> String {
    format!(
        "Active days from {} to {}, by where users stood when {} began",
        laws.from,
        laws.until.plus(-1),
        laws.from
    )
}

/// A stratum in one sentence.
pub(crate) fn stratum(s: &StratumCard) -> String {
    let mut parts = vec![counts(&s.counts)];
    parts.extend(s.counts.tail.as_ref().map(tail));
    match &s.gaps {
        Some(of) => parts.extend(gaps(of)),
        None => parts.push("nobody came back, so that gaps have no law".to_owned()),
    }
    let users = counted(s.users, "user");
    let fitted = if s.fitted_users < s.users {
        format!(" (laws of {} drawn from them)", thousands(s.fitted_users))
    } else {
        String::new()
    };
    format!("{}, {users}{fitted}: {}.", name(&s.name), parts.join("; "))
}

/// The law of the counts.
pub(crate) fn counts(counts: &CountsCard) -> String {
    match counts.laws.first() {
        None => format!(
            "all have the same number of active days, {}",
            decimals(counts.mean, 0)
        ),
        Some(best) => format!(
            "active days are {}{}",
            law(best),
            adequate(counts.p_adequate)
        ),
    }
}

/// A law with its parameters.
pub(crate) fn law(law: &LawCard) -> String {
    let name = match law.law.as_str() {
        "negative_binomial" => "negative binomial",
        "zero_inflated_poisson" => "zero-inflated Poisson",
        "poisson" => "Poisson",
        "log_normal" => "log-normal",
        "weibull" => "Weibull",
        other => other,
    };
    let parameters = law.parameters.iter().map(|p| {
        // Four figures of small ones, and none behind the point of large ones.
        let digits = match p.value.abs() {
            size if size >= 100.0 => 0,
            size if size >= 1.0 => 1,
            _ => 2,
        };
        format!("{} = {}", p.name, decimals(p.value, digits))
    });
    format!("{name} ({})", parameters.collect::<Vec<_>>().join(", "))
}

fn adequate(p: Option<f64>) -> String {
    match p {
        None => ", whose adequacy cannot be simulated".to_owned(),
        Some(p) if p > SIGNIFICANCE => format!(", which is adequate ({})", p_value(p)),
        Some(p) => format!(", the nearest of four but not adequate ({})", p_value(p)),
    }
}

/// The power law of the tail beside the log-normal one.
pub(crate) fn tail(tail: &TailCard) -> String {
    let vuong = tail.log_normal;
    let verdict = match vuong.p <= SIGNIFICANCE {
        false => "no better than a log-normal law",
        true if vuong.z > 0.0 => "better than a log-normal law",
        true => "worse than a log-normal law",
    };
    format!(
        "from {} days on a power law (exponent {}) is {verdict} (z = {}, {})",
        tail.from,
        decimals(tail.exponent, 1),
        decimals(vuong.z, 1),
        p_value(vuong.p)
    )
}

/// The law of the gaps, and what its shapes say.
fn gaps(gaps: &GapsCard) -> Vec<String> {
    let best = gaps.laws.first();
    let best = best.map(|best| {
        format!(
            "gaps in days are {}{}",
            law(best),
            adequate(gaps.p_adequate)
        )
    });
    let silence = gaps.weibull_shape.as_ref().map(silence);
    let rhythm = gaps.regularity.as_ref().map(rhythm);
    [best, silence, rhythm].into_iter().flatten().collect()
}

/// What a Weibull shape says of silence.
pub(crate) fn silence(shape: &Interval) -> String {
    let says = if shape.high < 1.0 {
        "the longer the silence, the less likely a return"
    } else if shape.low > 1.0 {
        "the longer the silence, the more likely a return"
    } else {
        "silence says nothing of a return"
    };
    format!("{says} (Weibull shape {})", span(shape))
}

/// What the shape of a gamma law says of rhythm.
pub(crate) fn rhythm(regularity: &Interval) -> String {
    let says = match regularity.value {
        k if k > 1.5 => "regular",
        k if k < 0.8 => "clumpy",
        _ => "about random",
    };
    format!("returns are {says} (regularity {})", span(regularity))
}

fn span(i: &Interval) -> String {
    let [value, low, high] = [i.value, i.low, i.high].map(|x| decimals(x, 2));
    format!("{value}, {low} to {high}")
}

/// A p-value with its name.
pub(crate) fn p_value(p: f64) -> String {
    if p < 0.001 {
        "p < 0.001".to_owned()
    } else {
        format!("p = {}", decimals(p, 3))
    }
}

/// The strata that are withheld, in a sentence.
pub(crate) fn withheld(laws: &LawsCard) -> Option<String> {
    let names: Vec<String> = laws.withheld.iter().map(name).collect();
    (!names.is_empty()).then(|| {
        format!(
            "Withheld, because they are fewer than {} users, or would give such a group away: {}.",
            laws.min_users,
            names.join("; ")
        )
    })
}

/// A claim.
pub(crate) fn claim(claim: &ClaimCard) -> String {
    match claim.claim {
        Claim::EarlyPareto => format!("Pareto distribution early ({})", claim.stage),
        Claim::LateNormal => format!("Normal distribution late ({})", claim.stage),
    }
}

/// What became of a claim.
pub(crate) fn finding(finding: Finding) -> &'static str {
    match finding {
        Finding::Confirmed => "confirmed",
        Finding::Refuted => "refuted",
        Finding::Undecided => "undecided",
    }
}

/// What a series counts.
pub(crate) fn series(series: TenureSeries) -> &'static str {
    match series {
        TenureSeries::Activity => "active days of each user",
        TenureSeries::Churn => "share of users whose churn begins",
    }
}

/// A series' turning points in one sentence.
pub(crate) fn turning(card: &TenureCard) -> String {
    let what = series(card.series);
    let weeks = counted(card.users.len() as u64, "week");
    let Some(p_any) = card.p_any else {
        return format!("{what}: {weeks} of tenure are too few for a turning point.");
    };
    if card.points.is_empty() {
        let p = p_value(p_any);
        let corrected = match p_any <= TURNING {
            true => format!(", above {TURNING} when corrected for all that were tried"),
            false => String::new(),
        };
        return format!(
            "{what}: no turning point in {weeks} of tenure ({p} for the clearest{corrected})."
        );
    }
    let points: Vec<String> = card.points.iter().map(point).collect();
    format!("{what}: {}.", points.join("; "))
}

fn point(p: &TurningPointCard) -> String {
    let place = if p.low < p.high {
        format!(" ({} to {})", p.low, p.high)
    } else {
        String::new()
    };
    format!(
        "from {} to {} a week with week {}{place}, {}",
        decimals(p.before, 3),
        decimals(p.after, 3),
        p.week,
        p_value(p.p)
    )
}
