//! The content of scores, batches and models.

use super::*;

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
            let is_complete = |r: &Reason| {
                !r.explanation.is_empty()
                    && !r.unit.is_empty()
                    && r.group() != FeatureGroup::Unspecified
            };
            assert!(h.reasons.iter().all(is_complete));
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
    assert_eq!(segment.key, ["s04", "s02"][segment.id as usize]);
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
async fn events_after_the_as_of_day_are_counted_and_not_used() {
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
async fn get_model_returns_the_whole_model() {
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
    let keys: Vec<&str> = model.segments.iter().map(|s| s.key.as_str()).collect();
    assert_eq!(keys, ["s04", "s02"]);
    assert_eq!(model.stage_thresholds.unwrap().growth_days, 182);
    assert_eq!(
        model.risk_thresholds.unwrap(),
        RiskThresholds {
            medium: 0.3,
            high: 0.6
        }
    );
}

#[tokio::test]
async fn get_model_lists_features_in_the_order_of_vectors_and_only_in_the_full_view() {
    let server = Running::ready().await;
    let model = async |view: ModelView| {
        let request = GetModelRequest {
            view: view.into(),
            ..GetModelRequest::default()
        };
        let answer = server.models().get_model(request).await.unwrap();
        answer.into_inner().model.unwrap()
    };
    let full = model(ModelView::Full).await;
    let required: Vec<&str> = full
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
    let names: Vec<&str> = full.features.iter().map(|f| f.name.as_str()).collect();
    let spec = spec();
    let columns = spec.preprocessing.columns.iter().take(names.len());
    let expected: Vec<&str> = columns.map(|c| c.feature.as_str()).collect();
    assert_eq!(names, expected);
    let basic = model(ModelView::Basic).await;
    assert!(basic.features.is_empty() && basic.segments.is_empty() && basic.card_json.is_empty());
    assert_eq!(basic.version, full.version);
}
