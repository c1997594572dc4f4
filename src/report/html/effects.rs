//! What moves the odds.

use super::bars::{Bar, Row, legend, list};
use super::names;
use super::text::{decimals, escape, signed};
use crate::card::{EffectCard, HorizonCard};

/// How many features are shown.
const SHOWN: usize = 15;

/// The strongest effects as bars to both sides of zero.
pub(crate) fn figure(h: &HorizonCard) -> String {
    let effects: Vec<&EffectCard> = h
        .effects
        .iter()
        .filter(|e| e.standardized_effect.is_finite())
        .take(SHOWN)
        .collect();
    let largest = effects
        .iter()
        .map(|e| e.standardized_effect.abs())
        .fold(0.0, f64::max);
    let row = |effect: &&EffectCard| Row {
        name: names::description(&effect.description),
        bars: vec![Bar {
            from: 50.0,
            to: 50.0
                + 50.0
                    * super::bars::part(effect.standardized_effect.abs(), largest)
                        .copysign(effect.standardized_effect)
                    / 100.0,
            class: if effect.standardized_effect > 0.0 {
                "churn"
            } else {
                "stay"
            },
            value: signed(effect.standardized_effect, 2),
            whisker: None,
        }],
    };
    let rows: Vec<Row> = effects.iter().map(row).collect();
    let legend = legend(&[
        ("stay", "more of it, more stay"),
        ("churn", "more of it, more leave"),
    ]);
    let content = if rows.is_empty() {
        "<p>There are none.</p>".to_owned()
    } else {
        legend + &list(&rows)
    };
    super::figure(
        "effects",
        "What moves the odds?",
        &content,
        &escape(&caption(h, effects.first().copied())),
    )
}

fn caption(h: &HorizonCard, strongest: Option<&EffectCard>) -> String {
    let Some(effect) = strongest else {
        return "The model has no features.".to_owned();
    };
    let factor = libm::exp(effect.standardized_effect.abs());
    format!(
        "Change of the log-odds for one standard deviation more, the largest {} of {}. Strongest: “{}”, which {} the \
         odds of leaving by {}. Features that move together share their effect, so read neighbours as a group.",
        SHOWN.min(h.effects.len()),
        h.effects.len(),
        names::description(&effect.description),
        if effect.standardized_effect > 0.0 {
            "multiplies"
        } else {
            "divides"
        },
        decimals(factor, if factor < 10.0 { 2 } else { 0 }),
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::card;
    use super::*;

    #[test]
    fn effects_point_to_their_side_and_are_named_in_sentences() {
        let html = figure(&card().horizons[0]);
        assert!(
            html.contains("Days since the last purchase</span>")
                && html.contains("class=\"churn\" x=\"50%\" width=\"50%\"")
        );
        assert!(
            html.contains("class=\"stay\" x=\"24") && html.contains("−0.41"),
            "{html}"
        );
        assert!(
            html.contains("Number of support ticket events in the last 30 days"),
            "{html}"
        );
        assert!(!html.contains("days.</span>"), "no full stop behind a name");
        assert!(
            html.contains("multiplies the odds of leaving by 2.20"),
            "{html}"
        );
        assert_eq!(html.matches("<li>").count(), SHOWN);
    }

    #[test]
    fn a_model_without_features_says_so() {
        let mut card = card();
        card.horizons[0].effects.clear();
        assert!(figure(&card.horizons[0]).contains("There are none."));
    }
}
