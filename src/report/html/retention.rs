//! Who comes back, by when they were first active.

use super::heat::{Cell, HeatRow, table};
use super::plot::{Axis, Plot};
use super::text::{any_of, count, counted, escape, percent, words};
use super::timeline::MONTH_NAMES;
use crate::card::Card;
use crate::train::population::retention::{Cohort, Period, Retention};

/// Curves and table side by side; a description where no period was seen to its end after the first.
pub(crate) fn figures(card: &Card) -> String {
    let retention = &card.retention;
    let heading = "Do users come back?";
    let activity = any_of(
        &card
            .label_definition
            .activity
            .iter()
            .map(|a| words(a))
            .collect::<Vec<_>>(),
    );
    if pooled(retention).len() < 2 {
        return super::figure(
            "",
            heading,
            "",
            "The log is too short to see who came back a period later.",
        );
    }
    let curves = super::figure(
        "",
        heading,
        &curves(retention, &activity),
        &escape(&caption(retention)),
    );
    let table = super::figure(
        "",
        "How does each cohort hold?",
        &heat(retention),
        &escape(&cohorts_caption(retention)),
    );
    format!("<div class=\"pair\">{curves}{table}</div>")
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
    let month = MONTH_NAMES
        .get((date.month() - 1) as usize)
        .copied()
        .unwrap_or_default();
    match period {
        Period::Week => format!("{} {month}", date.day()),
        Period::Month => format!("{month} {:02}", date.year().rem_euclid(100)),
        Period::Quarter => format!("{} Q{}", date.year(), (date.month() - 1) / 3 + 1),
        Period::Year => date.year().to_string(),
    }
}

fn share(cohort: &Cohort, later: usize) -> Option<f64> {
    cohort
        .active
        .get(later)
        .map(|active| *active as f64 / cohort.users.max(1) as f64)
}

/// Those who came after the log began. The first cohort holds old customers too, who come back more often.
fn newcomers(retention: &Retention) -> &[Cohort] {
    match retention.cohorts.as_slice() {
        [_, rest @ ..] if rest.iter().any(|c| c.active.len() > 1) => rest,
        all => all,
    }
}

/// The share of newcomers active so many periods later, over all cohorts seen that long.
fn pooled(retention: &Retention) -> Vec<f64> {
    let cohorts = newcomers(retention);
    let longest = cohorts.iter().map(|c| c.active.len()).max().unwrap_or(0);
    let at = |later: usize| {
        let seen = cohorts
            .iter()
            .filter_map(|c| Some((*c.active.get(later)?, c.users)));
        let (active, users) = seen.fold((0, 0), |(a, u), (active, users)| (a + active, u + users));
        active as f64 / users.max(1) as f64
    };
    (0..longest).map(at).collect()
}

/// The most periods that any cohort was seen for, its own included.
fn longest(retention: &Retention) -> usize {
    retention
        .cohorts
        .iter()
        .map(|c| c.active.len())
        .max()
        .unwrap_or(0)
}

fn curves(retention: &Retention, activity: &str) -> String {
    let pooled = pooled(retention);
    let unit = unit(retention.period);
    let last = longest(retention) - 1;
    let step = last.div_ceil(6).max(1);
    let ticks = (0..=last)
        .step_by(step)
        .map(|k| (k as f64, k.to_string()))
        .collect();
    let x = Axis {
        low: 0.0,
        high: last as f64,
        ticks,
        label: format!("{unit}s since the first {activity}"),
    };
    let mut plot = Plot::new(
        "retention",
        "Retention curves by cohort",
        x,
        Axis::new(0.0, 1.0, "users active", percent),
    );
    for cohort in retention.cohorts.iter().filter(|c| c.active.len() > 1) {
        let points: Vec<(f64, f64)> = (0..cohort.active.len())
            .filter_map(|k| Some((k as f64, share(cohort, k)?)))
            .collect();
        let first = newcomers(retention).len() < retention.cohorts.len()
            && cohort.from <= retention.cohorts[0].from;
        plot.line(&points, if first { "cohort first" } else { "cohort" });
    }
    let all: Vec<(f64, f64)> = pooled
        .iter()
        .enumerate()
        .map(|(k, s)| (k as f64, *s))
        .collect();
    plot.line(&all, "model");
    for (x, share) in &all {
        plot.dot(
            (*x, *share),
            3.0,
            "dot",
            &format!("{x} {unit}s later: {} active", percent(*share)),
        );
    }
    let said: Vec<String> = all
        .iter()
        .map(|(k, s)| format!("after {k} {unit}s {}", percent(*s)))
        .collect();
    let mut keys = vec![
        ("line model", "all newcomers"),
        ("line cohort", "each cohort"),
    ];
    if newcomers(retention).len() < retention.cohorts.len() {
        keys.push(("line cohort first", "there when the log began"));
    }
    let legend = super::bars::legend(&keys);
    legend + &plot.finish(&said.join("; "))
}

