//! Lifecycle stages: their users, now and over time, and the moves between them.

use maud::{Markup, html};

use super::axis::Axis;
use super::bars::{Bar, Row, legend, list, part};
use super::dates::date_axis;
use super::heatmap::{Cell, HeatmapRow, table};
use super::names;
use super::plot::Plot;
use super::text::{capital, nowrap, words};
use crate::card::{Card, Stage, StageSizes, Transitions};
use crate::history::Day;
use crate::report::number::{counted, percent, thousands};

/// All three figures: sizes and moves, one below the other, beside the sizes over time.
pub(crate) fn figures(card: &Card) -> Markup {
    html! {
        div.pair {
            div.stack {
                (now(card))
                (moves(card))
            }
            (over_time(card))
        }
    }
}

fn now(card: &Card) -> Markup {
    let heading = "In which stages are they?";
    if card.stages.is_empty() {
        return super::no_figure(heading, "No user is eligible for a score.");
    }
    let all: u64 = card.stages.values().sum();
    let largest = card.stages.values().max().copied().unwrap_or(0) as f64;
    let rows: Vec<Row> = in_order(card)
        .map(|(name, users)| {
            let share = percent(users as f64 / all.max(1) as f64);
            let value = format!("{} users, {share}", thousands(users));
            Row {
                name: names::stage(name),
                bars: vec![Bar::new(part(users as f64, largest), class(name), value)],
            }
        })
        .collect();
    let churning = card.stages.get(Stage::Churning.name());
    let churning = churning.copied().unwrap_or(0) as f64 / all.max(1) as f64;
    let caption = html! {
        (counted(all, "user")) " eligible for a score on " (nowrap(card.as_of)) "; " (percent(churning))
        " are in stage churning."
    };
    super::figure("", heading, list(&rows), caption)
}

/// The stages in the order in which a user passes them; names of other versions come last.
fn in_order(card: &Card) -> impl Iterator<Item = (&str, u64)> {
    let known = Stage::ALL.map(Stage::name);
    let names = card.stages.keys().map(String::as_str);
    let others = names.filter(move |name| !known.contains(name));
    known
        .into_iter()
        .chain(others)
        .filter_map(|name| Some((name, *card.stages.get(name)?)))
}

/// A stage's class in the style sheet.
fn class(stage: &str) -> &'static str {
    match stage {
        "acquisition" => "s-acquisition",
        "exploration" => "s-exploration",
        "growth" => "s-growth",
        "mature" => "s-mature",
        "churning" => "churn",
        _ => "size",
    }
}

/// Users in a stage.
fn at(sizes: &StageSizes, stage: Stage) -> u64 {
    sizes.users.get(stage.name()).copied().unwrap_or(0)
}

/// Users in any stage.
fn total(sizes: &StageSizes) -> u64 {
    Stage::ALL.iter().map(|stage| at(sizes, *stage)).sum()
}

fn over_time(card: &Card) -> Markup {
    let heading = "How do the stages change?";
    let sizes = &card.stage_sizes;
    let (Some(first), Some(last)) = (sizes.first(), sizes.last()) else {
        return super::no_figure(heading, "There is no date to look back to.");
    };
    let keys = Stage::ALL.map(|stage| (class(stage.name()), stage.name()));
    let content = html! {
        (legend(keys))
        (stacks(sizes))
    };
    super::figure("tall", heading, content, change(first, last))
}

/// One stack of the stages for every date.
fn stacks(sizes: &[StageSizes]) -> Markup {
    let days: Vec<Day> = sizes.iter().map(|s| s.date).collect();
    let mut x = date_axis(&days);
    // Stacks leave a gap between the closest dates, and the outer ones stay inside.
    let gaps = days.windows(2).map(|w| w[1].since(w[0]));
    let half = f64::from(gaps.min().unwrap_or(1).max(1)) * 0.38;
    if let [first, .., last] | [first @ last] = days.as_slice() {
        x.low = f64::from(first.number()) - half * 1.4;
        x.high = f64::from(last.number()) + half * 1.4;
    }
    let most = sizes.iter().map(total).max().unwrap_or(0);
    let mut plot = Plot::new(
        "stages".to_owned(),
        "Users by lifecycle stage over time".to_owned(),
        x,
        Axis::new(0.0, most as f64, "users", |v| thousands(v as u64)),
    );
    for size in sizes {
        let (x, mut foot) = (f64::from(size.date.number()), 0.0);
        for stage in Stage::ALL {
            let users = at(size, stage);
            let top = foot + users as f64;
            let name = stage.name();
            let text = format!("{}: {} in {name}", size.date, counted(users, "user"));
            plot.rect((x - half, foot), (x + half, top), class(name), &text);
            foot = top;
        }
    }
    let description: Vec<String> = sizes
        .iter()
        .map(|s| format!("{}: {}", s.date, counted(total(s), "user")))
        .collect();
    plot.finish(&description.join("; "))
}

