use crate::features::{Catalogue, FeatureSchema};
use crate::history::{Amount, Day, DayRecord, History};
use crate::lifecycle::Thresholds;
use crate::model::*;

/// A bundle with made-up weights: two horizons that disagree for some users.
pub(crate) fn spec() -> BundleSpec {
    let schema = FeatureSchema {
        activity: vec!["purchase".into()],
        other_kinds: vec!["return".into()],
        horizon_days: vec![30, 60],
        amounts: true,
    };
    let catalogue = Catalogue::new(schema.clone()).unwrap();
    let columns = catalogue
        .features()
        .iter()
        .enumerate()
        .map(|(i, f)| Column {
            feature: f.name.clone(),
            scale: f.scale,
            mean: 0.1 * (i % 7) as f64,
            std_dev: 0.5 + 0.1 * (i % 5) as f64,
            clip_min: 0.0,
            clip_max: 7.0,
        });
    let column = |d: &Derived| Column {
        feature: d.name(),
        scale: d.scale(),
        mean: 0.2,
        std_dev: 1.1,
        clip_min: -9.0,
        clip_max: 9.0,
    };
    let bg_nbd = Some(BgNbd {
        r: 0.243,
        alpha: 30.9,
        a: 0.793,
        b: 2.426,
    });
    let derived = Preprocessing {
        columns: Vec::new(),
        bg_nbd,
    }
    .derived(&catalogue);
    let columns: Vec<Column> = columns.chain(derived.iter().map(column)).collect();
    let expansion = Expansion {
        hinges: vec![Hinge {
            column: 0,
            knot: 0.4,
            mean: 0.3,
            std_dev: 0.9,
        }],
        interactions: vec![Interaction {
            first: 0,
            second: columns.len() - 1,
            mean: 0.1,
            std_dev: 2.0,
            clip_min: -5.0,
            clip_max: 5.0,
        }],
    };
    let model = |horizon_days: u16, sign: f64| ChurnModel {
        horizon_days,
        intercept: -0.3,
        expansion: expansion.clone(),
        weights: (0..columns.len() + 2)
            .map(|i| sign * 0.05 * ((i * 31 % 13) as f64 - 6.0))
            .collect(),
        calibration: Calibration {
            intercept: 0.1,
            slope: 0.9,
        },
    };
    let day = |text: &str| text.parse::<Day>().unwrap();
    BundleSpec {
        format_version: FORMAT_VERSION,
        feature_hash: catalogue.hash(),
        models: vec![model(30, 1.0), model(60, -1.0)],
        schema,
        timezone: "Europe/London".into(),
        active_within_days: 180,
        lead_days: 0,
        churn_event: None,
        preprocessing: Preprocessing {
            columns: columns.clone(),
            bg_nbd,
        },
        bands: Bands::default(),
        segments: Segments {
            features: vec!["recency_days".into(), "tenure_days".into()],
            items: vec![
                Segment {
                    name: "recent".into(),
                    centroid: vec![-1.0, 0.0],
                    users: 5,
                    churn_rate: 0.2,
                },
                Segment {
                    name: "lapsed".into(),
                    centroid: vec![3.0, 1.0],
                    users: 4,
                    churn_rate: 0.7,
                },
            ],
        },
        lifecycle: Thresholds::default(),
        training: Training {
            as_of: day("2024-06-01"),
            first_day: day("2023-01-01"),
            last_day: day("2024-05-31"),
            snapshots: vec![],
            rows: 9,
            users: 9,
            data_hash: "0".into(),
            kinds: ["purchase", "return", "survey"].map(str::to_owned).to_vec(),
            seed: 7,
            ebb_version: "0.0.0".into(),
        },
    }
}

fn bundle() -> Bundle {
    Bundle::new(spec(), "test".into()).unwrap()
}

