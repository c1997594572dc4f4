//! Dates that are laid out by hand.

use super::*;

fn schedule(span: i32, lead: u32, horizon: u16, most: usize) -> Result<Schedule, TrainError> {
    with_holes(span, lead, horizon, most, &[])
}

fn with_holes(
    span: i32,
    lead: u32,
    horizon: u16,
    most: usize,
    holes: &[(i32, i32)],
) -> Result<Schedule, TrainError> {
    let day = |number| Day::new(number).unwrap();
    let holes = holes
        .iter()
        .map(|(from, until)| Stretch {
            from: day(*from),
            until: day(*until),
        })
        .collect();
    let observed = Observed {
        first: day(0),
        until: day(span),
        holes,
    };
    let spacing = Spacing {
        days: None,
        past: None,
        most,
        anniversaries: 0,
        active_within_days: 0,
    };
    Schedule::new(&observed, day(span), lead, horizon, spacing)
}

#[test]
fn no_window_overlaps_a_hole_and_none_is_wasted_beside_it() {
    let holes = [(200, 246), (300, 320)];
    for lead in [0, 7] {
        let window = lead as i32 + 30;
        let s = with_holes(400, lead, 30, 12, &holes).unwrap();
        let overlaps = |d: &Day, (from, until): (i32, i32)| {
            d.number() + (lead as i32) < until && d.number() + window > from
        };
        for hole in holes {
            assert!(
                !s.regular.iter().any(|d| overlaps(d, hole)),
                "{:?}",
                s.regular
            );
            // The negative control: without the hole, a date's window would overlap it.
            assert!(
                schedule(400, lead, 30, 12)
                    .unwrap()
                    .regular
                    .iter()
                    .any(|d| overlaps(d, hole))
            );
            assert!(
                s.regular.iter().any(|d| d.number() + window == hole.0),
                "a window ends where the hole begins"
            );
        }
        assert_eq!(s.regular.len(), 12, "as many dates as without holes");
        assert_eq!(s.test.map(|d| d.number() + window), Some(400));
    }
    // A hole up to the end leaves what was observed before it.
    let s = with_holes(400, 0, 30, 12, &[(390, 399)]).unwrap();
    assert_eq!(s.test.map(|d| d.number() + 30), Some(390));
    let message = with_holes(60, 0, 30, 12, &[(20, 40)])
        .unwrap_err()
        .to_string();
    assert!(message.contains("1970-01-21 to 1970-02-09"), "{message}");
}

#[test]
fn no_date_lies_before_the_day_that_they_begin_with() {
    let day = |number| Day::new(number).unwrap();
    let all = schedule(400, 0, 30, 12).unwrap();
    let since = all.clone().since(day(300)).unwrap();
    assert!(since.dates().iter().all(|date| *date >= day(300)));
    assert!(all.dates().iter().any(|date| *date < day(300)));
    assert_eq!(since.test, all.test);
    assert_eq!(since.regular.last(), all.regular.last());
    // One label window is left: nothing to judge on.
    let newest = all.clone().since(day(360)).unwrap();
    assert_eq!((newest.regular.len(), newest.test), (1, None));
    let error = all.since(day(371)).unwrap_err().to_string();
    assert!(
        error.contains("model.dates_from") && error.contains("1971-01-06"),
        "{error}"
    );
}

#[test]
fn parts_are_ordered_in_time_with_an_embargo_between_them() {
    for (span, lead, horizon) in [(400, 0, 30), (400, 7, 30), (313, 0, 60), (1_000, 3, 90)] {
        let s = schedule(span, lead, horizon, 100).unwrap();
        let window = lead as i32 + i32::from(horizon);
        let test = s.test.unwrap();
        assert_eq!(
            test.number() + window,
            span,
            "the last label window ends where the log does"
        );
        let train = s.before(test);
        assert!(train.iter().all(|d| d.number() + window <= test.number()));
        let calibration = *train.last().unwrap();
        assert_eq!(test.since(calibration), window, "no day is wasted");
        assert!(
            s.before(calibration)
                .iter()
                .all(|d| d.number() + window <= calibration.number())
        );
        // The negative control: dates between are there, and only the embargo keeps them out.
        assert!(
            s.regular
                .iter()
                .any(|d| *d < test && d.number() + window > test.number())
        );
        assert!(s.regular.is_sorted() && s.regular.contains(&test));
        assert!(
            s.regular.iter().all(|d| d.number() >= i32::from(horizon)),
            "a horizon of past before each"
        );
    }
}

