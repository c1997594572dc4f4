//! Published fits of the CDNOW sample, from the raw log.

use std::collections::BTreeMap;
use std::fs::read_to_string;

use ebb::history::Day;
use ebb::model::{Purchases, SpendModel};
use ebb::train::estimators::{gamma_gamma, pareto_nbd};

use super::data;

/// The amount of each day of each customer of the sample, to the end of the calibration on 1997-09-30.
fn orders() -> Vec<BTreeMap<Day, f64>> {
    let mut customers: BTreeMap<String, BTreeMap<Day, f64>> = BTreeMap::new();
    for line in read_to_string(data("cdnow/CDNOW_sample.txt"))
        .unwrap()
        .lines()
    {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, customer, date, _, amount] = fields[..] else {
            panic!("{line}");
        };
        let day = format!("{}-{}-{}", &date[..4], &date[4..6], &date[6..]);
        let day: Day = day.parse().unwrap();
        if day <= end() {
            let days = customers.entry(customer.to_owned()).or_default();
            *days.entry(day).or_default() += amount.parse::<f64>().unwrap();
        }
    }
    customers.into_values().collect()
}

fn end() -> Day {
    "1997-09-30".parse().unwrap()
}

/// Figures within a share of what is expected of them.
fn assert_near(got: &[f64], expected: &[f64], share: f64) {
    assert_eq!(got.len(), expected.len());
    for (got, expected) in got.iter().zip(expected) {
        assert!(
            (got / expected - 1.0).abs() < share,
            "{got} is not {expected}"
        );
    }
}

/// Fader, Hardie and Lee (2005), and the figures of the R package CLVTools with its standard errors, in weeks.
#[test]
fn pareto_nbd_is_the_published_one() {
    let counts: Vec<Purchases> = orders()
        .iter()
        .map(|days| {
            let (first, _) = days.first_key_value().unwrap();
            let (last, _) = days.last_key_value().unwrap();
            let repeats = u32::try_from(days.len()).unwrap() - 1;
            let (last, age) = (last.since(*first), end().since(*first));
            Purchases::new(repeats, f64::from(last), f64::from(age)).unwrap()
        })
        .collect();
    let fitted = pareto_nbd::fit(&counts).unwrap();
    assert_eq!((fitted.customers, fitted.repeaters), (2_357, 946));
    assert!(fitted.converged && fitted.dropout_found);
    let weeks = |[r, alpha, s, beta]: [f64; 4]| [r, alpha / 7.0, s, beta / 7.0];
    let params = fitted.params;
    let got = weeks([params.r, params.alpha, params.s, params.beta]);
    assert_near(
        &got,
        &[0.553_275_5, 10.577_612, 0.606_213_5, 11.667_908],
        2e-4,
    );
    assert_near(&got, &[0.553, 10.578, 0.606, 11.669], 2e-3);
    let errors = weeks(fitted.standard_errors.unwrap());
    assert_near(
        &errors,
        &[0.047_626_4, 0.842_722_2, 0.187_259_4, 6.210_544_8],
        2e-3,
    );
    let repeats: u32 = counts.iter().map(Purchases::frequency).sum();
    let in_weeks = fitted.log_likelihood + f64::from(repeats) * 7.0_f64.ln();
    assert!((in_weeks + 9_594.976).abs() < 1e-3, "{in_weeks}");
}

/// Fader and Hardie's note 025, and CLVTools' log-likelihood.
#[test]
fn gamma_gamma_is_the_published_one() {
    let users: Vec<gamma_gamma::OrderAmounts> = orders()
        .iter()
        .filter_map(|days| {
            let repeats = days.len() - 1;
            let total: f64 = days.values().sum();
            let mean = days.values().skip(1).sum::<f64>() / repeats as f64;
            gamma_gamma::OrderAmounts::new(days.len() as f64, total, mean)
        })
        .collect();
    let fitted = gamma_gamma::fit(&users).unwrap();
    assert_eq!((fitted.repeaters, &fitted.reason), (946, &None));
    let SpendModel::GammaGamma(model) = fitted.model else {
        panic!("{fitted:?}");
    };
    let got = [model.p, model.q, model.v];
    assert_near(&got, &[6.248_803, 3.744_588, 15.447_746], 5e-4);
    assert_near(&got, &[6.25, 3.74, 15.44], 2e-3);
    let log_likelihood = fitted.log_likelihood.unwrap();
    assert!(
        (log_likelihood + 4_055.917_7).abs() < 1e-3,
        "{log_likelihood}"
    );
    assert!((model.population_mean() - 35.171).abs() < 0.01);
    assert!((fitted.correlation.unwrap() - 0.113_884).abs() < 1e-4);
}

/// Online Retail in June 2011: the drop-out is fitted away, which is said, and orders are still expected. (The usual form
/// with hypergeometric functions expects none of anybody there.)
#[test]
fn a_log_without_a_dropout_is_expected_to_order_on() {
    let as_of: Day = "2011-06-09".parse().unwrap();
    // Thousandths of a pound, in which prices are whole: a day whose returns undo its purchases adds up to nothing, which floats miss.
    let mut customers: BTreeMap<String, BTreeMap<Day, i64>> = BTreeMap::new();
    let log = data("online-retail/online_retail.csv.gz");
    for row in super::csv_of(&log).records() {
        let row = row.unwrap();
        let day: Day = row[4][..10].parse().unwrap();
        if !row[6].is_empty() && day < as_of {
            let price = (row[5].parse::<f64>().unwrap() * 1e3).round() as i64;
            let amount = row[3].parse::<i64>().unwrap() * price;
            let days = customers.entry(row[6].to_owned()).or_default();
            *days.entry(day).or_default() += amount;
        }
    }
    let counts: Vec<Purchases> = customers
        .values()
        .filter_map(|days| {
            let paid = days.iter().filter(|(_, amount)| **amount > 0);
            Purchases::of_days(paid.map(|(day, _)| *day), as_of)
        })
        .collect();
    let fitted = pareto_nbd::fit(&counts).unwrap();
    assert_eq!((fitted.customers, fitted.repeaters), (2_784, 1_391));
    assert!(fitted.converged && !fitted.dropout_found, "{fitted:?}");
    assert_eq!(fitted.at_bound, [false, false, false, true]);
    let expected = |user: &Purchases| fitted.params.expected_orders(user, 90.0);
    let mean = counts.iter().map(expected).sum::<f64>() / counts.len() as f64;
    assert!((mean - 1.056).abs() < 1e-3, "{mean}");
}
