use super::*;
use crate::features::FeatureSchema;

pub(super) fn catalogue() -> Catalogue {
    Catalogue::new(FeatureSchema {
        activity: vec!["purchase".into()],
        other_kinds: vec![],
        horizon_days: vec![30],
        amounts: true,
        seasonal_years: 0,
        lead_days: 0,
        value_kinds: Vec::new(),
        attributes: Vec::new(),
    })
    .unwrap()
}

/// Three clear groups in the standardised space, the third of them all churners.
fn groups() -> (Vec<f64>, Vec<bool>) {
    let catalogue = catalogue();
    let axes = axes(&catalogue);
    let centres = [
        [-1.0, 1.2, 0.1, 1.0],
        [-0.8, -0.2, -1.5, -0.1],
        [1.6, -1.0, 0.2, -0.9],
    ];
    let mut z = Vec::new();
    let mut churned = Vec::new();
    for i in 0..900_usize {
        let mut row = vec![0.0; catalogue.len()];
        for (axis, Axis { position, .. }) in axes.iter().enumerate() {
            row[*position] = centres[i % 3][axis] + ((i * 7 + axis * 13) % 29) as f64 / 100.0;
        }
        z.extend(row);
        churned.push(i % 3 == 2 || (i % 3 == 1 && i % 2 == 0));
    }
    (z, churned)
}

fn fit(config: &SegmentConfig) -> Segments {
    let (z, churned) = groups();
    fit_segments(&catalogue(), &z, &churned, config, 7).unwrap()
}

#[test]
fn clear_groups_are_found_counted_ordered_and_named() {
    let segments = fit(&SegmentConfig::default());
    assert_eq!(
        segments.features,
        [
            "recency_days",
            "active_days_120d",
            "tenure_days",
            "amount_mean"
        ]
    );
    let found: Vec<(&str, u64)> = segments
        .items
        .iter()
        .map(|s| (s.name.as_str(), s.users))
        .collect();
    assert_eq!(
        found,
        [
            ("frequent, high spend, recent, long-standing", 300),
            ("new, recent", 300),
            ("lapsed, rare, low spend, long-standing", 300)
        ]
    );
    assert!(
        segments
            .items
            .is_sorted_by(|a, b| a.churn_rate <= b.churn_rate)
    );
    assert_eq!(segments.items[2].churn_rate, 1.0);
}

/// Enough users for several parts of work, which threads share.
#[test]
fn one_seed_gives_one_answer_on_any_number_of_threads() {
    let (z, churned) = groups();
    let (z, churned) = (z.repeat(25), churned.repeat(25));
    let config = SegmentConfig {
        sample_users: 20_000,
        k_max: 4,
        ..Default::default()
    };
    let on = |threads, seed| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let fit = || fit_segments(&catalogue(), &z, &churned, &config, seed).unwrap();
        // Debug prints the shortest text that reads back as the same number, so equal text is equal bits.
        format!("{:?}", pool.build().unwrap().install(fit))
    };
    let alone = on(1, 7);
    assert_eq!(alone, on(3, 7));
}

#[test]
fn the_reference_finds_the_same_groups() {
    let counts = |solver| {
        fit(&SegmentConfig {
            solver,
            ..Default::default()
        })
        .items
        .into_iter()
        .map(|s| (s.name, s.users))
    };
    assert!(counts(SegmentSolver::Lloyd).eq(counts(SegmentSolver::Linfa)));
}

#[test]
fn too_few_users_make_no_segments() {
    let (z, churned) = groups();
    let some = 50 * catalogue().len();
    let segments = fit_segments(
        &catalogue(),
        &z[..some],
        &churned[..50],
        &SegmentConfig::default(),
        7,
    )
    .unwrap();
    assert!(segments.items.is_empty());
}

#[test]
fn identical_users_are_one_segment() {
    let z = vec![0.0; 200 * catalogue().len()];
    let segments = fit_segments(
        &catalogue(),
        &z,
        &[false; 200],
        &SegmentConfig::default(),
        7,
    )
    .unwrap();
    assert_eq!(segments.items.iter().map(|s| s.users).sum::<u64>(), 200);
    assert!(segments.items.len() == 1 && segments.items[0].name == "average");
}
