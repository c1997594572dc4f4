//! What users are worth, against its thresholds.

use super::finding::{Bound, Checked, Finding, mark};
use crate::card::{Card, Interval, Thresholds, ValueEvaluation, ValueMetrics};
use crate::report::wording;

/// A figure of the expected spend, and the threshold that it is held against.
struct Figure {
    metric: &'static str,
    name: &'static str,
    interval: fn(&ValueMetrics) -> Interval,
    threshold: fn(&Thresholds) -> Option<f64>,
    bound: Bound,
    /// What is held against the threshold.
    held: fn(f64) -> f64,
    /// How the figure is written, and what stands behind its limit.
    line: fn(f64) -> String,
    either_way: &'static str,
}

const FIGURES: [Figure; 2] = [
    Figure {
        metric: "value_gini",
        name: "Gini",
        interval: |m| m.gini,
        threshold: |t| t.min_gini,
        bound: Bound::AtLeast,
        held: |value| value,
        line: |value| format!("{value:.4}"),
        either_way: "",
    },
    Figure {
        metric: "value_bias",
        name: "bias",
        interval: |m| m.bias,
        threshold: |t| t.max_value_bias,
        bound: Bound::AtMost,
        // Too low is as wrong as too high.
        held: f64::abs,
        line: |value| format!("{value:+.4}"),
        either_way: " either way",
    },
];

/// Every figure that has a threshold. It fails where the value was not judged, and where there is none.
pub(crate) fn value(card: &Card, thresholds: &Thresholds) -> Vec<Finding> {
    let evaluation = match &card.value {
        None => Err("The bundle has no value part: configure [value] and fit again.".to_owned()),
        Some(value) => match &value.evaluation {
            None => Err(wording::value::untested(value)),
            Some(evaluation) => Ok(evaluation),
        },
    };
    let limited = FIGURES
        .iter()
        .filter_map(|figure| Some((figure, (figure.threshold)(thresholds)?)));
    limited
        .map(|(figure, limit)| figure.finding(evaluation.as_ref().copied(), limit))
        .collect()
}

impl Figure {
    fn finding(&self, evaluation: Result<&ValueEvaluation, &String>, limit: f64) -> Finding {
        let (name, bound, either_way) = (self.name, self.bound.words(), self.either_way);
        let limits = format!("{bound} {limit}{either_way}");
        match evaluation {
            Err(reason) => {
                let checked = Checked::limited(self.metric, f64::NAN, self.bound, limit);
                let line = format!("value: {name} is not known, {limits}: FAILED. {reason}");
                Finding::checked(checked, line)
            }
            Ok(evaluation) => {
                let interval = (self.interval)(&evaluation.model);
                let held = (self.held)(interval.value);
                let checked =
                    Checked::limited(self.metric, held, self.bound, limit).with_interval(interval);
                let mark = mark(checked.passed);
                let figure = (self.line)(interval.value);
                Finding::checked(checked, format!("value: {name} {figure}, {limits}: {mark}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::report::gate::{check, github, junit, markdown};
    use crate::report::html::fixture::{card, value::untested};

    fn thresholds(gini: f64, bias: f64) -> Thresholds {
        Thresholds {
            min_gini: Some(gini),
            max_value_bias: Some(bias),
            ..Thresholds::default()
        }
    }

    fn lines(card: &Card, thresholds: &Thresholds) -> Vec<String> {
        let findings = value(card, thresholds);
        findings.into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn order_and_level_are_held_against_their_thresholds() {
        let mut card = card();
        assert_eq!(
            lines(&card, &thresholds(0.7, 0.2)),
            [
                "value: Gini 0.8340, at least 0.7: ok",
                "value: bias +0.0520, at most 0.2 either way: ok"
            ]
        );
        assert_eq!(lines(&card, &Thresholds::default()), [""; 0]);
        let e = card.value.as_mut().unwrap().evaluation.as_mut().unwrap();
        e.model.bias.value = -0.31;
        let findings = value(&card, &thresholds(0.9, 0.3));
        assert!(findings.iter().all(|finding| !finding.passed));
        let bias = findings[1].checked.as_ref().unwrap();
        assert_eq!((bias.value, bias.horizon_days), (Some(-0.31), None));
        assert!(
            findings[1].line.contains("bias -0.3100"),
            "{}",
            findings[1].line
        );
    }

    #[test]
    fn what_was_not_judged_fails_and_gives_its_reason() {
        let mut card = card();
        card.value = Some(untested());
        let found = lines(&card, &thresholds(0.7, 0.2));
        assert_eq!(
            found[0],
            "value: Gini is not known, at least 0.7: FAILED. The log holds one label window of 182 days <&>; two are needed."
        );
        assert!(found[1].starts_with("value: bias is not known, at most 0.2 either way: FAILED. "));
        card.value = None;
        assert!(
            lines(&card, &thresholds(0.7, 0.2))[0].ends_with("configure [value] and fit again.")
        );
        // Without a threshold neither is a failure: value does not decide whether a churn model is used.
        assert_eq!(lines(&card, &Thresholds::default()), [""; 0]);
    }

    #[test]
    fn every_form_has_the_figures() {
        let findings = check(&card(), &thresholds(0.9, 0.2));
        let github = github(&findings, "m");
        assert!(github.contains(
            "::error title=Model m%3A value_gini::value: Gini 0.8340, at least 0.9: FAILED"
        ));
        let junit = junit(&findings, "m");
        assert!(
            junit.contains("classname=\"ebb.bundle\" name=\"value_gini\""),
            "{junit}"
        );
        let markdown = markdown(&findings, "m");
        assert!(markdown.contains("| value\\_bias |"), "{markdown}");
        let mut checked = findings.iter().filter_map(|f| f.checked.as_ref());
        let gini = checked.find(|c| c.metric == "value_gini").unwrap();
        let gini = serde_json::to_value(gini).unwrap();
        assert_eq!(gini["value"], json!(0.834));
        assert_eq!(
            (&gini["limit"], &gini["passed"]),
            (&json!(0.9), &json!(false))
        );
        assert!(gini["low"].as_f64() < Some(0.834) && gini["horizon_days"].is_null());
    }
}
