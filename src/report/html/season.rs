//! Churn by the day of the year: a line for each year, what was predicted beforehand, and the forecast of the next window.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::axis::Axis;
use super::bars;
use super::beforehand::Beforehand;
use super::plot::Plot;
use super::text::nowrap;
use super::timeline::month_name;
use crate::card::{DateCard, HorizonCard};
use crate::history::Day;
use crate::report::number::{counted, counted_share, probability};
use crate::report::wording::backtest::earlier_years;

const HEADING: &str = "Churn by season";

/// The fewest days between the first and the last date: thirteen months, so that one season is seen twice.
const LEAST_SPAN_DAYS: i32 = 395;

/// The fewest users of a date that is drawn: the rate of twenty has a standard error of eleven points.
const LEAST_USERS: u64 = 20;

/// The most days between neighbouring dates that a line joins; twice the horizon where that is more.
const MOST_GAP_DAYS: i32 = 62;

/// A year on the axis, whether it leaps or not.
const YEAR_DAYS: f64 = 365.0;

/// The classes of years in the style sheet, newest first; all earlier ones share the last.
const YEAR_CLASSES: [&str; 4] = ["year-0", "year-1", "year-2", "year-old"];

/// Observed churn by the day of the year with the predictions made for it; a sentence where the log is too short for that.
pub(crate) fn figure(h: &HorizonCard) -> Markup {
    let season = Season::new(h);
    if season.span_days() < LEAST_SPAN_DAYS {
        return super::figure("", HEADING, html! {}, too_short(h, &season));
    }
    let content = html! {
        (season.legend())
        (season.chart())
    };
    super::figure("tall season", HEADING, content, season.caption())
}

fn too_short(h: &HorizonCard, season: &Season<'_>) -> Markup {
    html! {
        "The log is too short for seasons: "
        @match season.dates.as_slice() {
            [] => { "there is no labelled date with " (LEAST_USERS) " users or more" }
            _ => { "its labelled dates span " (counted(season.span_days() as u64, "day")) ", and " (LEAST_SPAN_DAYS) " would do" }
        }
        ". " (earlier_years(h)) "."
    }
}

/// The dates of a horizon that have users enough, oldest first.
struct Season<'a> {
    h: &'a HorizonCard,
    dates: Vec<&'a DateCard>,
    /// The same by calendar year.
    years: BTreeMap<i16, Vec<&'a DateCard>>,
}

impl<'a> Season<'a> {
    fn new(h: &'a HorizonCard) -> Self {
        let many = |d: &&DateCard| d.users >= LEAST_USERS;
        let dates: Vec<&DateCard> = h.by_date.iter().filter(many).collect();
        let mut years: BTreeMap<i16, Vec<&DateCard>> = BTreeMap::new();
        for d in &dates {
            years.entry(d.date.date().year()).or_default().push(d);
        }
        Self { h, dates, years }
    }

    /// Days between the first and the last date.
    fn span_days(&self) -> i32 {
        match (self.dates.first(), self.dates.last()) {
            (Some(first), Some(last)) => last.date.since(first.date),
            _ => 0,
        }
    }

    /// Years from the newest to the oldest, each with its class.
    fn classes(&self) -> impl DoubleEndedIterator<Item = (i16, &'static str)> {
        let newest_first: Vec<i16> = self.years.keys().rev().copied().collect();
        let class = |k: usize| YEAR_CLASSES[k.min(YEAR_CLASSES.len() - 1)];
        newest_first
            .into_iter()
            .enumerate()
            .map(move |(k, year)| (year, class(k)))
    }

    fn legend(&self) -> Markup {
        let mut keys: Vec<(String, String)> = Vec::new();
        for (year, class) in self.classes() {
            let class = format!("line {class}");
            match keys.last_mut() {
                // The years of one class are one entry, which begins with the oldest.
                Some((last, words)) if *last == class => {
                    let newest = words.rsplit(' ').next().unwrap_or_default();
                    *words = format!("{year} to {newest}");
                }
                _ => keys.push((class, year.to_string())),
            }
        }
        let mut key = |class: &str, words: &str| keys.push((class.to_owned(), words.to_owned()));
        if self.predicted().next().is_some() {
            key("hollow", "predicted beforehand");
        }
        if self.predicted().any(|p| p.moved().is_some()) {
            key("line mid", "moved by the forecast");
        }
        if self.h.next_window.is_some() {
            key("forecast", "forecast of the next window");
        }
        bars::legend(
            keys.iter()
                .map(|(class, words)| (class.as_str(), words.as_str())),
        )
    }

    /// The dates that were predicted without having been seen.
    fn predicted(&self) -> impl Iterator<Item = Beforehand> {
        let with = |d: &&DateCard| Beforehand::new(self.h, d);
        self.dates.iter().filter_map(with)
    }

