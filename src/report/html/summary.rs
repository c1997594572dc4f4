//! The head of the page: the churn question, and the model, log and configuration that the page is about.

use maud::{Markup, html};

use super::text::{any_of, nowrap, shorten, words};
use crate::card::{Card, LabelDefinition};
use crate::report::number::{THIN, counted, thousands};

/// The page's title.
pub(crate) fn title(card: &Card) -> String {
    format!("Churn model report as of {}", card.as_of)
}

/// The head of the page.
pub(crate) fn header(card: &Card) -> Markup {
    html! {
        header {
            p.eyebrow { "Churn model report" }
            h1 { (question(&card.label_definition)) }
            p.lede { (population(card)) }
            (super::verdict::headline(card))
            (facts(card))
        }
    }
}

/// Version, data and seed, with which the report can be made again.
pub(crate) fn footer(card: &Card) -> Markup {
    html! {
        footer {
            "Ebb " (card.ebb_version) " · data " (short(&card.data_hash)) " · seed " (card.seed)
            " · intervals are 95" (THIN) "% bootstrap intervals over users"
        }
    }
}

/// The churn question as a sentence.
pub(crate) fn question(label: &LabelDefinition) -> String {
    let horizons: Vec<String> = label.horizon_days.iter().map(u16::to_string).collect();
    let horizons = any_of(&horizons);
    let when = match label.lead_days {
        0 => format!("in the next {horizons} days"),
        lead => {
            let lead = counted(u64::from(lead), "day");
            format!("in the {horizons} days that start {lead} later")
        }
    };
    match &label.churn_event {
        Some(event) => format!("Which users will reach “{}” {when}?", words(event)),
        None => format!("Which users will have no {} {when}?", activity(label)),
    }
}

fn activity(label: &LabelDefinition) -> String {
    let kinds = label.activity.iter();
    any_of(&kinds.map(|kind| words(kind)).collect::<Vec<_>>())
}

/// The users that are scored.
fn population(card: &Card) -> String {
    let activity = activity(&card.label_definition);
    let vowel = activity.starts_with(['a', 'e', 'i', 'o', 'A', 'E', 'I', 'O']);
    let article = if vowel { "an" } else { "a" };
    let days = counted(u64::from(card.label_definition.active_within_days), "day");
    format!("Scored: every user with {article} {activity} in the {days} before.")
}

/// File names shown at most, and characters of one.
const FILES: usize = 3;
const NAME: usize = 60;

/// The facts by which one model's report differs from another's.
fn facts(card: &Card) -> Markup {
    let known = |hash: &str| match hash {
        "" => html! { "not recorded" },
        hash => html! { (short(hash)) },
    };
    super::facts([
        ("Model", known(&card.model_version)),
        ("Configuration (SHA-256)", known(&card.config_hash)),
        ("Log", html! { (files(card)) }),
        (
            "Days",
            html! { (nowrap(card.first_day)) " to " (nowrap(card.last_day)) },
        ),
        ("As of", nowrap(card.as_of)),
        ("Users", html! { (thousands(card.users)) }),
        ("Data (SHA-256)", known(&card.data_hash)),
    ])
}

/// The names of the log's files.
fn files(card: &Card) -> String {
    let files = super::quality::items(&card.data_quality, "files");
    let names: Vec<&str> = files.filter_map(|f| f.get("file")?.as_str()).collect();
    let shown: Vec<String> = names
        .iter()
        .take(FILES)
        .map(|name| shorten(name, NAME))
        .collect();
    match names.len().saturating_sub(FILES) {
        _ if names.is_empty() => "not recorded".to_owned(),
        0 => shown.join(", "),
        more => format!("{} and {} more", shown.join(", "), thousands(more as u64)),
    }
}

/// The first 12 characters of a hash: enough to tell two apart by eye.
fn short(hash: &str) -> String {
    hash.chars().take(12).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{card, snapshot};
    use super::*;

    #[test]
    fn the_question_is_a_sentence() {
        let mut card = card();
        assert_eq!(
            question(&card.label_definition),
            "Which users will have no purchase in the next 30 or 90 days?"
        );
        assert_eq!(
            population(&card),
            "Scored: every user with a purchase in the 180 days before."
        );
        card.label_definition.lead_days = 1;
        card.label_definition.churn_event = Some("plan_cancel".into());
        assert_eq!(
            question(&card.label_definition),
            "Which users will reach “plan cancel” in the 30 or 90 days that start 1 day later?"
        );
    }

    #[test]
    fn the_head_names_model_configuration_and_log() {
        let mut card = card();
        snapshot("header", header(&card));
        let file = |k: u32| json!({ "file": format!("log/{k}.csv"), "rows": k });
        card.data_quality = json!({ "files": (0..1_005).map(file).collect::<Vec<_>>() });
        assert_eq!(
            files(&card),
            "log/0.csv, log/1.csv, log/2.csv and 1,002 more"
        );
        card.data_quality = json!(null);
        assert_eq!(files(&card), "not recorded");
    }
}