fn users() -> impl Iterator<Item = History> {
    (1..60_i32).map(|user| {
        let visits = (0..1 + user % 9).map(|visit| DayRecord {
            amount: Amount::new(f64::from(user * 7 % 50)).unwrap(),
            day: "2024-06-01"
                .parse::<Day>()
                .unwrap()
                .plus(-1 - user % 150 - visit * (3 + user % 20)),
            count: 1 + (user % 3) as u32,
            kind: u16::from(visit % 4 == 3),
        });
        History::new(visits.collect()).unwrap()
    })
}

fn score<'m>(bundle: &'m Bundle, history: &History) -> Option<Score<'m>> {
    let as_of = bundle.spec().training.as_of;
    match bundle
        .predictor(bundle.catalogue().kinds())
        .predict(Subject::History(history.view()), as_of, 3)
        .unwrap()
    {
        Prediction::Scored(score) => Some(score),
        _ => None,
    }
}

#[test]
fn reasons_add_up_to_the_log_odds_exactly() {
    let bundle = bundle();
    for score in users().filter_map(|u| score(&bundle, &u)) {
        for h in &score.horizons {
            let mut sum = h.base_log_odds;
            sum += h.reasons.iter().map(|r| r.contribution).sum::<f64>() + h.other_contribution;
            assert!((sum - h.log_odds).abs() < 1e-12, "{sum} {}", h.log_odds);
            assert!((crate::math::sigmoid(h.log_odds) - h.probability).abs() < 1e-15);
            assert!(
                h.reasons
                    .is_sorted_by(|a, b| a.contribution.abs() >= b.contribution.abs())
            );
            let told: Vec<bool> = h
                .reasons
                .iter()
                .map(|r| !r.description.is_empty())
                .collect();
            assert_eq!(told, [true, true, true], "three reasons are put into words");
        }
    }
}

#[test]
fn what_is_derived_is_told_by_what_anyone_can_check() {
    let mut spec = spec();
    // Nothing but the probability of silence counts.
    let silent = spec
        .preprocessing
        .columns
        .iter()
        .position(|c| c.feature == "bg_nbd_silent_30d")
        .unwrap();
    for model in &mut spec.models {
        model.weights.iter_mut().for_each(|w| *w = 0.0);
        model.weights[silent] = 1.0;
    }
    let bundle = Bundle::new(spec, "test".into()).unwrap();
    let score = score(&bundle, &users().nth(20).unwrap()).unwrap();
    let reason = &score.horizons[0].reasons[0];
    assert_eq!(
        (reason.feature, reason.unit),
        ("bg_nbd_silent_30d", "probability")
    );
    assert!(
        (0.0..=1.0).contains(&reason.value.unwrap()) && reason.contribution.abs() > 0.01,
        "{reason:?}"
    );
    assert!(
        reason.description.starts_with("last purchase ")
            && reason.description.contains("usually every"),
        "{reason:?}"
    );
}

/// The bundle of the repository, and what its users on whom it is asked are like: those who did much and stopped, those
/// who do much, those who did little.
fn shop() -> (Bundle, Vec<Vec<f64>>) {
    let bundle = load(std::path::Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/models/shop"
    )))
    .unwrap()
    .bundle;
    let kinds = bundle.catalogue().kinds().to_vec();
    let as_of = bundle.spec().training.as_of;
    let visit = kinds.iter().position(|kind| kind == "visit").unwrap() as u16;
    let vectors = (0..600_i32).map(|user| {
        let (gap, silent, times) = (2 + user % 23, 1 + user * 7 % 120, 1 + user * 13 % 60);
        let on = |time: i32, kind: u16| DayRecord {
            amount: Amount::new(f64::from(5 + user * time % 70)).unwrap(),
            day: as_of.plus(-silent - time * gap),
            count: 1 + (time % 3) as u32,
            kind,
        };
        let other = |time: i32| {
            on(
                time,
                if user % 3 == 0 {
                    visit
                } else {
                    (time * user) as u16 % kinds.len() as u16
                },
            )
        };
        let history = History::new(
            (0..times)
                .flat_map(|time| [on(time, 0), other(time)])
                .collect(),
        )
        .unwrap();
        let mut vector = vec![f64::NAN; bundle.catalogue().len()];
        bundle
            .extractor(&kinds)
            .extract(history.view(), as_of, &mut vector);
        vector
    });
    let vectors = vectors.collect();
    (bundle, vectors)
}

