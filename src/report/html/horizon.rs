//! Content that exists once for every horizon: in panels below tabs, one at a time.

use maud::{Markup, html};

use super::{
    backtest_baselines, baseline_comparison, calibration, candidates, curves, dates, drift,
    dropped, effects, metric_tiles, season, slices, timeline,
};
use crate::card::{Card, HorizonCard};
use crate::report::wording;

/// A panel for each horizon, below tabs when there are several. Without scripts, and on paper, all are shown. `prefix`
/// makes the ids of one group of panels; tabs of all groups turn together.
pub(crate) fn panels(
    card: &Card,
    prefix: char,
    content: impl Fn(&HorizonCard) -> Markup,
) -> Markup {
    let horizons: Vec<(u16, &HorizonCard)> =
        card.horizons.iter().map(|h| (h.horizon_days, h)).collect();
    panels_of(&horizons, prefix, |h| content(h))
}

/// The same for anything that exists once for every horizon.
pub(crate) fn panels_of<T>(
    horizons: &[(u16, T)],
    prefix: char,
    content: impl Fn(&T) -> Markup,
) -> Markup {
    let several = horizons.len() > 1;
    html! {
        @if several {
            // Hidden until the script has made them work.
            div.tabs role="tablist" aria-label="Horizon" hidden {
                @for (days, _) in horizons {
                    button type="button" role="tab" id={ "tab-" (prefix) (days) } aria-controls={ (prefix) (days) }
                        data-days=(days) { (days) " days" }
                }
            }
        }
        @for (days, h) in horizons {
            div.panel id={ (prefix) (days) } data-days=(days) {
                @if several { h3.within { "Within " (days) " days" } }
                (content(h))
            }
        }
    }
}

/// The reason for the missing figures of a horizon without a test.
pub(crate) fn untested(card: &Card, h: &HorizonCard) -> Markup {
    html! { p.card.empty { (wording::untested(h, &card.label_definition)) } }
}

/// The figures on each model and on its fit.
pub(crate) fn evidence(card: &Card) -> Markup {
    panels(card, 'h', |h| panel(card, h))
}

fn panel(card: &Card, h: &HorizonCard) -> Markup {
    html! {
        @if let Some(e) = &h.evaluation {
            (metric_tiles::section(e))
            div.pair {
                (calibration::figure(h.horizon_days, e))
                (baseline_comparison::figure(&h.effects, e))
            }
            (curves::figures(h.horizon_days, e))
            (season::figure(h))
            (dates::figure(h))
            (slices::figures(e))
        } @else {
            (untested(card, h))
            (season::figure(h))
        }
        div.pair {
            (candidates::figure(h))
            (drift::figure(h))
        }
        (backtest_baselines::figure(h))
        div.pair {
            (effects::figure(h))
            div.stack {
                (timeline::figure(card, h))
                (dropped::figure(h))
            }
        }
    }
}
