//! Which users are eligible: the trainer's rows and the predictor's answers come from one rule.

use std::collections::BTreeSet;

use ebb::history::{Amount, DayRecord, History};
use ebb::lifecycle::NotEligible;
use ebb::model::{Bundle, BundleSpec, Prediction, Subject};
use ebb::train::data::labels::Labeller;
use ebb::train::data::snapshots::Observed;
use ebb::train::settings::ChurnConfig;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::{day, spec};

/// Three kinds of activity, one other, the event that is churn, and one that the model does not read.
const KINDS: [&str; 6] = ["visit", "purchase", "booking", "return", "cancel", "survey"];
const ACTIVE_WITHIN_DAYS: u32 = 30;

fn churn_spec(churn_event: Option<&str>) -> BundleSpec {
    BundleSpec {
        churn_event: churn_event.map(str::to_owned),
        active_within_days: ACTIVE_WITHIN_DAYS,
        ..spec()
    }
}

/// The trainer's settings that go with a model.
fn churn_config(spec: &BundleSpec) -> ChurnConfig {
    ChurnConfig {
        activity: spec.schema.activity.clone(),
        horizon_days: spec.schema.horizon_days.clone(),
        active_within_days: spec.active_within_days,
        lead_days: spec.lead_days,
        churn_event: spec.churn_event.clone(),
    }
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one property, with the two rules side by side"
)]
fn the_trainer_and_the_predictor_decide_alike() {
    let kinds = KINDS.map(str::to_owned);
    let origin = day("2011-01-01");
    let mut decisions = BTreeSet::new();
    for churn_event in [None, Some("cancel"), Some("return"), Some("never seen")] {
        let spec = churn_spec(churn_event);
        let labeller = Labeller::new(
            &churn_config(&spec),
            &kinds,
            Observed {
                first: origin,
                until: day("2020-01-01"),
                holes: Vec::new(),
            },
        );
        let bundle = Bundle::new(spec, "test".into()).unwrap();
        let rows = prop::collection::vec((0_i32..120, 0_u16..6), 0..8);
        let mut runner = TestRunner::new(Config {
            cases: 1_500,
            ..Config::default()
        });
        let outcome = runner.run(&(rows, 0_i32..160), |(rows, date)| {
            let record = |&(at, kind): &(i32, u16)| DayRecord {
                amount: Amount::default(),
                day: origin.plus(at),
                count: 1,
                kind,
            };
            let history = History::new(rows.iter().map(record).collect()).unwrap();
            let date = origin.plus(date);
            let trained = labeller.eligible(history.view(), date);
            let scored = bundle
                .predictor(&kinds)
                .predict(Subject::History(history.view()), date, 0)
                .unwrap();
            let agree = match trained {
                Ok(()) => matches!(scored, Prediction::Scored(_)),
                Err(NotEligible::NotYetSeen | NotEligible::NoActivity) => {
                    scored == Prediction::TooNew
                }
                Err(NotEligible::Inactive) => matches!(scored, Prediction::Inactive { .. }),
                // Nobody converts by the question of churn.
                Err(NotEligible::AlreadyConverted) => false,
                Err(NotEligible::AlreadyChurned) => scored == Prediction::AlreadyChurned,
            };
            prop_assert!(
                agree,
                "{:?} when trained, {:?} when scored: {:?}",
                trained,
                scored,
                rows
            );
            Ok(())
        });
        outcome.unwrap();
        // The control: every decision occurs, so there is something to agree on.
        for (at, kind) in [(0, 4), (100, 0), (0, 0)] {
            let record = DayRecord {
                amount: Amount::default(),
                day: origin.plus(at),
                count: 1,
                kind,
            };
            for records in [
                vec![],
                vec![record],
                vec![
                    DayRecord { kind: 0, ..record },
                    DayRecord { kind: 4, ..record },
                ],
            ] {
                decisions.insert(
                    labeller
                        .eligible(History::new(records).unwrap().view(), day("2011-04-15"))
                        .err(),
                );
            }
        }
    }
    assert_eq!(decisions.len(), 5, "{decisions:?}");
}
