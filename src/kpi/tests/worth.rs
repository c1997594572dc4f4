//! Indicators of users' worth, of a bundle whose residual values are known.

use super::{Asked, costs, definitions, log};
use crate::kpi::{Definitions, KpiRequest, PeriodKind, Report, Row, compute};
use crate::model::tests::value::spec_with_value;
use crate::model::{Bundle, BundleSpec};
use crate::phases::Phases;

/// The margin of the bundle and of the indicators.
const MARGIN: f64 = 0.35;

/// What every user is expected to spend in a year.
const SPEND: f64 = 200.0;

/// A bundle that expects the same spend of every user within a year and nothing after it, without a discount: each residual
/// value is the margin of that spend.
fn bundle() -> Bundle {
    let spec = spec_with_value();
    let mut value = spec.value.clone().unwrap();
    value.margin = MARGIN;
    (value.horizon_days, value.learnt_days) = (365, 365);
    (value.annual_discount, value.residual_years) = (0.0, Some(1.0));
    let regression = value.regression.as_mut().unwrap();
    regression.intercept = SPEND.ln();
    regression.weights.fill(0.0);
    value.regression_share = 1.0;
    let spec = BundleSpec {
        value: Some(value),
        ..spec
    };
    Bundle::new(spec, "test".into()).unwrap()
}

/// `a` has brought in 26 before February and 56 before March, `b` 100; `c` and `d` are new in February.
fn report(asked: &Asked<'_>) -> Report {
    let histories = log(&[
        "a 2024-01-03 purchase 10",
        "a 2024-01-03 return -4",
        "a 2024-01-10 purchase 20",
        "a 2024-02-09 purchase 30",
        "b 2024-01-20 purchase 100",
        "b 2024-03-25 purchase 50",
        "c 2024-02-05 purchase 10",
        "c 2024-02-20 purchase 4",
        "d 2024-02-11 purchase 8",
        "d 2024-03-15 purchase 2",
        "d 2024-03-16 survey 0",
    ]);
    let bundle = bundle();
    compute(&KpiRequest {
        histories: &histories,
        definitions: &asked.definitions,
        observation: &asked.observation,
        period: PeriodKind::Month,
        from: None,
        to: None,
        by: &[],
        bundle: Some(&bundle),
        costs: asked.costs.as_ref(),
        weekly: false,
        most_cells: 1_000,
        phases: Phases::default(),
    })
    .unwrap()
}

fn asked(min_users: u32) -> Asked<'static> {
    Asked {
        definitions: Definitions {
            activity: vec!["purchase".into()],
            order_kinds: vec!["purchase".into(), "return".into()],
            active_within_days: 180,
            margin: MARGIN,
            min_users,
            ..definitions()
        },
        costs: Some(costs(&[("2024-02-01", 18.41)])),
        ..Asked::default()
    }
}

fn row(report: &Report, kpi: &str, period: &str) -> Row {
    let mut rows = report.rows.iter();
    let found = rows.find(|row| row.kpi == kpi && row.period == period);
    found.unwrap_or_else(|| panic!("{kpi} {period}")).clone()
}

#[track_caller]
fn close(found: Option<f64>, expected: f64) {
    let found = found.unwrap();
    assert!((found / expected - 1.0).abs() < 1e-3, "{found} {expected}");
}

#[test]
fn lifetime_value_is_what_was_earned_and_what_is_to_come() {
    let report = report(&asked(0));
    // The residual value of each is 0.35 x 200 = 70.
    let february = row(&report, "ltv", "2024-02");
    assert_eq!(february.denominator, Some(2.0));
    close(february.numerator, 0.35 * (26.0 + 100.0) + 2.0 * 70.0);
    close(february.value, 92.05);
    let march = row(&report, "ltv", "2024-03");
    assert_eq!(march.denominator, Some(4.0));
    close(march.value, 0.35 * (56.0 + 100.0 + 14.0 + 8.0) / 4.0 + 70.0);
    assert!(
        march.low < march.value && march.value < march.high,
        "{march:?}"
    );
}

#[test]
fn acquisition_costs_stand_beside_lifetime_value_and_are_paid_back() {
    let report = report(&asked(0));
    // 18.41 for c and d.
    let cac = row(&report, "cac", "2024-02");
    close(cac.value, 9.205);
    assert_eq!(cac.denominator, Some(2.0));
    let ratio = row(&report, "cac_to_ltv", "2024-02");
    close(ratio.value, 9.205 / 92.05);
    close(ratio.numerator, 9.205);
    close(ratio.denominator, 92.05);
    // c and d bring 14 and 8 in their first 30 days, of which 0.35 x 22 / 2 = 3.85 is earned by user; d brings 2 more later.
    // By 15 April both are observed for one month: it is not paid back.
    let payback = row(&report, "payback_months", "2024-02");
    assert_eq!(payback.value, None);
    close(payback.numerator, 7.7);
    let cheap = Asked {
        costs: Some(costs(&[("2024-02-01", 7.0)])),
        ..asked(0)
    };
    let payback = row(&super::worth::report(&cheap), "payback_months", "2024-02");
    assert_eq!(payback.value, Some(1.0), "3.50 is less than 3.85");
}

/// The negative control of small groups: with three users at least nothing of two is shown.
#[test]
fn figures_of_too_few_users_are_withheld() {
    let report = report(&asked(3));
    for kpi in ["ltv", "cac", "cac_to_ltv", "payback_months"] {
        let row = row(&report, kpi, "2024-02");
        assert!(row.is_withheld() && row.value.is_none(), "{row:?}");
        assert!(row.numerator.is_none() && row.low.is_none(), "{row:?}");
    }
    assert!(row(&report, "ltv", "2024-03").value.is_some());
}
