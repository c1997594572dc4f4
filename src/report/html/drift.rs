//! Whether the churn rate drifts away from what is predicted, and what of it is carried forward.

use super::dates::dates;
use super::plot::Plot;
use super::strips::axis;
use super::text::{capital, counted, counted_share, decimals, escape, nowrap, probability, signed};
use crate::card::{Card, HorizonCard};
use crate::history::Day;
use crate::math::mean;
use crate::train::selection::backtest::BacktestFold;
use crate::train::selection::search::{apart, lasting_shift};

const HEADING: &str = "Does the churn rate drift?";

/// A shift of the log-odds below this is none.
const NOTHING: f64 = 0.005;
/// The axis goes at least so far either way.
const LEAST_SHOWN: f64 = 0.05;

/// What had to be added to the log-odds at each rehearsed date, and what is added from now on.
pub(crate) fn figure(card: &Card, h: &HorizonCard) -> String {
    // The card has the newest first; time runs to the right.
    let origins: Vec<&BacktestFold> = h.backtest.iter().rev().collect();
    if origins.is_empty() {
        let said = "No date in the past could be rehearsed: whether the churn rate drifts is not known, and nothing is \
                    carried forward.";
        return super::figure("", HEADING, "", said);
    }
    let carried = carried(card, h);
    let keys = [
        ("line model", "had to be added at a date"),
        ("line carried", "is added from now on"),
    ];
    let content = super::bars::legend(&keys) + &chart(h, &origins, carried);
    super::figure("", HEADING, &content, &caption(h, &origins, carried))
}

/// The part of the shifts that the calibration adds.
fn carried(card: &Card, h: &HorizonCard) -> f64 {
    let (Some(newest), Some(oldest)) = (h.backtest.first(), h.backtest.last()) else {
        return 0.0;
    };
    let window_days = card.label_definition.lead_days as i32 + i32::from(h.horizon_days);
    let shifts: Vec<f64> = h.backtest.iter().map(|o| o.shift).collect();
    lasting_shift(
        &shifts,
        apart(
            newest.cutoff.since(oldest.cutoff),
            shifts.len(),
            window_days,
        ),
    )
}

fn chart(h: &HorizonCard, origins: &[&BacktestFold], carried: f64) -> String {
    let days: Vec<Day> = origins.iter().map(|o| o.cutoff).collect();
    // Shifts that matter to nobody are drawn small.
    let shown = origins
        .iter()
        .map(|o| o.shift)
        .chain([carried, -LEAST_SHOWN, LEAST_SHOWN]);
    let y = axis(shown, "added to the log-odds", signed);
    let x = dates(&days);
    let (first, last) = (x.low, x.high);
    let id = format!("drift-{}", h.horizon_days);
    let title = format!("Shifts of the churn rate within {} days", h.horizon_days);
    let mut plot = Plot::new(&id, &title, x, y);
    plot.segment((first, 0.0), (last, 0.0), "zero");
    plot.segment((first, carried), (last, carried), "marker-line");
    let points: Vec<(f64, f64)> = origins
        .iter()
        .map(|o| (f64::from(o.cutoff.number()), o.shift))
        .collect();
    plot.line(&points, "model thin");
    for (o, point) in origins.iter().zip(&points) {
        let (shift, rate) = (signed(o.shift, 3), counted_share(o.churn_rate));
        plot.dot(
            *point,
            4.0,
            "dot",
            &format!(
                "{}: {shift}; {rate} of {} left",
                o.cutoff,
                counted(o.users, "user")
            ),
        );
    }
    let said: Vec<String> = origins
        .iter()
        .map(|o| format!("{}: {}", o.cutoff, signed(o.shift, 3)))
        .collect();
    plot.finish(&format!(
        "{}; from now on {}",
        said.join("; "),
        signed(carried, 3)
    ))
}

fn caption(h: &HorizonCard, origins: &[&BacktestFold], carried: f64) -> String {
    let line = &h.calibration;
    let bold = line.slope < 0.995;
    let slope = if bold {
        "were too bold and are drawn together"
    } else {
        "were hardly too bold, if at all"
    };
    format!(
        "{} {}{} Calibration: intercept {}, slope {}, as log-odds {slope}.",
        escape(&signs(origins)),
        largest(h, origins),
        escape(&forward(origins, carried)),
        escape(&signed(line.intercept, 3)),
        escape(&decimals(line.slope, 3)),
    )
}

/// On which side the predictions were off.
fn signs(origins: &[&BacktestFold]) -> String {
    let above = origins.iter().filter(|o| o.shift > 0.0).count();
    let way = |more: bool| if more { "more" } else { "fewer" };
    let all = origins.len();
    match (above, all) {
        (_, 1) => format!(
            "At the 1 date that could be rehearsed {} users left than predicted.",
            way(above == 1)
        ),
        (0, n) => format!(
            "Shifts keep one sign: at all {n} rehearsed dates fewer users left than predicted."
        ),
        (a, n) if a == n => format!(
            "Shifts keep one sign: at all {n} rehearsed dates more users left than predicted."
        ),
        (a, n) => {
            let dates = counted(a as u64, "date");
            format!(
                "Shifts come and go: at {dates} more users left than predicted, at {} fewer.",
                n - a
            )
        }
    }
}

