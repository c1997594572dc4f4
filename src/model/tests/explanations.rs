use super::{bundle, score, seasonal_spec, spec, standardised, users};
use crate::features::FeatureGroup;
use crate::history::{Amount, DayRecord, History};
use crate::model::*;

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
            let described = h.reasons.iter().filter(|r| !r.description.is_empty());
            assert_eq!(described.count(), 3, "three reasons are put into words");
        }
    }
}

#[test]
fn a_derived_number_is_described_by_what_anyone_can_check() {
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

#[test]
fn a_season_is_a_reason_of_its_own() {
    let mut spec = seasonal_spec();
    let mut columns = spec.preprocessing.columns.iter();
    let season = columns
        .position(|c| c.feature == "active_days_30d_1y_ago")
        .unwrap();
    spec.preprocessing.columns[season].mean = 0.5;
    // More activity in it lowers churn, and nothing else counts.
    for model in &mut spec.models {
        model.weights.iter_mut().for_each(|w| *w = 0.0);
        model.weights[season] = -1.0;
    }
    let bundle = Bundle::new(spec, "test".into()).unwrap();
    let reason = |ages: &[i32]| {
        let purchase = |age: &i32| DayRecord {
            amount: Amount::default(),
            day: bundle.spec().training.as_of.plus(-age),
            count: 1,
            kind: 0,
        };
        let history = History::new(ages.iter().map(purchase).collect()).unwrap();
        let mut predictor = bundle.predictor(bundle.catalogue().kinds());
        let user = Subject::History(history.view());
        // As many reasons as there are groups, so that one without effect is among them.
        let prediction = predictor.predict(user, bundle.spec().training.as_of, 7);
        let Prediction::Scored(score) = prediction.unwrap() else {
            panic!("no score");
        };
        let mut reasons = score.horizons[0].reasons.iter();
        let reason = reasons.find(|r| r.group == FeatureGroup::Season).unwrap();
        (reason.contribution, reason.description.clone())
    };
    // The label window that starts a week from the as-of day was 358 to 329 days ago.
    let (stays, active) = reason(&[400, 350, 340, 330, 5]);
    assert!(stays < 0.0, "{stays}");
    assert_eq!(
        active,
        "3 days with a purchase in the same 30 days a year ago, of 4 in the year from then on"
    );
    let (leaves, silent) = reason(&[400, 320, 5]);
    assert!(leaves > 0.0, "{leaves}");
    assert_eq!(
        silent,
        "no purchase in the same 30 days a year ago, though on 2 days of the year from then on"
    );
    let (nothing, unknown) = reason(&[300, 5]);
    assert_eq!(nothing, 0.0);
    assert!(unknown.ends_with(": unknown"), "{unknown}");
}

/// The bundle of the repository, and feature vectors of users who did much and stopped, who do much, who did little.
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
    model.calibration.slope * model.contributions(&standardised(bundle, vector))[column]
}

#[test]
fn a_group_is_explained_by_a_feature_of_the_same_sign() {
    let (bundle, vectors) = shop();
    let mut predictor = bundle.predictor(&[]);
    let (mut reasons, mut contrasts, mut odd) = (0, 0, Vec::new());
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
            reasons += 1;
            contrasts += usize::from(reason.description.contains("none in the last 30 days"));
            // Much of what users stay for, without a word on what was lately, does not raise the risk.
            let position = bundle.catalogue().position_of(reason.feature).ok();
            let expected = position.and_then(|p| {
                bundle.catalogue().features()[p]
                    .quantity
                    .larger_means_leaving()
            });
            let z = position.map_or(0.0, |p| standardised(&bundle, vector)[p]);
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
        reasons > 2_000 && contrasts > 100,
        "{reasons} reasons, {contrasts} by contrast"
    );
    // Where a group has no feature that would be understood, its effect is next to nothing.
    assert!(
        odd.len() * 200 < reasons,
        "{} of {reasons}: {}",
        odd.len(),
        odd.join("\n")
    );
}

/// A heavy buyer who stopped, as in the README: what raises the risk is what is not there any more.
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
    let descriptions: Vec<&str> = score.horizons[0]
        .reasons
        .iter()
        .map(|reason| reason.description.as_str())
        .collect();
    assert!(
        descriptions.contains(&"86 visits, none in the last 30 days"),
        "{descriptions:?}"
    );
    assert!(
        !descriptions
            .iter()
            .any(|description| description.contains(", ever: 40")
                || description.contains(", ever: 86")),
        "{descriptions:?}"
    );
}
