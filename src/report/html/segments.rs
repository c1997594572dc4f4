//! Segments: their users, their churn and their typical behaviour.

use maud::{Markup, html};

use super::axis::Axis;
use super::bars::{Bar, Row, legend, list, part};
use super::heatmap::{Cell, HeatmapRow, table};
use super::names;
use super::text::capital;
use crate::card::{Card, ProfileCard, SegmentCard};
use crate::report::number::{THIN, counted, counted_share, decimals, percent, thousands};

/// Sizes with churn, and profiles, side by side.
pub(crate) fn figures(card: &Card) -> Markup {
    let horizon_days = card.label_definition.horizon_days.iter().copied().min();
    let within = horizon_days.map_or_else(String::new, |days| format!(" within {days} days"));
    html! {
        @match card.segments.as_slice() {
            [] => (super::no_figure(SIZES, "Too few users for segments.")),
            segments => div.pair {
                (sizes(segments, &within))
                (profiles(segments))
            },
        }
    }
}

const SIZES: &str = "Which users are alike?";

fn sizes(segments: &[SegmentCard], within: &str) -> Markup {
    let largest = segments.iter().map(|s| s.users).max().unwrap_or(0) as f64;
    let highest = segments.iter().map(|s| s.churn_high.max(s.churn_rate));
    let highest = highest.fold(0.0, f64::max);
    // Where few users churn, bars of 100 % would all be invisible.
    let scale = if highest > 0.4 {
        1.0
    } else {
        Axis::shares(std::iter::once(highest), "").high
    };
    let rows: Vec<Row> = segments.iter().map(|s| size(s, largest, scale)).collect();
    let churn = format!("churn rate{within}, bars up to {}", percent(scale));
    let content = html! {
        (legend([("size", "users"), ("churn", churn.as_str())]))
        (list(&rows))
    };
    super::figure("", SIZES, content, sizes_caption(segments, within))
}

fn size(s: &SegmentCard, largest: f64, scale: f64) -> Row {
    let users = format!("{} users, {}", thousands(s.users), percent(s.share));
    let churn = format!("{} churn", counted_share(s.churn_rate));
    let whisker = (part(s.churn_low, scale), part(s.churn_high, scale));
    Row {
        name: capital(&s.name),
        bars: vec![
            Bar::new(part(s.users as f64, largest), "size", users),
            Bar {
                whisker: Some(whisker),
                ..Bar::new(part(s.churn_rate, scale), "churn", churn)
            },
        ],
    }
}

fn sizes_caption(segments: &[SegmentCard], within: &str) -> Markup {
    let end = |s: &SegmentCard| {
        let (low, high) = (percent(s.churn_low), percent(s.churn_high));
        let share = counted_share(s.churn_rate);
        format!("“{}” {share} ({low} to {high})", s.name)
    };
    html! {
        (counted(segments.len() as u64, "segment")) ". Churn" (within) " with 95" (THIN) "% interval"
        @if let (Some(lowest), Some(highest)) = (segments.first(), segments.last()) {
            ": lowest " (end(lowest)) ", highest " (end(highest))
        }
        "."
    }
}

fn profiles(segments: &[SegmentCard]) -> Markup {
    let heading = "What is typical of them?";
    let features = segments.first().map_or(&[][..], |s| &s.profile);
    if features.is_empty() {
        return super::no_figure(heading, "Segments have no features that describe them.");
    }
    let columns: Vec<String> = features
        .iter()
        .map(|p| names::description(&p.description))
        .collect();
    let row = |name: String, cells: Vec<Option<Cell>>| HeatmapRow {
        name,
        detail: String::new(),
        cells,
    };
    let mut rows: Vec<HeatmapRow> = segments
        .iter()
        .map(|s| row(capital(&s.name), s.profile.iter().map(cell).collect()))
        .collect();
    rows.push(row(
        "All users".to_owned(),
        features.iter().map(cell_of_all).collect(),
    ));
    let content = html! {
        (legend([("cool", "lower than most users"), ("warm", "higher than most users")]))
        (table("profiles", ("medians", ""), &columns, &rows))
    };
    super::figure("", heading, content, profiles_caption(segments))
}

fn cell(p: &ProfileCard) -> Option<Cell> {
    let (median, rank) = (p.median?, p.rank.unwrap_or(0.5));
    Some(Cell {
        strength: (rank - 0.5).abs() * 2.0,
        warm: rank > 0.5,
        text: number(median),
        title: format!(
            "{} {}; {} of all users lie below",
            number(median),
            p.unit,
            percent(rank)
        ),
    })
}

fn cell_of_all(p: &ProfileCard) -> Option<Cell> {
    let median = p.median_of_all?;
    Some(Cell {
        strength: 0.0,
        warm: false,
        text: number(median),
        title: format!("{} {}", number(median), p.unit),
    })
}

/// At most three digits that matter, and no decimals beyond ten.
fn number(value: f64) -> String {
    match value.abs() {
        v if v >= 1e6 => format!("{}M", decimals(value / 1e6, 1)),
        v if v >= 10.0 || v.fract() == 0.0 => decimals(value, 0),
        v if v >= 1.0 => decimals(value, 1),
        _ => decimals(value, 2),
    }
}

fn profiles_caption(segments: &[SegmentCard]) -> Markup {
    let profiles = segments
        .iter()
        .flat_map(|s| s.profile.iter().map(move |p| (s, p)));
    let known = profiles.filter(|(_, p)| p.median.is_some());
    let distance = |p: &ProfileCard| (p.rank.unwrap_or(0.5) - 0.5).abs();
    let furthest = known.max_by(|a, b| distance(a.1).total_cmp(&distance(b.1)));
    html! {
        "A cell is the median of a segment; its colour is the distance of its rank from the middle user."
        @if let Some((segment, p)) = furthest {
            " Furthest: “" (names::description(&p.description)) "” in “" (segment.name) "”, "
            (p.median.map_or("–".to_owned(), number)) ", all users " (p.median_of_all.map_or("–".to_owned(), number)) "."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{card, plain, snapshot};
    use super::*;

    #[test]
    fn segments_have_sizes_intervals_and_profiles() {
        let mut card = card();
        snapshot("segments", figures(&card));
        card.segments.clear();
        assert!(plain(figures(&card)).contains("Too few users for segments."));
    }

    #[test]
    fn numbers_are_short() {
        let read = [0.0, 0.314, 2.55, 41.4, 1_234.5, 2_500_000.0].map(number);
        assert_eq!(read, ["0", "0.31", "2.5", "41", "1234", "2.5M"]);
    }
}
