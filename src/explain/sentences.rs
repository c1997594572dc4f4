//! The answer in sentences.

use super::answer::{Answer, Contribution, HorizonAnswer, Status};
use super::what_if::{SupposedAmount, SupposedEvent, WhatIf};
use super::{conversion, value};
use crate::features::percent;
use crate::features::phrase::{days, number};
use crate::history::{Day, HistoryView};
use crate::lifecycle::{Behaviour, Eligibility, NotEligible, Rule};
use crate::model::Bundle;

/// Reasons of each direction in a sentence.
const REASONS: usize = 3;
/// Smaller contributions to the log-odds are no reason worth a sentence.
const LEAST_CONTRIBUTION: f64 = 0.05;

/// The sentences of an answer on a user.
pub(crate) fn of_answer(bundle: &Bundle, user: &str, answer: &Answer) -> Vec<String> {
    let mut sentences = Vec::new();
    if let Some(why) = &answer.why_not_scored {
        sentences.push(format!(
            "{user} has no score as of {}: {why}.",
            answer.as_of
        ));
    }
    sentences.extend(answer.horizons.iter().map(|h| risk(bundle, user, h)));
    if let Some(stage) = &answer.stage {
        sentences.push(format!("Stage {}: {}.", stage.name.name(), stage.reason));
    }
    if let Some(segment) = &answer.segment {
        let first = bundle.spec().schema.horizon_days[0];
        sentences.push(format!(
            "Segment {} ({}): {}; {} of its users churned within {first} days when the model was fitted.",
            segment.id,
            segment.key,
            segment.name,
            percent(segment.churn_rate)
        ));
    }
    if let Some(first) = answer.horizons.first() {
        sentences.extend(reasons(&first.reasons));
    }
    if let Some(worth) = &answer.value {
        sentences.extend(value::of_answer(user, worth));
    }
    sentences.extend(conversion::of_answer(bundle, user, answer));
    sentences
}

/// Some days: `in the 30 days from 2025-06-24 to 2025-07-23`.
pub(crate) fn window(days: u16, from: Day, last: Day) -> String {
    format!("in the {days} days from {from} to {last}")
}

/// The churn that is predicted: `no purchase in the 30 days from 2025-06-24 to 2025-07-23`.
fn churn(bundle: &Bundle, h: &HorizonAnswer) -> String {
    let when = window(h.horizon_days, h.from, h.last);
    match &bundle.spec().churn_event {
        Some(event) => format!("an event `{event}` {when}"),
        None => format!("no {} {when}", bundle.catalogue().verb()),
    }
}

fn risk(bundle: &Bundle, user: &str, h: &HorizonAnswer) -> String {
    let mut text = format!(
        "{user} is {} likely to have {}: {} risk",
        percent(h.churn_probability),
        churn(bundle, h),
        h.risk_band
    );
    if let Some(base) = h.base_rate.filter(|base| *base > 0.0) {
        text += &against(h.churn_probability, base);
    }
    if h.answered_by_horizon_days != h.horizon_days {
        let rule = match &bundle.spec().churn_event {
            Some(_) => "the event is never less probable in a longer time",
            None => "a longer silence is never more probable than a shorter one",
        };
        let days = h.answered_by_horizon_days;
        text += &format!("; the {days}-day model answers, since {rule}");
    }
    text + "."
}

/// `, 2.3 times the base rate of 42 %`.
fn against(probability: f64, base: f64) -> String {
    let ratio = probability / base;
    let base = percent(base);
    if (ratio - 1.0).abs() < 0.05 {
        format!(", as the base rate of {base}")
    } else if ratio < 0.1 {
        format!(", less than a tenth of the base rate of {base}")
    } else {
        format!(", {} times the base rate of {base}", number(ratio))
    }
}

/// What raises the risk, and what lowers it.
fn reasons(reasons: &[Contribution]) -> Vec<String> {
    both_ways(reasons, ["Raises the risk", "Lowers it"])
}

/// The largest contributions above 0 and below it, each behind its heading.
pub(crate) fn both_ways(reasons: &[Contribution], headings: [&str; 2]) -> Vec<String> {
    let of = |(heading, raises): (&str, bool)| {
        let chosen: Vec<String> = reasons
            .iter()
            .filter(|reason| reason.contribution.abs() >= LEAST_CONTRIBUTION)
            .filter(|reason| (reason.contribution > 0.0) == raises)
            .take(REASONS)
            .map(|reason| format!("{} ({:+.2})", reason.description, reason.contribution))
            .collect();
        (!chosen.is_empty()).then(|| format!("{heading}: {}.", chosen.join("; ")))
    };
    let directions = headings.into_iter().zip([true, false]);
    directions.filter_map(of).collect()
}

/// The figures that a rule of the lifecycle looks at.
pub(crate) fn stage_reason(bundle: &Bundle, rule: Rule, behaviour: &Behaviour) -> String {
    let (spec, verb) = (bundle.spec(), bundle.catalogue().verb());
    let b = behaviour;
    let known = format!("first seen {} ago", days(b.tenure_days));
    match rule {
        Rule::Inactive => format!(
            "the last {verb} is {} ago, and users count as active for {}",
            days(b.recency_days),
            days(f64::from(spec.active_within_days))
        ),
        Rule::Overdue => format!(
            "the last {verb} is {} ago, more than {} times the usual gap of {}",
            days(b.recency_days),
            number(spec.lifecycle.overdue_factor),
            days(b.gap_mean_days.unwrap_or(b.recency_days))
        ),
        Rule::ActivityDrop => {
            let earlier = (b.active_days - b.recent_active_days)
                / (b.tenure_days - b.recent_window_days).max(1.0);
            format!(
                "{} with activity in the last {}, where the earlier rate makes {}",
                days(b.recent_active_days),
                days(b.recent_window_days),
                number(earlier * b.recent_window_days)
            )
        }
        Rule::NotYetReturned => format!("{known}, with {verb} on one day only"),
        Rule::NewUser | Rule::Exploring | Rule::Growing | Rule::Established => known,
    }
}

