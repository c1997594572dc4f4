//! The dates of the fit: training, comparison of candidates, test, and the label window of each.

use jiff::civil::Date;
use maud::{Markup, html};

use super::axis::{percentage, short};
use super::bars;
use super::text::nowrap;
use crate::card::{Card, HorizonCard};
use crate::history::Day;
use crate::report::number::counted;

/// A date with its part in the fit.
struct Lane {
    part: &'static str,
    class: &'static str,
    date: Day,
}

impl Lane {
    fn new(part: &'static str, class: &'static str, date: Day) -> Self {
        Self { part, class, date }
    }
}

/// One lane for each date: the days before it as a line, its label window as a bar.
pub(crate) fn figure(card: &Card, h: &HorizonCard) -> Markup {
    let lanes = lanes(h);
    let content = html! {
        (legend(&lanes))
        (chart(card, h, &lanes))
    };
    super::figure(
        "timeline small",
        "Which dates trained and tested it?",
        content,
        caption(card, h),
    )
}

fn lanes(h: &HorizonCard) -> Vec<Lane> {
    let Some(e) = &h.evaluation else {
        let fitted = h.snapshots.iter();
        return fitted.map(|d| Lane::new("Fit", "train", *d)).collect();
    };
    let train = e.train.iter().map(|date| {
        if e.calibration == Some(*date) {
            Lane::new("Compare", "compare", *date)
        } else {
            Lane::new("Train", "train", *date)
        }
    });
    train.chain([Lane::new("Test", "test", e.test)]).collect()
}

/// The colours of the bars that are there.
fn legend(lanes: &[Lane]) -> Markup {
    let keys = [
        ("train", "training"),
        ("compare", "training; newest backtest fold"),
        ("test", "test"),
    ];
    let shown = keys
        .into_iter()
        .filter(|(class, _)| lanes.iter().any(|l| l.class == *class));
    bars::legend(shown)
}

/// The days that are drawn.
struct Span {
    first: Day,
    last: Day,
}

impl Span {
    fn new(card: &Card, lanes: &[Lane], window_days: i32) -> Self {
        let ends = lanes.iter().map(|l| l.date.plus(window_days));
        let last = ends
            .chain([card.as_of, card.last_day.plus(1)])
            .max()
            .unwrap_or(card.as_of);
        // Only the end of a long log is drawn, so that the bars can be told apart.
        let earliest = lanes.iter().map(|l| l.date).min().unwrap_or(card.first_day);
        let first = card.first_day.max(earliest.plus(-last.since(earliest) / 2));
        Self { first, last }
    }

    /// The position of a day, 0 to 100.
    fn at(&self, day: Day) -> f64 {
        let days = f64::from(self.last.since(self.first).max(1));
        (f64::from(day.since(self.first)) / days * 100.0).clamp(0.0, 100.0)
    }
}

fn chart(card: &Card, h: &HorizonCard, lanes: &[Lane]) -> Markup {
    let lead_days = card.label_definition.lead_days as i32;
    let span = Span::new(card, lanes, lead_days + i32::from(h.horizon_days));
    // Few dates get room, many still fit.
    let pitch = (220.0 / lanes.len().max(1) as f64).clamp(4.0, 18.0);
    let height = short(pitch * lanes.len() as f64);
    let as_of = percentage(span.at(card.as_of));
    let id = format!("timeline-{}", h.horizon_days);
    let description: Vec<String> = lanes
        .iter()
        .map(|l| format!("{} {}", l.part, l.date))
        .collect();
    html! {
        div.plot.lanes {
            svg role="img" aria-labelledby={ (id) "-t " (id) "-d" } height=(height) style={ "height:" (height) "px" } {
                title id={ (id) "-t" } { "Dates of the fit, " (h.horizon_days) " days" }
                desc id={ (id) "-d" } { (description.join("; ")) }
                (ticks(&span, &height))
                @for (i, lane) in lanes.iter().enumerate() {
                    @let from = lane.date.plus(lead_days);
                    @let until = from.plus(i32::from(h.horizon_days));
                    (draw(lane, &span, (from, until), pitch * (i as f64 + 0.5), (pitch * 0.62).min(10.0)))
                }
                line.marker-line x1=(as_of) x2=(as_of) y1="-4" y2=(height) {}
            }
        }
    }
}

