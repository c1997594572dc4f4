//! Churn by risk decile over time.

use super::plot::{Axis, Plot};
use super::text::{counted, counted_share, escape, nowrap, probability};
use super::timeline::MONTH_NAMES;
use crate::card::{DateCard, HorizonCard};
use crate::history::Day;

/// Ticks at dates, at most: more would run into each other on a phone.
const TICKS: usize = 4;

/// Observed churn at every date, and by predicted decile where there are predictions.
pub(crate) fn figure(h: &HorizonCard) -> String {
    let heading = "Does it hold over time?";
    if h.by_date.is_empty() {
        return super::figure("", heading, "", "There is no labelled date.");
    }
    let content = legend(h) + &chart(h);
    super::figure("tall", heading, &content, &caption(h))
}

fn legend(h: &HorizonCard) -> String {
    let mut keys = vec![("line model", "observed churn of all")];
    if predicted(h).next().is_some() {
        keys.extend([
            ("line r-recency", "predicted churn of all"),
            ("d10", "riskiest tenth"),
            ("d1", "safest tenth"),
        ]);
    }
    super::bars::legend(&keys)
}

fn predicted(h: &HorizonCard) -> impl Iterator<Item = &DateCard> {
    h.by_date.iter().filter(|d| !d.deciles.is_empty())
}

fn chart(h: &HorizonCard) -> String {
    let shares = h.by_date.iter().flat_map(|d| {
        d.deciles
            .iter()
            .map(|c| c.observed)
            .chain([d.churn_rate])
            .chain(d.predicted)
    });
    let (id, title) = (
        format!("dates-{}", h.horizon_days),
        format!("Churn over time within {} days", h.horizon_days),
    );
    let y = Axis::shares(shares, &format!("churn within {} days", h.horizon_days));
    let mut plot = Plot::new(
        &id,
        &title,
        dates(&h.by_date.iter().map(|d| d.date).collect::<Vec<_>>()),
        y,
    );
    let x = |d: &DateCard| f64::from(d.date.number());
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
    plot.line(
        &h.by_date
            .iter()
            .map(|d| (x(d), d.churn_rate))
            .collect::<Vec<_>>(),
        "model thin",
    );
    for d in predicted(h) {
        for (k, c) in d.deciles.iter().enumerate() {
            let said = format!(
                "{}, tenth {}: predicted {}, observed {}, {}",
                d.date,
                k + 1,
                probability(c.predicted),
                counted_share(c.observed),
                counted(c.users, "user")
            );
            plot.dot(
                (x(d), c.observed),
                4.0,
                DECILES.get(k).copied().unwrap_or("d10"),
                &said,
            );
        }
        if let Some(p) = d.predicted {
            plot.dot(
                (x(d), p),
                4.5,
                "hollow",
                &format!("{}: predicted {} for all", d.date, probability(p)),
            );
        }
    }
    for d in &h.by_date {
        let said = format!(
            "{}: {} of {} left",
            d.date,
            counted_share(d.churn_rate),
            counted(d.users, "user")
        );
        plot.dot((x(d), d.churn_rate), 3.5, "dot", &said);
    }
    let said: Vec<String> = h
        .by_date
        .iter()
        .map(|d| format!("{}: {}", d.date, counted_share(d.churn_rate)))
        .collect();
    plot.finish(&said.join("; "))
}

const DECILES: [&str; 10] = ["d1", "d2", "d3", "d4", "d5", "d6", "d7", "d8", "d9", "d10"];

