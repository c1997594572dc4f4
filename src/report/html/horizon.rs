//! What there is once for every horizon: in panels below tabs, one at a time.

use super::text::escape;
use super::{
    calibration, curves, dates, drift, dropped, effects, slices, tiles, timeline, trials, versus,
};
use crate::card::{Card, HorizonCard};

/// A panel for each horizon, below tabs when there are several. Without scripts, and on paper, all are shown. `prefix`
/// makes the ids of one group of panels; tabs of all groups turn together.
pub(crate) fn panels(
    card: &Card,
    prefix: char,
    content: impl Fn(&HorizonCard) -> String,
) -> String {
    let several = card.horizons.len() > 1;
    let panel = |h: &HorizonCard| {
        let days = h.horizon_days;
        let heading = if several {
            format!("<h3 class=\"within\">Within {days} days</h3>")
        } else {
            String::new()
        };
        format!(
            "<div class=\"panel\" id=\"{prefix}{days}\" data-days=\"{days}\">{heading}{}</div>",
            content(h)
        )
    };
    let panels: String = card.horizons.iter().map(panel).collect();
    if !several {
        return panels;
    }
    let tab = |h: &HorizonCard| {
        let days = h.horizon_days;
        format!(
            "<button type=\"button\" role=\"tab\" id=\"tab-{prefix}{days}\" aria-controls=\"{prefix}{days}\" \
             data-days=\"{days}\">{days} days</button>"
        )
    };
    let tabs: String = card.horizons.iter().map(tab).collect();
    format!(
        "<div class=\"tabs\" role=\"tablist\" aria-label=\"Horizon\" hidden>{tabs}</div>{panels}"
    )
}

/// How good the models are, and how they came about.
pub(crate) fn evidence(card: &Card) -> String {
    panels(card, 'h', |h| panel(card, h))
}

fn panel(card: &Card, h: &HorizonCard) -> String {
    let judged = match &h.evaluation {
        Some(e) => format!(
            "{}<div class=\"pair\">{}{}</div>{}{}{}",
            tiles::section(e),
            calibration::figure(h.horizon_days, e),
            versus::figure(h, e),
            curves::figures(h.horizon_days, e),
            dates::figure(h),
            slices::figures(e),
        ),
        None => format!(
            "<p class=\"card empty\">{}</p>",
            escape(&h.untested_words(&card.label_definition))
        ),
    };
    format!(
        "{judged}<div class=\"pair\">{}{}</div><div class=\"pair\">{}<div class=\"stack\">{}{}</div></div>",
        trials::figure(h),
        drift::figure(card, h),
        effects::figure(h),
        timeline::figure(card, h),
        dropped::figure(h),
    )
}
