//! Money per user and period: ARPU and ARPPU.

use maud::{Markup, html};

use super::super::bars::legend;
use super::super::dates::date_axis;
use super::super::heatmap::{Cell, HeatmapRow, table as heatmap};
use super::super::plot::Plot;
use super::super::text::{capital, words};
use super::super::{axis::Axis, figure, no_figure};
use super::{behind, table, wide};
use crate::card::{PeriodCard, ValueCard};
use crate::history::Day;
use crate::report::number::{amount, counted, thousands};
use crate::report::wording::value::money;

/// What stands behind a period that the log does not cover.
const INCOMPLETE: &str = "*";

/// What users are grouped by, and the headings.
const GROUPINGS: [(&str, &str); 3] = [
    ("stage", "ARPU by stage"),
    ("tier", "ARPU by tier"),
    ("segment", "ARPU by segment"),
];

/// One of the averages of a period; `None` where there is nobody.
type Average = fn(&PeriodCard) -> Option<f64>;

/// Everybody over time, and a table for each grouping.
pub(super) fn figures(value: &ValueCard) -> Markup {
    let of =
        |by: &str| -> Vec<&PeriodCard> { value.periods.iter().filter(|p| p.by == by).collect() };
    let groupings = GROUPINGS.map(|(by, heading)| (heading, of(by)));
    html! {
        (over_time(value, &of(PeriodCard::EVERYBODY)))
        @for (heading, periods) in groupings {
            @if !periods.is_empty() { (by_group(heading, &periods)) }
        }
    }
}

/// The period's name: its month, or its first day.
fn name(period: &PeriodCard) -> String {
    let (from, until) = (period.from.date(), period.until.date());
    let name = if from.day() == 1 && until.day() == 1 {
        from.strftime("%Y-%m").to_string()
    } else {
        from.to_string()
    };
    if period.complete {
        name
    } else {
        name + INCOMPLETE
    }
}

/// An average, or a dash where there is nobody.
fn average(figure: Option<f64>) -> String {
    amount(figure.unwrap_or(f64::NAN))
}

fn sentence(value: &ValueCard, period: &PeriodCard) -> String {
    format!(
        "{}: {} of {} and {}; ARPU {}, ARPPU {}",
        name(period),
        money(value, period.amount),
        counted(period.active_users, "active user"),
        counted(period.payers, "payer"),
        average(period.arpu),
        average(period.arppu)
    )
}

fn over_time(value: &ValueCard, periods: &[&PeriodCard]) -> Markup {
    let heading = "How much does a user bring in a period?";
    if periods.is_empty() {
        return no_figure(heading, "No amounts by period are on the card.");
    }
    let content = html! {
        (legend([("line arpu", "ARPU: per active user"), ("line arppu", "ARPPU: per payer"), ("hollow", "not over, or not fully covered")]))
        (chart(value, periods))
        (behind("Amounts, users and averages by period", by_period(periods)))
    };
    let incomplete = periods.iter().filter(|p| !p.complete).count();
    let caption = html! {
        "Over " (counted(periods.len() as u64, "period")) ". ARPU is the net amount over users with activity in the period, ARPPU over those \
         with an order."
        @if incomplete > 0 {
            " Of " (counted(incomplete as u64, "period")) " (" (INCOMPLETE) ") the log does not cover all days: amount and users are those of \
             a part."
        }
    };
    figure("", heading, content, caption)
}

fn chart(value: &ValueCard, periods: &[&PeriodCard]) -> Markup {
    let days: Vec<Day> = periods.iter().map(|p| p.from).collect();
    let all = || periods.iter().flat_map(|p| [p.arpu, p.arppu]).flatten();
    let (low, high) = (all().fold(0.0, f64::min), all().fold(0.0, f64::max));
    let mut plot = Plot::new(
        "value-periods".to_owned(),
        "ARPU and ARPPU by period".to_owned(),
        date_axis(&days),
        Axis::new(low, high, "amount per user", amount),
    );
    let figures: [(&str, Average); 2] = [("arppu", |p| p.arppu), ("arpu", |p| p.arpu)];
    for (class, of) in figures {
        let known: Vec<(&PeriodCard, (f64, f64))> = periods
            .iter()
            .filter_map(|p| Some((*p, (f64::from(p.from.number()), of(p)?))))
            .collect();
        // An average of part of a period is no point of the line.
        for run in known.chunk_by(|a, b| a.0.complete && b.0.complete) {
            let points: Vec<(f64, f64)> = run.iter().map(|(_, point)| *point).collect();
            plot.line(&points, class);
        }
        for (period, point) in known {
            let class = if period.complete {
                class.to_owned()
            } else {
                format!("{class} hollow")
            };
            let text = format!("{}: {}", name(period), amount(point.1));
            plot.dot(point, 3.5, &class, &text);
        }
    }
    let description: Vec<String> = periods.iter().map(|p| sentence(value, p)).collect();
    plot.finish(&description.join("; "))
}

