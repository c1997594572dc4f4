//! The model on parts of the users.

use super::strips::{Strip, axis, list};
use super::text::{
    capital, count, counted, counted_share, decimals, escape, percent, percent_to, points,
    probability, words,
};
use crate::card::{Evaluation, SliceCard};
use crate::train::evaluation::metrics::share_interval;

/// Both figures: whether probabilities are right, and how well users are told apart. Nothing without parts.
pub(crate) fn figures(e: &Evaluation) -> String {
    if e.slices.is_empty() {
        return String::new();
    }
    format!("<div class=\"pair\">{}{}</div>", rates(e), ranks(e))
}

/// Rows by what the users are parted by, in order.
fn grouped(slices: &[SliceCard], strip: impl Fn(&SliceCard) -> Strip) -> Vec<(String, Vec<Strip>)> {
    let mut groups: Vec<(String, Vec<Strip>)> = Vec::new();
    for slice in slices {
        let heading = format!("By {}", words(&slice.dimension));
        match groups.last_mut().filter(|g| g.0 == heading) {
            Some(group) => group.1.push(strip(slice)),
            None => groups.push((heading, vec![strip(slice)])),
        }
    }
    groups
}

fn name(slice: &SliceCard) -> String {
    match slice.dimension.as_str() {
        "tenure" => format!("Known for {}", slice.name.replace('-', "–")),
        _ => capital(&words(&slice.name)),
    }
}

/// Whether what was predicted lies within the interval of what was observed.
fn fits(slice: &SliceCard) -> bool {
    let (low, high) = share_interval(slice.churn_rate, slice.users);
    (low..=high).contains(&slice.predicted)
}

fn rates(e: &Evaluation) -> String {
    let strip = |slice: &SliceCard| {
        let (low, high) = share_interval(slice.churn_rate, slice.users);
        Strip {
            name: name(slice),
            detail: count(slice.users),
            interval: (low, slice.churn_rate, high),
            mark: Some(slice.predicted),
            class: if fits(slice) { "better" } else { "worse" },
            value: percent(slice.churn_rate),
        }
    };
    let ends = e.slices.iter().flat_map(|s| {
        let (low, high) = share_interval(s.churn_rate, s.users);
        [low, high, s.predicted]
    });
    let axis = axis(
        ends,
        "churn; dot observed, upright bar predicted",
        |v, digits| percent_to(v, digits.saturating_sub(2)),
    );
    let content = list(&grouped(&e.slices, strip), &axis, Some(e.churn_rate));
    super::figure(
        "",
        "Is it right about every group?",
        &content,
        &escape(&rates_caption(&e.slices)),
    )
}

fn rates_caption(slices: &[SliceCard]) -> String {
    let measured: Vec<&SliceCard> = slices.iter().filter(|s| s.metrics.is_some()).collect();
    let gap = |s: &&&SliceCard| (s.predicted - s.churn_rate).abs();
    let Some(worst) = measured.iter().max_by(|a, b| gap(a).total_cmp(&gap(b))) else {
        return "Every group has fewer than 30 users, too few to say.".to_owned();
    };
    let within = measured.iter().filter(|s| fits(s)).count();
    format!(
        "In {within} of {} the prediction lies within the 95{}% interval of what was observed. The largest gap is {} points, \
         for “{}”: {} predicted, {} observed. The vertical line is all users; numbers behind names are users.",
        counted(measured.len() as u64, "group"),
        super::text::THIN,
        points(gap(&worst)),
        name(worst),
        probability(worst.predicted),
        counted_share(worst.churn_rate),
    )
}

fn ranks(e: &Evaluation) -> String {
    let auc = |s: &SliceCard| s.metrics.as_ref().and_then(|m| m.auc);
    let measured: Vec<SliceCard> = e
        .slices
        .iter()
        .filter(|s| auc(s).is_some())
        .cloned()
        .collect();
    let ends = measured
        .iter()
        .filter_map(auc)
        .flat_map(|a| [a.low, a.high, a.value])
        .chain([0.5]);
    let axis = axis(ends, "AUC; 0.5 is chance", decimals);
    let strip = |slice: &SliceCard| {
        let interval =
            auc(slice).map_or((f64::NAN, f64::NAN, f64::NAN), |a| (a.low, a.value, a.high));
        Strip {
            name: name(slice),
            detail: count(slice.users),
            interval,
            mark: None,
            class: if interval.0 > 0.5 { "better" } else { "even" },
            value: decimals(interval.1, 3),
        }
    };
    let value = |s: &SliceCard| auc(s).map_or(f64::NAN, |a| a.value);
    let best = measured.iter().max_by(|a, b| value(a).total_cmp(&value(b)));
    let worst = measured.iter().min_by(|a, b| value(a).total_cmp(&value(b)));
    let (Some(best), Some(worst)) = (best, worst) else {
        return super::figure(
            "",
            "Does it tell users of one group apart?",
            "",
            "No group is large enough to say.",
        );
    };
    let chance = measured
        .iter()
        .filter(|s| auc(s).is_some_and(|a| a.low <= 0.5))
        .count();
    let caption = format!(
        "Best within “{}” ({}), worst within “{}” ({}); the vertical line is all users, {}. {} Users of one group are more \
         alike, so {} of {} lie left of it.",
        name(best),
        decimals(value(best), 3),
        name(worst),
        decimals(value(worst), 3),
        decimals(e.model.auc.value, 3),
        match chance {
            0 => "In every group the order beats chance.".to_owned(),
            n => format!("In {} the order may be chance.", counted(n as u64, "group")),
        },
        measured
            .iter()
            .filter(|s| value(s) < e.model.auc.value)
            .count(),
        measured.len(),
    );
    let content = list(&grouped(&measured, strip), &axis, Some(e.model.auc.value));
    super::figure(
        "",
        "Does it tell users of one group apart?",
        &content,
        &escape(&caption),
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::card;
    use super::*;

    #[test]
    fn groups_are_named_and_the_worst_is_said() {
        let mut e = card().horizons[0].evaluation.clone().unwrap();
        e.slices[6].predicted = 0.71;
        let html = figures(&e).replace(super::super::text::THIN, " ");
        assert!(
            html.contains("<li class=\"group\">By stage</li>")
                && html.contains("Known for 1–60 days"),
            "{html}"
        );
        assert!(
            html.contains("21.0 points, for “Known for 1–60 days”: 71 % predicted, 50 % observed"),
            "{html}"
        );
        assert!(html.contains("Best within “Acquisition” (0.728)"), "{html}");
        assert_eq!(
            html.matches("Stayers").count(),
            1,
            "a group of stayers has no AUC"
        );
        e.slices.clear();
        assert_eq!(figures(&e), "");
    }
}
