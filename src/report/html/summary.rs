//! The head of the page: what was asked, and of which log.

use super::text::{any_of, count, counted, escape, nowrap, shorten, words};
use crate::card::Card;

/// The page's title.
pub(crate) fn title(card: &Card) -> String {
    format!("Churn model report as of {}", card.as_of)
}

/// The question, and which model, log and configuration the page is about.
pub(crate) fn header(card: &Card) -> String {
    format!(
        "<header><p class=\"eyebrow\">Churn model report</p><h1>{}</h1><p class=\"lede\">{}</p>{}{}</header>",
        escape(&question(card)),
        escape(&asked(card)),
        super::verdict::headline(card),
        facts(card),
    )
}

/// Where the page comes from.
pub(crate) fn footer(card: &Card) -> String {
    format!(
        "<footer>Ebb {} · data {} · seed {} · intervals are 95{}% bootstrap intervals over users</footer>",
        escape(&card.ebb_version),
        escape(&short(&card.data_hash)),
        card.seed,
        super::text::THIN,
    )
}

/// The churn question as a description.
fn question(card: &Card) -> String {
    let q = &card.label_definition;
    let horizons: Vec<String> = q.horizon_days.iter().map(u16::to_string).collect();
    let when = match q.lead_days {
        0 => format!("in the next {} days", any_of(&horizons)),
        lead => format!(
            "in the {} days that start {} later",
            any_of(&horizons),
            counted(u64::from(lead), "day")
        ),
    };
    match &q.churn_event {
        Some(event) => format!("Which users will reach “{}” {when}?", words(event)),
        None => format!("Which users will have no {} {when}?", activity(card)),
    }
}

fn activity(card: &Card) -> String {
    any_of(
        &card
            .label_definition
            .activity
            .iter()
            .map(|a| words(a))
            .collect::<Vec<_>>(),
    )
}

/// Who was asked about.
fn asked(card: &Card) -> String {
    let days = u64::from(card.label_definition.active_within_days);
    format!(
        "Asked of every user with {} in the {} before.",
        article(&activity(card)),
        counted(days, "day")
    )
}

fn article(noun: &str) -> String {
    let vowel = noun.starts_with(['a', 'e', 'i', 'o', 'A', 'E', 'I', 'O']);
    format!("{} {noun}", if vowel { "an" } else { "a" })
}

/// Names of files that are shown, and characters of one.
const FILES: usize = 3;
const NAME: usize = 60;

/// What tells this model from another one.
fn facts(card: &Card) -> String {
    let known = |hash: &str| {
        if hash.is_empty() {
            "not recorded".to_owned()
        } else {
            escape(&short(hash))
        }
    };
    let facts = [
        ("Model", known(&card.model_version)),
        ("Configuration (SHA-256)", known(&card.config_hash)),
        ("Log", files(card)),
        (
            "Days",
            format!("{} to {}", nowrap(card.first_day), nowrap(card.last_day)),
        ),
        ("As of", nowrap(card.as_of)),
        ("Users", count(card.users)),
        ("Data (SHA-256)", known(&card.data_hash)),
    ];
    let items: String = facts
        .iter()
        .map(|(name, value)| format!("<div><dt>{name}</dt><dd>{value}</dd></div>"))
        .collect();
    format!("<dl class=\"facts\">{items}</dl>")
}

/// The names of the log's files, as HTML.
fn files(card: &Card) -> String {
    let files = card
        .data_quality
        .get("files")
        .and_then(serde_json::Value::as_array);
    let names: Vec<&str> = files
        .into_iter()
        .flatten()
        .filter_map(|f| f.get("file")?.as_str())
        .collect();
    let shown: Vec<String> = names
        .iter()
        .take(FILES)
        .map(|name| escape(&shorten(name, NAME)))
        .collect();
    match names.len().saturating_sub(FILES) {
        _ if names.is_empty() => "not recorded".to_owned(),
        0 => shown.join(", "),
        more => format!("{} and {} more", shown.join(", "), count(more as u64)),
    }
}

fn short(hash: &str) -> String {
    hash.chars().take(12).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::card;
    use super::*;

    #[test]
    fn the_question_is_a_sentence() {
        let mut card = card();
        assert_eq!(
            question(&card),
            "Which users will have no purchase in the next 30 or 90 days?"
        );
        assert_eq!(
            asked(&card),
            "Asked of every user with a purchase in the 180 days before."
        );
        card.label_definition.lead_days = 1;
        card.label_definition.churn_event = Some("plan_cancel".into());
        assert_eq!(
            question(&card),
            "Which users will reach “plan cancel” in the 30 or 90 days that start 1 day later?"
        );
    }

    #[test]
    fn the_head_tells_model_configuration_and_log_apart_from_others() {
        let mut card = card();
        let head = header(&card);
        for part in [
            "<dd>0123456789ab</dd>",
            "<dd>fedcba987654</dd>",
            "<dd>data/retail.csv.gz</dd>",
            "9f86d081884c",
        ] {
            assert!(head.contains(part), "{part}: {head}");
        }
        let file = |k: u32| json!({ "file": format!("log/<{k}>.csv"), "rows": k });
        card.data_quality = json!({ "files": (0..1_005).map(file).collect::<Vec<_>>() });
        let head = header(&card);
        assert!(
            head.contains("log/&lt;0&gt;.csv, log/&lt;1&gt;.csv, log/&lt;2&gt;.csv and 1,002 more"),
            "{head}"
        );
        (card.model_version, card.config_hash, card.data_quality) =
            (String::new(), String::new(), json!(null));
        assert_eq!(header(&card).matches("not recorded").count(), 3);
    }
}
