//! How the strength of the penalty was chosen.

use super::super::card::HorizonCard;
use super::plot::{Axis, Plot};
use super::text::{decimals, escape, setting};

/// Log loss against the strength of the penalty; a sentence where nothing was tried.
pub(super) fn figure(h: &HorizonCard) -> String {
    let heading = "How strong is the penalty?";
    let tried: Vec<(f64, f64)> =
        h.l2_curve().into_iter().filter(|(l2, loss)| *l2 > 0.0 && l2.is_finite() && loss.is_finite()).collect();
    if tried.len() < 2 {
        let said =
            format!("The penalty was set to {}; no others were tried. Solver: {}.", setting(h.recipe.l2), h.solver);
        return super::figure("small", heading, "", &escape(&said));
    }
    super::figure("small", heading, &chart(h, &tried), &escape(&caption(h, &tried)))
}

fn chart(h: &HorizonCard, tried: &[(f64, f64)]) -> String {
    let (id, title) =
        (format!("penalty-{}", h.horizon_days), format!("Choice of the penalty, {} days", h.horizon_days));
    let (low, high) = ends(tried.iter().map(|t| t.1));
    let margin = ((high - low) * 0.1).max(1e-4);
    let y = Axis::new(low - margin, high + margin, "log loss", |v| decimals(v, digits(high - low)));
    // Strengths are tried in even factors, so the axis is logarithmic and its ticks are the strengths tried.
    let (first, last) = ends(tried.iter().map(|t| libm::log10(t.0)));
    let ticks = tried.iter().map(|t| (libm::log10(t.0), setting(t.0))).collect();
    let x = Axis { low: first, high: last, ticks, label: "strength of the L2 penalty".to_owned() };
    let points: Vec<(f64, f64)> = tried.iter().map(|t| (libm::log10(t.0), t.1)).collect();
    let mut plot = Plot::new(&id, &title, x, y);
    plot.line(&points, "model thin");
    for ((x, loss), (l2, _)) in points.iter().zip(tried) {
        let (radius, class) = if *l2 == h.recipe.l2 { (6.0, "marker") } else { (3.0, "dot") };
        plot.dot((*x, *loss), radius, class, &format!("{}: log loss {}", setting(*l2), decimals(*loss, 4)));
    }
    let said: Vec<String> =
        tried.iter().map(|(l2, loss)| format!("{}: {}", setting(*l2), decimals(*loss, 4))).collect();
    plot.finish(&said.join("; "))
}

/// Enough decimals to tell neighbouring ticks apart.
fn digits(span: f64) -> usize {
    if span >= 0.1 {
        2
    } else if span >= 0.008 {
        3
    } else {
        4
    }
}

fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
}

/// Differences in log loss below this don't matter to anyone.
const FLAT: f64 = 0.002;

fn caption(h: &HorizonCard, tried: &[(f64, f64)]) -> String {
    let (low, high) = ends(tried.iter().map(|t| t.1));
    let shape = if high - low < FLAT {
        format!("all strengths are within {} of each other, so the choice hardly matters", decimals(high - low, 4))
    } else {
        format!("the worst strength would have cost {} more", decimals(high - low, 3))
    };
    // The best of what was tried at the edge of it may not be the best there is.
    let (weakest, strongest) = ends(tried.iter().map(|t| t.0));
    let edge = match h.recipe.l2 {
        l2 if l2 >= strongest => " It is the strongest that was tried: a stronger one may do better.",
        l2 if l2 <= weakest => " It is the weakest that was tried: a weaker one may do better.",
        _ => "",
    };
    format!(
        "Log loss on the date after training is lowest at {}; {shape}.{edge} Solver: {}.",
        setting(h.recipe.l2),
        h.solver
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::card;
    use super::*;

    #[test]
    fn the_choice_is_drawn_where_there_was_one() {
        let mut card = card();
        let html = figure(&card.horizons[0]);
        assert_eq!((html.matches("class=\"marker\"").count(), html.matches("class=\"dot\"").count()), (1, 6));
        assert!(html.contains("lowest at 10;") && !html.contains("that was tried"), "{html}");
        card.horizons[0].recipe.l2 = 1_000.0;
        assert!(figure(&card.horizons[0]).contains("the strongest that was tried"));
        card.horizons[0].recipe.l2 = 10.0;
        card.horizons[0].trials.clear();
        assert!(figure(&card.horizons[0]).contains("The penalty was set to 10; no others were tried. Solver: newton."));
    }
}
