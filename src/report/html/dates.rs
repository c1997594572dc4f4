//! Churn by risk decile over time.

use maud::{Markup, html};

use super::axis::{Axis, ends};
use super::bars;
use super::plot::Plot;
use super::text::nowrap;
use super::timeline::month_name;
use crate::card::{DateCard, HorizonCard};
use crate::history::Day;
use crate::report::number::{counted, counted_share, probability};

/// Ticks at dates, at most: more would run into each other on a phone.
const TICKS: usize = 4;

/// Days that are shown at least.
const LEAST_SPAN_DAYS: i32 = 90;

/// Observed churn at every date, and by predicted decile where there are predictions.
pub(crate) fn figure(h: &HorizonCard) -> Markup {
    let heading = "Does it hold over time?";
    if h.by_date.is_empty() {
        return super::no_figure(heading, "There is no labelled date.");
    }
    let shown = shown(h);
    let content = html! { (legend(h)) (chart(h, shown)) };
    super::figure("tall", heading, content, caption(h, shown))
}

/// The newest dates, so many that those with predictions take up half of the width. Older ones are seen by season.
fn shown(h: &HorizonCard) -> &[DateCard] {
    let (Some(oldest), Some(newest)) = (predicted(h).next(), h.by_date.last()) else {
        return &h.by_date;
    };
    // One date with predictions has no width.
    let days = (2 * newest.date.since(oldest.date)).max(LEAST_SPAN_DAYS);
    let first = newest.date.plus(-days);
    let older = h.by_date.partition_point(|d| d.date < first);
    &h.by_date[older..]
}

fn legend(h: &HorizonCard) -> Markup {
    let predictions = [
        ("line r-recency", "predicted churn of all"),
        ("d10", "riskiest tenth"),
        ("d1", "safest tenth"),
    ];
    let shown = if predicted(h).next().is_some() {
        &predictions[..]
    } else {
        &[]
    };
    let observed = ("line model", "observed churn of all");
    bars::legend([observed].into_iter().chain(shown.iter().copied()))
}

/// Dates with out-of-sample predictions.
fn predicted(h: &HorizonCard) -> impl Iterator<Item = &DateCard> {
    h.by_date.iter().filter(|d| !d.deciles.is_empty())
}

fn chart(h: &HorizonCard, shown: &[DateCard]) -> Markup {
    let shares = shown.iter().flat_map(|d| {
        let deciles = d.deciles.iter().map(|c| c.observed);
        deciles.chain([d.churn_rate]).chain(d.predicted)
    });
    let y = Axis::shares(shares, &format!("churn within {} days", h.horizon_days));
    let days: Vec<Day> = shown.iter().map(|d| d.date).collect();
    let mut plot = Plot::new(
        format!("dates-{}", h.horizon_days),
        format!("Churn over time within {} days", h.horizon_days),
        date_axis(&days),
        y,
    );
    draw_lines(&mut plot, h, shown);
    draw_dots(&mut plot, h, shown);
    let description: Vec<String> = shown
        .iter()
        .map(|d| format!("{}: {}", d.date, counted_share(d.churn_rate)))
        .collect();
    plot.finish(&description.join("; "))
}

fn x(d: &DateCard) -> f64 {
    f64::from(d.date.number())
}

fn draw_lines(plot: &mut Plot, h: &HorizonCard, shown: &[DateCard]) {
    for k in 0..10 {
        let points: Vec<(f64, f64)> = predicted(h)
            .filter_map(|d| Some((x(d), d.deciles.get(k)?.observed)))
            .collect();
        plot.line(&points, &format!("decile d{}", k + 1));
    }
    let expected: Vec<(f64, f64)> = predicted(h)
        .filter_map(|d| Some((x(d), d.predicted?)))
        .collect();
    plot.line(&expected, "baseline r-recency");
    let observed: Vec<(f64, f64)> = shown.iter().map(|d| (x(d), d.churn_rate)).collect();
    plot.line(&observed, "model thin");
}

fn draw_dots(plot: &mut Plot, h: &HorizonCard, shown: &[DateCard]) {
    for d in predicted(h) {
        for (k, c) in d.deciles.iter().enumerate() {
            let decile = k + 1;
            let text = format!(
                "{}, tenth {decile}: predicted {}, observed {}, {}",
                d.date,
                probability(c.predicted),
                counted_share(c.observed),
                counted(c.users, "user")
            );
            plot.dot((x(d), c.observed), 4.0, &format!("d{decile}"), &text);
        }
        if let Some(p) = d.predicted {
            let text = format!("{}: predicted {} for all", d.date, probability(p));
            plot.dot((x(d), p), 4.5, "hollow", &text);
        }
    }
    for d in shown {
        let (share, users) = (counted_share(d.churn_rate), counted(d.users, "user"));
        let text = format!("{}: {share} of {users} churned", d.date);
        plot.dot((x(d), d.churn_rate), 3.5, "dot", &text);
    }
}

