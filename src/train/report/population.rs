//! Who the users are: segments and lifecycle stages.

use super::super::card::Card;
use super::super::population::SegmentCard;
use super::bars::{Bar, Row, legend, list, part};
use super::names;
use super::text::{capital, count, counted, escape, percent};
use crate::lifecycle::Stage;

/// Segments and stages side by side.
pub(super) fn section(card: &Card) -> String {
    format!(
        "<section><h2>Who the users are</h2><div class=\"pair\">{}{}</div></section>",
        segments(&card.segments, card.question.horizon_days.iter().copied().min()),
        stages(card)
    )
}

fn segments(segments: &[SegmentCard], horizon_days: Option<u16>) -> String {
    let heading = "Which users are alike?";
    let all: u64 = segments.iter().map(|s| s.users).sum();
    let largest = segments.iter().map(|s| s.users).max().unwrap_or(0) as f64;
    let row = |s: &SegmentCard| Row {
        name: capital(&s.name),
        bars: vec![
            Bar {
                from: 0.0,
                to: part(s.users as f64, largest),
                class: "size",
                value: format!("{} users, {}", count(s.users), percent(s.users as f64 / all.max(1) as f64)),
            },
            Bar {
                from: 0.0,
                to: part(s.churn_rate, 1.0),
                class: "churn",
                value: format!("{} leave", percent(s.churn_rate)),
            },
        ],
    };
    let within = horizon_days.map(|d| format!(" within {d} days")).unwrap_or_default();
    let (Some(first), Some(last)) = (segments.first(), segments.last()) else {
        return super::figure("", heading, "", "There were too few users to group them.");
    };
    let legend = legend(&[("size", "users"), ("churn", &format!("churn rate{within}"))]);
    let caption = match segments.len() {
        1 => "All users are in one segment.".to_owned(),
        n => format!(
            "{n} segments, lowest churn first: of “{}” {} leave{within}, of “{}” {}.",
            first.name,
            percent(first.churn_rate),
            last.name,
            percent(last.churn_rate)
        ),
    };
    super::figure("", heading, &(legend + &list(&segments.iter().map(row).collect::<Vec<_>>())), &escape(&caption))
}

fn stages(card: &Card) -> String {
    let heading = "Where do they stand?";
    let all: u64 = card.stages.values().sum();
    let largest = card.stages.values().max().copied().unwrap_or(0) as f64;
    // The rules' order is a user's way through them; names that they don't know come last.
    let known = Stage::ALL.map(Stage::name);
    let others = card.stages.keys().map(String::as_str).filter(|name| !known.contains(name));
    let found = known.into_iter().chain(others).filter_map(|name| Some((name, *card.stages.get(name)?)));
    let rows: Vec<Row> = found
        .map(|(name, users)| Row {
            name: names::stage(name),
            bars: vec![Bar {
                from: 0.0,
                to: part(users as f64, largest),
                class: if name == Stage::Churning.name() { "churn" } else { "size" },
                value: format!("{} users, {}", count(users), percent(users as f64 / all.max(1) as f64)),
            }],
        })
        .collect();
    if rows.is_empty() {
        return super::figure("", heading, "", "Nobody is eligible for a score.");
    }
    let churning = card.stages.get(Stage::Churning.name()).copied().unwrap_or(0);
    let caption = format!(
        "{} eligible for a score on {}, by lifecycle stage; {} of them already behave as leavers do.",
        counted(all, "user"),
        card.as_of,
        percent(churning as f64 / all.max(1) as f64)
    );
    super::figure("", heading, &list(&rows), &escape(&caption))
}

#[cfg(test)]
mod tests {
    use super::super::tests::card;
    use super::*;

    #[test]
    fn segments_and_stages_are_in_order_with_names_as_text() {
        let html = section(&card());
        assert!(html.contains("Recent &lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;frequent&quot;"), "{html}");
        let order: Vec<usize> = ["Acquisition:", "Growth:", "Mature:", "Churning:", "Paused &amp; more"]
            .map(|n| html.find(n).unwrap())
            .into();
        assert!(order.is_sorted(), "{html}");
    }

    #[test]
    fn nobody_and_no_groups_are_said_in_words() {
        let mut card = card();
        card.segments.clear();
        card.stages.clear();
        let html = section(&card);
        assert!(html.contains("too few users to group") && html.contains("Nobody is eligible"), "{html}");
    }
}
