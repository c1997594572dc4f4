//! The model of conversion against its thresholds.

use super::finding::{Bound, Checked, Finding, mark};
use crate::card::{Card, HorizonCard, Interval, Metrics, Thresholds};
use crate::report::wording::conversion::untested;

/// A figure of a horizon, and the threshold that it is held against.
struct Figure {
    metric: &'static str,
    name: &'static str,
    interval: fn(&Metrics) -> Interval,
    threshold: fn(&Thresholds) -> Option<f64>,
    bound: Bound,
}

const FIGURES: [Figure; 2] = [
    Figure {
        metric: "conversion_auc",
        name: "AUC",
        interval: |m| m.auc,
        threshold: |t| t.min_conversion_auc,
        bound: Bound::AtLeast,
    },
    Figure {
        metric: "conversion_log_loss",
        name: "log loss",
        interval: |m| m.log_loss,
        threshold: |t| t.max_conversion_log_loss,
        bound: Bound::AtMost,
    },
];

/// Every figure that has a threshold, at every horizon. It fails where the model was not judged, and where there is none.
pub(crate) fn conversion(card: &Card, thresholds: &Thresholds) -> Vec<Finding> {
    let limited = FIGURES
        .iter()
        .filter_map(|figure| Some((figure, (figure.threshold)(thresholds)?)));
    let of_figure = |(figure, limit): (&Figure, f64)| match &card.conversion {
        None => vec![figure.unknown(
            None,
            limit,
            "The bundle has no part for potential users: configure [conversion] and fit again.",
        )],
        Some(part) => part
            .horizons
            .iter()
            .map(|horizon| figure.finding(horizon, limit))
            .collect(),
    };
    limited.flat_map(of_figure).collect()
}

impl Figure {
    fn finding(&self, horizon: &HorizonCard, limit: f64) -> Finding {
        let days = horizon.horizon_days;
        let Some(evaluation) = &horizon.evaluation else {
            return self.unknown(Some(days), limit, &untested(horizon));
        };
        let interval = (self.interval)(&evaluation.model);
        let checked = Checked::limited(self.metric, interval.value, self.bound, limit)
            .of_horizon(days)
            .with_interval(interval);
        let (name, bound, mark) = (self.name, self.bound.words(), mark(checked.passed));
        let value = interval.value;
        let line = format!("conversion, {days} days: {name} {value:.4}, {bound} {limit}: {mark}");
        Finding::checked(checked, line)
    }

    fn unknown(&self, days: Option<u16>, limit: f64, reason: &str) -> Finding {
        let checked = Checked::limited(self.metric, f64::NAN, self.bound, limit);
        let (name, bound) = (self.name, self.bound.words());
        let (checked, place) = match days {
            Some(days) => (checked.of_horizon(days), format!(", {days} days")),
            None => (checked, String::new()),
        };
        let line =
            format!("conversion{place}: {name} is not known, {bound} {limit}: FAILED. {reason}");
        Finding::checked(checked, line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::html::fixture::card;
    use crate::report::html::fixture::conversion::conversion as part;

    fn lines(card: &Card, auc: f64, loss: f64) -> Vec<(bool, String)> {
        let thresholds = Thresholds {
            min_conversion_auc: Some(auc),
            max_conversion_log_loss: Some(loss),
            ..Thresholds::default()
        };
        let found = conversion(card, &thresholds);
        found.into_iter().map(|f| (f.passed, f.line)).collect()
    }

    #[test]
    fn figures_are_held_against_their_thresholds_and_fail_where_they_are_unknown() {
        let mut card = card();
        card.conversion = None;
        assert!(conversion(&card, &Thresholds::default()).is_empty());
        let found = lines(&card, 0.5, 9.0);
        assert!(
            found
                .iter()
                .all(|(passed, line)| !passed && line.contains("configure [conversion]"))
        );
        card.conversion = Some(part());
        let e = card.horizons[0].evaluation.as_ref().unwrap().model.clone();
        let found = lines(&card, e.auc.value - 0.01, e.log_loss.value + 0.01);
        assert!(
            found.len() == 2 && found.iter().all(|(passed, _)| *passed),
            "{found:?}"
        );
        let found = lines(&card, e.auc.value + 0.01, e.log_loss.value - 0.01);
        assert!(found.iter().all(|(passed, _)| !passed), "{found:?}");
        let part = card.conversion.as_mut().unwrap();
        part.horizons[0].evaluation = None;
        let found = lines(&card, 0.5, 9.0);
        assert!(
            found
                .iter()
                .all(|(passed, line)| !passed && line.contains("was not judged"))
        );
    }
}
