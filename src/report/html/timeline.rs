//! Which dates trained the model, at which ways to fit were compared, which tested it, and what each of them looks ahead at.

use jiff::civil::Date;

use super::plot::short;
use super::text::{counted, escape, nowrap};
use crate::card::{Card, HorizonCard};
use crate::history::Day;
use crate::train::evaluation::holdout::PARTS;

/// A date with its part in the fit.
struct Lane {
    part: &'static str,
    class: &'static str,
    date: Day,
}

/// One lane for each date: what is known before it as a line, its label window as a bar.
pub(crate) fn figure(card: &Card, h: &HorizonCard) -> String {
    let lanes = lanes(h);
    let content = legend(&lanes) + &chart(card, h, &lanes);
    super::figure(
        "timeline small",
        "Which days taught it, which judged it?",
        &content,
        &caption(card, h),
    )
}

fn lanes(h: &HorizonCard) -> Vec<Lane> {
    let Some(e) = &h.evaluation else {
        return h
            .snapshots
            .iter()
            .map(|date| Lane {
                part: "Fit",
                class: "train",
                date: *date,
            })
            .collect();
    };
    let train = e.train.iter().map(|date| match e.calibration {
        Some(newest) if newest == *date => Lane {
            part: "Compare",
            class: "compare",
            date: *date,
        },
        _ => Lane {
            part: "Train",
            class: "train",
            date: *date,
        },
    });
    train
        .chain([Lane {
            part: "Test",
            class: "test",
            date: e.test,
        }])
        .collect()
}

/// What the colours of the bars mean, of those that are there.
fn legend(lanes: &[Lane]) -> String {
    let keys = [
        ("train", "taught the model"),
        (
            "compare",
            "taught it; the newest at which ways to fit were compared",
        ),
        ("test", "judged it"),
    ];
    let shown: Vec<(&str, &str)> = keys
        .into_iter()
        .filter(|k| lanes.iter().any(|l| l.class == k.0))
        .collect();
    super::bars::legend(&shown)
}

/// Where days lie, 0 to 100.
struct Span {
    first: Day,
    last: Day,
}

impl Span {
    fn at(&self, day: Day) -> f64 {
        let whole = f64::from(self.last.since(self.first).max(1));
        (f64::from(day.since(self.first)) / whole * 100.0).clamp(0.0, 100.0)
    }
}

fn chart(card: &Card, h: &HorizonCard, lanes: &[Lane]) -> String {
    let window = card.label_definition.lead_days as i32 + i32::from(h.horizon_days);
    let ends = lanes
        .iter()
        .map(|l| l.date.plus(window))
        .chain([card.as_of, card.last_day.plus(1)]);
    let last = ends.max().unwrap_or(card.as_of);
    // Of a long log only the end is drawn, so that the bars can be told apart.
    let earliest = lanes.iter().map(|l| l.date).min().unwrap_or(card.first_day);
    let span = Span {
        first: card.first_day.max(earliest.plus(-last.since(earliest) / 2)),
        last,
    };
    // Few dates get room, many still fit.
    let pitch = (220.0 / lanes.len().max(1) as f64).clamp(4.0, 18.0);
    let height = pitch * lanes.len() as f64;
    let mut marks = ticks(&span, height);
    for (i, lane) in lanes.iter().enumerate() {
        let y = pitch * (i as f64 + 0.5);
        marks.push_str(&draw(
            lane,
            &span,
            card.label_definition.lead_days as i32,
            h.horizon_days,
            y,
            pitch,
        ));
    }
    let today = short(span.at(card.as_of));
    marks.push_str(&format!(
        "<line class=\"marker-line\" x1=\"{today}%\" x2=\"{today}%\" y1=\"-4\" y2=\"{}\"/>",
        short(height)
    ));
    let id = format!("timeline-{}", h.horizon_days);
    let described: Vec<String> = lanes
        .iter()
        .map(|l| format!("{} {}", l.part, l.date))
        .collect();
    format!(
        "<div class=\"plot lanes\"><svg role=\"img\" aria-labelledby=\"{id}-t {id}-d\" height=\"{0}\" \
         style=\"height:{0}px\"><title id=\"{id}-t\">Dates of the fit, {1} days</title><desc id=\"{id}-d\">{2}</desc>\
         {marks}</svg></div>",
        short(height),
        h.horizon_days,
        escape(&described.join("; ")),
    )
}

fn draw(lane: &Lane, span: &Span, lead_days: i32, horizon_days: u16, y: f64, pitch: f64) -> String {
    let from = lane.date.plus(lead_days);
    let until = from.plus(i32::from(horizon_days));
    let thick = (pitch * 0.62).min(10.0);
    format!(
        "<line class=\"known\" x1=\"0\" x2=\"{date}%\" y1=\"{y}\" y2=\"{y}\"/>\
         <rect class=\"{}\" x=\"{}%\" width=\"{}%\" y=\"{}\" height=\"{}\" rx=\"2\">\
         <title>{} on {}: churn from {from} to {}</title></rect>\
         <circle class=\"date\" cx=\"{date}%\" cy=\"{y}\" r=\"{}\"/>",
        lane.class,
        short(span.at(from)),
        short((span.at(until) - span.at(from)).max(0.4)),
        short(y - thick / 2.0),
        short(thick),
        lane.part,
        lane.date,
        until.plus(-1),
        short((thick / 2.0).min(3.5)),
        date = short(span.at(lane.date)),
        y = short(y),
    )
}

