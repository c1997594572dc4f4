//! Tails of the data of Clauset, Shalizi and Newman 2009 (SIAM Review 51), beside the figures of that paper and of the
//! `powerlaw` package (jeffalstott/powerlaw at d2b563a, `testing/test_reference_data.py`).

use ebb::train::laws::tail::{PowerLaw, Support, Values};

use super::data;

fn values(name: &str, divide_by: f64, support: Support) -> Values {
    let text = std::fs::read_to_string(data(&format!("power-laws/{name}.txt"))).unwrap();
    let numbers: Vec<f64> = text
        .split_whitespace()
        .map(|number| number.parse::<f64>().unwrap() / divide_by)
        .collect();
    Values::new(&numbers, support)
}

fn law(values: &Values) -> PowerLaw {
    let law = values.power_law(10).unwrap();
    println!("{law:?}");
    law
}

/// How often each word stands in Moby Dick.
#[test]
fn words_have_their_known_tail() {
    let words = values("words", 1.0, Support::Discrete);
    let law = law(&words);
    assert_eq!((law.from, law.observations), (7.0, 2_958));
    assert!((law.exponent - 1.952_727_5).abs() < 1e-4, "{law:?}");
    assert!((law.distance - 0.008_252_95).abs() < 1e-5, "{law:?}");
    // The published figures are z = 0.395 and p = 0.69. The likelihood of the log-normal law has no top here: it rises
    // without end along a ridge to the power law, so that the figure depends on where a search stops.
    let log_normal = words.against_log_normal(&law);
    assert!(
        (log_normal.z - 0.395).abs() < 0.25 && log_normal.p > 0.5,
        "{log_normal:?}"
    );
    let exponential = words.against_exponential(&law);
    assert!(
        (exponential.z - 9.09).abs() < 0.1 && exponential.p < 1e-10,
        "{exponential:?}"
    );
}

/// Customers without electricity in blackouts of the United States, in thousands.
#[test]
fn blackouts_have_their_known_tail() {
    let blackouts = values("blackouts", 1_000.0, Support::Continuous);
    let law = law(&blackouts);
    assert_eq!((law.from, law.observations), (230.0, 59));
    assert!((law.exponent - 2.272_637_2).abs() < 1e-6, "{law:?}");
    let log_normal = blackouts.against_log_normal(&law);
    assert!(
        (log_normal.z + 0.412).abs() < 0.05 && (log_normal.p - 0.68).abs() < 0.03,
        "{log_normal:?}"
    );
    let exponential = blackouts.against_exponential(&law);
    assert!(
        (exponential.z - 1.43).abs() < 0.05 && (exponential.p - 0.15).abs() < 0.02,
        "{exponential:?}"
    );
}

/// Deaths in terrorist attacks.
#[test]
fn attacks_have_their_known_tail() {
    let attacks = values("terrorism", 1.0, Support::Discrete);
    let law = law(&attacks);
    assert_eq!(law.from, 12.0);
    assert!((law.exponent - 2.4).abs() < 0.05, "{law:?}");
    let exponential = attacks.against_exponential(&law);
    assert!(
        (exponential.z - 2.457).abs() < 0.1 && (exponential.p - 0.01).abs() < 0.01,
        "{exponential:?}"
    );
}
