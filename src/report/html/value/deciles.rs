//! Expected beside actual spend, by tenth of the users.

use maud::{Markup, html};

use super::super::axis::Axis;
use super::super::bars::legend;
use super::super::figure as draw;
use super::super::plot::Plot;
use super::super::text::nowrap;
use super::{behind, table};
use crate::card::{DecileCard, ValueCard, ValueEvaluation};
use crate::report::number::{amount, counted, percent, signed, thousands};
use crate::report::wording::value::money;

/// Two bars for every tenth.
pub(super) fn figure(value: &ValueCard, e: &ValueEvaluation) -> Markup {
    let heading = "Is the level right, from low to high?";
    let Some(top) = e.deciles.last() else {
        return super::super::no_figure(heading, "The test has no users.");
    };
    let content = html! {
        (legend([("expected", "expected"), ("actual", "actual")]))
        (chart(e))
        (behind("Expected and actual spend by tenth", by_tenth(&e.deciles)))
    };
    let caption = html! {
        "Mean spend of a user within " (e.window_days) " days from " (nowrap(e.test)) ", as expected then and as it came; tenths of "
        (counted(e.users, "user")) " by expected spend. The highest tenth: " (money(value, top.expected)) " expected, "
        (money(value, top.actual)) " actual, " (percent(e.model.top_tenth)) " of all spend."
    };
    draw("", heading, content, caption)
}

fn chart(e: &ValueEvaluation) -> Markup {
    let tenths = e.deciles.len();
    let most = e.deciles.iter().flat_map(|d| [d.expected, d.actual]);
    let most = most.fold(0.0, f64::max);
    let x = Axis {
        low: 0.0,
        high: tenths as f64,
        ticks: (0..tenths)
            .map(|k| (k as f64 + 0.5, (k + 1).to_string()))
            .collect(),
        label: "tenth by expected spend".to_owned(),
    };
    let mut plot = Plot::new(
        "value-deciles".to_owned(),
        "Expected and actual spend by tenth".to_owned(),
        x,
        Axis::new(0.0, most, "mean spend", amount),
    );
    for (k, tenth) in e.deciles.iter().enumerate() {
        let left = k as f64;
        let bars = [
            (0.14, tenth.expected, "expected"),
            (0.52, tenth.actual, "actual"),
        ];
        for (from, spend, class) in bars {
            let (foot, top) = ((left + from, 0.0), (left + from + 0.34, spend));
            plot.rect(foot, top, class, &format!("{class} {}", amount(spend)));
        }
    }
    let description: Vec<String> = (0..).zip(&e.deciles).map(|(k, d)| words(k, d)).collect();
    plot.finish(&description.join("; "))
}

fn words(k: usize, tenth: &DecileCard) -> String {
    let (expected, actual) = (amount(tenth.expected), amount(tenth.actual));
    let users = counted(tenth.users, "user");
    format!(
        "tenth {}, {users}: {expected} expected, {actual} actual",
        k + 1
    )
}

fn by_tenth(deciles: &[DecileCard]) -> Markup {
    let row = |(k, tenth): (usize, &DecileCard)| {
        let error = tenth.expected / tenth.actual - 1.0;
        vec![
            (k + 1).to_string(),
            thousands(tenth.users),
            amount(tenth.expected),
            amount(tenth.actual),
            signed(100.0 * error, 0),
        ]
    };
    let rows: Vec<Vec<String>> = deciles.iter().enumerate().map(row).collect();
    table(
        &["tenth", "users", "expected", "actual", "difference in %"],
        &rows,
    )
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::value::value;
    use super::super::super::tests::{plain, snapshot};
    use super::*;

    #[test]
    fn every_tenth_has_two_bars_and_a_row() {
        let value = value();
        let mut e = value.evaluation.clone().unwrap();
        snapshot("value_deciles", figure(&value, &e));
        e.deciles[0].actual = 0.0;
        let text = plain(figure(&value, &e));
        assert!(!text.contains("inf") && !text.contains("NaN"), "{text}");
        e.deciles.clear();
        assert!(plain(figure(&value, &e)).contains("The test has no users."));
    }
}
