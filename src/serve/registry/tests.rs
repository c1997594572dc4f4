use std::path::Path;

use crate::model::{Saved, load};
use crate::serve::registry::*;
use crate::serve::wire;

/// A model of this name; all are the sample's.
fn model(name: &str) -> Arc<ServedModel> {
    let saved: Saved = load(Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/models/shop"
    )))
    .unwrap();
    Arc::new(ServedModel::new(name, saved).unwrap())
}

fn table(names: &[&str]) -> ModelTable {
    let mut table = ModelTable::new(3, 7);
    names.iter().for_each(|name| table.put(model(name)));
    table.set_label(Label::Stable, names.first().map(|name| (*name).to_owned()));
    table
}

#[test]
fn every_change_has_another_etag_and_old_ones_are_refused() {
    let mut table = table(&["a", "b"]);
    let first = table.etag();
    table.activate(Label::Canary, "b", &first).unwrap();
    assert!(matches!(
        table.activate(Label::Canary, "a", &first),
        Err(CallError::StaleEtag { .. })
    ));
    let second = table.etag();
    table.begin("c").unwrap();
    let third = table.etag();
    table.fail("c", "for the test".into());
    let fourth = table.etag();
    assert!(table.unload("c", &third).is_err());
    table.unload("c", &fourth).unwrap();
    table.remove("c");
    let mut all = vec![first, second, third, fourth, table.etag()];
    all.dedup();
    assert_eq!(all.len(), 5);
}

#[test]
fn a_model_is_selected_only_while_it_can_answer() {
    let mut table = table(&["a", "b"]);
    assert!(table.select("b").is_ok());
    table.unload("b", "").unwrap();
    assert!(matches!(
        table.select("b"),
        Err(CallError::ModelState { .. })
    ));
    assert!(
        table.begin("b").is_err(),
        "what is being unloaded is not loaded meanwhile"
    );
    table.remove("b");
    assert!(matches!(
        table.select("b"),
        Err(CallError::UnknownModel { .. })
    ));
    table.begin("b").unwrap();
    assert!(matches!(
        table.select("b"),
        Err(CallError::ModelState { .. })
    ));
    table.remove("b");
    assert!(
        table.status("b").is_some(),
        "only what is being unloaded is removed"
    );
    // A model that is loaded again answers in the meantime, and after a failure.
    table.begin("a").unwrap();
    assert!(table.select("").is_ok());
    table.fail("a", "for the test".into());
    assert!(table.select("a").is_ok() && table.status("a").unwrap().state == ModelState::Active);
}

#[test]
fn a_folder_read_again_changes_only_the_model_that_it_was_read_for() {
    let mut table = table(&["a", "b"]);
    let old = table.select("b").unwrap();
    table.unload("b", "").unwrap();
    let again = || Ok(Arc::try_unwrap(model("b")).unwrap());
    assert!(!table.renew(&old, again()));
    assert!(!table.renew(&old, Err("for the test".into())));
    assert_eq!(
        table.status("b").unwrap().state,
        ModelState::Unloading,
        "it stays on its way out"
    );
    table.remove("b");
    assert!(
        !table.renew(&old, again()) && table.status("b").is_none(),
        "it does not come back"
    );
    let stable = table.select("").unwrap();
    table.renew(&stable, Err("for the test".into()));
    assert_eq!(table.status("a").unwrap().reason, "for the test");
    assert!(!table.renew(&stable, Ok(Arc::try_unwrap(model("a")).unwrap())));
    assert_eq!(
        table.status("a").unwrap().reason,
        "",
        "the same version is well again"
    );
}

#[test]
fn statistics_begin_anew_with_another_pair_and_not_otherwise() {
    let mut table = table(&["a", "b"]);
    let (a, b) = (table.select("a").unwrap(), table.select("b").unwrap());
    let mut tracker = ShadowTracker::default();
    tracker.follow(&table);
    assert!(tracker.stats().is_none());
    table.set_label(Label::Shadow, Some("b".into()));
    tracker.follow(&table);
    tracker.of_pair(&a, &b).unwrap().skipped = 5;
    table.set_label(Label::Canary, Some("b".into()));
    tracker.follow(&table);
    assert_eq!(tracker.stats().unwrap().skipped, 5);
    table.put(model("b"));
    tracker.follow(&table);
    assert_eq!(tracker.stats().unwrap().skipped, 0);
    assert!(
        tracker.of_pair(&a, &b).is_none(),
        "answers of the old pair come too late"
    );
}