/// What a column adds to the log-odds of the shortest horizon.
fn share(bundle: &Bundle, vector: &[f64], name: &str) -> f64 {
    let model = &bundle.spec().models[0];
    let column = bundle
        .spec()
        .preprocessing
        .columns
        .iter()
        .position(|c| c.feature == name)
        .unwrap();
    model.calibration.slope * model.contributions(&bundle.standardise(vector))[column]
}

#[test]
fn a_theme_is_told_by_a_feature_that_goes_its_way() {
    let (bundle, vectors) = shop();
    let mut predictor = bundle.predictor(&[]);
    let (mut told, mut contrasts, mut odd) = (0, 0, Vec::new());
    for vector in &vectors {
        let answer = predictor
            .predict(Subject::Features(vector), bundle.spec().training.as_of, 9)
            .unwrap();
        let Prediction::Scored(score) = answer else {
            continue;
        };
        for reason in &score.horizons[0].reasons {
            let own = share(&bundle, vector, reason.feature);
            assert!(own * reason.contribution > 0.0, "{own} of {reason:?}");
            told += 1;
            contrasts += usize::from(reason.description.contains("none in the last 30 days"));
            // Much of what users stay for, without a word on what was lately, does not raise the risk.
            let position = bundle.catalogue().position_of(reason.feature).ok();
            let expected = position.and_then(|p| {
                bundle.catalogue().features()[p]
                    .quantity
                    .larger_means_leaving()
            });
            let z = position.map_or(0.0, |p| bundle.standardise(vector)[p]);
            let plain = reason.description.contains(": ")
                || reason.description.contains("above the longer run");
            if plain
                && expected.is_some_and(|leaving| {
                    z * reason.contribution * if leaving { 1.0 } else { -1.0 } < 0.0
                })
            {
                odd.push(format!("{reason:?}"));
            }
        }
    }
    assert!(
        told > 2_000 && contrasts > 100,
        "{told} told, {contrasts} by contrast"
    );
    // Where a group has no feature that would be understood, its effect is next to nothing.
    assert!(
        odd.len() * 200 < told,
        "{} of {told}: {}",
        odd.len(),
        odd.join("\n")
    );
}

/// A heavy buyer who stopped, as in the README: what raises the risk is told by what is not there any more.
#[test]
fn many_visits_raise_the_risk_only_beside_none_lately() {
    let (bundle, _) = shop();
    let as_of = bundle.spec().training.as_of;
    let kinds = bundle.catalogue().kinds();
    let visit = kinds.iter().position(|kind| kind == "visit").unwrap() as u16;
    let on = |age: i32, kind: u16| DayRecord {
        amount: Amount::new(20.0).unwrap(),
        day: as_of.plus(-age),
        count: 1,
        kind,
    };
    let history = (0..40)
        .map(|n| on(50 + 4 * n, 0))
        .chain((0..86).map(|n| on(45 + 2 * n, visit)));
    let history = History::new(history.collect()).unwrap();
    let answer = bundle
        .predictor(kinds)
        .predict(Subject::History(history.view()), as_of, 9)
        .unwrap();
    let Prediction::Scored(score) = answer else {
        panic!("not scored")
    };
    let said: Vec<&str> = score.horizons[0]
        .reasons
        .iter()
        .map(|reason| reason.description.as_str())
        .collect();
    assert!(
        said.contains(&"86 visits, none in the last 30 days"),
        "{said:?}"
    );
    assert!(
        !said
            .iter()
            .any(|description| description.contains(", ever: 40")
                || description.contains(", ever: 86")),
        "{said:?}"
    );
}

