//! A user's explanation as text.

use super::bars::{Bar, bars};
use super::weeks::weeks;
use super::worth;
use crate::explain::{Change, Contribution, HorizonAnswer, HorizonChange, UserExplanation};
use crate::report::lines::{Line, Tone, wrapped};

/// Features with a smaller contribution are shown as one.
const LEAST_SHOWN: f64 = 0.05;

/// The whole explanation in lines of at most `width` columns.
pub fn explanation(explanation: &UserExplanation, width: usize) -> Vec<Line> {
    let heading = format!(
        "{} as of {}, model {}",
        explanation.user_id, explanation.answer.as_of, explanation.model
    );
    let mut lines = wrapped(Tone::Heading, &heading, width);
    lines.extend(paragraph(&explanation.sentences, width));
    for horizon in &explanation.answer.horizons {
        lines.push(Line::default());
        lines.extend(contributions(horizon, width));
    }
    if let Some(value) = &explanation.answer.value {
        lines.push(Line::default());
        lines.extend(worth::figures(value, width));
    }
    if !explanation.timeline.is_empty() {
        lines.push(Line::default());
        lines.extend(weeks(explanation, width));
    }
    if let Some(what_if) = &explanation.what_if {
        lines.push(Line::default());
        lines.push(Line::new(Tone::Heading, "What if"));
        lines.extend(paragraph(&what_if.sentences, width));
        for change in &what_if.changes {
            lines.extend(changes(change, width));
        }
        if let Some(value) = &what_if.value {
            lines.extend(worth::changes(value, width));
        }
    }
    lines
}

fn paragraph(sentences: &[String], width: usize) -> Vec<Line> {
    let lines = sentences.iter();
    lines
        .flat_map(|sentence| wrapped(Tone::Plain, sentence, width))
        .collect()
}

/// The groups, from the average user to the sum, and then the features.
fn contributions(horizon: &HorizonAnswer, width: usize) -> Vec<Line> {
    let days = horizon.horizon_days;
    let mut groups = vec![Bar {
        name: "the average user".to_owned(),
        value: horizon.base_log_odds,
    }];
    groups.extend(horizon.reasons.iter().map(group_bar));
    groups.push(Bar {
        name: "log-odds, the sum".to_owned(),
        value: horizon.log_odds,
    });
    let heading = format!("What adds to the log-odds of churn in {days} days, by group");
    let mut lines = wrapped(Tone::Heading, &heading, width);
    lines.extend(bars(&groups, width));
    lines.push(Line::new(Tone::Heading, "By feature"));
    lines.extend(bars(&feature_bars(&horizon.contributions), width));
    lines
}

fn group_bar(reason: &Contribution) -> Bar {
    Bar {
        name: format!("{}: {}", reason.group.replace('_', " "), reason.description),
        value: reason.contribution,
    }
}

fn feature_bars(contributions: &[Contribution]) -> Vec<Bar> {
    let is_shown = |c: &&Contribution| c.contribution.abs() >= LEAST_SHOWN;
    let mut shown: Vec<Bar> = contributions
        .iter()
        .filter(is_shown)
        .map(|c| Bar {
            name: format!("{} {}", c.feature, value(c)),
            value: c.contribution,
        })
        .collect();
    let others = contributions.iter().filter(|c| !is_shown(c));
    let (count, sum) = others.fold((0, 0.0), |(count, sum), c| {
        (count + 1, sum + c.contribution)
    });
    if count > 0 {
        shown.push(Bar {
            name: format!("{count} others"),
            value: sum,
        });
    }
    shown
}

/// `= 50`, or that it is unknown.
fn value(contribution: &Contribution) -> String {
    match contribution.value {
        None => "unknown".to_owned(),
        Some(value) => format!("= {}", short(value)),
    }
}

/// Whole numbers, and others from 100 on, without decimals; from 1 on with one, and smaller ones with three.
fn short(value: f64) -> String {
    match value.abs() {
        whole if whole.fract() == 0.0 && whole < 1e15 => format!("{value:.0}"),
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 1.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

fn changes(change: &HorizonChange, width: usize) -> Vec<Line> {
    let heading = format!(
        "What changes of the log-odds in {} days, by group",
        change.horizon_days
    );
    let mut all: Vec<Bar> = change.reasons.iter().map(change_bar).collect();
    all.push(Bar {
        name: "all together".to_owned(),
        value: change.log_odds_change,
    });
    let mut lines = wrapped(Tone::Heading, &heading, width);
    lines.extend(bars(&all, width));
    lines
}

fn change_bar(change: &Change) -> Bar {
    Bar {
        name: format!(
            "{}: {}",
            change.after.group.replace('_', " "),
            change.description
        ),
        value: change.change,
    }
}
