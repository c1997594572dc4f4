use crate::model::{Saved, load};
use crate::serve::registry::*;

/// A model of this name; all are the sample's.
fn model(name: &str) -> Arc<Loaded> {
    let saved: Saved = load(Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/models/shop"
    )))
    .unwrap();
    Arc::new(Loaded {
        name: name.into(),
        folder: None,
        served: Served::new(saved).unwrap(),
    })
}

fn shelf(names: &[&str]) -> Shelf {
    let mut shelf = Shelf::new(3, 7);
    names.iter().for_each(|name| shelf.put(model(name)));
    shelf.set_label(Label::Stable, names.first().map(|name| (*name).to_owned()));
    shelf
}

#[test]
fn every_change_has_another_etag_and_old_ones_are_refused() {
    let mut shelf = shelf(&["a", "b"]);
    let first = shelf.etag();
    shelf.activate(Label::Canary, "b", &first).unwrap();
    assert!(matches!(
        shelf.activate(Label::Canary, "a", &first),
        Err(CallError::StaleEtag { .. })
    ));
    let second = shelf.etag();
    shelf.begin("c").unwrap();
    let third = shelf.etag();
    shelf.fail("c", "for the test".into());
    let fourth = shelf.etag();
    assert!(shelf.unload("c", &third).is_err());
    shelf.unload("c", &fourth).unwrap();
    shelf.forget("c");
    let mut all = vec![first, second, third, fourth, shelf.etag()];
    all.dedup();
    assert_eq!(all.len(), 5);
}

#[test]
fn a_model_is_asked_only_while_it_can_answer() {
    let mut shelf = shelf(&["a", "b"]);
    assert!(shelf.select("b").is_ok());
    shelf.unload("b", "").unwrap();
    assert!(matches!(
        shelf.select("b"),
        Err(CallError::ModelState { .. })
    ));
    assert!(
        shelf.begin("b").is_err(),
        "what is being unloaded is not loaded meanwhile"
    );
    shelf.forget("b");
    assert!(matches!(
        shelf.select("b"),
        Err(CallError::UnknownModel { .. })
    ));
    shelf.begin("b").unwrap();
    assert!(matches!(
        shelf.select("b"),
        Err(CallError::ModelState { .. })
    ));
    shelf.forget("b");
    assert!(
        shelf.entries().contains_key("b"),
        "only what is being unloaded is forgotten"
    );
    // A model that is loaded again answers in the meantime, and after a failure.
    shelf.begin("a").unwrap();
    assert!(shelf.select("").is_ok());
    shelf.fail("a", "for the test".into());
    assert!(shelf.select("a").is_ok() && shelf.entries()["a"].state == State::Active);
}

#[test]
fn a_folder_read_again_changes_only_the_model_that_it_was_read_for() {
    let mut shelf = shelf(&["a", "b"]);
    let old = shelf.select("b").unwrap();
    shelf.unload("b", "").unwrap();
    let again = || Ok(Arc::try_unwrap(model("b")).unwrap());
    assert!(!shelf.renew(&old, again()));
    assert!(!shelf.renew(&old, Err("for the test".into())));
    assert_eq!(
        shelf.entries()["b"].state,
        State::Unloading,
        "it stays on its way out"
    );
    shelf.forget("b");
    assert!(
        !shelf.renew(&old, again()) && !shelf.entries().contains_key("b"),
        "it does not come back"
    );
    let stable = shelf.select("").unwrap();
    shelf.renew(&stable, Err("for the test".into()));
    assert_eq!(shelf.entries()["a"].reason, "for the test");
    assert!(!shelf.renew(&stable, Ok(Arc::try_unwrap(model("a")).unwrap())));
    assert_eq!(
        shelf.entries()["a"].reason,
        "",
        "the same version is well again"
    );
}

#[test]
fn a_comparison_begins_anew_with_another_pair_and_not_otherwise() {
    let mut shelf = shelf(&["a", "b"]);
    let (a, b) = (shelf.select("a").unwrap(), shelf.select("b").unwrap());
    let mut tally = Tally::default();
    tally.follow(&shelf);
    assert!(tally.comparison().is_none());
    shelf.set_label(Label::Shadow, Some("b".into()));
    tally.follow(&shelf);
    tally.of_pair(&a, &b).unwrap().skipped = 5;
    shelf.set_label(Label::Canary, Some("b".into()));
    tally.follow(&shelf);
    assert_eq!(tally.comparison().unwrap().skipped, 5);
    shelf.put(model("b"));
    tally.follow(&shelf);
    assert_eq!(tally.comparison().unwrap().skipped, 0);
    assert!(
        tally.of_pair(&a, &b).is_none(),
        "answers of the old pair come too late"
    );
}
