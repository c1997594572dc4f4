//! Retention: users that are active again, by the period of their first activity.

use maud::{Markup, html};

use super::axis::{Axis, ends};
use super::bars;
use super::heatmap::{Cell, HeatmapRow, table};
use super::plot::Plot;
use super::text::{any_of, words};
use super::timeline::month_name;
use crate::card::{Card, Cohort, Period, Retention};
use crate::report::number::{counted, percent, thousands};

/// Curves and table side by side; a description where no period after the first was observed to its end.
pub(crate) fn figures(card: &Card) -> Markup {
    let heading = "Do users come back?";
    let retention = &card.retention;
    let pooled = pooled(retention);
    if pooled.len() < 2 {
        return super::no_figure(
            heading,
            "The log is too short: no later period was observed.",
        );
    }
    let activity = card.label_definition.activity.iter();
    let activity = any_of(&activity.map(|a| words(a)).collect::<Vec<_>>());
    let curves = super::figure(
        "",
        heading,
        curves(retention, &pooled, &activity),
        pooled_caption(retention, &pooled),
    );
    let table = super::figure(
        "",
        "How does each cohort hold?",
        heatmap(retention),
        cohorts_caption(retention),
    );
    html! { div.pair { (curves) (table) } }
}

fn unit(period: Period) -> &'static str {
    match period {
        Period::Week => "week",
        Period::Month => "month",
        Period::Quarter => "quarter",
        Period::Year => "year",
    }
}

fn name(period: Period, cohort: &Cohort) -> String {
    let date = cohort.from.date();
    match period {
        Period::Week => format!("{} {}", date.day(), month_name(date)),
        Period::Month => format!("{} {:02}", month_name(date), date.year().rem_euclid(100)),
        Period::Quarter => format!("{} Q{}", date.year(), (date.month() - 1) / 3 + 1),
        Period::Year => date.year().to_string(),
    }
}

/// The share of a cohort that was active so many periods later; `None` where that was not observed to its end.
fn share(cohort: &Cohort, later: usize) -> Option<f64> {
    let active = cohort.active.get(later)?;
    Some(*active as f64 / cohort.users.max(1) as f64)
}

/// The cohorts of users that were new. The first cohort holds all users present when the log began, old customers too,
/// who come back more often; it stands in where there is no other.
fn newcomers(retention: &Retention) -> &[Cohort] {
    match retention.cohorts.as_slice() {
        [_, rest @ ..] if rest.iter().any(|c| c.active.len() > 1) => rest,
        all => all,
    }
}

/// Whether the first cohort is drawn as that of the users present when the log began.
fn has_first(retention: &Retention) -> bool {
    newcomers(retention).len() < retention.cohorts.len()
}

/// Cohorts with at least one later period.
fn followed(retention: &Retention) -> impl Iterator<Item = &Cohort> {
    retention.cohorts.iter().filter(|c| c.active.len() > 1)
}

/// The share of newcomers active so many periods later, over all cohorts observed that long.
fn pooled(retention: &Retention) -> Vec<f64> {
    let cohorts = newcomers(retention);
    let longest = cohorts.iter().map(|c| c.active.len()).max().unwrap_or(0);
    let at = |later: usize| {
        let (mut active, mut users) = (0, 0);
        for cohort in cohorts.iter().filter(|c| c.active.len() > later) {
            active += cohort.active[later];
            users += cohort.users;
        }
        active as f64 / users.max(1) as f64
    };
    (0..longest).map(at).collect()
}

/// The most periods that any cohort was observed for, its own included.
fn longest(retention: &Retention) -> usize {
    let lengths = retention.cohorts.iter().map(|c| c.active.len());
    lengths.max().unwrap_or(0)
}

