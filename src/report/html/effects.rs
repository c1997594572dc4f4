//! What each feature does to the log-odds.

use maud::{Markup, html};

use super::bars::{Row, legend, list};
use super::names;
use crate::card::{EffectCard, HorizonCard};
use crate::report::number::decimals;

/// How many features are shown.
const SHOWN: usize = 15;

/// The largest effects as bars to both sides of zero.
pub(crate) fn figure(h: &HorizonCard) -> Markup {
    let heading = "Which features move the odds?";
    let finite = h
        .effects
        .iter()
        .filter(|e| e.standardized_effect.is_finite());
    let effects: Vec<&EffectCard> = finite.take(SHOWN).collect();
    let Some(first) = effects.first() else {
        return super::no_figure(heading, "The model has no features.");
    };
    let sizes = effects.iter().map(|e| e.standardized_effect.abs());
    let largest = sizes.fold(0.0, f64::max);
    let rows: Vec<Row> = effects.iter().map(|e| row(e, largest)).collect();
    let content = html! {
        (legend([("stay", "more of it, less churn"), ("churn", "more of it, more churn")]))
        (list(&rows))
    };
    super::figure("effects", heading, content, caption(h, first))
}

fn row(effect: &EffectCard, largest: f64) -> Row {
    let name = names::description(&effect.description);
    Row::around_zero(name, effect.standardized_effect, largest)
}

fn caption(h: &HorizonCard, largest: &EffectCard) -> Markup {
    html! {
        "Change of the log-odds of churn for one standard deviation more, the largest "
        (SHOWN.min(h.effects.len())) " of " (h.effects.len()) " features. Largest: “"
        (names::description(&largest.description)) "”, odds ratio "
        (decimals(libm::exp(largest.standardized_effect), 2)) ". Correlated features share their effect."
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{card, plain, snapshot};
    use super::*;

    #[test]
    fn effects_point_to_their_side() {
        snapshot("effects", figure(&card().horizons[0]));
    }

    #[test]
    fn a_model_without_features_has_no_figure() {
        let mut card = card();
        card.horizons[0].effects.clear();
        let text = plain(figure(&card.horizons[0]));
        assert!(text.contains("The model has no features."), "{text}");
    }
}