/// An axis of dates with ticks at a few of them, evenly taken.
pub(crate) fn dates(all: &[Day]) -> Axis {
    let (Some(first), Some(last)) = (all.first(), all.last()) else {
        return Axis::new(0.0, 1.0, "date", |_| String::new());
    };
    let margin = (f64::from(last.since(*first)) * 0.04).max(0.5);
    let kept = all.len().min(TICKS);
    let tick = |day: &Day| {
        let date = day.date();
        let month = MONTH_NAMES
            .get((date.month() - 1) as usize)
            .copied()
            .unwrap_or_default();
        (f64::from(day.number()), format!("{} {month}", date.day()))
    };
    let picked =
        (0..kept).filter_map(|k| all.get(k * (all.len() - 1) / kept.saturating_sub(1).max(1)));
    let years = (first.date().year(), last.date().year());
    let label = if years.0 == years.1 {
        format!("date, {}", years.0)
    } else {
        format!("date, {} to {}", years.0, years.1)
    };
    Axis {
        low: f64::from(first.number()) - margin,
        high: f64::from(last.number()) + margin,
        ticks: picked.map(tick).collect(),
        label,
    }
}

fn caption(h: &HorizonCard) -> String {
    let ends = h
        .by_date
        .iter()
        .map(|d| d.churn_rate)
        .fold((f64::INFINITY, 0.0), |(low, high): (f64, f64), r| {
            (low.min(r), high.max(r))
        });
    let range = format!(
        "Over {}, churn lay between {} and {}.",
        counted(h.by_date.len() as u64, "date"),
        probability(ends.0),
        probability(ends.1)
    );
    let latest = predicted(h)
        .last()
        .and_then(|d| Some((d, d.deciles.first()?, d.deciles.last()?)));
    let Some((d, safest, riskiest)) = latest else {
        return format!(
            "{} No date was left to ask a model that had not seen it.",
            escape(&range)
        );
    };
    let test = h.evaluation.as_ref().map(|e| e.test);
    let judged = predicted(h).any(|d| Some(d.date) == test);
    let dates = match (predicted(h).count(), judged) {
        (1, true) => "Only the last date was asked of models that had not seen it.".to_owned(),
        (n, _) => format!(
            "{} asked of models that knew only what was known then and had learnt from other users{}.",
            if n == 1 {
                "1 date was".to_owned()
            } else {
                format!("{n} dates were")
            },
            if judged {
                "; all but the last are rehearsals, before the calibration"
            } else {
                " in rehearsals"
            }
        ),
    };
    format!(
        "{} {} On {} the riskiest tenth of users left in {} of the cases ({} predicted), the safest in {} ({} predicted).",
        escape(&range),
        escape(&dates),
        nowrap(d.date),
        escape(&counted_share(riskiest.observed)),
        escape(&probability(riskiest.predicted)),
        escape(&counted_share(safest.observed)),
        escape(&probability(safest.predicted)),
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::card;
    use super::*;

    #[test]
    fn every_date_is_drawn_and_predicted_ones_by_tenths() {
        let mut card = card();
        let h = &mut card.horizons[0];
        let html = figure(h).replace(super::super::text::THIN, " ");
        assert_eq!(
            (
                html.matches("class=\"dot\"").count(),
                html.matches("circle class=\"d10\"").count()
            ),
            (9, 3)
        );
        assert!(
            html.contains("3 dates were asked of models")
                && html.contains("all but the last are rehearsals")
                && html.contains("churn lay between 38 % and 46 %"),
            "{html}"
        );
        h.by_date.iter_mut().take(8).for_each(|d| d.deciles.clear());
        assert!(figure(h).contains("Only the last date was asked"));
        h.by_date.iter_mut().for_each(|d| d.deciles.clear());
        assert!(figure(h).contains("No date was left to ask"));
        h.by_date.clear();
        assert!(figure(h).contains("no labelled date"));
    }

    #[test]
    fn ticks_are_dates_of_the_data() {
        let day = |k: i32| "2023-12-20".parse::<Day>().unwrap().plus(k);
        let axis = dates(&(0..9).map(|k| day(7 * k)).collect::<Vec<_>>());
        let read: Vec<&str> = axis.ticks.iter().map(|t| t.1.as_str()).collect();
        assert_eq!(
            (read, axis.label.as_str()),
            (
                vec!["20 Dec", "3 Jan", "24 Jan", "14 Feb"],
                "date, 2023 to 2024"
            )
        );
        assert_eq!(dates(&[day(0)]).ticks.len(), 1);
    }
}