#[test]
fn the_contributions_are_those_of_the_scoring_model() {
    let bundle = bundle();
    let history = users().nth(20).unwrap();
    let mut vector = vec![f64::NAN; bundle.catalogue().len()];
    let as_of = bundle.spec().training.as_of;
    bundle
        .extractor(bundle.catalogue().kinds())
        .extract(history.view(), as_of, &mut vector);
    let z = bundle.standardise(&vector);
    let model = &bundle.spec().models[0];
    let mut row = z.clone();
    model.expansion.extend(&mut row, 0);
    assert!(
        row.len() == z.len() + 2 && row.iter().all(|x| *x != 0.0),
        "every kind of number takes part"
    );
    let log_odds = 0.1 + 0.9 * model.log_odds(&row);
    assert!((score(&bundle, &history).unwrap().horizons[0].log_odds - log_odds).abs() < 1e-12);
}

#[test]
fn a_longer_silence_is_never_likelier_than_a_shorter_one() {
    let bundle = bundle();
    let mut held = 0;
    for score in users().filter_map(|u| score(&bundle, &u)) {
        let (short, long) = (&score.horizons[0], &score.horizons[1]);
        assert!(long.probability <= short.probability);
        held += usize::from(long.log_odds == short.log_odds);
        assert_eq!(long.horizon_days, 60);
    }
    // The made-up horizons contradict each other, or this test would prove nothing.
    assert!(held > 0);
}

#[test]
fn an_event_that_is_churn_is_likelier_in_a_longer_horizon() {
    let mut event = spec();
    event.churn_event = Some("return".into());
    let bundle = Bundle::new(event, "test".into()).unwrap();
    let scored: Vec<Score<'_>> = users().filter_map(|u| score(&bundle, &u)).collect();
    assert!(!scored.is_empty());
    assert!(
        scored
            .iter()
            .all(|s| s.horizons[0].probability <= s.horizons[1].probability)
    );
}

#[test]
fn who_gets_no_probability_is_told_why() {
    let bundle = bundle();
    let as_of = bundle.spec().training.as_of;
    let mut predictor = bundle.predictor(bundle.catalogue().kinds());
    let mut ask = |rows: &[(i32, u16)]| {
        let record = |&(age, kind): &(i32, u16)| DayRecord {
            amount: Amount::default(),
            day: as_of.plus(-age),
            count: 1,
            kind,
        };
        let history = History::new(rows.iter().map(record).collect()).unwrap();
        predictor
            .predict(Subject::History(history.view()), as_of, 3)
            .unwrap()
    };
    assert_eq!(ask(&[]), Prediction::TooNew);
    assert_eq!(
        ask(&[(0, 0)]),
        Prediction::TooNew,
        "an event on the as-of day is not seen"
    );
    assert_eq!(
        ask(&[(5, 1)]),
        Prediction::TooNew,
        "a return is no activity"
    );
    assert_eq!(
        ask(&[(181, 0)]),
        Prediction::Inactive {
            recency_days: 181.0
        }
    );
    assert!(matches!(ask(&[(180, 0)]), Prediction::Scored(_)));
}

#[test]
fn a_feature_vector_needs_what_every_answer_needs() {
    let bundle = bundle();
    let as_of = bundle.spec().training.as_of;
    let mut predictor = bundle.predictor(&[]);
    let mut ask = |vector: &[f64]| {
        predictor
            .predict(Subject::Features(vector), as_of, 3)
            .unwrap_err()
            .to_string()
    };
    assert!(ask(&[1.0]).contains("1 values"));
    let never = bundle
        .catalogue()
        .vector([("active_days", 0.0)].into_iter())
        .unwrap();
    let answer = bundle
        .predictor(&[])
        .predict(Subject::Features(&never), as_of, 0)
        .unwrap();
    assert_eq!(
        answer,
        Prediction::TooNew,
        "a user without activity, whose recency cannot be known"
    );
    assert!(ask(&vec![f64::NAN; bundle.catalogue().len()]).contains("tenure_days"));
}

