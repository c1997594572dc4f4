//! One user's explanation as a page of its own: the answer, what it is made of, the weeks before, and what supposed events
//! change.

mod contributions;
#[cfg(test)]
mod tests;
mod weeks;
mod what_if;
mod worth;

use maud::{Markup, html};

use super::horizon::panels_of;
use super::text::{nowrap, thin};
use super::{Section, document, facts};
use crate::explain::{HorizonAnswer, Status, UserExplanation};
use crate::history::Day;
use crate::report::number::probability;

/// The page: a whole HTML document.
pub fn render(explanation: &UserExplanation) -> String {
    let title = format!("{} as of {}", explanation.user_id, explanation.answer.as_of);
    document(
        &title,
        header(explanation),
        &sections(explanation),
        footer(explanation),
    )
}

fn sections(explanation: &UserExplanation) -> Vec<Section> {
    let mut sections = vec![Section {
        id: "answer",
        name: "Answer",
        heading: "What is the answer?",
        content: answer(explanation),
    }];
    let horizons = horizons(&explanation.answer.horizons);
    if !horizons.is_empty() {
        sections.push(Section {
            id: "reasons",
            name: "Reasons",
            heading: "What is it made of?",
            content: panels_of(&horizons, 'r', |h| contributions::figures(h)),
        });
    }
    if let Some(value) = &explanation.answer.value {
        sections.push(Section {
            id: "value",
            name: "Value",
            heading: "What is the user worth?",
            content: worth::figures(value),
        });
    }
    sections.push(Section {
        id: "weeks",
        name: "Weeks",
        heading: "How did it come about?",
        content: weeks::figures(explanation),
    });
    if let Some(what_if) = &explanation.what_if {
        sections.push(Section {
            id: "what-if",
            name: "What if",
            heading: "What would change it?",
            content: what_if::figures(what_if),
        });
    }
    sections
}

fn horizons(all: &[HorizonAnswer]) -> Vec<(u16, &HorizonAnswer)> {
    all.iter().map(|h| (h.horizon_days, h)).collect()
}

fn header(explanation: &UserExplanation) -> Markup {
    let answer = &explanation.answer;
    html! {
        header {
            p.eyebrow { "Why this answer" }
            h1 { (explanation.user_id) }
            ul.headline {
                @for h in &answer.horizons {
                    li class={ "badge " (badge(h)) } {
                        (h.horizon_days) " days: " (probability(h.churn_probability)) ", " (h.risk_band) " risk"
                    }
                }
                @if answer.status != Status::Scored { li.badge.doubtful { "No score" } }
                @if let Some(stage) = &answer.stage { li.badge.fair { (stage.name.name()) } }
                @if let Some(tier) = answer.value.as_ref().and_then(|v| v.tier.as_ref()) {
                    li.badge.fair { "value: " (tier.name) }
                }
            }
            (activity(explanation))
        }
    }
}

fn badge(h: &HorizonAnswer) -> &'static str {
    match h.risk_band {
        "high" => "bad",
        "medium" => "doubtful",
        _ => "good",
    }
}

fn activity(explanation: &UserExplanation) -> Markup {
    let activity = &explanation.activity;
    let day = |day: Option<Day>| match day {
        Some(day) => nowrap(day),
        None => html! { "none" },
    };
    facts([
        ("As of", nowrap(explanation.answer.as_of)),
        ("First event", day(activity.first_event)),
        ("Last activity", day(activity.last_active)),
        ("Days with activity", html! { (activity.active_days) }),
        ("Model", html! { (explanation.model) }),
    ])
}

fn answer(explanation: &UserExplanation) -> Markup {
    html! {
        div.card { @for sentence in &explanation.sentences { p { (thin(sentence)) } } }
    }
}

fn footer(explanation: &UserExplanation) -> Markup {
    html! {
        footer {
            "Ebb " (env!("CARGO_PKG_VERSION")) " · model " (explanation.model)
            " · no event on " (explanation.answer.as_of) " or later was seen"
        }
    }
}
