use super::super::tests::catalogue;
use super::*;
use crate::math::splitmix::splitmix64;
use crate::model::SegmentKey;

/// Users around planted centres, one after another in turns, and who of them churned.
struct Planted {
    points: Vec<f64>,
    churned: Vec<bool>,
}

impl Planted {
    /// `users` for each centre, spread by a noise of this standard deviation; those of centre `i` churn with `rates[i]`.
    fn new(centres: &[[f64; 4]], rates: &[f64], users: usize, spread: f64) -> Self {
        let mut planted = Self {
            points: Vec::new(),
            churned: Vec::new(),
        };
        let mut state = 5;
        let mut uniform = || {
            state += 1;
            (splitmix64(state) >> 11) as f64 / 2.0_f64.powi(53)
        };
        for user in 0..users * centres.len() {
            let group = user % centres.len();
            for at in centres[group] {
                let noise: f64 = (0..12).map(|_| uniform()).sum();
                planted.points.push(at + spread * (noise - 6.0));
            }
            planted.churned.push(uniform() < rates[group]);
        }
        planted
    }

    /// The users at these positions.
    fn only(&self, chosen: impl Fn(usize) -> bool) -> Self {
        let kept = (0..self.churned.len()).filter(|user| chosen(*user));
        let kept: Vec<usize> = kept.collect();
        let points = kept
            .iter()
            .flat_map(|user| self.points[user * 4..][..4].to_vec());
        Self {
            points: points.collect(),
            churned: kept.iter().map(|user| self.churned[*user]).collect(),
        }
    }

    fn fit(&self, before: Option<&Segments>) -> Segments {
        self.fit_by(SegmentSolver::Lloyd, before)
    }

    fn fit_by(&self, solver: SegmentSolver, before: Option<&Segments>) -> Segments {
        let catalogue = catalogue();
        let axes = axes(&catalogue);
        let users = SegmentUsers {
            points: &self.points,
            churned: &self.churned,
            axes: &axes,
        };
        let config = SegmentConfig {
            solver,
            ..SegmentConfig::default()
        };
        match before {
            Some(before) => go_on(&catalogue, users, &config, 7, before),
            None => fit_new(&catalogue, users, &config, 7, 0),
        }
        .unwrap()
    }

    /// The share of the users with the same answer by both.
    fn share<T: PartialEq>(
        &self,
        segments: [&Segments; 2],
        of: impl Fn(&Segments, usize) -> T,
    ) -> f64 {
        let same = self.points.chunks_exact(4).filter(|point| {
            let [before, now] = segments.map(|segments| {
                let (id, _) = segments.nearest(point.iter().copied()).unwrap();
                of(segments, id)
            });
            before == now
        });
        same.count() as f64 / self.churned.len() as f64
    }

    fn share_with_key(&self, segments: [&Segments; 2]) -> f64 {
        self.share(segments, |segments, id| segments.items[id].key)
    }

    fn share_with_id(&self, segments: [&Segments; 2]) -> f64 {
        self.share(segments, |_, id| id)
    }
}

const FOUR: [[f64; 4]; 4] = [
    [-1.2, 1.4, 0.6, 0.9],
    [-0.9, -0.6, -1.6, -0.2],
    [1.5, -0.9, 0.5, -0.8],
    [0.3, 0.4, 1.2, 1.6],
];
const RATES: [f64; 4] = [0.1, 0.4, 0.9, 0.25];

/// Groups that overlap, as those of real users do.
fn overlapping() -> Planted {
    Planted::new(&FOUR, &RATES, 400, 0.6)
}

