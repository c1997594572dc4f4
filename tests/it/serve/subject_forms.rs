//! A user by id, as a history and as features: the same answer in every form.

use super::*;

/// Requests for one user, in all forms of a subject.
fn forms(user_id: &str, as_of: &str) -> Vec<(&'static str, ScoreUserRequest)> {
    let log = log();
    let ask = |subject| ScoreUserRequest {
        subject: Some(subject),
        as_of: as_of.into(),
        feature_hash: feature_hash(),
        ..ScoreUserRequest::default()
    };
    vec![
        ("user_id", ask(user(user_id))),
        ("events", ask(as_events(&log, user_id))),
        ("days", ask(as_days(&log, user_id))),
        ("features", ask(as_features(&log, user_id, as_of))),
        ("packed_features", ask(as_packed(&log, user_id, as_of))),
    ]
}

#[tokio::test]
async fn every_form_of_a_subject_gives_the_same_bits() {
    let server = Running::ready().await;
    for (id, as_of) in [
        ("ann", END),
        ("ann", "2011-06-15"),
        ("dan", END),
        ("ola", END),
        ("ola", "2011-02-01"),
    ] {
        let mut answers = Vec::new();
        for (form, request) in forms(id, as_of) {
            let mut score = server.score(request).await.unwrap();
            score.events_after_as_of = 0;
            // Debug prints the shortest text that reads back as the same number: equal text is equal bits.
            answers.push((form, format!("{score:?}")));
        }
        for (form, answer) in &answers {
            assert_eq!(*answer, answers[0].1, "{id} on {as_of} as {form}");
        }
    }
    // The negative control: one event less is another answer.
    let whole = server.score(ask(as_events(&log(), "ann"))).await.unwrap();
    let less: Vec<LogEvent> = log().into_iter().skip(1).collect();
    assert_ne!(
        whole,
        server.score(ask(as_events(&less, "ann"))).await.unwrap()
    );
}

#[tokio::test]
async fn events_and_days_add_up() {
    let server = Running::ready().await;
    let (Some(SubjectForm::History(events)), Some(SubjectForm::History(days))) = (
        as_events(&log(), "ann").subject,
        as_days(&log(), "ann").subject,
    ) else {
        panic!("both are histories")
    };
    let cut = "2011-05-01";
    let clock_day = |e: &Event| {
        let mut clock = ebb::history::DayClock::new(crate::support::TIMEZONE).unwrap();
        clock.day(e.time.unwrap().seconds).unwrap().to_string()
    };
    let mixed = History {
        events: events
            .events
            .into_iter()
            .filter(|e| clock_day(e).as_str() < cut)
            .collect(),
        days: days
            .days
            .into_iter()
            .filter(|d| d.day.as_str() >= cut)
            .collect(),
    };
    assert!(!mixed.events.is_empty() && !mixed.days.is_empty());
    let mixed = server
        .score(ask(subject(SubjectForm::History(mixed))))
        .await
        .unwrap();
    assert_eq!(mixed, server.score(ask(user("ann"))).await.unwrap());
}

/// As in a log, whitespace around ids and kinds is ignored.
#[tokio::test]
async fn whitespace_around_ids_and_kinds_changes_nothing() {
    let server = Running::ready().await;
    let expected = server.score(ask(user("ann"))).await.unwrap();
    let mut padded = log();
    padded.iter_mut().for_each(|event| {
        event.kind = match event.kind {
            "visit" => " visit",
            "purchase" => "purchase\t",
            "booking" => "\u{a0}booking ",
            "survey" => "survey ",
            _ => " return ",
        };
    });
    for subject in [user("ann "), user("\tann\u{a0}"), as_events(&padded, "ann")] {
        assert_eq!(server.score(ask(subject)).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn kinds_that_were_not_in_the_log_are_reported() {
    let server = Running::ready().await;
    let mut misspelt = log();
    for event in misspelt
        .iter_mut()
        .filter(|event| event.kind == "visit" || event.kind == "return")
    {
        event.kind = if event.kind == "visit" {
            "visits"
        } else {
            "qqq"
        };
    }
    let score = server
        .score(ask(as_events(&misspelt, "ann")))
        .await
        .unwrap();
    let unknown = |kind: &str, events: usize, nearest: &str| UnknownKind {
        kind: kind.into(),
        events: events as u64,
        nearest: nearest.into(),
    };
    let count = |kind| {
        of(&misspelt, "ann")
            .filter(|event| event.kind == kind)
            .count()
    };
    assert!(count("visits") > count("qqq") && count("qqq") > 0);
    assert_eq!(
        score.unknown_kinds,
        [
            unknown("visits", count("visits"), "visit"),
            unknown("qqq", count("qqq"), "")
        ]
    );
    // A kind that was in the log and has no features is known, though it changes no answer either.
    assert!(count("survey") > 0);
    assert_eq!(
        server
            .score(ask(as_events(&log(), "ann")))
            .await
            .unwrap()
            .unknown_kinds,
        []
    );
    // All of them unknown: there is no activity to score, and the kinds explain it.
    let days = vec![DayActivity {
        day: "2011-09-01".into(),
        kind: "purchases".into(),
        count: 3,
        amount: 0.0,
    }];
    let score = server
        .score(ask(subject(SubjectForm::History(History {
            events: vec![],
            days,
        }))))
        .await
        .unwrap();
    assert_eq!(score.status(), ScoreStatus::TooNew);
    assert_eq!(score.unknown_kinds, [unknown("purchases", 3, "purchase")]);
}

#[tokio::test]
async fn a_churn_event_without_features_of_its_own_is_seen_in_every_form_of_history() {
    // `dan` answered a survey after the last purchase, `ann` went on after hers.
    let mut log = log();
    let purchase = *of(&log, "dan").next().unwrap();
    log.push(LogEvent {
        kind: "survey",
        unix_s: purchase.unix_s + 86_400,
        ..purchase
    });
    let users = histories(&log);
    let spec = BundleSpec {
        churn_event: Some("survey".into()),
        ..spec()
    };
    let server = Running::of(Config::default(), move || stock_of(spec, Some(users))).await;
    for (id, status) in [
        ("dan", ScoreStatus::AlreadyChurned),
        ("ann", ScoreStatus::Scored),
    ] {
        for subject in [user(id), as_events(&log, id), as_days(&log, id)] {
            assert_eq!(
                server.score(ask(subject)).await.unwrap().status(),
                status,
                "{id}"
            );
        }
    }
}