#[test]
fn a_bundle_whose_parts_disagree_is_refused_by_name() {
    type Change = fn(&mut BundleSpec);
    let cases: [(Change, &str); 12] = [
        (|s| s.feature_hash = "00".into(), "feature hash"),
        (|s| drop(s.preprocessing.columns.pop()), "columns"),
        (|s| s.preprocessing.columns[3].std_dev = 0.0, "columns["),
        (
            |s| s.preprocessing.columns[3].feature = "else".into(),
            "columns[else]",
        ),
        (|s| s.preprocessing.bg_nbd = None, "preprocessing.columns"),
        (
            |s| s.preprocessing.bg_nbd.as_mut().unwrap().alpha = 0.0,
            "preprocessing.bg_nbd",
        ),
        (
            |s| s.models[0].expansion.hinges[0].column = 99,
            "models[30 days].expansion",
        ),
        (|s| s.models[0].weights[2] = f64::NAN, "models[30 days]"),
        (|s| drop(s.models.pop()), "models"),
        (
            |s| s.segments.items[0].centroid.clear(),
            "segments.items[0]",
        ),
        (|s| s.bands.high = 0.1, "bands"),
        (|s| s.timezone = "Mars/Olympus".into(), "Mars/Olympus"),
    ];
    for (change, expected) in cases {
        let mut changed = spec();
        change(&mut changed);
        let message = Bundle::new(changed, "test".into()).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_saved_bundle_loads_as_it_was_and_a_touched_one_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop");
    let saved = save(&path, spec(), "{}", "<html></html>").unwrap();
    let loaded = load(&path).unwrap();
    assert_eq!(loaded.bundle, saved);
    assert_eq!(loaded.bundle.version().len(), 12);
    // Saving again replaces it.
    save(&path, spec(), "{}", "<html></html>").unwrap();
    for name in ["bundle.json", "golden.json", "card.json", "report.html"] {
        let file = path.join(name);
        let whole = std::fs::read(&file).unwrap();
        std::fs::write(&file, &whole[..whole.len() - 1]).unwrap();
        let message = load(&path).unwrap_err().to_string();
        assert!(
            message.contains(name) && message.contains("damaged"),
            "{message}"
        );
        std::fs::write(&file, &whole).unwrap();
    }
    load(&path).unwrap();
}

#[test]
fn a_folder_that_is_no_bundle_is_not_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model");
    save(&path, spec(), "{}", "").unwrap();
    let manifest = std::fs::read(path.join("MANIFEST.sha256")).unwrap();
    std::fs::remove_file(path.join("MANIFEST.sha256")).unwrap();
    assert!(matches!(
        save(&path, spec(), "{}", ""),
        Err(ModelError::NotABundle { .. })
    ));
    std::fs::write(path.join("MANIFEST.sha256"), manifest).unwrap();
    std::fs::write(path.join("thesis.txt"), "years of work").unwrap();
    let message = save(&path, spec(), "{}", "").unwrap_err().to_string();
    assert!(
        message.contains("holds `thesis.txt`, which was not written by ebb-train"),
        "{message}"
    );
    assert!(path.join("thesis.txt").exists());
    std::fs::remove_file(path.join("thesis.txt")).unwrap();
    save(&path, spec(), "{}", "").unwrap();
}

/// The golden answers catch a build that computes something else, even one bit.
#[test]
fn golden_answers_notice_a_weight_that_moved_by_one_bit() {
    let golden = Golden::record(&bundle()).unwrap();
    golden.replay(&bundle()).unwrap();
    assert!(
        golden
            .cases
            .iter()
            .filter(|c| !c.horizons.is_empty())
            .count()
            >= 6,
        "most made-up users are scored"
    );
    let mut changed = spec();
    let weight = &mut changed.models[0].weights[0];
    *weight = f64::from_bits(weight.to_bits() + 1);
    changed.models[0].weights[0] *= 1.0 + 1e-12;
    let other = Bundle::new(changed, "test".into()).unwrap();
    assert!(
        golden
            .replay(&other)
            .unwrap_err()
            .to_string()
            .contains("churn probabilities")
    );
    assert!(Golden { cases: vec![] }.replay(&bundle()).is_err());
}