fn by_period(periods: &[&PeriodCard]) -> Markup {
    let row = |p: &&PeriodCard| figures_of(name(p), p);
    let rows: Vec<Vec<String>> = periods.iter().map(row).collect();
    table(&HEADINGS_BY_PERIOD, &rows)
}

const HEADINGS_BY_PERIOD: [&str; 6] = [
    "period",
    "amount",
    "active users",
    "payers",
    "ARPU",
    "ARPPU",
];

fn figures_of(name: String, p: &PeriodCard) -> Vec<String> {
    vec![
        name,
        amount(p.amount),
        thousands(p.active_users),
        thousands(p.payers),
        average(p.arpu),
        average(p.arppu),
    ]
}

/// Those without a name were not eligible when the period began.
fn group(p: &PeriodCard) -> String {
    match p.group.as_str() {
        "" => "None yet".to_owned(),
        group => capital(&words(group)),
    }
}

/// ARPU of every group and period; the newest whole period with its sums.
fn by_group(heading: &str, periods: &[&PeriodCard]) -> Markup {
    let mut columns: Vec<&PeriodCard> = Vec::new();
    let mut groups: Vec<&str> = Vec::new();
    for period in periods {
        if !columns.iter().any(|column| column.from == period.from) {
            columns.push(period);
        }
        if !groups.contains(&period.group.as_str()) {
            groups.push(&period.group);
        }
    }
    let largest = periods.iter().filter_map(|p| p.arpu).fold(0.0, f64::max);
    let row = |own: &&str| {
        let of_group: Vec<&PeriodCard> = periods
            .iter()
            .filter(|p| p.group == **own)
            .copied()
            .collect();
        let cell = |column: &&PeriodCard| {
            let period = of_group.iter().find(|p| p.from == column.from)?;
            Some(shaded(period, largest))
        };
        HeatmapRow {
            name: of_group.first().map_or_else(String::new, |p| group(p)),
            detail: String::new(),
            cells: columns.iter().map(cell).collect(),
        }
    };
    let rows: Vec<HeatmapRow> = groups.iter().map(row).collect();
    let names: Vec<String> = columns.iter().map(|p| name(p)).collect();
    let newest = columns.iter().rev().find(|p| p.complete).or(columns.last());
    let newest: Vec<&PeriodCard> = periods
        .iter()
        .filter(|p| newest.is_some_and(|newest| newest.from == p.from))
        .copied()
        .collect();
    let figures: Vec<Vec<String>> = newest.iter().map(|p| figures_of(group(p), p)).collect();
    let headings = ["group", "amount", "active users", "payers", "ARPU", "ARPPU"];
    let content = html! {
        (wide(heading, heatmap("periods", ("group", ""), &names, &rows)))
        @if let Some(first) = newest.first() {
            details.others {
                summary { "Amounts and users of " (name(first)) }
                (wide(heading, table(&headings, &figures)))
            }
        }
    };
    let caption = html! {
        "Net amount over active users of " (counted(columns.len() as u64, "period")) ", by what was known of them before it began; “none yet” \
         were not eligible then. The first period of the log has no groups. " (INCOMPLETE) ": not fully covered."
    };
    figure("", heading, content, caption)
}

fn shaded(period: &PeriodCard, largest: f64) -> Cell {
    Cell {
        strength: period.arpu.unwrap_or(0.0) / largest,
        warm: false,
        text: average(period.arpu),
        title: format!(
            "{} of {}, {}",
            amount(period.amount),
            thousands(period.active_users),
            counted(period.payers, "payer")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::value::value;
    use super::super::super::tests::{plain, snapshot};
    use super::*;

    #[test]
    fn averages_are_shown_with_their_sums_and_incomplete_periods_are_marked() {
        let value = value();
        snapshot("value_periods", figures(&value));
        let text = plain(figures(&value));
        assert!(
            text.contains("2011-12*") && !text.contains("2011-11*"),
            "{text}"
        );
        assert!(text.contains(" Of 1 period (*) the log"), "{text}");
    }

    #[test]
    fn weeks_are_named_by_their_first_day_and_nobody_is_a_dash() {
        let mut value = value();
        for period in &mut value.periods {
            period.until = period.from.plus(7);
            (period.active_users, period.payers) = (0, 0);
            (period.arpu, period.arppu) = (None, None);
        }
        let text = plain(figures(&value));
        assert!(text.contains("2011-06-01: 41,000"), "{text}");
        assert!(
            text.contains("ARPU –, ARPPU –") && !text.contains("NaN"),
            "{text}"
        );
    }
}
