//! The shadow scores what the stable model has scored, and its scores are never returned.

use super::models::server_of_two;
use super::*;

#[tokio::test]
async fn a_shadow_is_compared_and_never_answers() {
    let (_dir, server, [live, _]) = server_of_two().await;
    server.load_model("next", false).await.unwrap();
    assert_eq!(server.list().await.shadow, None);
    server
        .activate(ModelLabel::Shadow, "next", "")
        .await
        .unwrap();
    let (ours, theirs) = (
        server.score(ask(user("ann"))).await.unwrap(),
        server
            .score(ScoreUserRequest {
                model: "next".into(),
                ..ask(user("ann"))
            })
            .await
            .unwrap(),
    );
    assert_eq!(ours.model_version, live);
    // Users are skipped while a computation waits for a thread: repeat until enough were compared.
    until(async || {
        let subjects = ["ann", "dan", "ola", "nobody"].map(user).to_vec();
        server
            .batch(BatchScoreUsersRequest {
                subjects,
                as_of: END.into(),
                ..Default::default()
            })
            .await
            .unwrap();
        server.list().await.shadow.unwrap().compared >= 3
    })
    .await;
    let report = server.list().await.shadow.unwrap();
    let difference =
        (ours.horizons[0].churn_probability - theirs.horizons[0].churn_probability).abs();
    assert_eq!((report.name.as_str(), report.unscored), ("next", 0));
    assert!(
        difference > 0.01 && report.max_difference >= difference && report.mean_difference > 0.0
    );
    let other = u64::from(ours.horizons[0].risk_band != theirs.horizons[0].risk_band);
    assert!(report.risk_band_mismatches >= other && report.stage_mismatches == 0);
    server.activate(ModelLabel::Shadow, "", "").await.unwrap();
    assert_eq!(server.list().await.shadow, None);
}
