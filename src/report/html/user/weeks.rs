//! The weeks before the as-of day: what happened, and the risk at the end of each.

use maud::{Markup, html};

use crate::explain::timeline::horizons_of;
use crate::explain::{UserExplanation, Week};
use crate::history::Day;
use crate::report::html::axis::Axis;
use crate::report::html::dates::date_axis;
use crate::report::html::plot::Plot;
use crate::report::html::{bars, figure, no_figure};
use crate::report::number::{counted, percent_to, probability};

/// The classes of the horizons' lines and of their keys in the legend; there are seldom more.
const LINES: [(&str, &str); 5] = [
    ("model", "line model"),
    ("baseline r-bgnbd", "line r-bgnbd"),
    ("baseline r-recency", "line r-recency"),
    ("baseline r-forest", "line r-forest"),
    ("baseline r-other", "line r-other"),
];

pub(super) fn figures(explanation: &UserExplanation) -> Markup {
    let weeks = &explanation.timeline;
    if weeks.is_empty() {
        return no_figure("Weeks", "There is no event before the as-of day.");
    }
    html! {
        div.stack { (risk(weeks)) (activity(weeks)) }
    }
}

/// All ends of weeks, and the start of the first.
fn days(weeks: &[Week]) -> Vec<Day> {
    let first = weeks.first().map(|week| week.from);
    first
        .into_iter()
        .chain(weeks.iter().map(|week| week.as_of))
        .collect()
}

fn x(day: Day) -> f64 {
    f64::from(day.number())
}

fn risk(weeks: &[Week]) -> Markup {
    let heading = "Risk at the end of each week";
    let horizons = horizons_of(weeks);
    if horizons.is_empty() {
        return no_figure(heading, "The user had no score at the end of any week.");
    }
    let y = Axis::new(0.0, 1.0, "probability of churn", |v| percent_to(v, 0));
    let mut plot = Plot::new(
        "user-risk".to_owned(),
        heading.to_owned(),
        date_axis(&days(weeks)),
        y,
    );
    let lines = LINES.iter().cycle();
    for (horizon_days, (class, _)) in horizons.iter().zip(lines.clone()) {
        draw_risk(&mut plot, weeks, *horizon_days, class);
    }
    let names: Vec<String> = horizons.iter().map(|days| format!("{days} days")).collect();
    let keys = names.iter().zip(lines);
    let keys = keys.map(|(name, (_, class))| (*class, name.as_str()));
    let content = html! {
        (bars::legend(keys))
        (plot.finish(&described(weeks)))
    };
    let unscored = weeks.iter().filter(|week| week.horizons.is_empty()).count();
    let caption = html! {
        "Each of the " (counted(weeks.len() as u64, "week")) " is judged by what had happened by its end"
        @if unscored > 0 { "; at " (unscored) " of them the user had no score" }
        ". All weeks are judged by the model at hand, which may have been fitted later than they ended."
    };
    figure("", heading, content, caption)
}

/// A line for each stretch of weeks with a score, and a dot for each of them.
fn draw_risk(plot: &mut Plot, weeks: &[Week], horizon_days: u16, class: &str) {
    let risk = |week: &Week| week.risk(horizon_days);
    for stretch in weeks.split(|week| risk(week).is_none()) {
        let points: Vec<(f64, f64)> = stretch
            .iter()
            .filter_map(|week| Some((x(week.as_of), risk(week)?.churn_probability)))
            .collect();
        plot.line(&points, class);
    }
    for week in weeks {
        let Some(risk) = risk(week) else { continue };
        let text = format!(
            "{}: {} within {horizon_days} days, {} risk",
            week.as_of,
            probability(risk.churn_probability),
            risk.risk_band
        );
        plot.dot((x(week.as_of), risk.churn_probability), 3.0, "dot", &text);
    }
}

fn described(weeks: &[Week]) -> String {
    let described: Vec<String> = weeks
        .iter()
        .map(|week| match week.horizons.first() {
            Some(h) => format!("{}: {}", week.as_of, probability(h.churn_probability)),
            None => format!("{}: no score", week.as_of),
        })
        .collect();
    described.join("; ")
}

fn activity(weeks: &[Week]) -> Markup {
    let heading = "Activity in each week";
    let most = weeks.iter().map(|week| week.active_days).max().unwrap_or(0);
    let y = Axis::new(0.0, f64::from(most.max(4)), "days with activity", |v| {
        format!("{v:.0}")
    });
    let mut plot = Plot::new(
        "user-activity".to_owned(),
        heading.to_owned(),
        date_axis(&days(weeks)),
        y,
    );
    for week in weeks.iter().filter(|week| week.active_days > 0) {
        let text = format!(
            "{} to {}: {} with activity, {} of other kinds",
            week.from,
            week.as_of.plus(-1),
            counted(u64::from(week.active_days), "day"),
            counted(week.other_events, "event")
        );
        plot.rect(
            (x(week.from) + 0.7, 0.0),
            (x(week.as_of) - 0.7, f64::from(week.active_days)),
            "stay",
            &text,
        );
    }
    let described: Vec<String> = weeks
        .iter()
        .map(|week| format!("{}: {}", week.from, week.active_days))
        .collect();
    let active = weeks.iter().filter(|week| week.active_days > 0).count();
    let events: u64 = weeks.iter().map(|week| week.activity_events).sum();
    let caption = html! {
        (active) " of " (counted(weeks.len() as u64, "week")) " had activity: " (counted(events, "event")) ", on "
        (counted(u64::from(most), "day")) " in the busiest week."
    };
    figure(
        "small",
        heading,
        plot.finish(&described.join("; ")),
        caption,
    )
}