    fn chart(&self) -> Markup {
        let next = self.h.next_window;
        let shares = self.dates.iter().map(|d| d.churn_rate);
        let predicted = self.predicted().flat_map(|p| [p.share, p.model]);
        let next_share = next.iter().map(|n| n.predicted);
        let label = format!("churn within {} days", self.h.horizon_days);
        let y = Axis::shares(shares.chain(predicted).chain(next_share), &label);
        let (low, high) = (y.low, y.high);
        let mut plot = Plot::new(
            format!("season-{}", self.h.horizon_days),
            format!("Churn within {} days by season", self.h.horizon_days),
            year_axis(),
            y,
        );
        self.draw_years(&mut plot);
        self.draw_predictions(&mut plot);
        self.draw_next(&mut plot, (low, high));
        plot.finish(&self.description())
    }

    fn draw_years(&self, plot: &mut Plot) {
        let most_gap = MOST_GAP_DAYS.max(2 * i32::from(self.h.horizon_days));
        // The newest year lies on top.
        for (year, class) in self.classes().rev() {
            let dates = &self.years[&year];
            for joined in dates.chunk_by(|a, b| b.date.since(a.date) <= most_gap) {
                let points: Vec<(f64, f64)> = joined
                    .iter()
                    .map(|d| (year_day(d.date), d.churn_rate))
                    .collect();
                plot.line(&points, class);
            }
            for d in dates {
                let (share, users) = (counted_share(d.churn_rate), counted(d.users, "user"));
                let text = format!("{}: {share} of {users} churned", d.date);
                plot.dot((year_day(d.date), d.churn_rate), 2.5, class, &text);
            }
        }
    }

    fn draw_predictions(&self, plot: &mut Plot) {
        for p in self.predicted() {
            let x = year_day(p.date);
            if let Some((from, to)) = p.moved() {
                plot.segment((x, from), (x, to), "moved");
            }
            let without = p.moved().map_or_else(String::new, |(from, _)| {
                format!(", {} without the forecast", probability(from))
            });
            let text = format!("{}: predicted {}{without}", p.date, probability(p.share));
            plot.dot((x, p.share), 4.5, "hollow", &text);
        }
    }

    /// The day of the forecast as a line over the whole height, its share as a dot on it.
    fn draw_next(&self, plot: &mut Plot, (low, high): (f64, f64)) {
        let Some(next) = self.h.next_window else {
            return;
        };
        let x = year_day(next.date);
        plot.segment((x, low), (x, high), "marker-line");
        let share = probability(next.predicted);
        let users = counted(next.users, "user");
        let text = format!("{}: forecast {share} for {users}", next.date);
        plot.dot((x, next.predicted), 7.0, "marker", &text);
        // At the end of the line that is further from the rates of other years, on the side with more room.
        let (y, dy) = if next.predicted > (low + high) / 2.0 {
            (low, -9)
        } else {
            (high, 15)
        };
        let (dx, anchor) = if x < 0.6 * YEAR_DAYS {
            (7, "start")
        } else {
            (-7, "end")
        };
        plot.text((x, y), (dx, dy), anchor, &format!("forecast {share}"));
    }

    /// What stands for the picture where it is read aloud: a list of rates for each year.
    fn description(&self) -> String {
        let of_year = |(year, dates): (&i16, &Vec<&DateCard>)| {
            let rate = |d: &&DateCard| {
                let date = d.date.date();
                let (day, month) = (date.day(), month_name(date));
                format!("{day} {month} {}", counted_share(d.churn_rate))
            };
            let rates: Vec<String> = dates.iter().map(rate).collect();
            format!("{year}: {}", rates.join(", "))
        };
        let mut parts: Vec<String> = self.years.iter().map(of_year).collect();
        let predicted: Vec<String> = self
            .predicted()
            .map(|p| format!("{} {}", p.date, probability(p.share)))
            .collect();
        if !predicted.is_empty() {
            parts.push(format!("predicted beforehand: {}", predicted.join(", ")));
        }
        if let Some(next) = self.h.next_window {
            let share = probability(next.predicted);
            parts.push(format!("forecast from {}: {share}", next.date));
        }
        parts.join("; ")
    }

    fn caption(&self) -> Markup {
        let left_out = (self.h.by_date.len() - self.dates.len()) as u64;
        let predicted = self.predicted().count() as u64;
        html! {
            (counted(self.dates.len() as u64, "date")) " of " (self.years.len()) " years, each with the churn of the window after it"
            @if left_out > 0 { "; " (left_out) " of fewer than " (LEAST_USERS) " users left out" }
            ". "
            @if predicted > 0 {
                "Rings: " (counted(predicted, "date")) ", each predicted by a model that had not seen it"
                @if self.predicted().any(|p| p.moved().is_some()) {
                    ", moved by the shift that would have been forecast for it"
                }
                ". "
            }
            @if let Some(next) = self.h.next_window {
                "Forecast from " (nowrap(next.date)) ": " (probability(next.predicted)) " of "
                (counted(next.users, "user")) ". "
            }
            (earlier_years(self.h)) "."
        }
    }
}

