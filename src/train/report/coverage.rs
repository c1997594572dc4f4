//! Which days the log covers.

use super::super::card::Card;
use super::text::{count, nowrap};

/// The days from the first event to the last, and what was made of them.
pub(super) fn figure(card: &Card) -> String {
    let days = i64::from(card.last_day.since(card.first_day)) + 1;
    let rows: Vec<String> =
        card.horizons.iter().map(|h| format!("{} ({} days)", count(h.rows), h.horizon_days)).collect();
    let facts = [
        ("First day with an event", nowrap(card.first_day)),
        ("Last day with an event", nowrap(card.last_day)),
        ("Days", count(days.max(0) as u64)),
        ("Records (user, day, kind)", count(card.records)),
        ("Rows fitted", rows.join(", ")),
    ];
    let items: String =
        facts.iter().map(|(name, value)| format!("<div><dt>{name}</dt><dd>{value}</dd></div>")).collect();
    let caption = format!(
        "From {} to {}, seen as of {}: no event of that day or later was used.",
        nowrap(card.first_day),
        nowrap(card.last_day),
        nowrap(card.as_of)
    );
    super::figure("", "What does it cover?", &format!("<dl class=\"facts\">{items}</dl>"), &caption)
}

#[cfg(test)]
mod tests {
    use super::super::tests::card;
    use super::*;

    #[test]
    fn the_days_and_what_was_made_of_them_are_told() {
        let html = figure(&card());
        for part in ["<dd>739</dd>", "<dd>44,876</dd>", "38,211 (30 days), 38,211 (90 days)"] {
            assert!(html.contains(part), "{part}: {html}");
        }
    }
}
