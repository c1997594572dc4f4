//! Segments: how many users, how many of them leave, and what they are like.

use super::bars::{Bar, Row, legend, list, part};
use super::heat::{Cell, HeatRow, table};
use super::names;
use super::plot::Axis;
use super::text::{capital, count, counted_share, decimals, escape, percent};
use crate::card::Card;
use crate::train::population::{ProfileCard, SegmentCard};

/// Sizes with churn, and profiles, side by side.
pub(crate) fn figures(card: &Card) -> String {
    let horizon_days = card.label_definition.horizon_days.iter().copied().min();
    if card.segments.is_empty() {
        return super::figure(
            "",
            "Which users are alike?",
            "",
            "There were too few users to group them.",
        );
    }
    format!(
        "<div class=\"pair\">{}{}</div>",
        sizes(&card.segments, horizon_days),
        profiles(&card.segments)
    )
}

fn sizes(segments: &[SegmentCard], horizon_days: Option<u16>) -> String {
    let largest = segments.iter().map(|s| s.users).max().unwrap_or(0) as f64;
    // Where few leave, bars of 100 % would all be invisible.
    let highest = segments
        .iter()
        .map(|s| s.churn_high.max(s.churn_rate))
        .fold(0.0, f64::max);
    let scale = if highest > 0.4 {
        1.0
    } else {
        Axis::shares(std::iter::once(highest), "").high
    };
    let row = |s: &SegmentCard| Row {
        name: capital(&s.name),
        bars: vec![
            Bar {
                from: 0.0,
                to: part(s.users as f64, largest),
                class: "size",
                value: format!("{} users, {}", count(s.users), percent(s.share)),
                whisker: None,
            },
            Bar {
                from: 0.0,
                to: part(s.churn_rate, scale),
                class: "churn",
                value: format!("{} leave", counted_share(s.churn_rate)),
                whisker: Some((part(s.churn_low, scale), part(s.churn_high, scale))),
            },
        ],
    };
    let within = horizon_days
        .map(|d| format!(" within {d} days"))
        .unwrap_or_default();
    let legend = legend(&[
        ("size", "users"),
        (
            "churn",
            &format!("churn rate{within}, bars up to {}", percent(scale)),
        ),
    ]);
    let caption = match segments {
        [first, .., last] => format!(
            "{} segments, lowest churn first: of “{}” {} leave{within} (95{}% interval {} to {}), of “{}” {} ({} to {}).",
            segments.len(),
            first.name,
            counted_share(first.churn_rate),
            super::text::THIN,
            percent(first.churn_low),
            percent(first.churn_high),
            last.name,
            counted_share(last.churn_rate),
            percent(last.churn_low),
            percent(last.churn_high),
        ),
        _ => "All users are in one segment.".to_owned(),
    };
    let content = legend + &list(&segments.iter().map(row).collect::<Vec<_>>());
    super::figure("", "Which users are alike?", &content, &escape(&caption))
}

fn profiles(segments: &[SegmentCard]) -> String {
    let heading = "What are they like?";
    let Some(features) = segments
        .first()
        .map(|s| &s.profile)
        .filter(|p| !p.is_empty())
    else {
        return super::figure(
            "",
            heading,
            "",
            "Segments have no features to describe them by.",
        );
    };
    let columns: Vec<String> = features
        .iter()
        .map(|p| names::description(&p.description))
        .collect();
    let row = |s: &SegmentCard| HeatRow {
        name: capital(&s.name),
        detail: String::new(),
        cells: s.profile.iter().map(cell).collect(),
    };
    let all = HeatRow {
        name: "All users".to_owned(),
        detail: String::new(),
        cells: features
            .iter()
            .map(|p| p.median_of_all.map(|m| plain(p, m)))
            .collect(),
    };
    let rows: Vec<HeatRow> = segments.iter().map(row).chain([all]).collect();
    let legend = legend(&[
        ("cool", "lower than most users"),
        ("warm", "higher than most users"),
    ]);
    let content = legend + &table("profiles", ("medians", ""), &columns, &rows);
    super::figure("", heading, &content, &escape(&caption(segments)))
}

fn cell(p: &ProfileCard) -> Option<Cell> {
    let (median, rank) = (p.median?, p.rank.unwrap_or(0.5));
    let title = format!(
        "{} {}; {} of all users lie below",
        number(median),
        p.unit,
        percent(rank)
    );
    Some(Cell {
        strength: (rank - 0.5).abs() * 2.0,
        warm: rank > 0.5,
        text: number(median),
        title,
    })
}

fn plain(p: &ProfileCard, median: f64) -> Cell {
    Cell {
        strength: 0.0,
        warm: false,
        text: number(median),
        title: format!("{} {}", number(median), p.unit),
    }
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

/// The segment and feature that lie furthest from everyone else.
fn caption(segments: &[SegmentCard]) -> String {
    let all = segments
        .iter()
        .flat_map(|s| s.profile.iter().map(move |p| (s, p)));
    let known = all.filter_map(|(s, p)| Some((s, p, p.median?, p.rank?)));
    let off = |rank: f64| (rank - 0.5).abs();
    let Some((segment, p, median, _)) = known.max_by(|a, b| off(a.3).total_cmp(&off(b.3))) else {
        return "Nothing is known of any segment.".to_owned();
    };
    format!(
        "Each cell is the median of a segment; the stronger its colour, the further from the middle user. What stands out \
         most is “{}” in “{}”: {}, against {} of all users.",
        segment.name,
        names::description(&p.description),
        number(median),
        p.median_of_all.map_or("nothing known".to_owned(), number),
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::card;
    use super::*;

    #[test]
    fn segments_have_sizes_intervals_and_profiles_with_names_as_text() {
        let html = figures(&card()).replace(super::super::text::THIN, " ");
        assert!(
            html.contains(
                "Recent &lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;frequent&quot;"
            ),
            "{html}"
        );
        assert!(
            html.contains("of “frequent, regular, high spend” 8 % leave within 30 days (95 % interval 6.3 % to 10 %)"),
            "{html}"
        );
        assert!(
            html.contains(
                "<td class=\"warm\" style=\"--v:0.86\" title=\"120 days; 93 % of all users lie below\">120</td>"
            ),
            "{html}"
        );
        assert!(
            html.contains(
                "in “Days with a purchase in the last 120 days”: 12, against 31 of all users"
            ),
            "{html}"
        );
        assert_eq!(html.matches("class=\"whisker\"").count(), 4);
    }

    #[test]
    fn no_groups_are_said_in_words() {
        let mut card = card();
        card.segments.clear();
        assert!(figures(&card).contains("too few users to group"));
    }

    #[test]
    fn numbers_are_short() {
        let read: Vec<String> = [0.0, 0.314, 2.55, 41.4, 1_234.5, 2_500_000.0]
            .map(number)
            .into();
        assert_eq!(read, ["0", "0.31", "2.5", "41", "1234", "2.5M"]);
    }
}
