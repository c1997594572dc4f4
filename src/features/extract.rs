use super::summary::{ActiveDay, Summary};
use super::{Catalogue, Quantity};
use crate::history::{Day, HistoryView};

/// Computes feature vectors of one catalogue for histories whose kinds are numbered by one table.
#[derive(Clone, Debug)]
pub struct Extractor<'a> {
    catalogue: &'a Catalogue,
    /// For each kind of the histories' table its position in the catalogue's kinds.
    slots: Vec<Option<u16>>,
    /// The features to compute, by their positions in a vector.
    wanted: Vec<(usize, Quantity)>,
    summary: Summary,
}

impl<'a> Extractor<'a> {
    /// An extractor for histories whose records refer to `kinds`. Kinds without features of their own count
    /// only where any kind does.
    pub fn new(catalogue: &'a Catalogue, kinds: &[String]) -> Self {
        let slot = |kind: &String| {
            catalogue
                .kinds()
                .iter()
                .position(|k| k == kind)
                .map(|p| p as u16)
        };
        let wanted = catalogue
            .features()
            .iter()
            .map(|feature| feature.quantity)
            .enumerate()
            .collect();
        Self {
            catalogue,
            slots: kinds.iter().map(slot).collect(),
            wanted,
            summary: Summary::default(),
        }
    }

    /// Restricts it to these features; the others stay unknown.
    pub fn only(mut self, quantities: &[Quantity]) -> Self {
        self.wanted
            .retain(|(_, quantity)| quantities.contains(quantity));
        self
    }

    /// How many features a vector has.
    pub fn width(&self) -> usize {
        self.catalogue.len()
    }

    /// Writes the features of `history` as known at the start of `as_of` into `out`, one for each entry of the
    /// catalogue, NaN where a value cannot be known. Returns whether the user was ever active before `as_of`.
    pub fn extract(&mut self, history: HistoryView<'_>, as_of: Day, out: &mut [f64]) -> bool {
        let activity = self.catalogue.schema().activity.len() as u16;
        self.summary.read(history, as_of, &self.slots, activity);
        for (position, quantity) in &self.wanted {
            if let Some(slot) = out.get_mut(*position) {
                // Adding 0 turns -0, the sum of no floating-point numbers, into 0.
                *slot = value(self.catalogue, &self.summary, *quantity).unwrap_or(f64::NAN) + 0.0;
            }
        }
        !self.summary.active.is_empty()
    }
}

/// The value of one quantity; `None` when it cannot be known.
fn value(catalogue: &Catalogue, s: &Summary, quantity: Quantity) -> Option<f64> {
    let recency = s.active.last().map(|d| f64::from(d.age));
    let tenure = s.first_any.map(f64::from);
    Some(match quantity {
        Quantity::Recency => recency?,
        Quantity::RecencyAny => f64::from(s.last_any?),
        Quantity::Tenure => tenure?,
        Quantity::ActiveAge => f64::from(s.active.first()?.age),
        Quantity::ActiveDays => s.active.len() as f64,
        Quantity::ActiveDaysIn(w) => s.within(w).len() as f64,
        Quantity::Events => events(&s.active),
        Quantity::EventsIn(w) => events(s.within(w)),
        Quantity::DecayedDays(half_life) => {
            catalogue.decayed(half_life, s.active.iter().map(|d| d.age))
        }
        Quantity::OneDay => f64::from(s.active.len() == 1),
        Quantity::GapMean => mean(s.gaps())?,
        Quantity::GapSpread => spread(s.gaps())?,
        Quantity::GapLast => s.gaps().last()?,
        Quantity::GapMax => s.gaps().reduce(f64::max)?,
        Quantity::Overdue => (recency? + 1.0) / (mean(s.gaps())? + 1.0),
        Quantity::GapsExceeded => gaps_exceeded(s, recency?)?,
        Quantity::RecencyShare => recency? / tenure?,
        Quantity::Trend(short, long) => {
            let days = |window| s.within(window).len() as f64;
            trend(days(short), days(long), trend_windows(short, long, tenure?))
        }
        Quantity::WeekdayRegularity => weekday_regularity(&s.active)?,
        Quantity::Amount => amount(&s.active),
        Quantity::AmountIn(w) => amount(s.within(w)),
        Quantity::AmountMean => mean(s.active.iter().map(|d| d.amount))?,
        Quantity::AmountSpread => spread(s.active.iter().map(|d| d.amount))?,
        Quantity::AmountLast => s.active.last()?.amount,
        Quantity::AmountMax => s.active.iter().map(|d| d.amount).reduce(f64::max)?,
        Quantity::KindCount(kind) => s.kind(kind).iter().map(|k| k.count).sum(),
        Quantity::KindCountIn(kind, w) => s
            .kind(kind)
            .iter()
            .rev()
            .take_while(|k| k.age <= u32::from(w))
            .map(|k| k.count)
            .sum(),
        Quantity::KindRecency(kind) => f64::from(s.kind(kind).last()?.age),
    })
}