/// Where in its year a day lies, 0 to 365.
fn year_day(day: Day) -> f64 {
    let date = day.date();
    f64::from(date.day_of_year() - 1) / f64::from(date.days_in_year()) * YEAR_DAYS
}

/// A year with every second month; more labels would run into each other on a phone.
fn year_axis() -> Axis {
    let months = [
        ("Jan", 0),
        ("Mar", 59),
        ("May", 120),
        ("Jul", 181),
        ("Sep", 243),
        ("Nov", 304),
    ];
    Axis {
        low: -4.0,
        high: YEAR_DAYS + 4.0,
        ticks: months
            .map(|(month, day)| (f64::from(day), month.to_owned()))
            .into(),
        label: "date, by day of the year".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{card, day, plain, snapshot};
    use super::*;
    use crate::card::NextWindow;

    /// The horizon of the fixture that has two years of dates.
    fn horizon() -> HorizonCard {
        card().horizons.remove(0)
    }

    #[test]
    fn years_lie_over_each_other_with_predictions_and_the_forecast() {
        snapshot("season", figure(&horizon()));
    }

    #[test]
    fn a_log_without_a_second_season_gets_a_sentence() {
        let mut h = horizon();
        let newest = h.by_date.last().unwrap().date;
        let span = |h: &mut HorizonCard, days: i32| {
            h.by_date[1].date = newest.plus(-days);
            h.by_date.retain(|d| d.date >= newest.plus(-days));
            figure(h).into_string()
        };
        assert!(span(&mut h, LEAST_SPAN_DAYS).contains("<svg"));
        let page = span(&mut h, LEAST_SPAN_DAYS - 1);
        assert!(
            !page.contains("<svg") && page.contains("labelled dates span 3"),
            "{page}"
        );
        h.by_date.clear();
        assert!(plain(figure(&h)).contains("there is no labelled date with 20 users"));
    }

    #[test]
    fn dates_of_a_handful_of_users_are_neither_drawn_nor_counted_as_a_season() {
        let mut h = horizon();
        let few = h.by_date[0].date;
        assert!(h.by_date[0].users < LEAST_USERS);
        let page = figure(&h).into_string();
        assert!(
            !page.contains(&few.to_string()) && page.contains("1 of fewer than 20 users left out")
        );
        h.by_date[0].users = LEAST_USERS;
        let page = figure(&h).into_string();
        assert!(page.contains(&few.to_string()) && !page.contains("left out"));
        let newest = h.by_date.last().unwrap().date;
        for d in &mut h.by_date {
            d.users = if d.date < newest.plus(-100) { 3 } else { 300 };
        }
        assert!(!figure(&h).into_string().contains("<svg"));
    }

    #[test]
    fn without_a_next_window_or_predictions_neither_is_spoken_of() {
        let mut h = horizon();
        h.next_window = None;
        h.by_date.iter_mut().for_each(|d| d.predicted = None);
        let page = figure(&h).into_string();
        for absent in ["marker", "hollow", "forecast", "beforehand"] {
            assert!(!page.contains(absent), "{absent}: {page}");
        }
    }

    /// The label of the forecast stays on the page at either end of the year.
    #[test]
    fn the_forecast_is_labelled_on_the_side_with_room() {
        let mut h = horizon();
        for (date, anchor) in [("2011-01-02", "start"), ("2011-12-30", "end")] {
            h.next_window = Some(NextWindow {
                date: day(date),
                ..h.next_window.unwrap()
            });
            let page = figure(&h).into_string();
            let label = page.split("class=\"note\"").nth(1).unwrap();
            assert!(
                label.contains(&format!("text-anchor=\"{anchor}\"")),
                "{date}"
            );
        }
    }

    #[test]
    fn a_day_has_its_place_in_every_year() {
        assert_eq!(year_day(day("2023-01-01")), 0.0);
        assert_eq!(year_day(day("2024-01-01")), 0.0);
        let apart = year_day(day("2024-12-31")) - year_day(day("2023-12-31"));
        assert!(apart.abs() < 0.01);
        for (at, label) in year_axis().ticks {
            let number = ["Jan", "Mar", "May", "Jul", "Sep", "Nov"];
            let month = 1 + 2 * number.iter().position(|name| *name == label).unwrap();
            assert_eq!(at, year_day(day(&format!("2023-{month:02}-01"))).round());
        }
    }

    /// Years that share a class are one entry of the legend.
    #[test]
    fn early_years_share_a_key() {
        let mut h = horizon();
        let dates = h.by_date.clone();
        for back in 1..=5 {
            let earlier = |d: &DateCard| DateCard {
                date: d.date.plus(-365 * back),
                predicted: None,
                ..d.clone()
            };
            h.by_date.extend(dates.iter().map(earlier));
        }
        h.by_date.sort_by_key(|d| d.date);
        let legend = plain(Season::new(&h).legend());
        assert!(
            legend.contains("201120102009") && legend.contains("2005 to 2008"),
            "{legend}"
        );
    }
}