fn curves(retention: &Retention, pooled: &[f64], activity: &str) -> Markup {
    let unit = unit(retention.period);
    let last = longest(retention).saturating_sub(1);
    let ticks = (0..=last).step_by(last.div_ceil(6).max(1));
    let x = Axis {
        low: 0.0,
        high: last as f64,
        ticks: ticks.map(|k| (k as f64, k.to_string())).collect(),
        label: format!("{unit}s since the first {activity}"),
    };
    let mut plot = Plot::new(
        "retention".to_owned(),
        "Retention curves by cohort".to_owned(),
        x,
        Axis::new(0.0, 1.0, "users active", percent),
    );
    for (i, cohort) in followed(retention).enumerate() {
        let points: Vec<(f64, f64)> = (0..cohort.active.len())
            .filter_map(|k| Some((k as f64, share(cohort, k)?)))
            .collect();
        let first = i == 0 && has_first(retention);
        plot.line(&points, if first { "cohort first" } else { "cohort" });
    }
    let all: Vec<(f64, f64)> = pooled
        .iter()
        .enumerate()
        .map(|(k, s)| (k as f64, *s))
        .collect();
    plot.line(&all, "model");
    for (x, share) in &all {
        let text = format!("{x} {unit}s later: {} active", percent(*share));
        plot.dot((*x, *share), 3.0, "dot", &text);
    }
    let description: Vec<String> = all
        .iter()
        .map(|(k, s)| format!("after {k} {unit}s {}", percent(*s)))
        .collect();
    let first = ("line cohort first", "there when the log began");
    let keys = [
        ("line model", "all newcomers"),
        ("line cohort", "each cohort"),
    ];
    html! {
        (bars::legend(keys.into_iter().chain(has_first(retention).then_some(first))))
        (plot.finish(&description.join("; ")))
    }
}

fn heatmap(retention: &Retention) -> Markup {
    let (longest, unit) = (longest(retention), unit(retention.period));
    let shares = followed(retention).flat_map(|c| (1..longest).filter_map(|k| share(c, k)));
    let largest = shares.fold(0.01, f64::max);
    let cell = |cohort: &Cohort, later: usize| {
        let share = share(cohort, later)?;
        Some(Cell {
            strength: share / largest,
            warm: false,
            text: format!("{:.0}", share * 100.0),
            title: format!(
                "{} later: {} of {} active",
                counted(later as u64, unit),
                percent(share),
                counted(cohort.users, "user")
            ),
        })
    };
    let rows: Vec<HeatmapRow> = followed(retention)
        .map(|cohort| HeatmapRow {
            name: name(retention.period, cohort),
            detail: thousands(cohort.users),
            cells: (1..longest).map(|later| cell(cohort, later)).collect(),
        })
        .collect();
    let columns: Vec<String> = (1..longest).map(|k| k.to_string()).collect();
    html! {
        p.legend { "percent of the cohort active so many " (unit) "s after its first" }
        (table("cohorts", ("first seen", "users"), &columns, &rows))
    }
}

fn pooled_caption(retention: &Retention, pooled: &[f64]) -> Markup {
    let unit = unit(retention.period);
    let later = (pooled.len() - 1).min(6);
    html! {
        "Newcomers active again: " (percent(pooled[1])) " after 1 " (unit)
        @if later > 1 { ", " (percent(pooled[later])) " after " (later) " " (unit) "s" }
        "."
    }
}

fn cohorts_caption(retention: &Retention) -> Markup {
    let next = newcomers(retention).iter().filter_map(|c| share(c, 1));
    let (low, high) = ends(next).unwrap_or((f64::NAN, f64::NAN));
    html! {
        "Active after 1 " (unit(retention.period)) ": from " (percent(low)) " to " (percent(high)) " of a cohort. "
        "The first cohort of the log holds all users present when it began."
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{card, plain, snapshot};
    use super::*;

    #[test]
    fn cohorts_are_curves_and_rows() {
        let mut card = card();
        snapshot("retention", figures(&card));
        card.retention.cohorts.truncate(1);
        snapshot("retention_one_cohort", figures(&card));
        card.retention.cohorts[0].active.truncate(1);
        assert!(plain(figures(&card)).contains("The log is too short"));
    }

    #[test]
    fn cohorts_observed_too_briefly_are_left_out_of_a_later_share() {
        let cohort = |from: &str, users, active: &[u64]| Cohort {
            from: from.parse().unwrap(),
            users,
            active: active.to_vec(),
        };
        let retention = Retention {
            period: Period::Month,
            cohorts: vec![
                cohort("2024-01-01", 1_000, &[1_000, 900, 800]),
                cohort("2024-02-01", 100, &[100, 50, 20]),
                cohort("2024-03-01", 300, &[300, 50]),
            ],
        };
        assert_eq!(pooled(&retention), [1.0, 0.25, 0.2]);
    }

    #[test]
    fn cohorts_are_named_by_their_period() {
        let cohort = Cohort {
            from: "2024-07-01".parse().unwrap(),
            users: 1,
            active: vec![1],
        };
        let names =
            [Period::Week, Period::Month, Period::Quarter, Period::Year].map(|p| name(p, &cohort));
        assert_eq!(names, ["1 Jul", "Jul 24", "2024 Q3", "2024"]);
    }
}
