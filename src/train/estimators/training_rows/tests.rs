use super::*;

/// A candidate whose rows all count alike.
const PLAIN: Hyperparameters = Hyperparameters {
    l2: 1.0,
    nonlinear_terms: true,
    hinge_penalty: 1.0,
    interaction_penalty: 1.0,
    half_life: None,
    spacing: 1,
    anniversaries: 0,
    seasonal_features: true,
};

impl<'a> TrainingRows<'a> {
    /// Rows without a single column.
    pub(crate) fn of_dates(data: &'a Dataset, regular: &[Day], window_days: i32) -> Self {
        Self {
            data,
            expansion: Expansion::default(),
            matrix: Matrix {
                width: 0,
                columns: 0,
                values: Vec::new(),
            },
            seasonal: Vec::new(),
            recency: 0,
            silence: None,
            first: regular[0],
            regular: regular.to_vec(),
            window_days,
            solver: Solver::Newton,
        }
    }
}

#[test]
fn older_rows_count_less_and_are_fewer_but_add_up_as_they_should() {
    let newest = Day::new(400).unwrap();
    let dates: Vec<Day> = (0..5).map(|k| newest.plus(-30 * k)).collect();
    let pairs = || (0..10_000_u32).flat_map(|user| dates.iter().map(move |date| (user, *date)));
    let data = Dataset {
        width: 0,
        raw: Vec::new(),
        labels: vec![false; 50_000],
        users: pairs().map(|(user, _)| user).collect(),
        dates: pairs().map(|(_, date)| date).collect(),
        counts: vec![1.0; 50_000],
        user_step: 1,
    };
    let regular: Vec<Day> = dates.iter().rev().copied().collect();
    let rows = TrainingRows::of_dates(&data, &regular, 30);
    let all: Vec<usize> = (0..50_000).collect();
    let asked = newest.plus(30);
    let candidate = |half_life| Hyperparameters { half_life, ..PLAIN };
    let weights_of = |all: &[usize], half_life| {
        rows.weights(&candidate(half_life), &rows.whole(all.to_vec()), asked)
    };
    let (kept, weights) = weights_of(&all, Some(1.0));
    assert!((weights.iter().sum::<f64>() - 50_000.0).abs() < 1e-6);
    let days = &data.dates;
    let of = |date: Day| {
        let own = kept
            .iter()
            .zip(&weights)
            .filter(move |(row, _)| days[**row] == date);
        own.fold((0.0, 0.0), |(n, sum), (_, w)| (n + 1.0, sum + w))
    };
    let (most, heaviest) = of(newest);
    assert_eq!(most, 10_000.0, "every user of the newest date");
    for (k, date) in dates.iter().enumerate() {
        let (n, sum) = of(*date);
        assert!(
            (n / most - 0.5_f64.powf(k as f64 / 2.0)).abs() < 0.03,
            "{k}: {n}"
        );
        assert!(
            (sum / heaviest - 0.5_f64.powi(k as i32)).abs() < 0.03,
            "{k}: {sum}"
        );
    }
    let (kept, weights) = weights_of(&all[..40_000], Some(1.0));
    assert!(
        kept.len() == 40_000 && (weights[3] / weights[4] - 2.0).abs() < 1e-12,
        "few enough to keep all"
    );
    assert_eq!(weights_of(&all, None), (all.clone(), vec![1.0; 50_000]));
}

#[test]
fn seasons_are_learnt_where_two_windows_lie_behind_a_year() {
    let first = Day::new(1_000).unwrap();
    let data = Dataset::default();
    let mut rows = TrainingRows::of_dates(&data, &[first], 90);
    let enough = first.plus(365 + 2 * 90);
    assert!(!rows.learns_seasons(enough), "without such columns");
    rows.seasonal = vec![false, true];
    assert!(rows.learns_seasons(enough));
    assert!(!rows.learns_seasons(enough.plus(-1)));
}

/// Of older dates a part of the rows was taken when they were made; whatever the half-life, each date weighs as it would
/// with all of them.
#[test]
fn rows_that_stand_for_others_weigh_as_much_as_those() {
    let newest = Day::new(400).unwrap();
    let dates: Vec<Day> = (0..5).map(|k| newest.plus(-30 * k)).collect();
    let share = |date: Day| 0.5_f64.powf(f64::from(newest.since(date)) / 180.0);
    let mut data = Dataset::default();
    for user in 0..20_000_u32 {
        for date in dates.iter().rev() {
            if draw(user, *date) < share(*date) {
                data.users.push(user);
                data.dates.push(*date);
                data.labels.push(false);
                data.counts.push(1.0 / share(*date));
            }
        }
    }
    let regular: Vec<Day> = dates.iter().rev().copied().collect();
    let rows = TrainingRows::of_dates(&data, &regular, 30);
    let sample = rows.whole((0..data.len()).collect());
    assert!(data.len() > sample.unthinned_rows);
    for half_life in [Some(1.0), Some(3.0), Some(8.0), None] {
        let candidate = Hyperparameters { half_life, ..PLAIN };
        let (kept, weights) = rows.weights(&candidate, &sample, newest.plus(30));
        let of = |date: Day| {
            let own = kept
                .iter()
                .zip(&weights)
                .filter(|(row, _)| data.dates[**row] == date);
            own.map(|(_, weight)| weight).sum::<f64>()
        };
        for (k, date) in dates.iter().enumerate() {
            let weight = half_life.map_or(1.0, |windows| 0.5_f64.powf(k as f64 / windows));
            let found = of(*date) / of(newest);
            assert!(
                (found / weight - 1.0).abs() < 0.03,
                "{half_life:?} {k}: {found}"
            );
        }
    }
    // The negative control: had nobody counted, old dates would weigh too little.
    data.counts.fill(1.0);
    let rows = TrainingRows::of_dates(&data, &regular, 30);
    let (kept, weights) = rows.weights(&PLAIN, &rows.whole((0..data.len()).collect()), newest);
    let oldest = kept
        .iter()
        .zip(&weights)
        .filter(|(row, _)| data.dates[**row] == dates[4]);
    let weight: f64 = oldest.map(|(_, weight)| weight).sum();
    assert!(weight / weights.iter().sum::<f64>() < 0.19);
}