/// Unknown for a user with a single active day.
fn gaps_exceeded(s: &Summary, recency: f64) -> Option<f64> {
    let (seen, shorter) = s.gaps().fold((0.0, 0.0), |(n, m), gap| {
        (n + 1.0, m + f64::from(gap < recency))
    });
    (seen > 0.0).then(|| (shorter + 0.5) / (seen + 1.0))
}

fn events(days: &[ActiveDay]) -> f64 {
    days.iter().map(|d| d.events).sum()
}

fn amount(days: &[ActiveDay]) -> f64 {
    days.iter().map(|d| d.amount).sum()
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values.fold((0_u32, 0.0), |(n, sum), v| (n + 1, sum + v));
    (count > 0).then(|| sum / f64::from(count))
}

/// Standard deviation with `n - 1` below the line; unknown for fewer than two values.
fn spread(values: impl Iterator<Item = f64>) -> Option<f64> {
    // Welford's recurrence: one pass, no cancellation.
    let (mut n, mut mean, mut squares) = (0.0, 0.0, 0.0);
    for v in values {
        n += 1.0;
        let delta = v - mean;
        mean += delta / n;
        squares += delta * (v - mean);
    }
    (n > 1.0).then(|| (squares / (n - 1.0)).sqrt())
}

/// `ln` of the short window's rate over the long one's, for active days in both. Half a day is added to the long window
/// and as much of it to the short one as its length is of the long one's, so that it lies above 0 exactly when the
/// short window's own rate is the higher one, and nothing in either is 0.
pub(crate) fn trend(short_days: f64, long_days: f64, [short, long]: [f64; 2]) -> f64 {
    let share = short / long;
    libm::log((short_days + 0.5 * share) / ((long_days + 0.5) * share))
}

/// The lengths of a trend's windows. One longer than tenure counts as tenure, so that a new user has no downward trend
/// for lack of a past.
pub(crate) fn trend_windows(short: u16, long: u16, tenure: f64) -> [f64; 2] {
    [short, long].map(|window| f64::from(window).min(tenure.max(1.0)))
}

