//! What users are worth, in every form of an answer: the bits of the file of scores.

use std::collections::BTreeMap;

use ebb::batch::scores::{Target, write_scores};
use ebb::model::{
    Expansion, ParetoNbd, RfmCuts, SpendIntervalBand, SpendIntervals, SpendModel, SpendRegression,
};
use ebb::phases::Phases;
use tonic::Code;

use super::inference::request;
use super::listing::{list, many};
use super::*;
use crate::support::spec_of;

/// The tests' bundle with a value model.
fn value_spec() -> BundleSpec {
    value_spec_of(&["purchase", "return"])
}

/// The same with orders of these kinds.
fn value_spec_of(value_kinds: &[&str]) -> BundleSpec {
    let spec = spec_of(0, 0, value_kinds);
    let tier = |name: &str, from: f64| ebb::model::ValueTier {
        name: name.into(),
        from,
    };
    let regression = SpendRegression {
        intercept: 3.0,
        expansion: Expansion {
            hinges: Vec::new(),
            interactions: Vec::new(),
        },
        weights: (0..spec.preprocessing.columns.len())
            .map(|i| ((i * 3) % 7) as f64 / 60.0 - 0.05)
            .collect(),
    };
    let value = ebb::model::ValueModel {
        currency: Some("GBP".into()),
        margin: 0.35,
        horizon_days: 180,
        learnt_days: 180,
        annual_discount: 0.1,
        residual_years: Some(3.0),
        orders: ParetoNbd {
            r: 0.55,
            alpha: 74.0,
            s: 0.6,
            beta: 82.0,
        },
        spend: SpendModel::Mean(24.0),
        regression: Some(regression),
        regression_share: 0.5,
        level: 1.1,
        intervals: SpendIntervals {
            covers: 0.8,
            bands: vec![SpendIntervalBand {
                from: 0.0,
                low: 0.25,
                high: 2.5,
            }],
        },
        tiers: vec![tier("high", 60.0), tier("medium", 20.0), tier("low", 0.0)],
        rfm: RfmCuts {
            recency_days: vec![15.0, 30.0, 60.0, 120.0],
            orders: vec![1.0, 2.0, 4.0, 8.0],
            amount: vec![20.0, 50.0, 100.0, 300.0],
        },
    };
    BundleSpec {
        value: Some(value),
        ..spec
    }
}

/// A server of the model with a value part that knows many users.
async fn worth() -> Running {
    let load = || stock_of(value_spec(), Some(many()));
    Running::of(limited(Limits::default()), load).await
}

/// The rows of the file of scores by user and column; those of the shortest horizon.
fn file() -> BTreeMap<String, BTreeMap<String, String>> {
    let bundle = Bundle::new(value_spec(), VERSION.into()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scores.csv");
    let target = Target::new(&path).unwrap();
    let as_of = END.parse().unwrap();
    write_scores(&bundle, &many(), as_of, &target, Phases::UNOBSERVED).unwrap();
    let mut reader = csv::Reader::from_path(&path).unwrap();
    let rows = reader.deserialize::<BTreeMap<String, String>>();
    rows.map(Result::unwrap)
        .filter(|row| row["horizon_days"] == "30")
        .map(|row| (row["user_id"].clone(), row))
        .collect()
}

/// A value as the columns of the file.
fn columns(value: &ValueEstimate) -> BTreeMap<&'static str, String> {
    let number = |x: Option<f64>| x.map_or_else(String::new, |x| x.to_string());
    let rfm = value
        .rfm
        .map(|rfm| format!("{}-{}-{}", rfm.recency, rfm.frequency, rfm.monetary));
    let status = match value.status() {
        ValueStatus::Estimated => "estimated",
        ValueStatus::NoSpend => "no_spend",
        ValueStatus::Unknown => "unknown",
        ValueStatus::Unspecified => "never sent",
    };
    BTreeMap::from([
        ("value_expected_spend", number(value.expected_spend)),
        ("value_low", number(value.low)),
        ("value_high", number(value.high)),
        ("value_residual", number(value.residual_value)),
        ("value_at_risk", number(value.value_at_risk)),
        ("value_tier", value.tier.clone()),
        ("rfm", rfm.unwrap_or_default()),
        ("value_status", status.to_owned()),
    ])
}

fn by_value() -> ListUsersRequest {
    ListUsersRequest {
        page_size: 1_000,
        order: UserOrder::ValueAtRisk.into(),
        ..ListUsersRequest::default()
    }
}

fn value_of(user: &ListedUser) -> &ValueEstimate {
    user.score.as_ref().unwrap().value.as_ref().unwrap()
}