#[test]
fn pages_of_models_join_to_the_list() {
    let table = table(&["a", "b", "c"]);
    let first = table.page("", 2).unwrap();
    assert!(first.has_more && first.etag == table.etag());
    let rest = table.page(&first.models[1].name, 2).unwrap();
    assert!(!rest.has_more);
    let whole: Vec<ModelStatus> = first.models.into_iter().chain(rest.models).collect();
    assert_eq!(whole, table.statuses());
    assert!(!table.page("", 3).unwrap().has_more);
    assert!(table.page("c", 3).unwrap().models.is_empty());
    assert!(matches!(table.page("aa", 2), Err(CallError::Field { .. })));
}

/// A score with one horizon of 30 days.
fn score(probability: f64, band: wire::RiskBand, stage: wire::Stage) -> wire::Score {
    wire::Score {
        status: wire::ScoreStatus::Scored.into(),
        stage: stage.into(),
        horizons: vec![wire::HorizonScore {
            horizon_days: 30,
            churn_probability: probability,
            risk_band: band.into(),
            ..wire::HorizonScore::default()
        }],
        ..wire::Score::default()
    }
}

#[test]
fn statistics_count_each_difference_from_the_score_that_was_returned() {
    use wire::{RiskBand, Stage};
    let returned = score(0.5, RiskBand::Medium, Stage::Growth);
    let mut stats = ShadowStats::default();
    assert_eq!(stats.mean_difference(), 0.0);
    stats.add(
        &returned,
        Some(&score(0.25, RiskBand::Medium, Stage::Mature)),
    );
    stats.add(
        &returned,
        Some(&score(0.625, RiskBand::High, Stage::Growth)),
    );
    let counts = |stats: &ShadowStats| {
        [
            stats.compared,
            stats.risk_band_mismatches,
            stats.stage_mismatches,
            stats.unscored,
        ]
    };
    assert_eq!(counts(&stats), [2, 1, 1, 0]);
    assert_eq!(
        (stats.mean_difference(), stats.max_difference),
        (0.1875, 0.25)
    );
    // A failure, another status and other horizons leave nothing to compare with.
    let inactive = wire::Score {
        status: wire::ScoreStatus::Inactive.into(),
        ..returned.clone()
    };
    let mut longer = returned.clone();
    longer.horizons[0].horizon_days = 60;
    for shadow in [None, Some(&inactive), Some(&longer)] {
        stats.add(&returned, shadow);
    }
    assert_eq!(counts(&stats), [2, 1, 1, 3]);
    // A user without a returned score is not compared at all.
    stats.add(&inactive, Some(&returned));
    assert_eq!(counts(&stats), [2, 1, 1, 3]);
}

/// A registry whose loads may take this long.
fn registry(load_limit: Duration) -> ModelRegistry {
    ModelRegistry::new(None, Labels::default(), 3, 7, load_limit, Arc::default())
}

#[tokio::test]
async fn a_load_that_hangs_is_given_up_and_holds_a_place_until_it_ends() {
    let registry = registry(Duration::ZERO);
    let mut held = Vec::new();
    for _ in 0..READS_MAX {
        let (hold, hangs) = std::sync::mpsc::channel::<()>();
        held.push(hold);
        let given_up = registry.aside(move || Ok(hangs.recv().is_ok())).await;
        let problem = given_up.unwrap_err();
        assert!(problem.contains("limits.model_load_seconds"), "{problem}");
    }
    let problem = registry.aside(|| Ok(())).await.unwrap_err();
    assert!(problem.contains("4 earlier loads"), "{problem}");
    // They come to their ends.
    drop(held);
    let all = READS_MAX.try_into().unwrap();
    drop(registry.reads.acquire_many(all).await.unwrap());
}

#[tokio::test]
async fn one_load_that_hangs_does_not_hold_up_the_next() {
    let registry = registry(Duration::from_secs(20));
    // As one that was given up leaves it.
    let place = Arc::clone(&registry.reads).try_acquire_owned().unwrap();
    assert_eq!(registry.aside(|| Ok(7)).await, Ok(7));
    let crashed: Result<u8, String> = registry.aside(|| std::panic::panic_any(())).await;
    assert_eq!(crashed.unwrap_err(), "reading it crashed");
    // Neither holds its place any longer.
    drop(place);
    assert_eq!(registry.reads.available_permits(), READS_MAX);
}
