//! Tests of explanations: what adds up, what later events change, and what supposed events are equal to.

mod value;

use std::collections::BTreeMap;

use super::*;
use crate::history::{Amount, DayRecord, HistoriesBuilder};
use crate::model::tests::spec;

/// An event of a log: user, kind, day, amount.
type Event<'a> = (&'a str, &'a str, Day, f64);

pub(crate) fn day(text: &str) -> Day {
    text.parse().unwrap()
}

fn as_of() -> Day {
    day("2024-06-01")
}

fn log(events: &[Event<'_>]) -> Histories {
    let mut builder = HistoriesBuilder::default();
    for (user, kind, day, amount) in events {
        let record = DayRecord {
            amount: Amount::new(*amount).unwrap(),
            day: *day,
            count: 1,
            kind: builder.kind(kind).unwrap(),
        };
        builder.add(user, record).unwrap();
    }
    builder.finish().unwrap()
}

/// Sixty users who come at gaps of their own, with some returns.
fn events() -> Vec<(String, &'static str, Day, f64)> {
    let mut events = Vec::new();
    for user in 1..60_i32 {
        for visit in 0..1 + user % 9 {
            let back = 1 + user % 150 + visit * (3 + user % 20);
            let kind = if visit % 4 == 3 { "return" } else { "purchase" };
            let amount = f64::from(user * 7 % 50);
            events.push((format!("u{user:02}"), kind, as_of().plus(-back), amount));
        }
    }
    events
}

fn users() -> Histories {
    let events = events();
    let all: Vec<Event<'_>> = events
        .iter()
        .map(|(user, kind, day, amount)| (user.as_str(), *kind, *day, *amount))
        .collect();
    log(&all)
}

fn bundle() -> Bundle {
    Bundle::new(spec(), "test".into()).unwrap()
}

/// What is asked of a log by default, and the answer.
struct Asked<'a> {
    histories: &'a Histories,
    user: &'a str,
    as_of: Day,
    horizon_days: Option<u16>,
    suppose: &'a [&'a str],
}

impl<'a> Asked<'a> {
    fn of(histories: &'a Histories, user: &'a str) -> Self {
        Self {
            histories,
            user,
            as_of: as_of(),
            horizon_days: None,
            suppose: &[],
        }
    }

    fn explain(&self) -> Result<UserExplanation, ExplainError> {
        let suppose: Vec<String> = self.suppose.iter().map(|&text| text.to_owned()).collect();
        explain(&Question {
            bundle: &bundle(),
            base_rates: &BTreeMap::from([(30, 0.4)]),
            histories: self.histories,
            first_day: day("2023-01-01"),
            user: self.user,
            as_of: self.as_of,
            horizon_days: self.horizon_days,
            suppose: &suppose,
        })
    }

    fn ok(&self) -> UserExplanation {
        self.explain().unwrap()
    }
}

#[test]
fn contributions_add_up_to_the_log_odds_by_groups_and_by_features() {
    let histories = users();
    let bundle = bundle();
    let mut capped = 0;
    let mut scored = 0;
    histories
        .for_each(|_, user, history| {
            let answer = Asked::of(&histories, user).ok().answer;
            let prediction = bundle
                .predictor(histories.kinds())
                .predict(crate::model::Subject::History(history), as_of(), 3)
                .unwrap();
            let crate::model::Prediction::Scored(score) = prediction else {
                assert!(answer.horizons.is_empty() && answer.why_not_scored.is_some());
                return;
            };
            scored += 1;
            for (h, score) in answer.horizons.iter().zip(&score.horizons) {
                assert_eq!(h.churn_probability, score.probability, "as `score` has it");
                let sum = |all: &[Contribution]| all.iter().map(|c| c.contribution).sum::<f64>();
                for all in [&h.reasons, &h.contributions] {
                    let log_odds = h.base_log_odds + sum(all);
                    assert!((log_odds - h.log_odds).abs() < 1e-12, "{user}: {log_odds}");
                }
                for reason in &h.reasons {
                    let own = h.contributions.iter().filter(|c| c.group == reason.group);
                    let own: f64 = own.map(|c| c.contribution).sum();
                    assert!((own - reason.contribution).abs() < 1e-12, "{user}: {own}");
                }
                let probability = 1.0 / (1.0 + (-h.log_odds).exp());
                assert!((probability - h.churn_probability).abs() < 1e-12);
                capped += usize::from(h.answered_by_horizon_days != h.horizon_days);
            }
        })
        .unwrap();
    assert!(scored > 30, "{scored}");
    assert!(
        capped > 0 && capped < scored,
        "answers of both horizons' own models and of a shorter one's: {capped} of {scored}"
    );
}

