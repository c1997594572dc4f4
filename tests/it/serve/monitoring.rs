//! The dashboard and the alerts among the files for running the server name what a server's metrics have.

use std::collections::BTreeSet;

use super::metrics::{ask_page, with_metrics};
use super::*;

const FILES: [&str; 2] = [
    "deploy/grafana/ebb-serve.json",
    "deploy/prometheus/ebb-serve.rules.yaml",
];

fn text(file: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = std::fs::read_to_string(path).unwrap();
    // JSON quotes the quotes of an expression; comments of YAML name what they like.
    let lines = text.lines().filter(|line| !line.trim().starts_with('#'));
    lines.collect::<Vec<_>>().join("\n").replace("\\\"", "\"")
}

/// The names of metrics and labels in a text: they all begin with one of these.
fn names(text: &str) -> BTreeSet<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !is_part(c));
    let begins = |word: &&str| {
        let prefixes = ["ebb_", "grpc_", "process_"];
        prefixes.iter().any(|prefix| word.starts_with(prefix))
    };
    words.filter(begins).collect()
}

/// The values that a label is compared with, alternatives one by one.
fn values<'t>(text: &'t str, label: &str) -> BTreeSet<&'t str> {
    let operators = ["=\"", "!=\"", "=~\"", "!~\""];
    let found = operators.iter().flat_map(|operator| {
        let start = format!("{label}{operator}");
        let parts: Vec<&str> = text.split(&start).skip(1).collect();
        parts.into_iter().filter_map(|part| part.split('"').next())
    });
    found.flat_map(|value| value.split('|')).collect()
}

/// What a text names and the page of metrics does not have.
fn missing(text: &str, page: &str) -> Vec<String> {
    let there = names(page);
    let mut missing: Vec<String> = names(text)
        .difference(&there)
        .map(|name| (*name).to_owned())
        .collect();
    for label in ["reason", "result", "grpc_method"] {
        let of_page = values(page, label);
        let lost = values(text, label);
        missing.extend(lost.difference(&of_page).map(|v| format!("{label}={v}")));
    }
    missing
}

#[tokio::test]
async fn every_metric_of_the_dashboard_and_of_the_alerts_is_one_of_a_server() {
    let (config, address) = with_metrics();
    let server = Running::of(config, || {
        let shadow = Saved {
            bundle: Bundle::new(spec(), VERSION.into())?,
            card: CARD.into(),
        };
        let mut initial = stock(Some(histories(&log())))?;
        let shadow = Arc::new(ServedModel::new("next", shadow)?);
        initial.models.push((shadow, vec![Label::Shadow]));
        Ok(initial)
    })
    .await;
    server.score(ask(user("ann"))).await.unwrap();
    let page = ask_page(address, "GET /metrics").await;
    for file in FILES {
        let text = text(file);
        assert!(names(&text).len() >= 10, "{file}: {:?}", names(&text));
        assert_eq!(missing(&text, &page), Vec::<String>::new(), "{file}");
        // The control: a name that no server has, and a value that no label has.
        let renamed = text.replace("ebb_shed_total", "ebb_sheds_total");
        assert_eq!(missing(&renamed, &page), ["ebb_sheds_total"], "{file}");
        let renamed = text.replace("ScoreUser", "ScoreUsers");
        let lost = "grpc_method=ScoreUsers".to_owned();
        assert!(missing(&renamed, &page).contains(&lost), "{file}");
    }
}