fn keys(segments: &Segments) -> Vec<u32> {
    let mut keys: Vec<u32> = segments.items.iter().map(|s| s.key.number()).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn the_same_users_keep_their_segments_to_the_bit() {
    for solver in [SegmentSolver::Lloyd, SegmentSolver::Linfa] {
        let users = overlapping();
        let first = users.fit_by(solver, None);
        assert!(first.items.len() > 2);
        let again = users.fit_by(solver, Some(&first));
        assert_eq!(again, first);
        assert_eq!(users.share_with_key([&first, &again]), 1.0);
    }
}

#[test]
fn nine_tenths_of_the_users_leave_nearly_all_their_keys() {
    let users = overlapping();
    let first = users.fit(None);
    for round in 0..5_u64 {
        let drawn = users.only(|user| !splitmix64(round << 32 | user as u64).is_multiple_of(10));
        let share = users.share_with_key([&first, &drawn.fit(Some(&first))]);
        assert!(share >= 0.97, "round {round}: {share}");
    }
}

/// Without the segments before, ids and keys follow the churn rates, whoever the users are.
#[test]
fn without_the_bundle_before_ids_move() {
    let users = overlapping();
    let first = users.fit(None);
    let other_rates = Planted {
        churned: users.churned.iter().map(|churned| !churned).collect(),
        points: users.points.clone(),
    };
    let fresh = other_rates.fit(None);
    assert!(other_rates.share_with_id([&first, &fresh]) < 0.5);
    assert!(other_rates.share_with_key([&first, &fresh]) < 0.5);
    let carried = other_rates.fit(Some(&first));
    assert_eq!(other_rates.share_with_key([&first, &carried]), 1.0);
    // The ids of both follow the churn rates.
    assert!(other_rates.share_with_id([&first, &carried]) < 0.5);
    assert!(
        carried
            .items
            .is_sorted_by(|a, b| a.churn_rate <= b.churn_rate)
    );
}

#[test]
fn one_more_group_is_one_new_key_and_renames_none() {
    let tight = |centres: &[[f64; 4]], rates: &[f64]| Planted::new(centres, rates, 300, 0.15);
    let first = tight(&FOUR, &RATES).fit(None);
    assert_eq!(keys(&first), [1, 2, 3, 4]);
    let five = [&FOUR[..], &[[0.5, -1.8, -0.8, 2.6]]].concat();
    let rates = [&RATES[..], &[0.02]].concat();
    let second = tight(&five, &rates).fit(Some(&first));
    assert_eq!((keys(&second), second.last_key), (vec![1, 2, 3, 4, 5], 5));
    let named = |segments: &Segments| -> Vec<(SegmentKey, String)> {
        let mut named: Vec<_> = segments
            .items
            .iter()
            .map(|s| (s.key, s.name.clone()))
            .collect();
        named.sort();
        named
    };
    assert_eq!(named(&second)[..4], named(&first));
    // It has the lowest churn rate, and so the first id.
    assert_eq!(second.items[0].key.number(), 5);
}

#[test]
fn a_key_that_is_retired_is_never_given_again() {
    let tight = |centres: &[[f64; 4]], rates: &[f64]| Planted::new(centres, rates, 300, 0.15);
    let first = tight(&FOUR, &RATES).fit(None);
    let gone = first.items[3].key;
    let three = [FOUR[0], FOUR[1], FOUR[3]];
    let second = tight(&three, &RATES[..3]).fit(Some(&first));
    assert_eq!(second.items.len(), 3);
    assert!(!second.items.iter().any(|s| s.key == gone) && second.last_key == 4);
    let elsewhere = [&three[..], &[[0.5, -1.8, -0.8, 2.6]]].concat();
    let third = tight(&elsewhere, &RATES).fit(Some(&second));
    assert_eq!((third.items.len(), third.last_key), (4, 5));
    assert!(!third.items.iter().any(|s| s.key == gone));
    // Too few users for segments leave the count of keys as it is.
    let few = tight(&FOUR, &RATES)
        .only(|user| user < 30)
        .fit(Some(&third));
    assert!(few.items.is_empty() && few.last_key == 5);
    let fourth = tight(&FOUR, &RATES).fit(Some(&few));
    assert_eq!(keys(&fourth), [6, 7, 8, 9]);
}

#[test]
fn another_number_of_segments_must_be_clearly_better() {
    let users = Planted::new(&FOUR, &RATES, 300, 0.15);
    let four = users.fit(None);
    let kept = |before: &Segments| {
        let catalogue = catalogue();
        let axes = axes(&catalogue);
        let users = SegmentUsers {
            points: &users.points,
            churned: &users.churned,
            axes: &axes,
        };
        let config = SegmentConfig::default();
        let fitted = fit_on_from(&config, users, 7, &before.items).unwrap();
        fitted.centres.len() / 4
    };
    assert_eq!(kept(&four), 4);
    // Two of the groups as one segment are clearly worse.
    let mut three = four.clone();
    let last = three.items.pop().unwrap();
    for (at, other) in three.items[2].centroid.iter_mut().zip(&last.centroid) {
        *at = (*at + other) / 2.0;
    }
    assert_eq!(kept(&three), 4);
    // In users without groups, each number is about as good as another, and the one before stays.
    let blob = Planted::new(&FOUR[..1], &RATES, 900, 0.6);
    for k in [3, 4, 5] {
        let mut before = four.clone();
        before.items = (0..k)
            .map(|at| Segment {
                key: SegmentKey::at(at),
                centroid: blob.points[at * 40..][..4].to_vec(),
                ..four.items[0].clone()
            })
            .collect();
        before.last_key = 5;
        assert_eq!(blob.fit(Some(&before)).items.len(), k);
    }
}

/// A centre that lies as near to another earlier one as to its own is another segment, in whatever way they are paired.
#[test]
fn centres_are_the_same_segment_below_half_of_the_way_to_its_neighbour() {
    let segment = |at: f64, position| Segment {
        key: SegmentKey::at(position),
        name: String::new(),
        centroid: vec![at, 0.0],
        users: 1,
        churn_rate: 0.0,
    };
    let cluster = |at: f64| Cluster {
        centroid: vec![at, 0.0],
        off: vec![],
        users: 1,
        churn_rate: 0.0,
    };
    let before = [segment(0.0, 0), segment(4.0, 1)];
    let of = |clusters: &[f64]| -> Vec<Option<u32>> {
        let clusters: Vec<Cluster> = clusters.iter().copied().map(cluster).collect();
        let matched = matches(&before, &clusters).into_iter();
        matched
            .map(|before| before.map(|b| b.key.number()))
            .collect()
    };
    assert_eq!(of(&[4.1, 1.9]), [Some(2), Some(1)]);
    assert_eq!(of(&[4.1, 2.0]), [Some(2), None]);
    assert_eq!(of(&[9.0, 0.5, 4.5]), [None, Some(1), Some(2)]);
    assert_eq!(of(&[3.9]), [Some(2)]);
    assert!(of(&[]).is_empty());
}

#[test]
fn a_name_stays_until_one_of_its_words_is_untrue() {
    let catalogue = catalogue();
    let axes = axes(&catalogue);
    // Recency, frequency, tenure, amount.
    let now = |before: &str, off: [f64; 4]| kept_name(before, &off, &axes);
    let before = "frequent, recent (2)";
    assert_eq!(now(before, [-0.1, 0.2, 1.5, 0.0]), before);
    assert_eq!(now(before, [0.1, 0.9, 0.0, 0.0]), "frequent");
    assert_eq!(now(before, [0.4, 0.3, 0.0, -0.5]), "low spend, lapsed");
    assert_eq!(now("average", [0.6, 0.0, 0.0, 0.0]), "average");
    assert_eq!(now("average (3)", [0.7, 0.0, 0.0, 0.0]), "lapsed");
}

#[test]
fn names_stay_unique() {
    let segment = |name: &str, position| Segment {
        key: SegmentKey::at(position),
        name: name.to_owned(),
        centroid: vec![],
        users: 1,
        churn_rate: 0.0,
    };
    let before = [segment("rare", 0), segment("new", 1)];
    // The second was renamed to what the first is called.
    let mut items = [segment("new", 0), segment("new", 1)];
    unique_names(&mut items, &before);
    items.sort_by_key(|s| s.key);
    assert_eq!([&*items[0].name, &*items[1].name], ["new (2)", "new"]);
}
