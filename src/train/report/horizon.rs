//! One horizon's model: everything about it, in one panel.

use super::super::card::{Card, HorizonCard};
use super::text::escape;
use super::{
    calibration, curves, dates, drift, dropped, effects, gains, slices, summary, tiles, timeline, trials, versus,
};

/// The panels of all horizons, below tabs when there are several. Without scripts, and on paper, all are shown.
pub(super) fn sections(card: &Card) -> String {
    let panels: String = card.horizons.iter().map(|h| panel(card, h)).collect();
    if card.horizons.len() < 2 {
        return panels;
    }
    let tabs: String = card.horizons.iter().map(tab).collect();
    format!("<div class=\"tabs\" role=\"tablist\" aria-label=\"Horizon\" hidden>{tabs}</div>{panels}")
}

fn tab(h: &HorizonCard) -> String {
    let days = h.horizon_days;
    format!("<button type=\"button\" role=\"tab\" id=\"tab-{days}\" aria-controls=\"h{days}\">{days} days</button>")
}

fn panel(card: &Card, h: &HorizonCard) -> String {
    let judged = match &h.evaluation {
        Some(e) => format!(
            "{}<div class=\"pair\">{}{}</div><div class=\"pair\">{}{}</div>{}{}",
            tiles::section(e),
            gains::figure(h.horizon_days, e),
            calibration::figure(h.horizon_days, e),
            versus::figure(h, e),
            dates::figure(h),
            curves::figures(h.horizon_days, e),
            slices::figures(e),
        ),
        None => format!("<p class=\"card empty\">{}</p>", escape(&summary::untested(h))),
    };
    format!(
        "<section class=\"panel\" id=\"h{0}\"><h2>Churn within {0} days</h2>{judged}\
         <div class=\"pair\">{1}{2}</div><div class=\"pair\">{3}<div class=\"stack\">{4}{5}</div></div></section>",
        h.horizon_days,
        trials::figure(h),
        drift::figure(card, h),
        effects::figure(h),
        timeline::figure(card, h),
        dropped::figure(h),
    )
}