#[test]
fn short_logs_lose_the_test_and_then_fail_with_what_would_do() {
    let s = schedule(35 * 3, 0, 35, 100).unwrap();
    assert!(s.test.is_some_and(|test| s.before(test).len() == 1));
    let s = schedule(50, 0, 35, 100).unwrap();
    assert!(s.test.is_none() && s.regular.len() == 1);
    let message = schedule(35, 0, 35, 100).unwrap_err().to_string();
    assert!(message.contains("34 days"), "{message}");
}

#[test]
fn cutoffs_are_dates_with_something_to_learn_from_half_a_window_apart() {
    let dates: Vec<Day> = (0..12).map(|k| Day::new(500 + 15 * k).unwrap()).collect();
    let taken = cutoffs(&dates, 30);
    assert_eq!(taken.first(), dates.last());
    assert_eq!(taken.len(), BACKTEST_DATES);
    assert_eq!(
        cutoffs(&dates[..6], 30).last(),
        Some(&dates[2]),
        "the first date with a whole window before it"
    );
    assert!(taken.windows(2).all(|two| two[0].since(two[1]) == 15));
    assert!(
        cutoffs(&dates, 60)
            .windows(2)
            .all(|two| two[0].since(two[1]) == 30)
    );
    assert!(cutoffs(&dates[..1], 30).is_empty());
}

#[test]
fn anniversaries_are_those_of_predicted_days_and_as_observed_as_other_dates() {
    let day = |number| Day::new(number).unwrap();
    let active_within = |active_within_days, first: i32, years| {
        let observed = Observed {
            first: day(first),
            until: day(1_000),
            holes: vec![Stretch {
                from: day(640),
                until: day(645),
            }],
        };
        let spacing = Spacing {
            days: None,
            past: None,
            most: 12,
            anniversaries: years,
            active_within_days,
        };
        Schedule::new(&observed, day(1_000), 0, 30, spacing).unwrap()
    };
    let made = |first, years| active_within(30, first, years);
    let s = made(0, 3);
    // The as-of day and the test date, 970, one and two years back; the hole swallows the window from 635 on.
    let numbers = |dates: &[Day]| dates.iter().map(|d| d.number()).collect::<Vec<_>>();
    assert_eq!(numbers(&s.anniversaries), [240, 270, 605]);
    assert!(numbers(&s.backtest_anniversaries).contains(&(955 - 365)));
    assert!(!numbers(&s.backtest_anniversaries).contains(&(1_000 - 365)));
    let window = |d: &Day| (d.number()..d.number() + 30).any(|d| (640..645).contains(&d));
    assert!(!s.dates().iter().any(window));
    assert!(s.dates().is_sorted());
    assert_eq!(s.learnt_at(day(1_000), 3).len(), 12 + 1);
    // Of the regular dates 955 and 970 are too new to be known on 970.
    assert_eq!(s.learnt_at(day(970), 1).len(), 10 + 1);
    assert_eq!(s.learnt_at(day(970), 1), s.learnt_at(day(970), 3)[1..]);
    // A horizon of past must lie before them, and none is wanted without years.
    assert_eq!(numbers(&made(250, 3).anniversaries), [605]);
    assert_eq!(numbers(&made(220, 3).anniversaries), [270, 605]);
    // Nor is one an example whose users cannot have been active for as long as those of the predicted day.
    assert_eq!(
        numbers(&active_within(50, 220, 3).anniversaries),
        [270, 605]
    );
    assert_eq!(numbers(&active_within(51, 220, 3).anniversaries), [605]);
    let none = made(0, 0);
    assert!(none.anniversaries.is_empty() && none.backtest_anniversaries.is_empty());
}
