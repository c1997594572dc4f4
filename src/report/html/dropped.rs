//! Who was not asked about, and why.

use super::names;
use super::text::{count, escape, percent};
use crate::card::HorizonCard;

/// Pairs of user and date that gave no row, by reason, beside those that did.
pub(crate) fn figure(h: &HorizonCard) -> String {
    let dropped: u64 = h.dropped.values().sum();
    let all = h.rows.saturating_add(dropped);
    let row = |name: &str, number: u64| {
        let share = percent(number as f64 / all.max(1) as f64);
        format!(
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{share}</td></tr>",
            escape(name),
            count(number)
        )
    };
    let mut reasons: Vec<(&String, &u64)> = h.dropped.iter().collect();
    reasons.sort_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
    let rows: String = reasons
        .into_iter()
        .map(|(name, number)| row(&names::drop_reason(name), *number))
        .collect();
    let table = format!(
        "<table class=\"plain\"><thead><tr><th scope=\"col\">Users on dates</th><th scope=\"col\">Rows</th>\
         <th scope=\"col\">Share</th></tr></thead><tbody>{}{rows}</tbody></table>",
        row("Asked about, and fitted on", h.rows)
    );
    let caption = format!(
        "Each of {} dates is crossed with every user of the log: {} pairs, of which {} became rows.",
        h.snapshots.len(),
        count(all),
        percent(h.rows as f64 / all.max(1) as f64)
    );
    super::figure(
        "small",
        "Which rows were left out?",
        &table,
        &escape(&caption),
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::card;
    use super::*;

    #[test]
    fn reasons_are_in_words_and_the_most_common_is_first() {
        let html = figure(&card().horizons[0]);
        let (inactive, unseen) = (
            html.find("too long ago").unwrap(),
            html.find("Not yet seen").unwrap(),
        );
        assert!(inactive < unseen, "{html}");
        assert!(
            html.contains("<td>21,000</td>") && html.contains("&lt;odd&gt;"),
            "{html}"
        );
    }
}