/// An axis of dates with ticks at a few of them, evenly taken.
pub(crate) fn date_axis(all: &[Day]) -> Axis {
    let (Some(first), Some(last)) = (all.first(), all.last()) else {
        return Axis::new(0.0, 1.0, "date", |_| String::new());
    };
    let margin = (f64::from(last.since(*first)) * 0.04).max(0.5);
    let kept = all.len().min(TICKS);
    let tick = |k: usize| {
        let day = all[k * (all.len() - 1) / kept.saturating_sub(1).max(1)];
        let date = day.date();
        let label = format!("{} {}", date.day(), month_name(date));
        (f64::from(day.number()), label)
    };
    let (from, to) = (first.date().year(), last.date().year());
    let label = if from == to {
        format!("date, {from}")
    } else {
        format!("date, {from} to {to}")
    };
    Axis {
        low: f64::from(first.number()) - margin,
        high: f64::from(last.number()) + margin,
        ticks: (0..kept).map(tick).collect(),
        label,
    }
}

fn caption(h: &HorizonCard, shown: &[DateCard]) -> Markup {
    let older = (h.by_date.len() - shown.len()) as u64;
    let (low, high) = ends(shown.iter().map(|d| d.churn_rate)).unwrap_or((0.0, 0.0));
    let newest = predicted(h).last();
    let tenths = newest.and_then(|d| Some((d, d.deciles.first()?, d.deciles.last()?)));
    html! {
        (counted(shown.len() as u64, "date"))
        @if older > 0 { " (" (older) " older are drawn by season)" }
        ", churn from " (probability(low)) " to " (probability(high)) ". "
        (predicted(h).count()) " with out-of-sample predictions: the test date, and backtest folds before calibration."
        @if let Some((d, safest, riskiest)) = tenths {
            " On " (nowrap(d.date)) ": riskiest tenth " (counted_share(riskiest.observed)) " (predicted "
            (probability(riskiest.predicted)) "), safest tenth " (counted_share(safest.observed)) " (predicted "
            (probability(safest.predicted)) ")."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{card, plain, snapshot};
    use super::*;

    #[test]
    fn every_date_is_drawn_and_predicted_ones_by_tenths() {
        let mut card = card();
        let h = &mut card.horizons[0];
        snapshot("dates", figure(h));
        h.by_date.iter_mut().for_each(|d| d.deciles.clear());
        assert!(plain(figure(h)).contains("0 with out-of-sample predictions"));
        h.by_date.clear();
        assert!(plain(figure(h)).contains("There is no labelled date."));
    }

    /// Anniversaries of years ago would leave the predictions a corner.
    #[test]
    fn older_dates_are_left_to_the_picture_by_season() {
        let h = &mut card().horizons[0];
        let newest = h.by_date.last().unwrap().date;
        assert!(h.by_date[0].date < newest.plus(-500));
        let predicted = newest.since(predicted(h).next().unwrap().date);
        assert!(predicted > LEAST_SPAN_DAYS / 2);
        assert!(
            shown(h)
                .iter()
                .all(|d| newest.since(d.date) <= 2 * predicted)
        );
        assert!(shown(h).len() > 5 && plain(figure(h)).contains("older are drawn by season"));
        // A prediction of long ago draws them in.
        h.by_date[0].predicted = Some(0.4);
        h.by_date[0].deciles = h.by_date.last().unwrap().deciles.clone();
        assert_eq!(shown(h).len(), h.by_date.len());
        h.by_date.iter_mut().for_each(|d| d.deciles.clear());
        assert_eq!(shown(h).len(), h.by_date.len());
    }

    #[test]
    fn ticks_are_dates_of_the_data() {
        let day = |k: i32| "2023-12-20".parse::<Day>().unwrap().plus(k);
        let axis = date_axis(&(0..9).map(|k| day(7 * k)).collect::<Vec<_>>());
        let labels: Vec<&str> = axis.ticks.iter().map(|t| t.1.as_str()).collect();
        assert_eq!(labels, ["20 Dec", "3 Jan", "24 Jan", "14 Feb"]);
        assert_eq!(axis.label, "date, 2023 to 2024");
        assert_eq!(date_axis(&[day(0)]).ticks.len(), 1);
    }
}