#[tokio::test]
async fn a_listing_by_value_at_risk_has_the_columns_of_the_file() {
    let server = worth().await;
    let page = list(&server, by_value()).await.unwrap();
    let file = file();
    assert_eq!(page.users.len(), file.len());
    let (mut statuses, mut tiers) = (BTreeMap::new(), BTreeMap::new());
    for user in &page.users {
        let value = value_of(user);
        for (name, text) in columns(value) {
            assert_eq!(
                text, file[&user.user_id][name],
                "{} of {}",
                name, user.user_id
            );
        }
        assert_eq!((value.currency.as_str(), value.interval), ("GBP", 0.8));
        assert_eq!((value.horizon_days, value.risk_horizon_days), (180, 90));
        assert_eq!(value.reasons.len(), 3);
        for reason in &value.reasons {
            assert!((reason.factor.ln() - reason.contribution).abs() < 1e-12);
        }
        *statuses.entry(value.status()).or_insert(0) += 1;
        *tiers.entry(value.tier.clone()).or_insert(0) += 1;
    }
    assert!(
        statuses.len() == 2 && tiers.len() == 3,
        "{statuses:?} {tiers:?}"
    );
    let at_risk: Vec<f64> = page
        .users
        .iter()
        .map(|user| value_of(user).value_at_risk.unwrap())
        .collect();
    assert!(at_risk.is_sorted_by(|a, b| a >= b) && at_risk[0] > at_risk[at_risk.len() - 1]);
    // The negative control: the order by risk is another one.
    let risky = ListUsersRequest {
        order: UserOrder::Risk.into(),
        ..by_value()
    };
    let risky = list(&server, risky).await.unwrap();
    let ids = |page: &ListUsersResponse| -> Vec<String> {
        page.users.iter().map(|user| user.user_id.clone()).collect()
    };
    assert_ne!(ids(&risky), ids(&page));
    server.stop().await;
}

