//! The model on groups of users.

use maud::{Markup, html};

use super::axis::Axis;
use super::interval_plot::{Group, IntervalPlot, IntervalRow};
use super::text::{capital, words};
use crate::card::{Evaluation, Interval, SliceCard};
use crate::report::number::{
    THIN, counted, counted_share, decimals, percent, percent_to, points, probability, thousands,
};

/// Calibration and ranking of every group; nothing without groups.
pub(crate) fn figures(e: &Evaluation) -> Markup {
    if e.slices.is_empty() {
        return html! {};
    }
    html! { div.pair { (rates(e)) (ranks(e)) } }
}

/// Rows by the dimension of their slices, in order.
fn grouped<'a>(
    slices: impl IntoIterator<Item = &'a SliceCard>,
    row: impl Fn(&SliceCard) -> IntervalRow,
) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for slice in slices {
        let heading = match slice.dimension.as_str() {
            "band" => "By risk band".to_owned(),
            other => format!("By {}", words(other)),
        };
        match groups.last_mut().filter(|g| g.heading == heading) {
            Some(group) => group.rows.push(row(slice)),
            None => groups.push(Group {
                heading,
                rows: vec![row(slice)],
            }),
        }
    }
    groups
}

fn name(slice: &SliceCard) -> String {
    match slice.dimension.as_str() {
        "band" => format!("{} risk", capital(&words(&slice.name))),
        "tenure" => format!("Tenure {}", slice.name.replace('-', "–")),
        _ => capital(&words(&slice.name)),
    }
}

/// Observed churn with its 95 % interval.
fn observed(slice: &SliceCard) -> Interval {
    Interval {
        low: slice.churn_low,
        value: slice.churn_rate,
        high: slice.churn_high,
    }
}

/// Whether the prediction lies within the interval of the observed churn.
fn fits(slice: &SliceCard) -> bool {
    let observed = observed(slice);
    (observed.low..=observed.high).contains(&slice.predicted)
}

fn rates(e: &Evaluation) -> Markup {
    let heading = "Are the probabilities right in every group?";
    let row = |slice: &SliceCard| IntervalRow {
        name: name(slice),
        detail: thousands(slice.users),
        interval: observed(slice),
        mark: Some(slice.predicted),
        class: if fits(slice) { "better" } else { "worse" },
        value: percent(slice.churn_rate),
    };
    let ends = e.slices.iter().flat_map(|s| {
        let observed = observed(s);
        [observed.low, observed.high, s.predicted]
    });
    let label = "churn; dot observed, upright bar predicted";
    let plot = IntervalPlot {
        groups: grouped(&e.slices, row),
        axis: Axis::around(ends, label, |v, digits| {
            percent_to(v, digits.saturating_sub(2))
        }),
        reference: e.churn_rate,
    };
    super::figure("", heading, plot.draw(), rates_caption(&e.slices))
}

fn rates_caption(slices: &[SliceCard]) -> Markup {
    let measured: Vec<&SliceCard> = slices.iter().filter(|s| s.metrics.is_some()).collect();
    let gap = |s: &SliceCard| (s.predicted - s.churn_rate).abs();
    let worst = measured
        .iter()
        .copied()
        .max_by(|a, b| gap(a).total_cmp(&gap(b)));
    let Some(worst) = worst else {
        return html! { "Every group has fewer than 30 users." };
    };
    let within = measured.iter().filter(|s| fits(s)).count();
    html! {
        "In " (within) " of " (counted(measured.len() as u64, "group")) " the prediction lies within the 95" (THIN)
        "% interval of observed churn. Largest gap: " (points(gap(worst))) " percentage points, “" (name(worst)) "”, "
        (probability(worst.predicted)) " predicted, " (counted_share(worst.churn_rate))
        " observed. Vertical line: all users; numbers behind names: users."
    }
}

/// The AUC of a slice with its interval; `None` where it can't be measured.
fn auc(slice: &SliceCard) -> Option<Interval> {
    slice.metrics.as_ref()?.auc
}

fn ranks(e: &Evaluation) -> Markup {
    let heading = "Are churners ranked first in every group?";
    let measured: Vec<(&SliceCard, Interval)> =
        e.slices.iter().filter_map(|s| Some((s, auc(s)?))).collect();
    if measured.is_empty() {
        return super::no_figure(heading, "No group is large enough for an AUC.");
    }
    let row = |slice: &SliceCard| {
        let interval = auc(slice).unwrap_or(Interval {
            low: f64::NAN,
            value: f64::NAN,
            high: f64::NAN,
        });
        IntervalRow {
            name: name(slice),
            detail: thousands(slice.users),
            interval,
            mark: None,
            class: if interval.low > 0.5 { "better" } else { "even" },
            value: decimals(interval.value, 3),
        }
    };
    let ends = measured.iter().flat_map(|(_, a)| [a.low, a.high, a.value]);
    let plot = IntervalPlot {
        groups: grouped(measured.iter().map(|(s, _)| *s), row),
        axis: Axis::around(ends.chain([0.5]), "AUC; 0.5 is chance", decimals),
        reference: e.model.auc.value,
    };
    super::figure("", heading, plot.draw(), ranks_caption(e, &measured))
}

fn ranks_caption(e: &Evaluation, measured: &[(&SliceCard, Interval)]) -> Markup {
    let by_auc =
        |a: &&(&SliceCard, Interval), b: &&(&SliceCard, Interval)| a.1.value.total_cmp(&b.1.value);
    let (best, worst) = (
        measured.iter().max_by(by_auc),
        measured.iter().min_by(by_auc),
    );
    let chance = measured.iter().filter(|(_, auc)| auc.low <= 0.5).count();
    html! {
        @if let (Some(best), Some(worst)) = (best, worst) {
            "From " (decimals(worst.1.value, 3)) " (“" (name(worst.0)) "”) to " (decimals(best.1.value, 3)) " (“"
            (name(best.0)) "”), all users " (decimals(e.model.auc.value, 3)) " (vertical line). "
        }
        (chance) " of " (counted(measured.len() as u64, "interval")) " contain 0.5, chance."
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{card, snapshot};
    use super::*;

    #[test]
    fn groups_are_named_and_the_worst_is_in_the_caption() {
        let mut e = card().horizons[0].evaluation.clone().unwrap();
        e.slices[6].predicted = 0.71;
        snapshot("slices", figures(&e));
        e.slices.clear();
        assert_eq!(figures(&e).into_string(), "");
    }
}