/// Why there is no score, with the dates.
pub(crate) fn why_not_scored(
    bundle: &Bundle,
    eligibility: &Eligibility,
    history: HistoryView<'_>,
    as_of: Day,
    reason: NotEligible,
) -> String {
    let verb = bundle.catalogue().verb();
    let seen = history.before(as_of).records();
    let last = |is: &dyn Fn(u16) -> bool| {
        let found = seen.iter().rev().find(|record| is(record.kind));
        found.map(|record| record.day)
    };
    let last_active = last(&|kind| eligibility.is_activity(kind));
    let on = |day: Option<Day>| day.map_or_else(String::new, |day| format!(" on {day}"));
    match reason {
        NotEligible::NotYetSeen => match history.records().first() {
            Some(first) => format!("its first event is on {}, and none lies before", first.day),
            // A comparison drops what the log has of the as-of day and later.
            None => "no event lies before".to_owned(),
        },
        NotEligible::NoActivity => format!(
            "its first event is{}, but it never had a {verb}",
            on(seen.first().map(|record| record.day))
        ),
        NotEligible::Inactive => {
            let within = bundle.spec().active_within_days;
            let until = last_active.map(|day| day.plus(within as i32));
            format!(
                "its last {verb} was{}, {} before; users count as active for {}, here up to{}",
                on(last_active),
                days(last_active.map_or(0.0, |day| f64::from(as_of.since(day)))),
                days(f64::from(within)),
                on(until).trim_start_matches(" on").to_owned()
            )
        }
        NotEligible::AlreadyChurned => {
            let event = bundle.spec().churn_event.as_deref().unwrap_or_default();
            let churned = last(&|kind| eligibility.is_event(kind));
            format!(
                "it churned by `{event}`{}, and its last {verb} was{}",
                on(churned),
                on(last_active)
            )
        }
        NotEligible::AlreadyConverted => {
            format!(
                "it converted, last{}",
                on(last(&|kind| eligibility.is_event(kind)))
            )
        }
    }
}

/// The sentences of a comparison. `today` is the as-of day of the question.
pub(crate) fn of_what_if(bundle: &Bundle, today: Day, what_if: &WhatIf) -> Vec<String> {
    let events: Vec<String> = what_if.events.iter().map(event).collect();
    let mut sentences = vec![format!("Supposed: {}.", events.join("; "))];
    if what_if.as_of != today {
        sentences.push(format!(
            "An event of {today} is seen from {} on, so both answers are as of {}, and nothing else happens on {today}.",
            what_if.as_of, what_if.as_of
        ));
    }
    let unweighed = what_if.events.iter().filter(|event| !event.is_weighed);
    sentences.extend(unweighed.map(|event| {
        format!(
            "The model has no features of `{}`: such an event counts only as one of any kind.",
            event.kind
        )
    }));
    let (before, after) = (&what_if.before, &what_if.after);
    match (before.status, after.status) {
        (Status::Scored, Status::Scored) => {
            let pairs = before.horizons.iter().zip(&after.horizons);
            sentences.extend(pairs.map(|(before, after)| moved(bundle, before, after)));
            let worth = before.value.as_ref().zip(after.value.as_ref());
            sentences.extend(worth.map(|(before, after)| value::of_change(before, after)));
        }
        _ => {
            for (when, answer) in [("Without them", before), ("With them", after)] {
                sentences.push(outcome(bundle, when, answer));
            }
        }
    }
    sentences.extend(conversion::of_change(bundle, before, after));
    sentences
}

fn event(event: &SupposedEvent) -> String {
    let amount = match event.amount_from {
        SupposedAmount::Given => format!(", amount {}", event.amount.value()),
        SupposedAmount::UserMean => {
            format!(", amount {:.2}, the user's mean", event.amount.value())
        }
        SupposedAmount::None => String::new(),
    };
    let each = if event.count > 1 && !amount.is_empty() {
        " each"
    } else {
        ""
    };
    format!(
        "{} {} on {}{amount}{each}",
        event.count, event.kind, event.day
    )
}

fn moved(bundle: &Bundle, before: &HorizonAnswer, after: &HorizonAnswer) -> String {
    format!(
        "The probability of {} goes from {} to {} (log-odds {:+.2} to {:+.2}).",
        churn(bundle, after),
        percent(before.churn_probability),
        percent(after.churn_probability),
        before.log_odds,
        after.log_odds
    )
}

fn outcome(bundle: &Bundle, when: &str, answer: &Answer) -> String {
    if let Some(why) = &answer.why_not_scored {
        return format!("{when} the user has no score: {why}.");
    }
    let risks: Vec<String> = answer
        .horizons
        .iter()
        .map(|h| {
            format!(
                "{} likely to have {}",
                percent(h.churn_probability),
                churn(bundle, h)
            )
        })
        .collect();
    format!("{when} the user is {}.", risks.join(", and "))
}
