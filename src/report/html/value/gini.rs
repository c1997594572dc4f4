//! How well users are ranked by what they will spend.

use maud::{Markup, html};

use super::super::axis::Axis;
use super::super::figure as draw;
use super::super::plot::Plot;
use super::{behind, table};
use crate::card::ValueEvaluation;
use crate::report::number::{decimals, percent};

/// The shares of users in the table and the description, in percent.
const SHARES: [usize; 6] = [1, 5, 10, 20, 30, 50];

/// The Gini curve beside the perfect order and no order at all.
pub(super) fn figure(e: &ValueEvaluation) -> Markup {
    let heading = "Are those who spend most ranked first?";
    if e.gini_curve.is_empty() {
        return super::super::no_figure(heading, "The card holds no curve.");
    }
    let content = html! {
        (chart(e))
        (behind("Share of the spend by share of users", by_share(e)))
    };
    let gini = e.model.gini;
    let [value, low, high] = [gini.value, gini.low, gini.high].map(|v| decimals(v, 3));
    let caption = html! {
        "Normalised Gini " (value) " (" (low) " to " (high) "): the area between the model's line and the diagonal, over that of the \
         perfect order. 1 is the order that was only known afterwards, 0 is chance."
    };
    draw("", heading, content, caption)
}

fn chart(e: &ValueEvaluation) -> Markup {
    let axis = |label| Axis::new(0.0, 1.0, label, percent);
    let mut plot = Plot::new(
        "value-gini".to_owned(),
        "Gini curve of the expected spend".to_owned(),
        axis("users, highest expected spend first"),
        axis("actual spend"),
    );
    plot.area(&e.gini_curve, "wash");
    plot.line(&[(0.0, 0.0), (1.0, 1.0)], "reference");
    plot.line(&e.perfect_curve, "reference faint");
    plot.line(&e.gini_curve, "model");
    if !e.perfect_curve.is_empty() {
        plot.text((0.0, 1.0), (10, 16), "start", "perfect order");
    }
    plot.text((1.0, 0.55), (-8, 0), "end", "no order");
    let words = |percent: usize| {
        let spend = at(&e.gini_curve, percent);
        format!("the highest {percent}\u{202f}% had {spend} of the spend")
    };
    plot.finish(&SHARES.map(words).join("; "))
}

/// The share of spend that the first `percent` of users had.
fn at(curve: &[(f64, f64)], percent_of_users: usize) -> String {
    let wanted = percent_of_users as f64 / 100.0;
    let nearest = curve
        .iter()
        .min_by(|a, b| (a.0 - wanted).abs().total_cmp(&(b.0 - wanted).abs()));
    nearest.map_or_else(|| percent(f64::NAN), |point| percent(point.1))
}

fn by_share(e: &ValueEvaluation) -> Markup {
    let row = |users: usize| {
        vec![
            format!("{users}\u{202f}%"),
            at(&e.gini_curve, users),
            at(&e.perfect_curve, users),
        ]
    };
    table(
        &["users", "spend by the model", "perfect order"],
        &SHARES.map(row),
    )
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::value::value;
    use super::super::super::tests::{plain, snapshot};
    use super::*;

    #[test]
    fn the_curve_lies_between_the_perfect_order_and_the_diagonal() {
        let mut e = value().evaluation.unwrap();
        snapshot("value_gini", figure(&e));
        e.perfect_curve.clear();
        let text = plain(figure(&e));
        assert!(
            !text.contains("perfect order”") && text.contains("–"),
            "{text}"
        );
        e.gini_curve.clear();
        assert!(plain(figure(&e)).contains("The card holds no curve."));
    }
}
