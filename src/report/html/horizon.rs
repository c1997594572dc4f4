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
pub(crate) fn panels<H>(
    horizons: &[H],
    days: impl Fn(&H) -> u16,
    prefix: char,
    content: impl Fn(&H) -> Markup,
) -> Markup {
    let several = horizons.len() > 1;
    html! {
        @if several {
            // Hidden until the script has made them work.
            div.tabs role="tablist" aria-label="Horizon" hidden {
                @for h in horizons {
                    @let days = days(h);
                    button type="button" role="tab" id={ "tab-" (prefix) (days) } aria-controls={ (prefix) (days) }
                        data-days=(days) { (days) " days" }
                }
            }
        }
        @for h in horizons {
            @let days = days(h);
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
    panels(&card.horizons, |h| h.horizon_days, 'h', |h| panel(card, h))
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
