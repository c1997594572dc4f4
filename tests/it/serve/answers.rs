use super::*;

/// All forms of one user, and what is asked beside them.
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

/// Blanks around ids and kinds count as little as they do in a log.
#[tokio::test]
async fn blanks_around_ids_and_kinds_change_nothing() {
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
async fn kinds_that_the_model_never_saw_are_told_back() {
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
    let told = |kind: &str, events: usize, nearest: &str| UnknownKind {
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
            told("visits", count("visits"), "visit"),
            told("qqq", count("qqq"), "")
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
    // All of them unknown: there is nothing to judge by, and the answer says why.
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
    assert_eq!(score.unknown_kinds, [told("purchases", 3, "purchase")]);
}

#[tokio::test]
async fn reasons_and_the_rest_add_up_to_the_log_odds() {
    let server = Running::ready().await;
    for count in [None, Some(0), Some(1), Some(6), Some(u32::MAX)] {
        let request = ScoreUserRequest {
            reason_count: count,
            ..ask(user("ann"))
        };
        let score = server.score(request).await.unwrap();
        assert_eq!(score.horizons.len(), 2);
        for h in &score.horizons {
            assert_eq!(h.reasons.len(), count.map_or(3, |n| n.min(6) as usize));
            let sum = h.base_log_odds
                + h.reasons.iter().map(|r| r.contribution).sum::<f64>()
                + h.other_contribution;
            assert!(
                (sum - h.log_odds).abs() < 1e-9,
                "{sum} against {}",
                h.log_odds
            );
            assert!((1.0 / (1.0 + (-h.log_odds).exp()) - h.churn_probability).abs() < 1e-12);
            assert!(
                h.reasons
                    .is_sorted_by(|a, b| a.contribution.abs() >= b.contribution.abs())
            );
            let told = |r: &Reason| {
                !r.description.is_empty()
                    && !r.unit.is_empty()
                    && r.group() != FeatureGroup::Unspecified
            };
            assert!(h.reasons.iter().all(told));
            assert_ne!(h.risk_band(), RiskBand::Unspecified);
        }
    }
}

#[tokio::test]
async fn a_full_answer_names_stage_segment_model_and_day() {
    let server = Running::ready().await;
    let score = server.score(ask(user("ann"))).await.unwrap();
    assert_eq!(score.status(), ScoreStatus::Scored);
    assert_eq!(
        (score.stage(), score.stage_rule()),
        (Stage::Mature, StageRule::Established)
    );
    assert_eq!(score.stage_explanation, "known for long");
    let segment = score.segment.unwrap();
    assert!(
        ["recent, frequent", "long gone"][segment.id as usize] == segment.name
            && segment.distance > 0.0
    );
    assert_eq!(score.as_of, END);
    assert_eq!(score.model_version, VERSION);
}

#[tokio::test]
async fn users_without_a_score_have_a_status_and_no_number() {
    let server = Running::ready().await;
    for (subject, status) in [
        (user("ret"), ScoreStatus::TooNew),
        (as_events(&log(), "ret"), ScoreStatus::TooNew),
        (
            subject(SubjectForm::History(History::default())),
            ScoreStatus::TooNew,
        ),
        (user("ola"), ScoreStatus::Inactive),
    ] {
        let score = server.score(ask(subject)).await.unwrap();
        assert_eq!(score.status(), status);
        assert!(score.horizons.is_empty() && score.segment.is_none());
        let left = status == ScoreStatus::Inactive;
        assert_eq!(score.recency_days, left.then_some(261.0));
        let stage = if left {
            (Stage::Churning, StageRule::Inactive)
        } else {
            Default::default()
        };
        assert_eq!((score.stage(), score.stage_rule()), stage);
    }
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

#[tokio::test]
async fn the_day_of_the_question_hides_what_came_later_and_counts_it() {
    let server = Running::ready().await;
    let log = log();
    let as_of = "2011-04-20";
    let seen: Vec<LogEvent> = log
        .iter()
        .copied()
        .filter(|e| e.day() < as_of.parse().unwrap())
        .collect();
    let later = of(&log, "ann").count() - of(&seen, "ann").count();
    assert!(later > 0);
    let on = |subject| ScoreUserRequest {
        as_of: as_of.into(),
        ..ask(subject)
    };
    let without_future = server.score(on(as_events(&seen, "ann"))).await.unwrap();
    assert_eq!(without_future.events_after_as_of, 0);
    for subject in [user("ann"), as_events(&log, "ann"), as_days(&log, "ann")] {
        let mut score = server.score(on(subject)).await.unwrap();
        assert_eq!(score.events_after_as_of, later as u64);
        score.events_after_as_of = 0;
        assert_eq!(score, without_future);
    }
}

#[tokio::test]
async fn a_missing_day_is_the_roll_ups_for_its_users_and_nothing_for_features() {
    let server = Running::ready().await;
    let undated = |subject| ScoreUserRequest {
        as_of: String::new(),
        ..ask(subject)
    };
    assert_eq!(
        server.score(undated(user("ann"))).await.unwrap(),
        server.score(ask(user("ann"))).await.unwrap()
    );
    let score = server
        .score(undated(as_features(&log(), "ann", END)))
        .await
        .unwrap();
    assert_eq!(
        (score.status(), score.as_of.as_str()),
        (ScoreStatus::Scored, "")
    );
}

#[tokio::test]
async fn horizons_can_be_chosen() {
    let server = Running::ready().await;
    let all = server.score(ask(user("ann"))).await.unwrap();
    let request = ScoreUserRequest {
        horizon_days: vec![90],
        ..ask(user("ann"))
    };
    assert_eq!(
        server.score(request).await.unwrap().horizons,
        all.horizons[1..]
    );
}

#[tokio::test]
async fn a_batch_is_its_single_answers_in_order() {
    let server = Running::ready().await;
    let log = log();
    let mut subjects = Vec::new();
    // More than are answered without leaving the connection's thread, and not a multiple of anything.
    for _ in 0..101 {
        let ann = [
            as_events(&log, "ann"),
            as_features(&log, "ann", END),
            as_packed(&log, "ann", END),
        ];
        subjects.extend(
            ann.into_iter()
                .chain(["ola", "ann", "dan", "ret"].map(user)),
        );
    }
    let request = BatchScoreUsersRequest {
        subjects: subjects.clone(),
        as_of: END.into(),
        feature_hash: feature_hash(),
        ..BatchScoreUsersRequest::default()
    };
    let answer = server.batch(request).await.unwrap();
    assert_eq!(answer.results.len(), subjects.len());
    assert_eq!(
        (answer.as_of.as_str(), answer.model_version.as_str()),
        (END, VERSION)
    );
    for (subject, result) in subjects.into_iter().zip(answer.results).take(7) {
        let single = server
            .score(ScoreUserRequest {
                feature_hash: feature_hash(),
                ..ask(subject)
            })
            .await
            .unwrap();
        assert_eq!(result.result.unwrap(), ScoreOutcome::Score(single));
    }
    let empty = server
        .batch(BatchScoreUsersRequest::default())
        .await
        .unwrap();
    assert_eq!((empty.results.len(), empty.as_of.as_str()), (0, ""));
}

#[tokio::test]
async fn the_model_tells_about_itself() {
    let server = Running::ready().await;
    let GetModelResponse {
        model,
        known_users,
        status,
    } = server
        .models()
        .get_model(GetModelRequest::default())
        .await
        .unwrap()
        .into_inner();
    let model = model.unwrap();
    let spec = spec();
    let status = status.unwrap();
    assert_eq!(
        (status.name.as_str(), status.labels),
        ("shop", vec![ModelLabel::Stable.into()])
    );
    assert_eq!(
        known_users.unwrap(),
        ebb::serve::client::KnownUsers {
            users: 5,
            as_of: END.into()
        }
    );
    assert_eq!(
        (model.timezone.as_str(), model.as_of.as_str()),
        ("Europe/London", "2011-06-01")
    );
    assert_eq!(
        (model.horizon_days, model.active_within_days),
        (vec![30, 90], 180)
    );
    assert_eq!(
        (model.activity_kinds, model.other_kinds),
        (spec.schema.activity, spec.schema.other_kinds)
    );
    assert_eq!(model.feature_hash, spec.feature_hash);
    assert_eq!(model.card_json, CARD);
    assert_eq!(model.segments[1].name, "long gone");
    assert_eq!(model.stage_thresholds.unwrap().growth_days, 182);
    assert_eq!(
        model.risk_thresholds.unwrap(),
        RiskThresholds {
            medium: 0.3,
            high: 0.6
        }
    );
    let required: Vec<&str> = model
        .features
        .iter()
        .filter(|f| f.required)
        .map(|f| f.name.as_str())
        .collect();
    assert_eq!(
        required,
        [
            "recency_days",
            "tenure_days",
            "active_days",
            "active_days_30d"
        ]
    );
    let names: Vec<&str> = model.features.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(
        names,
        spec.preprocessing
            .columns
            .iter()
            .take(names.len())
            .map(|c| c.feature.as_str())
            .collect::<Vec<_>>()
    );
    let request = GetModelRequest {
        view: ModelView::Basic.into(),
        ..GetModelRequest::default()
    };
    let basic = server
        .models()
        .get_model(request)
        .await
        .unwrap()
        .into_inner()
        .model
        .unwrap();
    assert!(basic.features.is_empty() && basic.segments.is_empty() && basic.card_json.is_empty());
    assert_eq!(basic.version, model.version);
}