fn heat(retention: &Retention) -> String {
    let longest = longest(retention);
    let unit = unit(retention.period);
    let columns: Vec<String> = (1..longest).map(|k| k.to_string()).collect();
    let shares = retention
        .cohorts
        .iter()
        .flat_map(|c| (1..longest).filter_map(|later| share(c, later)));
    let largest = shares.fold(0.01, f64::max);
    let row = |cohort: &Cohort| HeatRow {
        name: name(retention.period, cohort),
        detail: count(cohort.users),
        cells: (1..longest)
            .map(|later| {
                let share = share(cohort, later)?;
                let title = format!(
                    "{} later: {} of {} active",
                    counted(later as u64, unit),
                    percent(share),
                    counted(cohort.users, "user")
                );
                Some(Cell {
                    strength: share / largest,
                    warm: false,
                    text: format!("{:.0}", share * 100.0),
                    title,
                })
            })
            .collect(),
    };
    let rows: Vec<HeatRow> = retention
        .cohorts
        .iter()
        .filter(|c| c.active.len() > 1)
        .map(row)
        .collect();
    format!(
        "<p class=\"legend\">percent of the cohort active so many {unit}s after its first</p>{}",
        table("cohorts", ("first seen", "users"), &columns, &rows)
    )
}

fn caption(retention: &Retention) -> String {
    let pooled = pooled(retention);
    let unit = unit(retention.period);
    let later = (pooled.len() - 1).min(6);
    let next = pooled.get(1).copied().unwrap_or(f64::NAN);
    let mut said = format!(
        "Of all newcomers, {} were active again 1 {unit} later",
        percent(next)
    );
    if later > 1 {
        let then = pooled.get(later).copied().unwrap_or(f64::NAN);
        said.push_str(&format!(
            " and {} after {}",
            percent(then),
            counted(later as u64, unit)
        ));
    }
    said + ". A curve that flattens has found its loyal users; one that keeps falling has not."
}

fn cohorts_caption(retention: &Retention) -> String {
    let unit = unit(retention.period);
    let seen: Vec<&Cohort> = retention
        .cohorts
        .iter()
        .skip(1)
        .filter(|c| c.active.len() > 1)
        .collect();
    let next = |c: &&&Cohort| share(c, 1).unwrap_or(0.0);
    let first =
        "The first cohort holds everybody who was there when the log began, old customers too.";
    let best = seen.iter().max_by(|a, b| next(a).total_cmp(&next(b)));
    let worst = seen.iter().min_by(|a, b| next(a).total_cmp(&next(b)));
    match (best, worst) {
        (Some(best), Some(worst)) if seen.len() > 1 => format!(
            "After 1 {unit}, of the cohort of {} most came back ({}), of that of {} fewest ({}). {first}",
            name(retention.period, best),
            percent(next(&best)),
            name(retention.period, worst),
            percent(next(&worst)),
        ),
        _ => {
            let cohort = retention.cohorts.first();
            let back = cohort.and_then(|c| share(c, 1)).unwrap_or(f64::NAN);
            let name = cohort
                .map(|c| name(retention.period, c))
                .unwrap_or_default();
            format!(
                "After 1 {unit}, {} of the cohort of {name} came back. {first}",
                percent(back)
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::card;
    use super::*;

    #[test]
    fn cohorts_are_curves_and_rows() {
        let mut card = card();
        let html = figures(&card).replace(super::super::text::THIN, " ");
        let drawn = |class: &str| html.matches(&format!("path class=\"{class}\"")).count();
        assert_eq!(
            (drawn("cohort"), drawn("cohort first")),
            (9, 1),
            "the last cohort has no later period"
        );
        assert!(
            html.contains("<th scope=\"row\">Jan 11</th>")
                && html.contains("months since the first purchase"),
            "{html}"
        );
        assert!(
            html.contains("46 % were active again 1 month later and 33 % after 6 months"),
            "{html}"
        );
        card.retention.cohorts.truncate(1);
        card.retention.cohorts[0].active.truncate(1);
        assert!(figures(&card).contains("too short to see who came back"));
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