/// 1 - H / ln 7 for the entropy H of the active days over the weekdays, less the value expected of that many
/// days at random (Miller and Madow's correction of H); held to 0..1. Unknown for a single day.
fn weekday_regularity(days: &[ActiveDay]) -> Option<f64> {
    if days.len() < 2 {
        return None;
    }
    let mut counts = [0.0_f64; 7];
    for day in days {
        if let Some(count) = counts.get_mut(day.weekday) {
            *count += 1.0;
        }
    }
    let n = days.len() as f64;
    let used = counts.iter().filter(|c| **c > 0.0);
    let entropy: f64 = used.clone().map(|c| -c / n * libm::log(c / n)).sum();
    let corrected = entropy + (used.count() as f64 - 1.0) / (2.0 * n);
    Some((1.0 - corrected / libm::log(7.0)).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::features::FeatureSchema;
    use crate::history::{Amount, DayRecord, History};

    fn catalogue() -> Catalogue {
        Catalogue::new(FeatureSchema {
            activity: vec!["purchase".into()],
            other_kinds: vec!["return".into()],
            horizon_days: vec![60],
            amounts: true,
        })
        .unwrap()
    }

    fn kinds() -> Vec<String> {
        vec!["purchase".into(), "return".into(), "survey".into()]
    }

    fn history(rows: &[(i32, u16, u32, f64)]) -> History {
        let record = |&(day, kind, count, amount): &(i32, u16, u32, f64)| DayRecord {
            amount: Amount::new(amount).unwrap(),
            day: Day::new(day).unwrap(),
            count,
            kind,
        };
        History::new(rows.iter().map(record).collect()).unwrap()
    }

    fn features(rows: &[(i32, u16, u32, f64)], as_of: i32) -> Vec<f64> {
        let catalogue = catalogue();
        let mut out = vec![0.0; catalogue.len()];
        Extractor::new(&catalogue, &kinds()).extract(
            history(rows).view(),
            Day::new(as_of).unwrap(),
            &mut out,
        );
        out
    }

    fn feature(rows: &[(i32, u16, u32, f64)], as_of: i32, name: &str) -> f64 {
        features(rows, as_of)[catalogue().position_of(name).unwrap()]
    }

    /// Purchases on days 0, 10 and 40, a return on day 45, a survey on day 50; worked out by hand at day 60.
    const ROWS: [(i32, u16, u32, f64); 5] = [
        (0, 0, 2, 30.0),
        (10, 0, 1, 10.0),
        (40, 0, 3, 20.0),
        (45, 1, 1, -5.0),
        (50, 2, 1, 0.0),
    ];

    #[test]
    fn every_feature_of_a_small_history_is_what_the_hand_says() {
        let ln = f64::ln;
        for (name, expected) in [
            ("recency_days", 20.0),
            ("recency_any_days", 10.0),
            ("tenure_days", 60.0),
            ("overdue_ratio", 1.0),
            ("recency_share", 1.0 / 3.0),
            ("active_days", 3.0),
            ("events", 6.0),
            ("one_active_day", 0.0),
            ("active_days_15d", 0.0),
            ("active_days_30d", 1.0),
            ("active_days_60d", 3.0),
            ("events_30d", 3.0),
            ("amount_30d", 20.0),
            ("amount_240d", 60.0),
            ("gap_mean_days", 20.0),
            ("gap_std_days", 200.0_f64.sqrt()),
            ("gap_last_days", 30.0),
            ("gap_max_days", 30.0),
            (
                "active_days_half_life_60d",
                0.5 + 2.0_f64.powf(-50.0 / 60.0) + 2.0_f64.powf(-20.0 / 60.0),
            ),
            ("trend_60d_over_240d", 0.0),
            ("amount", 60.0),
            ("amount_mean", 20.0),
            ("amount_std", 10.0),
            ("amount_last", 20.0),
            ("amount_max", 30.0),
            ("return_count", 1.0),
            ("return_count_60d", 1.0),
            ("return_recency_days", 15.0),
            // Thursday, Sunday, Tuesday: ln 3 and the correction 2 / 6.
            ("weekday_regularity", 1.0 - (ln(3.0) + 1.0 / 3.0) / ln(7.0)),
        ] {
            let got = feature(&ROWS, 60, name);
            assert!(
                (got - expected).abs() < 1e-9,
                "{name}: {got}, by hand {expected}"
            );
        }
    }

    #[test]
    fn the_event_exactly_at_the_cut_off_is_not_seen() {
        assert_eq!(feature(&ROWS, 40, "active_days"), 2.0);
        assert_eq!(feature(&ROWS, 41, "active_days"), 3.0);
        assert_eq!(feature(&ROWS, 41, "recency_days"), 1.0);
    }

    #[test]
    fn the_sum_of_nothing_has_no_sign() {
        for (name, value) in [
            ("events_15d", 0.0),
            ("amount_15d", 0.0),
            ("return_count_60d", 0.0),
        ] {
            assert_eq!(
                feature(&[(0, 0, 1, 9.0)], 300, name).to_bits(),
                f64::to_bits(value),
                "{name}"
            );
        }
    }

    /// By hand: an eighth of a day is added to 15 of 120 days, or 30 of 240, and half a day to the whole.
    #[test]
    fn a_trend_lies_on_the_side_on_which_the_counts_lie() {
        let trend = |days: &[i32]| {
            let rows: Vec<_> = std::iter::once(300)
                .chain(days.iter().copied())
                .map(|age| (300 - age, 0, 1, 0.0))
                .collect();
            feature(&rows, 300, "trend_60d_over_240d")
        };
        let quarter = |short: f64, long: f64| ((short + 0.125) / (long + 0.5) * 4.0).ln();
        assert_eq!(trend(&[]), 0.0, "nothing in either window");
        assert!(
            (trend(&[100]) - quarter(0.0, 1.0)).abs() < 1e-12
                && (trend(&[100]) + 3.0_f64.ln()).abs() < 1e-12
        );
        assert!(
            (trend(&[10, 100]) - quarter(1.0, 2.0)).abs() < 1e-12
                && trend(&[10, 100]) < 2.0_f64.ln()
        );
        assert_eq!(
            trend(&[10, 100, 150, 200]),
            0.0,
            "a quarter of the days in a quarter of the time"
        );
        assert_eq!(
            feature(&[(0, 0, 1, 0.0), (5, 0, 1, 0.0)], 20, "trend_60d_over_240d"),
            0.0,
            "no past to compare"
        );
    }

    #[test]
    fn what_cannot_be_known_is_unknown_and_not_a_number_that_looks_known() {
        let one = [(0, 0, 1, 9.0)];
        for name in [
            "gap_mean_days",
            "gap_std_days",
            "gap_last_days",
            "overdue_ratio",
            "return_recency_days",
            "weekday_regularity",
        ] {
            assert!(feature(&one, 30, name).is_nan(), "{name}");
        }
        assert_eq!(feature(&one, 30, "one_active_day"), 1.0);
        assert_eq!(feature(&one, 30, "return_count"), 0.0);
        assert!(feature(&[(0, 1, 1, 0.0)], 30, "recency_days").is_nan());
    }

    proptest! {
        /// Nothing at or after the as-of day moves a single bit, whatever it is.
        #[test]
        fn the_future_cannot_be_seen(
            rows in prop::collection::vec((0_i32..300, 0_u16..3, 1_u32..4, -100.0..900.0_f64), 0..40),
            later in prop::collection::vec((0_i32..200, 0_u16..3, 1_u32..9, -1e6..1e6_f64), 0..20),
            as_of in 1_i32..300,
        ) {
            let past: Vec<_> = rows.iter().copied().filter(|r| r.0 < as_of).collect();
            let mut with_future = past.clone();
            with_future.extend(later.iter().map(|&(d, k, c, a)| (as_of + d, k, c, a)));
            let bits = |rows: &[_]| features(rows, as_of).iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&past), bits(&with_future));
        }
    }

    /// The negative control of the property above: an event one day before the as-of day is seen.
    #[test]
    fn an_event_before_the_cut_off_is_seen() {
        let mut more = ROWS.to_vec();
        more.push((59, 0, 1, 1.0));
        assert_ne!(
            features(&ROWS, 60)[0].to_bits(),
            features(&more, 60)[0].to_bits()
        );
    }

    #[test]
    fn the_catalogue_has_unique_names_and_windows_that_do_not_pile_up() {
        let many = Catalogue::new(FeatureSchema {
            activity: vec!["a".into(), "b".into()],
            other_kinds: vec![],
            horizon_days: vec![14, 30, 60, 90],
            amounts: false,
        })
        .unwrap();
        let mut names: Vec<&str> = many.features().iter().map(|f| f.name.as_str()).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|w| w[0] != w[1]));
        assert_eq!(many.windows(), [4, 7, 14, 28, 56, 112, 224, 360]);
        assert!(many.position_of("a_count_30d").is_ok());
    }

    #[test]
    fn named_values_are_checked() {
        let catalogue = catalogue();
        let error = |name, value| {
            catalogue
                .vector([(name, value)].into_iter())
                .unwrap_err()
                .to_string()
        };
        assert!(error("recency_day", 1.0).contains("the nearest is `recency_days`"));
        assert!(error("recency_days", -1.0).contains("not negative"));
        assert!(error("amount", f64::NAN).contains("finite"));
        let vector = catalogue.vector([("amount", -3.0)].into_iter()).unwrap();
        assert_eq!(vector.iter().filter(|v| !v.is_nan()).count(), 1);
    }
}
