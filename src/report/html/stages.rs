//! Lifecycle stages: how many users stand where, over time, and where they went.

use super::bars::{Bar, Row, list, part};
use super::dates::dates;
use super::heat::{Cell, HeatRow, table};
use super::names;
use super::plot::{Axis, Plot};
use super::text::{capital, count, counted, escape, nowrap, percent, words};
use crate::card::Card;
use crate::lifecycle::Stage;
use crate::train::population::{StageSizes, Transitions};

/// All three figures: where users stand and go, one below the other, beside the sizes over time.
pub(crate) fn figures(card: &Card) -> String {
    format!(
        "<div class=\"pair\"><div class=\"stack\">{}{}</div>{}</div>",
        now(card),
        moves(card),
        over_time(card)
    )
}

fn now(card: &Card) -> String {
    let heading = "Where do they stand?";
    let all: u64 = card.stages.values().sum();
    let largest = card.stages.values().max().copied().unwrap_or(0) as f64;
    // The rules' order is a user's way through them; names that they don't know come last.
    let known = Stage::ALL.map(Stage::name);
    let others = card
        .stages
        .keys()
        .map(String::as_str)
        .filter(|name| !known.contains(name));
    let found = known
        .into_iter()
        .chain(others)
        .filter_map(|name| Some((name, *card.stages.get(name)?)));
    let rows: Vec<Row> = found
        .map(|(name, users)| Row {
            name: names::stage(name),
            bars: vec![Bar {
                from: 0.0,
                to: part(users as f64, largest),
                class: class(name),
                value: format!(
                    "{} users, {}",
                    count(users),
                    percent(users as f64 / all.max(1) as f64)
                ),
                whisker: None,
            }],
        })
        .collect();
    if rows.is_empty() {
        return super::figure("", heading, "", "Nobody is eligible for a score.");
    }
    let churning = card
        .stages
        .get(Stage::Churning.name())
        .copied()
        .unwrap_or(0);
    let caption = format!(
        "{} eligible for a score on {}, by lifecycle stage; {} of them already behave as leavers do.",
        counted(all, "user"),
        card.as_of,
        percent(churning as f64 / all.max(1) as f64)
    );
    super::figure("", heading, &list(&rows), &escape(&caption))
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

fn over_time(card: &Card) -> String {
    let heading = "How does that change?";
    let sizes = &card.stage_sizes;
    let at = |s: &StageSizes, stage: Stage| s.users.get(stage.name()).copied().unwrap_or(0);
    let total = |s: &StageSizes| Stage::ALL.map(|stage| at(s, stage)).iter().sum::<u64>();
    let most = sizes.iter().map(total).max().unwrap_or(0);
    let (Some(first), Some(last)) = (sizes.first(), sizes.last()) else {
        return super::figure("", heading, "", "There is no date to look back to.");
    };
    let days: Vec<_> = sizes.iter().map(|s| s.date).collect();
    let mut x = dates(&days);
    // Columns leave a gap between the closest dates, and the outer ones stay inside.
    let closest = days
        .windows(2)
        .map(|w| w[1].since(w[0]))
        .min()
        .unwrap_or(1)
        .max(1);
    let half = f64::from(closest) * 0.38;
    (x.low, x.high) = (
        f64::from(first.date.number()) - half * 1.4,
        f64::from(last.date.number()) + half * 1.4,
    );
    let y = Axis::new(0.0, most as f64, "users", |v| count(v as u64));
    let mut plot = Plot::new("stages", "Users by lifecycle stage over time", x, y);
    for size in sizes {
        let (x, mut foot) = (f64::from(size.date.number()), 0.0);
        for stage in Stage::ALL {
            let users = at(size, stage);
            let said = format!(
                "{}: {} in {}",
                size.date,
                counted(users, "user"),
                stage.name()
            );
            plot.rect(
                (x - half, foot),
                (x + half, foot + users as f64),
                class(stage.name()),
                &said,
            );
            foot += users as f64;
        }
    }
    let said: Vec<String> = sizes
        .iter()
        .map(|s| format!("{}: {}", s.date, counted(total(s), "user")))
        .collect();
    let keys = Stage::ALL.map(|stage| (class(stage.name()), stage.name()));
    let content = super::bars::legend(&keys) + &plot.finish(&said.join("; "));
    super::figure("tall", heading, &content, &change(first, last, at, total))
}

/// The stage that grew or shrank most between two dates, as HTML.
fn change(
    first: &StageSizes,
    last: &StageSizes,
    at: impl Fn(&StageSizes, Stage) -> u64,
    total: impl Fn(&StageSizes) -> u64,
) -> String {
    let share = |s: &StageSizes, stage| at(s, stage) as f64 / total(s).max(1) as f64;
    let moved = |stage: &Stage| (share(last, *stage) - share(first, *stage)).abs();
    let most = Stage::ALL
        .into_iter()
        .max_by(|a, b| moved(a).total_cmp(&moved(b)))
        .unwrap_or(Stage::Churning);
    let gone: u64 = ["inactive", "churned"]
        .iter()
        .filter_map(|name| last.users.get(*name))
        .sum();
    format!(
        "From {} to {} the share of users in {} went from {} to {}, more than any other. Not drawn: {} on the last date \
         who can no longer be asked about.",
        nowrap(first.date),
        nowrap(last.date),
        most.name(),
        escape(&percent(share(first, most))),
        escape(&percent(share(last, most))),
        escape(&counted(gone, "user")),
    )
}

fn moves(card: &Card) -> String {
    let heading = "Where do they go from there?";
    let Some(t) = &card.transitions else {
        return super::figure(
            "",
            heading,
            "",
            "The log is too short to follow users for a horizon.",
        );
    };
    // Nobody becomes new, so there is a row for it and no column.
    let arrived: Vec<usize> = (0..t.states.len())
        .filter(|k| {
            t.users
                .iter()
                .any(|row| row.get(*k).is_some_and(|n| *n > 0))
        })
        .collect();
    let columns: Vec<String> = arrived
        .iter()
        .filter_map(|k| t.states.get(*k))
        .map(|s| capital(&words(s)))
        .collect();
    let rows = t
        .states
        .iter()
        .zip(&t.users)
        .filter(|(_, users)| users.iter().sum::<u64>() > 0);
    let row = |(state, users): (&String, &Vec<u64>)| {
        let all: u64 = users.iter().sum();
        let cell = |k: &usize| {
            let n = users.get(*k).copied().unwrap_or(0);
            let to = t.states.get(*k)?;
            let share = n as f64 / all as f64;
            let title = format!(
                "{} of {} from {} to {}",
                count(n),
                count(all),
                words(state),
                words(to)
            );
            let warm = matches!(to.as_str(), "churning" | "inactive" | "churned");
            (n > 0).then(|| Cell {
                strength: share,
                warm,
                text: percent_short(share),
                title,
            })
        };
        HeatRow {
            name: capital(&words(state)),
            detail: count(all),
            cells: arrived.iter().map(cell).collect(),
        }
    };
    let rows: Vec<HeatRow> = rows.map(row).collect();
    let legend =
        "<p class=\"legend\">percent of each row; from stages on the left to those above</p>";
    let content = format!(
        "{legend}{}",
        table("moves", ("from", "users"), &columns, &rows)
    );
    super::figure("", heading, &content, &followed(t))
}

/// Whole percent without its sign, as the legend says it.
fn percent_short(share: f64) -> String {
    match share {
        s if s < 0.005 => "<1".to_owned(),
        s if (0.995..1.0).contains(&s) => ">99".to_owned(),
        s => format!("{:.0}", s * 100.0),
    }
}

/// The two moves that matter, as HTML: out of the settled stages, and back from churning.
fn followed(t: &Transitions) -> String {
    let position = |name: &str| t.states.iter().position(|s| s == name);
    let share = |from: &str, to: &dyn Fn(&str) -> bool| -> Option<f64> {
        let row = t.users.get(position(from)?)?;
        let all: u64 = row.iter().sum();
        let there: u64 = t
            .states
            .iter()
            .zip(row)
            .filter(|(s, _)| to(s))
            .map(|(_, n)| n)
            .sum();
        (all > 0).then(|| there as f64 / all as f64)
    };
    let leaving = |s: &str| matches!(s, "churning" | "inactive" | "churned");
    let mut said = format!("From {} to {}", nowrap(t.from), nowrap(t.to));
    let drifted = ["mature", "growth", "exploration"]
        .into_iter()
        .find_map(|s| Some((s, share(s, &leaving)?)));
    said.push_str(&match drifted {
        Some((stage, share)) => format!(
            ", {} of {stage} users began to leave or left",
            escape(&percent(share))
        ),
        None => " users were followed".to_owned(),
    });
    let back = share("churning", &|s| !leaving(s));
    if let (Some(back), Some(gone)) = (
        back,
        share("churning", &|s| matches!(s, "inactive" | "churned")),
    ) {
        said.push_str(&format!(
            "; of those already churning {} came back to an earlier stage and {} were gone",
            escape(&percent(back)),
            escape(&percent(gone))
        ));
    }
    said + ". Point at a cell for the numbers."
}

#[cfg(test)]
mod tests {
    use super::super::tests::card;
    use super::*;

    #[test]
    fn stages_are_in_order_over_time_and_followed() {
        let html = figures(&card()).replace(super::super::text::THIN, " ");
        let order: Vec<usize> = [
            "Acquisition:",
            "Growth:",
            "Mature:",
            "Churning:",
            "Paused &amp; more",
        ]
        .map(|n| html.find(n).unwrap())
        .into();
        assert!(order.is_sorted(), "{html}");
        assert_eq!(
            html.matches("<rect class=\"s-mature\"").count(),
            1 + 9,
            "now, and on nine dates"
        );
        assert!(
            html.contains("14 % of mature users began to leave or left; of those already churning 15 % came back"),
            "{html}"
        );
        assert!(
            html.contains("title=\"187 of 321 from acquisition to growth\">58</td>"),
            "{html}"
        );
        assert!(
            !html.contains("<th scope=\"col\"><span>New</span>"),
            "nobody becomes new"
        );
        assert!(html.contains("780 users on the last date"), "{html}");
    }

    #[test]
    fn nobody_is_said_in_words() {
        let mut card = card();
        card.stages.clear();
        card.stage_sizes.clear();
        card.transitions = None;
        let html = figures(&card);
        for words in [
            "Nobody is eligible",
            "no date to look back to",
            "too short to follow",
        ] {
            assert!(html.contains(words), "{html}");
        }
    }
}