fn change(first: &StageSizes, last: &StageSizes) -> Markup {
    let share = |s: &StageSizes| at(s, Stage::Churning) as f64 / total(s).max(1) as f64;
    let gone = ["inactive", "churned"];
    let gone: u64 = gone.iter().filter_map(|name| last.users.get(*name)).sum();
    html! {
        "Churning: " (percent(share(first))) " on " (nowrap(first.date)) ", " (percent(share(last))) " on "
        (nowrap(last.date)) ". Not drawn: " (counted(gone, "inactive or churned user")) " of the last date."
    }
}

/// Whether a state means that a user leaves or has left.
fn is_leaving(state: &str) -> bool {
    matches!(state, "churning" | "inactive" | "churned")
}

fn moves(card: &Card) -> Markup {
    let heading = "Where do they move?";
    let Some(t) = &card.transitions else {
        return super::no_figure(
            heading,
            "The log is too short to follow users for a horizon.",
        );
    };
    // Nobody becomes new, so there is a row for it and no column.
    let reached = |k: &usize| {
        t.users
            .iter()
            .any(|row| row.get(*k).is_some_and(|n| *n > 0))
    };
    let columns: Vec<usize> = (0..t.states.len()).filter(reached).collect();
    let headings: Vec<String> = columns
        .iter()
        .map(|k| capital(&words(&t.states[*k])))
        .collect();
    let rows: Vec<HeatmapRow> = t
        .states
        .iter()
        .zip(&t.users)
        .filter(|(_, users)| users.iter().sum::<u64>() > 0)
        .map(|(from, users)| HeatmapRow {
            name: capital(&words(from)),
            detail: thousands(users.iter().sum()),
            cells: columns
                .iter()
                .map(|k| cell(from, &t.states[*k], users, *k))
                .collect(),
        })
        .collect();
    let content = html! {
        p.legend { "percent of each row; from stages on the left to those above" }
        (table("moves", ("from", "users"), &headings, &rows))
    };
    super::figure("", heading, content, moves_caption(t))
}

/// The share of one state's users that moved to another; `None` where none did.
fn cell(from: &str, to: &str, users: &[u64], column: usize) -> Option<Cell> {
    let moved = users.get(column).copied().filter(|n| *n > 0)?;
    let all: u64 = users.iter().sum();
    let share = moved as f64 / all as f64;
    Some(Cell {
        strength: share,
        warm: is_leaving(to),
        text: percent_short(share),
        title: format!(
            "{} of {} from {} to {}",
            thousands(moved),
            thousands(all),
            words(from),
            words(to)
        ),
    })
}

/// Percent without decimals and without its sign, which the legend gives.
fn percent_short(share: f64) -> String {
    match share {
        s if s < 0.005 => "<1".to_owned(),
        s if (0.995..1.0).contains(&s) => ">99".to_owned(),
        s => format!("{:.0}", s * 100.0),
    }
}

/// The two moves that matter: out of the mature stage, and back from churning.
fn moves_caption(t: &Transitions) -> Markup {
    let share = |from: &str, to: &dyn Fn(&str) -> bool| {
        let row = t.states.iter().zip(&t.users).find(|(s, _)| *s == from);
        let users = row.map_or(&[][..], |(_, users)| users);
        let states = t.states.iter().zip(users);
        let moved: u64 = states.filter(|(s, _)| to(s)).map(|(_, n)| n).sum();
        // Not a number, and so a dash, without a user.
        moved as f64 / users.iter().sum::<u64>() as f64
    };
    html! {
        "From " (nowrap(t.from)) " to " (nowrap(t.to)) ": " (percent(share("mature", &is_leaving)))
        " of mature users moved to churning, inactive or churned; "
        (percent(share("churning", &|s| !is_leaving(s)))) " of churning users moved back to an earlier stage."
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{card, plain, snapshot};
    use super::*;

    #[test]
    fn stages_are_in_order_over_time_and_followed() {
        snapshot("stages", figures(&card()));
    }

    #[test]
    fn missing_stages_are_no_figures() {
        let mut card = card();
        card.stages.clear();
        card.stage_sizes.clear();
        card.transitions = None;
        let text = plain(figures(&card));
        for reason in [
            "No user is eligible",
            "no date to look back to",
            "too short to follow",
        ] {
            assert!(text.contains(reason), "{text}");
        }
    }

    #[test]
    fn moves_of_no_user_are_dashes() {
        let mut transitions = card().transitions.unwrap();
        transitions.users.iter_mut().for_each(|row| row.fill(0));
        let text = plain(moves_caption(&transitions));
        assert!(text.contains(": – of mature users"), "{text}");
    }
}