/// The largest shift with the rates that belong to it, as HTML.
fn largest(h: &HorizonCard, origins: &[&BacktestFold]) -> String {
    // What was predicted in a rehearsal is on the card, unless the date has the judged model's predictions.
    let judged = h.evaluation.as_ref().map(|e| e.test);
    let predicted = |o: &BacktestFold| {
        let date = h
            .by_date
            .iter()
            .find(|d| d.date == o.cutoff && Some(d.date) != judged)?;
        date.predicted
    };
    let told = origins.iter().filter_map(|o| Some((o, predicted(o)?)));
    let largest = told.max_by(|a, b| a.0.shift.abs().total_cmp(&b.0.shift.abs()));
    let said = largest.map(|(o, p)| {
        let (p, rate) = (
            escape(&probability(p)),
            escape(&counted_share(o.churn_rate)),
        );
        let most = if origins.len() > 1 {
            "Most was needed on"
        } else {
            "That was"
        };
        format!(
            "{most} {}, {}: {p} had been predicted, {rate} left. ",
            nowrap(o.cutoff),
            escape(&signed(o.shift, 2))
        )
    });
    said.unwrap_or_default()
}

/// What is carried forward, and why not more.
fn forward(origins: &[&BacktestFold], carried: f64) -> String {
    let above = origins.iter().filter(|o| o.shift > 0.0).count();
    let one_sign = above == 0 || above == origins.len();
    let middle = signed(
        mean(&origins.iter().map(|o| o.shift).collect::<Vec<_>>()),
        2,
    );
    let much = format!(
        "of their mean of {middle}, {} is carried forward, the dashed line.",
        signed(carried, 2)
    );
    match (carried.abs() >= NOTHING, one_sign) {
        (true, true) => capital(&much),
        (true, false) => format!("Most lie on one side: {much}"),
        (false, true) if origins.len() == 1 => {
            "Once may be chance, so nothing is carried forward.".to_owned()
        }
        (false, true) => "But that may still be chance, so nothing is carried forward.".to_owned(),
        (false, false) => "So nothing is carried forward.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::card;
    use super::*;
    use crate::model::Calibration;

    fn with_shifts(shifts: &[f64]) -> (Card, String) {
        let mut card = card();
        let first = card.horizons[0].backtest[0].clone();
        let origin = |(k, shift): (usize, &f64)| BacktestFold {
            cutoff: first.cutoff.plus(-15 * k as i32),
            shift: *shift,
            ..first.clone()
        };
        card.horizons[0].backtest = shifts.iter().enumerate().map(origin).collect();
        let html = figure(&card, &card.horizons[0]);
        (card, html)
    }

    #[test]
    fn shifts_that_keep_one_sign_are_carried_forward_in_part() {
        let (card, html) = with_shifts(&[-0.5, -0.45, -0.55, -0.5, -0.48, -0.52]);
        assert!(
            html.contains("at all 6 rehearsed dates fewer users left"),
            "{html}"
        );
        let carried = carried(&card, &card.horizons[0]);
        assert!((-0.25..-0.15).contains(&carried), "{carried}");
        assert!(
            html.contains(&format!(
                "Of their mean of −0.50, {} is carried forward",
                signed(carried, 2)
            )),
            "{html}"
        );
        assert_eq!(
            (
                html.matches("class=\"dot\"").count(),
                html.matches("marker-line").count()
            ),
            (6, 1),
            "{html}"
        );
        // The oldest is drawn at the left.
        let at = |shift: &str| html.find(&format!(": −0.{shift}; ")).unwrap();
        assert!(at("520") < at("500"), "{html}");
    }

    #[test]
    fn shifts_that_come_and_go_are_not() {
        let (_, html) = with_shifts(&[0.5, -0.4, 0.1, -0.5, 0.45, -0.1]);
        let said = "Shifts come and go: at 3 dates more users left than predicted, at 3 fewer.";
        assert!(
            html.contains(said) && html.contains("So nothing is carried forward."),
            "{html}"
        );
        let (_, some) = with_shifts(&[0.1, 0.05]);
        assert!(
            some.contains("that may still be chance, so nothing"),
            "{some}"
        );
    }

    #[test]
    fn the_calibration_is_told() {
        let mut card = card();
        card.horizons[0].calibration = Calibration {
            intercept: -0.12,
            slope: 0.9,
        };
        let bold = figure(&card, &card.horizons[0]);
        assert!(
            bold.contains("intercept −0.120, slope 0.900, as log-odds were too bold and are drawn"),
            "{bold}"
        );
        card.horizons[0].calibration = Calibration::IDENTITY;
        assert!(
            figure(&card, &card.horizons[0])
                .contains("slope 1.000, as log-odds were hardly too bold")
        );
    }

    #[test]
    fn one_date_and_none_are_told_too() {
        let (_, one) = with_shifts(&[0.3]);
        assert!(
            one.contains("At the 1 date that could be rehearsed more users left than predicted."),
            "{one}"
        );
        assert!(
            one.contains("Once may be chance, so nothing is carried forward."),
            "{one}"
        );
        let (_, none) = with_shifts(&[]);
        assert!(
            none.contains("is not known, and nothing is carried forward") && !none.contains("svg"),
            "{none}"
        );
    }

    #[test]
    fn the_rates_beside_the_largest_shift_are_those_of_its_rehearsal() {
        let mut card = card();
        let h = &mut card.horizons[0];
        let date = h.by_date[4].date;
        h.backtest.truncate(1);
        (
            h.backtest[0].cutoff,
            h.backtest[0].shift,
            h.backtest[0].churn_rate,
        ) = (date, -0.3, 0.35);
        let html = figure(&card, &card.horizons[0]).replace(super::super::text::THIN, " ");
        assert!(
            html.contains("−0.30: 42 % had been predicted, 35 % left."),
            "{html}"
        );
        // On the test date the judged model's predictions are on the card, not the rehearsal's.
        card.horizons[0].evaluation.as_mut().unwrap().test = date;
        assert!(!figure(&card, &card.horizons[0]).contains("had been predicted"));
    }
}