/// Months between ticks, tried in order until there are few enough.
const MONTHS: [i32; 9] = [1, 2, 3, 6, 12, 24, 60, 120, 1_200];
const MOST_TICKS: usize = 6;
pub(crate) const MONTH_NAMES: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Ticks at the starts of months, with the year where it changes.
fn ticks(span: &Span, height: f64) -> String {
    let mut text = String::new();
    let mut year = None;
    for date in months(span) {
        let x = short(span.at(Day::from(date)));
        let month = MONTH_NAMES[(date.month() - 1) as usize];
        text.push_str(&format!(
            "<line class=\"grid\" x1=\"{x}%\" x2=\"{x}%\" y1=\"0\" y2=\"{0}\"/>\
             <text class=\"tick\" x=\"{x}%\" y=\"{0}\" dy=\"16\" text-anchor=\"middle\">{month}</text>",
            short(height)
        ));
        if year.replace(date.year()) != Some(date.year()) {
            text.push_str(&format!(
                "<text class=\"tick\" x=\"{x}%\" y=\"{}\" dy=\"30\" text-anchor=\"middle\">{}</text>",
                short(height),
                date.year()
            ));
        }
    }
    text
}

fn months(span: &Span) -> Vec<Date> {
    let (first, last) = (span.first.date(), span.last.date());
    let number = |d: Date| i32::from(d.year()) * 12 + i32::from(d.month()) - 1;
    let date = |n: i32| Date::new(n.div_euclid(12) as i16, (n.rem_euclid(12) + 1) as i8, 1).ok();
    let within = |step: i32| -> Vec<Date> {
        let starts = (number(first)..=number(last))
            .filter(|n| n.rem_euclid(step) == 0)
            .filter_map(date);
        starts.filter(|d| *d >= first && *d <= last).collect()
    };
    MONTHS
        .into_iter()
        .map(within)
        .find(|m| m.len() <= MOST_TICKS)
        .unwrap_or_default()
}

fn caption(card: &Card, h: &HorizonCard) -> String {
    let shape = format!(
        "Dots are dates on which users are described by all that lies to the left, back to {}; bars are the days in \
         which they are watched for churn.",
        nowrap(card.first_day)
    );
    let snapshots = counted(h.snapshots.len() as u64, "date");
    match &h.evaluation {
        Some(e) => {
            let compared = match e.calibration {
                Some(newest) => format!(
                    "Ways to fit were compared on dates up to {}, in rehearsals that had learnt only from bars that \
                     had ended by then.",
                    nowrap(newest)
                ),
                None => "No date could be rehearsed to compare ways to fit.".to_owned(),
            };
            format!(
                "{shape} All that taught the judged model ended before the test date. {compared} Users fall into \
                 {PARTS} parts, each asked of a model that learnt from the others, so that nobody judges a model that \
                 learnt from them. The final model is then fitted on all {snapshots}; the dashed line is {}.",
                nowrap(card.as_of)
            )
        }
        None => {
            format!(
                "{shape} The model was fitted on {snapshots} and never judged; the dashed line is {}.",
                nowrap(card.as_of)
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{card, day};
    use super::*;

    #[test]
    fn every_date_has_a_lane_in_order_of_time() {
        let card = card();
        let h = &card.horizons[0];
        let html = figure(&card, h);
        let e = h.evaluation.as_ref().unwrap();
        assert_eq!(html.matches("class=\"train\"").count(), e.train.len() - 1);
        assert_eq!(
            (
                html.matches("class=\"compare\"").count(),
                html.matches("class=\"test\"").count()
            ),
            (1, 1)
        );
        assert!(
            html.contains("Users fall into 3 parts") && html.contains("key compare"),
            "{html}"
        );
        let mut alone = h.clone();
        alone.evaluation.as_mut().unwrap().calibration = None;
        let uncompared = figure(&card, &alone);
        assert!(
            uncompared.contains("No date could be rehearsed")
                && !uncompared.contains("key compare")
        );
        let untested = figure(&card, card.horizons.last().unwrap());
        assert!(
            untested.contains("never judged") && !untested.contains("class=\"test\""),
            "{untested}"
        );
    }

    #[test]
    fn ticks_are_few_whatever_the_span() {
        for (first, last) in [
            ("2020-01-15", "2020-01-20"),
            ("2020-01-01", "2021-01-01"),
            ("1970-01-01", "2199-12-31"),
        ] {
            let months = months(&Span {
                first: day(first),
                last: day(last),
            });
            assert!(months.len() <= MOST_TICKS, "{months:?}");
        }
        assert_eq!(
            months(&Span {
                first: day("2020-01-01"),
                last: day("2021-01-01")
            })
            .len(),
            5
        );
    }
}
