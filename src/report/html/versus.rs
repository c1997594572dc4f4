//! The model against what it has to beat, on the same users.

use super::names;
use super::strips::{Strip, axis, list};
use super::text::{counted, decimals, escape, signed};
use crate::card::verdict::in_words;
use crate::card::{BaselineCard, Evaluation, HorizonCard};
use crate::train::evaluation::metrics::Interval;

/// Differences in log loss and in AUC as a forest plot.
pub(crate) fn figure(h: &HorizonCard, e: &Evaluation) -> String {
    let heading = "Is it better than simpler ways?";
    if e.baselines.is_empty() {
        return super::figure("", heading, "", "There was nothing to compare it with.");
    }
    let loss = plot(
        h,
        e,
        "difference in log loss; left of the line the model is better",
        |r| r.log_loss_difference,
        -1.0,
    );
    let auc = plot(
        h,
        e,
        "difference in AUC; right of the line the model is better",
        |r| r.auc_difference,
        1.0,
    );
    super::figure("versus", heading, &(loss + &auc), &escape(&caption(e)))
}

/// One difference against every baseline. `better` is the sign that favours the model.
fn plot(
    h: &HorizonCard,
    e: &Evaluation,
    label: &str,
    of: fn(&BaselineCard) -> Interval,
    better: f64,
) -> String {
    let all = || e.baselines.iter().map(of);
    let ends = all().flat_map(|d| [d.low, d.high, d.value]).chain([0.0]);
    let axis = axis(ends, label, signed);
    let digits = if all().all(|d| d.value.abs() < 0.05) {
        4
    } else {
        3
    };
    let strip = |r: &BaselineCard| {
        let d = of(r);
        Strip {
            name: names::baseline(r),
            detail: names::rival_detail(h, r),
            interval: (d.low, d.value, d.high),
            mark: None,
            class: verdict(d, better),
            value: signed(d.value, digits),
        }
    };
    list(
        &[(String::new(), e.baselines.iter().rev().map(strip).collect())],
        &axis,
        Some(0.0),
    )
}

/// Whether an interval lies on one side of 0.
fn verdict(d: Interval, better: f64) -> &'static str {
    if d.low * better > 0.0 && d.high * better > 0.0 {
        "better"
    } else if d.low * better < 0.0 && d.high * better < 0.0 {
        "worse"
    } else {
        "even"
    }
}

fn caption(e: &Evaluation) -> String {
    let count = |class: &str| {
        e.baselines
            .iter()
            .filter(|r| verdict(r.log_loss_difference, -1.0) == class)
            .count()
    };
    let (all, better, worse) = (e.baselines.len(), count("better"), count("worse"));
    let score = match (better, worse) {
        (b, 0) if b == all => {
            format!(
                "The model beats {} beyond chance",
                if all == 1 {
                    "it".into()
                } else {
                    format!("all {all}")
                }
            )
        }
        (b, 0) if b + 1 == all => {
            format!("The model beats {b} of {all} beyond chance; the other could be as good")
        }
        (b, 0) => {
            format!("The model beats {b} of {all} beyond chance; the others could be as good")
        }
        (b, w) => format!(
            "The model beats {b} of {all} beyond chance, and {w} {} better than it",
            if w == 1 { "is" } else { "are" }
        ),
    };
    let strongest = e.baselines.iter().max_by(|a, b| {
        a.log_loss_difference
            .value
            .total_cmp(&b.log_loss_difference.value)
    });
    let closest = strongest.map(|r| {
        let d = r.log_loss_difference;
        let name = in_words(e, &r.name);
        match decimals(d.value.abs(), 4) {
            none if none == "0.0000" => {
                format!("; the strongest baseline is {name}, as good to four decimals of log loss")
            }
            off => {
                let way = if d.value <= 0.0 { "above" } else { "below" };
                format!(
                    "; the strongest baseline is {name}, whose log loss is {off} {way} the model’s"
                )
            }
        }
    });
    format!(
        "{score}{}. Each line is the 95{}% interval of the difference on the same {}, drawn again and again; one that \
         crosses 0 may be chance.",
        closest.unwrap_or_default(),
        super::text::THIN,
        counted(e.users, "user"),
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::card;
    use super::*;

    #[test]
    fn baselines_are_beaten_or_not_as_their_intervals_say() {
        let h = &card().horizons[0];
        let mut e = h.evaluation.clone().unwrap();
        let said = caption(&e);
        assert!(
            said.contains("beats 4 of 5 beyond chance; the other could be as good"),
            "{said}"
        );
        assert!(
            said.contains(
                "strongest baseline is a random forest, whose log loss is 0.0050 above the model’s"
            ),
            "{said}"
        );
        let html = figure(h, &e);
        assert_eq!(
            html.matches("<li class=\"better\">").count(),
            4 + 4,
            "{html}"
        );
        assert!(html.contains("BG/NBD") && html.contains("+0.211"), "{html}");
        let forest = e.baselines.last_mut().unwrap();
        forest.log_loss_difference = Interval {
            value: 0.02,
            low: 0.01,
            high: 0.03,
        };
        let said = caption(&e);
        assert!(
            said.contains("and 1 is better than it") && said.contains("0.0200 below"),
            "{said}"
        );
        e.baselines.last_mut().unwrap().log_loss_difference.value = 0.00004;
        assert!(
            caption(&e).contains("a random forest, as good to four decimals"),
            "{}",
            caption(&e)
        );
        e.baselines.clear();
        assert!(figure(h, &e).contains("nothing to compare"));
    }
}