#[test]
fn a_later_event_changes_no_earlier_week() {
    let events = events();
    let mut all: Vec<Event<'_>> = events
        .iter()
        .map(|(user, kind, day, amount)| (user.as_str(), *kind, *day, *amount))
        .collect();
    let before = log(&all);
    let before = Asked::of(&before, "u44").ok().timeline;
    let ends = |weeks: &[Week]| -> Vec<Day> { weeks.iter().map(|week| week.as_of).collect() };
    assert_eq!(before.last().map(|week| week.as_of), Some(as_of()));
    assert!(
        before.len() > 10
            && ends(&before)
                .windows(2)
                .all(|two| two[1].since(two[0]) == 7)
    );
    // Another purchase three weeks ago.
    let late = as_of().plus(-21);
    all.push(("u44", "purchase", late, 12.0));
    let after = log(&all);
    let after = Asked::of(&after, "u44").ok().timeline;
    assert_eq!(ends(&before), ends(&after));
    let (mut same, mut other) = (0, 0);
    for (before, after) in before.iter().zip(&after) {
        if before.as_of <= late {
            assert_eq!(before, after);
            same += 1;
        } else {
            // The negative control: every week that has seen it is another one.
            assert_ne!(before.horizons, after.horizons, "{}", before.as_of);
            other += 1;
        }
    }
    assert!(same > 5 && other == 3, "{same} {other}");
}

#[test]
fn a_week_has_the_answer_that_was_given_at_its_end() {
    let histories = users();
    let timeline = Asked::of(&histories, "u44").ok().timeline;
    let mut statuses = Vec::new();
    for week in &timeline {
        let asked = Asked {
            as_of: week.as_of,
            ..Asked::of(&histories, "u44")
        };
        let answer = asked.ok().answer;
        let of_answer: Vec<(u16, f64)> = answer
            .horizons
            .iter()
            .map(|h| (h.horizon_days, h.churn_probability))
            .collect();
        let of_week: Vec<(u16, f64)> = week
            .horizons
            .iter()
            .map(|h| (h.horizon_days, h.churn_probability))
            .collect();
        assert_eq!((week.status, of_week), (answer.status, of_answer));
        statuses.push(week.status);
    }
    assert!(statuses.contains(&Status::Scored));
}

#[test]
fn a_supposed_event_is_like_one_of_the_log() {
    let events = events();
    let mut all: Vec<Event<'_>> = events
        .iter()
        .map(|(user, kind, day, amount)| (user.as_str(), *kind, *day, *amount))
        .collect();
    let histories = log(&all);
    let asked = Asked {
        suppose: &["2 purchase 3 days ago 49.90", "return yesterday -5"],
        ..Asked::of(&histories, "u44")
    };
    let explanation = asked.ok();
    let what_if = explanation.what_if.unwrap();
    assert_eq!(what_if.as_of, as_of());
    assert_eq!(what_if.before, explanation.answer);
    for event in [
        ("u44", "purchase", as_of().plus(-3), 49.9),
        ("u44", "purchase", as_of().plus(-3), 49.9),
        ("u44", "return", as_of().plus(-1), -5.0),
    ] {
        all.push(event);
    }
    let written = log(&all);
    assert_eq!(what_if.after, Asked::of(&written, "u44").ok().answer);
    assert_ne!(what_if.before, what_if.after);
    for change in &what_if.changes {
        let sum: f64 = change.contributions.iter().map(|c| c.change).sum();
        assert!((sum - change.log_odds_change).abs() < 1e-12, "{sum}");
        let sum: f64 = change.reasons.iter().map(|c| c.change).sum();
        assert!((sum - change.log_odds_change).abs() < 1e-12, "{sum}");
        for reason in &change.reasons {
            let mut members = change.contributions.iter();
            let is_member = members.any(|c| {
                (c.after.group, &c.description) == (reason.after.group, &reason.description)
            });
            assert!(
                is_member,
                "{reason:?} is explained by a feature that changes"
            );
        }
    }
}

#[test]
fn an_event_of_today_is_judged_tomorrow() {
    let events = events();
    let mut all: Vec<Event<'_>> = events
        .iter()
        .map(|(user, kind, day, amount)| (user.as_str(), *kind, *day, *amount))
        .collect();
    let histories = log(&all);
    let asked = Asked {
        suppose: &["purchase today 20"],
        ..Asked::of(&histories, "u44")
    };
    let what_if = asked.ok().what_if.unwrap();
    let tomorrow = as_of().plus(1);
    assert_eq!(what_if.as_of, tomorrow);
    let at = |histories: &Histories| {
        let asked = Asked {
            as_of: tomorrow,
            ..Asked::of(histories, "u44")
        };
        asked.ok().answer
    };
    assert_eq!(what_if.before, at(&histories), "the day passes for both");
    all.push(("u44", "purchase", as_of(), 20.0));
    assert_eq!(what_if.after, at(&log(&all)));
    // The negative control: as of today nobody has seen it.
    let today = Asked::of(&log(&all), "u44").ok().answer;
    assert_eq!(today, Asked::of(&histories, "u44").ok().answer);
}