#[tokio::test]
async fn tiers_are_a_filter_whose_pages_belong_together() {
    let server = worth().await;
    let of = |tiers: &[&str], token: &str| ListUsersRequest {
        page_size: 1,
        page_token: token.to_owned(),
        value_tiers: tiers.iter().map(|tier| (*tier).to_owned()).collect(),
        ..by_value()
    };
    let high = list(&server, of(&["high"], "")).await.unwrap();
    assert!(high.users.iter().all(|user| value_of(user).tier == "high"));
    let file = file();
    let expected = file.values().filter(|row| row["value_tier"] == "high");
    assert_eq!(high.total_size, expected.count() as u64);
    assert!(!high.next_page_token.is_empty(), "there are more");
    let wrong = list(&server, of(&["low"], &high.next_page_token)).await;
    assert!(wrong.unwrap_err().message().starts_with("page_token: "));
    let unknown = list(&server, of(&["high", "hihg"], "")).await.unwrap_err();
    assert_eq!(unknown.code(), Code::InvalidArgument);
    assert_eq!(
        unknown.message(),
        "value_tiers[1]: the model has no tier `hihg`, but high, medium, low"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_model_without_a_value_part_has_neither_value_nor_its_order() {
    let server = Running::with(Limits::default(), Some(many())).await;
    let refused = list(&server, by_value()).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(
        refused
            .message()
            .starts_with("order: the model has no value part")
    );
    let tier = ListUsersRequest {
        value_tiers: vec!["high".into()],
        ..ListUsersRequest::default()
    };
    let refused = list(&server, tier).await.unwrap_err();
    assert!(
        refused
            .message()
            .starts_with("value_tiers[0]: the model has no value part")
    );
    assert_eq!(server.score(ask(user("ann"))).await.unwrap().value, None);
    let model = server.models().get_model(GetModelRequest::default()).await;
    let model = model.unwrap().into_inner().model.unwrap();
    assert_eq!(model.value_model, None);
    server.stop().await;
}

#[tokio::test]
async fn the_model_describes_how_value_is_estimated() {
    let server = worth().await;
    let model = server.models().get_model(GetModelRequest::default()).await;
    let model = model.unwrap().into_inner().model.unwrap();
    let value = model.value_model.unwrap();
    let bounds: Vec<(&str, f64)> = value
        .tiers
        .iter()
        .map(|tier| (tier.name.as_str(), tier.from_residual_value))
        .collect();
    assert_eq!(bounds, [("high", 60.0), ("medium", 20.0), ("low", 0.0)]);
    assert_eq!((value.margin, value.annual_discount), (0.35, 0.1));
    assert_eq!(
        (value.residual_years, value.regression_share),
        (Some(3.0), 0.5)
    );
    assert_eq!((value.horizon_days, value.learnt_days), (180, 180));
    server.stop().await;
}

#[tokio::test]
async fn tensors_have_the_bits_of_features_and_features_without_orders_have_no_value() {
    let server = worth().await;
    let bundle = Bundle::new(value_spec(), VERSION.into()).unwrap();
    let names = ["ann", "dan"];
    let rows = names.map(|id| vector_of(&bundle, &log(), id, END));
    let width = bundle.catalogue().len();
    let mut matrix = inference::tensor("features", &[2, width]);
    matrix.contents = inference::typed(rows.iter().flatten().copied());
    let answer = server
        .infer(request(vec![matrix], Vec::new()))
        .await
        .unwrap();
    let output = |name: &str| {
        let at = answer.outputs.iter().position(|output| output.name == name);
        &answer.raw_output_contents[at.unwrap()]
    };
    let mut tiers = Vec::new();
    for (row, vector) in rows.iter().enumerate() {
        let packed = Subject {
            subject: Some(SubjectForm::PackedFeatures(PackedFeatures {
                values: vector.clone(),
            })),
            attributes: Vec::new(),
        };
        let asked = ScoreUserRequest {
            feature_hash: bundle.spec().feature_hash.clone(),
            ..ask(packed)
        };
        let Some(value) = server.score(asked).await.unwrap().value else {
            panic!("{} has a score", names[row]);
        };
        for (name, figure) in [
            ("value_expected_spend", value.expected_spend),
            ("value_residual", value.residual_value),
            ("value_at_risk", value.value_at_risk),
        ] {
            let bytes = &output(name)[row * 8..][..8];
            assert_eq!(bytes, figure.unwrap().to_le_bytes(), "{name}");
        }
        tiers.extend((value.tier.len() as u32).to_le_bytes());
        tiers.extend(value.tier.bytes());
    }
    assert_eq!(&output("value_tier")[..], tiers);

    let orders = ["order_days", "recency_order_days", "order_age_days"];
    let mut lacking = rows[0].clone();
    for (value, feature) in lacking.iter_mut().zip(bundle.catalogue().features()) {
        if orders.contains(&feature.name.as_str()) {
            *value = f64::NAN;
        }
    }
    let asked = ScoreUserRequest {
        feature_hash: bundle.spec().feature_hash.clone(),
        ..ask(Subject {
            subject: Some(SubjectForm::PackedFeatures(PackedFeatures {
                values: lacking,
            })),
            attributes: Vec::new(),
        })
    };
    let score = server.score(asked).await.unwrap();
    assert_eq!(score.status(), ScoreStatus::Scored);
    let value = score.value.unwrap();
    assert_eq!(value.status(), ValueStatus::Unknown);
    assert_eq!(
        (value.expected_spend, value.value_at_risk, value.rfm),
        (None, None, None)
    );
    server.stop().await;
}

/// Refunds have no features of their own. Their amounts make orders all the same, in every form of a subject.
#[tokio::test]
async fn amounts_of_a_kind_without_features_count() {
    let refunded = |left_of_visit: &dyn Fn(i64) -> f64| -> Vec<LogEvent> {
        let log = log();
        let refunds = of(&log, "ann").filter(|event| event.kind == "purchase");
        let refunds = refunds.enumerate().filter(|(visit, _)| visit % 3 == 0);
        let refunds: Vec<LogEvent> = refunds
            .map(|(visit, event)| LogEvent {
                kind: "refund",
                unix_s: event.unix_s + 60,
                amount: left_of_visit(visit as i64) - event.amount,
                ..*event
            })
            .collect();
        [log, refunds].concat()
    };
    // Every third purchase is paid back: in whole, or but for a pound.
    let (whole, part) = (refunded(&|_| 0.0), refunded(&|_| 1.0));
    let spec = value_spec_of(&["purchase", "refund"]);
    assert!(!spec.schema.other_kinds.contains(&"refund".to_owned()));
    let users = histories(&whole);
    let server = Running::of(limited(Limits::default()), move || {
        stock_of(spec, Some(users))
    })
    .await;
    let value = async |subject| {
        let score = server.score(ask(subject)).await.unwrap();
        assert_eq!(score.unknown_kinds, []);
        score.value.unwrap()
    };
    let known = value(user("ann")).await;
    for subject in [as_events(&whole, "ann"), as_days(&whole, "ann")] {
        assert_eq!(value(subject).await, known);
    }
    let in_part = value(as_events(&part, "ann")).await;
    assert!(in_part.expected_order_days.unwrap() > known.expected_order_days.unwrap());
    let unpaid = value(as_events(&log(), "ann")).await;
    assert_eq!(unpaid.expected_order_days, in_part.expected_order_days);
    assert_ne!(unpaid.expected_spend, in_part.expected_spend);
    // The negative control: by a model that does not ask for refunds they change nothing.
    let other = worth().await;
    let mut answers = Vec::new();
    for events in [&whole, &part] {
        let score = other.score(ask(as_events(events, "ann"))).await.unwrap();
        assert_eq!(score.unknown_kinds.len(), 1);
        answers.push(score.value.unwrap());
    }
    assert_eq!(answers[0], answers[1]);
    server.stop().await;
    other.stop().await;
}