/// A lane at height `y` with the half-open label window of its date as a bar.
fn draw(lane: &Lane, span: &Span, (from, until): (Day, Day), y: f64, thickness: f64) -> Markup {
    let date = percentage(span.at(lane.date));
    let middle = short(y);
    let length = (span.at(until) - span.at(from)).max(0.4);
    html! {
        line.known x1="0" x2=(date) y1=(middle) y2=(middle) {}
        rect class=(lane.class) x=(percentage(span.at(from))) width=(percentage(length)) y=(short(y - thickness / 2.0))
            height=(short(thickness)) rx="2" {
            title { (lane.part) " on " (lane.date) ": churn from " (from) " to " (until.plus(-1)) }
        }
        circle.date cx=(date) cy=(middle) r=(short((thickness / 2.0).min(3.5))) {}
    }
}

/// Months between ticks, tried in order until there are few enough.
const MONTHS: [i32; 9] = [1, 2, 3, 6, 12, 24, 60, 120, 1_200];
const MOST_TICKS: usize = 6;

/// The month of a date, in three letters.
pub(crate) fn month_name(date: Date) -> &'static str {
    const NAMES: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    NAMES[(date.month() - 1) as usize]
}

/// Ticks at the starts of months, with the year where it changes.
fn ticks(span: &Span, height: &str) -> Markup {
    let months = months(span);
    let new_year = |i: usize| i == 0 || months[i - 1].year() != months[i].year();
    html! {
        @for (i, date) in months.iter().enumerate() {
            @let x = percentage(span.at(Day::from(*date)));
            line.grid x1=(x) x2=(x) y1="0" y2=(height) {}
            text.tick x=(x) y=(height) dy="16" text-anchor="middle" { (month_name(*date)) }
            @if new_year(i) {
                text.tick x=(x) y=(height) dy="30" text-anchor="middle" { (date.year()) }
            }
        }
    }
}

fn months(span: &Span) -> Vec<Date> {
    let (first, last) = (span.first.date(), span.last.date());
    let number = |d: Date| i32::from(d.year()) * 12 + i32::from(d.month()) - 1;
    let date = |n: i32| Date::new(n.div_euclid(12) as i16, (n.rem_euclid(12) + 1) as i8, 1).ok();
    let every = |step: i32| -> Vec<Date> {
        let numbers = (number(first)..=number(last)).filter(|n| n.rem_euclid(step) == 0);
        let starts = numbers.filter_map(date);
        starts.filter(|d| *d >= first && *d <= last).collect()
    };
    MONTHS
        .into_iter()
        .map(every)
        .find(|m| m.len() <= MOST_TICKS)
        .unwrap_or_default()
}

fn caption(card: &Card, h: &HorizonCard) -> Markup {
    let dates = counted(h.snapshots.len() as u64, "date");
    html! {
        "Dots are dates: features are of the days to the left, back to " (nowrap(card.first_day))
        "; bars are label windows. "
        @if let Some(e) = &h.evaluation {
            "All training windows end by the test date, " (nowrap(e.test)) "."
            @if let Some(newest) = e.calibration {
                " Backtest folds go up to " (nowrap(newest)) "; each is trained on windows that ended before it."
            }
            " Users are tested in " (e.user_parts) " parts, each by a model trained on the others."
            " The final model is fitted on all " (dates)
        } @else {
            "The model was fitted on " (dates) " and not tested"
        }
        "; dashed: the as-of day, " (nowrap(card.as_of)) "."
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{card, day, plain, snapshot};
    use super::*;

    #[test]
    fn every_date_has_a_lane_in_order_of_time() {
        let mut card = card();
        snapshot("timeline", figure(&card, &card.horizons[0]));
        snapshot("timeline_untested", figure(&card, &card.horizons[2]));
        card.horizons[0].evaluation.as_mut().unwrap().calibration = None;
        let text = plain(figure(&card, &card.horizons[0]));
        assert!(!text.contains("backtest fold"), "{text}");
    }

    #[test]
    fn ticks_are_few_whatever_the_span() {
        let months = |first: &str, last: &str| {
            months(&Span {
                first: day(first),
                last: day(last),
            })
        };
        assert_eq!(months("2020-01-15", "2020-01-20").len(), 0);
        assert_eq!(months("2020-01-01", "2021-01-01").len(), 5);
        let centuries = months("1970-01-01", "2199-12-31").len();
        assert!((1..=MOST_TICKS).contains(&centuries), "{centuries}");
    }
}