#[test]
fn the_amount_of_a_supposed_event_is_the_users_mean() {
    let histories = log(&[
        ("a", "purchase", as_of().plus(-9), 10.0),
        ("a", "purchase", as_of().plus(-5), 20.0),
        ("a", "return", as_of().plus(-5), -900.0),
    ]);
    let asked = Asked {
        suppose: &["purchase today", "survey today"],
        ..Asked::of(&histories, "a")
    };
    let unknown = asked.explain().unwrap_err();
    assert!(unknown.is_question(), "{unknown}");
    let asked = Asked {
        suppose: &["purchase today", "return 2 days ago 1"],
        ..asked
    };
    let events = asked.ok().what_if.unwrap().events;
    let amounts: Vec<(f64, SupposedAmount)> = events
        .iter()
        .map(|event| (event.amount.value(), event.amount_from))
        .collect();
    let expected = [
        (15.0, SupposedAmount::UserMean),
        (1.0, SupposedAmount::Given),
    ];
    assert_eq!(amounts, expected);
}

#[test]
fn what_cannot_be_supposed_says_what_can() {
    let histories = users();
    let message = |text: &str| {
        let asked = Asked {
            suppose: &[text],
            ..Asked::of(&histories, "u44")
        };
        asked.explain().unwrap_err().to_string()
    };
    insta::assert_snapshot!(message("purchas today"), @"`purchas today`: neither the log nor the model has the kind `purchas`, the nearest is `purchase`; there are `purchase`, `return`");
    insta::assert_snapshot!(message("purchase 2024-06-02"), @"`purchase 2024-06-02`: 2024-06-02 does not lie between 2023-01-01, the first day that the log covers, and 2024-06-01, the as-of day, which is today's");
    assert!(message("purchase 9999999999 days ago").contains("does not lie between"));
}

#[test]
fn an_unknown_user_is_told_apart_from_those_that_are_near() {
    let histories = users();
    let message = |user| {
        let error = Asked::of(&histories, user).explain().unwrap_err();
        assert!(!error.is_question());
        error.to_string()
    };
    insta::assert_snapshot!(message("U-44"), @"the log has no user `U-44` before 2024-06-01; it has 59 users, and among them `u44`");
    insta::assert_snapshot!(message("somebody else"), @"the log has no user `somebody else` before 2024-06-01; it has 59 users");
}

#[test]
fn a_horizon_is_one_of_the_models() {
    let histories = users();
    let asked = |horizon_days| Asked {
        horizon_days: Some(horizon_days),
        ..Asked::of(&histories, "u44")
    };
    let all = Asked::of(&histories, "u44").ok();
    let one = asked(60).ok();
    assert_eq!(one.answer.horizons, all.answer.horizons[1..]);
    assert!(one.timeline.iter().all(|week| week.horizons.len() <= 1));
    let error = asked(45).explain().unwrap_err();
    assert!(error.is_question());
    insta::assert_snapshot!(error.to_string(), @"the model has no horizon of 45 days; it has 30 and 60 days");
}

#[test]
fn users_without_a_score_have_the_reason_with_its_dates() {
    let histories = log(&[
        ("gone", "purchase", day("2023-05-06"), 1.0),
        ("looker", "return", day("2024-05-01"), 0.0),
        ("later", "purchase", day("2024-06-01"), 1.0),
    ]);
    let of = |user| Asked::of(&histories, user).ok();
    let gone = of("gone");
    assert_eq!(gone.answer.status, Status::Inactive);
    assert!(gone.answer.horizons.is_empty());
    insta::assert_snapshot!(gone.sentences.join("\n"), @r"
    gone has no score as of 2024-06-01: its last purchase was on 2023-05-06, 392 days before; users count as active for 180 days, here up to 2023-11-02.
    Stage churning: the last purchase is 392 days ago, and users count as active for 180 days.
    ");
    assert_eq!(gone.timeline.len(), 52, "no more than a year");
    insta::assert_snapshot!(of("looker").sentences.join("\n"), @"looker has no score as of 2024-06-01: its first event is on 2024-05-01, but it never had a purchase.");
    let later = of("later");
    insta::assert_snapshot!(later.sentences.join("\n"), @"later has no score as of 2024-06-01: its first event is on 2024-06-01, and none lies before.");
    assert!(later.timeline.is_empty() && later.activity.first_event.is_none());
    let sooner = Asked {
        suppose: &["purchase yesterday 5"],
        ..Asked::of(&histories, "later")
    };
    let sentences = sooner.ok().what_if.unwrap().sentences;
    assert_eq!(
        sentences[1],
        "Without them the user has no score: no event lies before."
    );
    // What if that user had come back?
    let back = Asked {
        suppose: &["purchase yesterday 5"],
        ..Asked::of(&histories, "gone")
    };
    let what_if = back.ok().what_if.unwrap();
    assert_eq!(
        (what_if.before.status, what_if.after.status),
        (Status::Inactive, Status::Scored)
    );
    assert!(what_if.changes.is_empty());
}
