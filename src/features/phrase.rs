use super::extract::trend_windows;
use super::list::with_article;
use super::{Catalogue, Feature, Quantity};

/// A probability as percent, which says neither that a thing is certain nor that it cannot be.
pub fn percent(probability: f64) -> String {
    if probability > 0.99 {
        "more than 99 %".to_owned()
    } else if probability < 0.01 {
        "less than 1 %".to_owned()
    } else {
        format!("{:.0} %", probability * 100.0)
    }
}

impl Catalogue {
    /// One plain description on a user's value of a feature, such as "last purchase 47 days ago; usually every 12".
    /// `vector` is the user's whole feature vector; `None` when the feature's value is unknown.
    pub fn phrase(&self, position: usize, vector: &[f64]) -> Option<String> {
        let feature = self.features().get(position)?;
        let value = vector.get(position).copied().filter(|v| !v.is_nan())?;
        let known = |q| self.known(q, vector);
        let usual = || {
            known(Quantity::GapMean)
                .map(|gap| format!("; usually every {}", number(gap)))
                .unwrap_or_default()
        };
        Some(match feature.quantity {
            Quantity::Recency if known(Quantity::ActiveDays) == Some(1.0) => {
                format!("{} on one day only, {} ago", self.verb(), days(value))
            }
            Quantity::Recency => format!("last {} {} ago{}", self.verb(), days(value), usual()),
            Quantity::Overdue => {
                let recency = known(Quantity::Recency).map(days).unwrap_or_default();
                format!("last {} {recency} ago{}", self.verb(), usual())
            }
            Quantity::RecencyShare if value >= 1.0 => {
                format!("no {} since the day of the first event", self.verb())
            }
            Quantity::RecencyShare => {
                format!(
                    "last {} was {} of the way back to the first event",
                    self.verb(),
                    percent(value)
                )
            }
            Quantity::GapsExceeded => self.gaps_exceeded(value, vector),
            Quantity::ActiveAge => format!("first {} {} ago", self.verb(), days(value)),
            Quantity::RecencyAny => format!("last event of any kind {} ago", days(value)),
            Quantity::Tenure => format!("known for {}", days(value)),
            Quantity::OneDay if value > 0.0 => format!("{} on one day only", self.verb()),
            Quantity::OneDay => format!("{} on more than one day", self.verb()),
            Quantity::Trend(short, long) => self.trend(short, long, value, vector),
            Quantity::KindRecency(kind) => {
                format!("last {} {} ago", self.kind_word(kind), days(value))
            }
            _ => plain(feature, value),
        })
    }

    /// A user's value of a feature that counts over a long time, beside what the user did lately: "86 visits, none in the
    /// last 30 days"; or the usual gap beside the present one. `None` where there is nothing to hold it against.
    pub fn phrase_by_contrast(&self, position: usize, vector: &[f64]) -> Option<Contrast> {
        use Quantity as Q;
        let quantity = self.features().get(position)?.quantity;
        let short = self.schema().horizon_days.first().copied()?;
        let (all, lately, window) = match quantity {
            Q::GapMean => return self.gap_by_contrast(vector),
            // What is left of old days is no number of days that anybody could check.
            Q::ActiveDays | Q::DecayedDays(_) => (Q::ActiveDays, Q::ActiveDaysIn(short), None),
            Q::ActiveDaysIn(w) => (quantity, Q::ActiveDaysIn(short), Some(w)),
            Q::Events => (quantity, Q::EventsIn(short), None),
            Q::EventsIn(w) => (quantity, Q::EventsIn(short), Some(w)),
            Q::Amount => (quantity, Q::AmountIn(short), None),
            Q::AmountIn(w) => (quantity, Q::AmountIn(short), Some(w)),
            Q::KindCount(kind) => (quantity, Q::KindCountIn(kind, short), None),
            Q::KindCountIn(kind, w) => (quantity, Q::KindCountIn(kind, short), Some(w)),
            _ => return None,
        };
        let (total, recent) = (self.known(all, vector)?, self.known(lately, vector)?);
        if window.is_some_and(|window| window <= short) || total <= 0.0 {
            return None;
        }
        let tenure = self.known(Q::Tenure, vector)?.max(1.0);
        let length = window.map_or(tenure, |window| tenure.min(f64::from(window)));
        let expected = total * f64::from(short).min(length) / length;
        let part = match quantity {
            Q::Amount | Q::AmountIn(_) if recent == 0.0 => "nothing ",
            Q::Amount | Q::AmountIn(_) if recent == total => "all of it ",
            Q::Amount | Q::AmountIn(_) => &format!("{} of it ", number(recent)),
            _ if recent == 0.0 => "none ",
            _ if recent == total && total > 1.0 => "all of them ",
            _ if recent == total => "",
            _ => &format!("{} of them ", number(recent)),
        };
        let window = window
            .map(|window| format!(" in the last {window} days"))
            .unwrap_or_default();
        let words = format!(
            "{}{window}, {part}in the last {short} days",
            self.counted(all, total)
        );
        Some(Contrast {
            words,
            is_fall: recent < 0.5 * expected,
            is_rise: recent > 1.5 * expected,
        })
    }

    fn gap_by_contrast(&self, vector: &[f64]) -> Option<Contrast> {
        let (gap, recency) = (
            self.known(Quantity::GapMean, vector)?,
            self.known(Quantity::Recency, vector)?,
        );
        let words = self.phrase(self.position(Quantity::Recency)?, vector)?;
        Some(Contrast {
            words,
            is_fall: recency > gap,
            is_rise: recency < gap,
        })
    }

    /// "86 visits", "40 days with a purchase", "an amount of 120".
    fn counted(&self, quantity: Quantity, value: f64) -> String {
        match quantity {
            Quantity::ActiveDays | Quantity::ActiveDaysIn(_) => {
                format!("{} with {}", days(value), with_article(&self.verb()))
            }
            Quantity::Amount | Quantity::AmountIn(_) => {
                format!("{} amount of {}", self.verb(), number(value))
            }
            Quantity::KindCount(kind) | Quantity::KindCountIn(kind, _) => {
                several(value, &self.kind_word(kind))
            }
            _ => several(value, &self.verb()),
        }
    }

    /// The change that the counts say; the feature itself lies between it and no change.
    fn trend(&self, short: u16, long: u16, value: f64, vector: &[f64]) -> String {
        let count = |window| self.known(Quantity::ActiveDaysIn(window), vector);
        let counts = count(short)
            .zip(count(long))
            .zip(self.known(Quantity::Tenure, vector));
        let way = |above: bool| if above { "above" } else { "below" };
        let Some(((few, many), tenure)) = counts else {
            return format!(
                "activity of the last {short} days {} the longer run",
                way(value > 0.0)
            );
        };
        let [a, b] = trend_windows(short, long, tenure);
        let said = format!(
            "{} of {} days, {} of {}",
            number(few),
            number(a),
            number(many),
            number(b)
        );
        let change = if many > 0.0 {
            few / a * (b / many) - 1.0
        } else {
            0.0
        };
        let share = (change.abs() * 100.0).round();
        if share == 0.0 {
            return format!("activity of the last {short} days as in the longer run ({said})");
        }
        format!(
            "activity of the last {short} days {} % {} the longer run ({said})",
            number(share),
            way(change > 0.0)
        )
    }

    /// How many of a user's own gaps are shorter than the present one.
    fn gaps_exceeded(&self, value: f64, vector: &[f64]) -> String {
        let recency = self
            .known(Quantity::Recency, vector)
            .map(days)
            .unwrap_or_default();
        let last = format!("last {} {recency} ago", self.verb());
        let Some(gaps) = self
            .known(Quantity::ActiveDays, vector)
            .map(|active| active - 1.0)
            .filter(|gaps| *gaps > 0.0)
        else {
            return format!(
                "{last}, longer than {} of the user's own gaps",
                percent(value)
            );
        };
        // One gap of which a half is shorter was added to what was seen.
        let shorter = (value * (gaps + 1.0) - 0.5).round().clamp(0.0, gaps);
        if gaps == 1.0 {
            let longer = if shorter > 0.0 {
                "longer"
            } else {
                "not longer"
            };
            return format!("{last}, {longer} than the user's only gap");
        }
        let how_many = match shorter {
            0.0 => "none".to_owned(),
            all if all == gaps => "all".to_owned(),
            some => number(some),
        };
        format!(
            "{last}, longer than {how_many} of the user's own {} gaps",
            number(gaps)
        )
    }

    fn known(&self, quantity: Quantity, vector: &[f64]) -> Option<f64> {
        self.position(quantity)
            .and_then(|p| vector.get(p))
            .copied()
            .filter(|v| !v.is_nan())
    }

    fn verb(&self) -> String {
        match self.schema().activity.as_slice() {
            [_] => self.kind_word(0),
            _ => "activity".to_owned(),
        }
    }

    fn kind_word(&self, kind: u16) -> String {
        self.kinds()
            .get(usize::from(kind))
            .map(|k| k.replace('_', " "))
            .unwrap_or_default()
    }
}

/// What a user did in a longer time, and lately.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contrast {
    /// Both in words.
    pub words: String,
    /// Whether it was clearly less lately.
    pub is_fall: bool,
    /// Whether it was clearly more lately.
    pub is_rise: bool,
}

/// "Days with a purchase in the last 60 days: 3".
fn plain(feature: &Feature, value: f64) -> String {
    format!(
        "{}: {}",
        feature.description.trim_end_matches('.'),
        number(value)
    )
}

fn days(value: f64) -> String {
    if (value - 1.0).abs() < 0.05 {
        "1 day".to_owned()
    } else {
        format!("{} days", number(value))
    }
}

/// "1 visit", "86 visits", "3 order placed events": only a noun that anyone would write so is put into the plural.
fn several(value: f64, noun: &str) -> String {
    let one = (value - 1.0).abs() < 0.05;
    let regular = noun.ends_with(|c: char| c.is_ascii_lowercase())
        && !["ed", "s", "x", "z", "y", "ch", "sh", "ing"]
            .iter()
            .any(|end| noun.ends_with(end));
    let words = match (regular, one) {
        (true, true) => noun.to_owned(),
        (true, false) => format!("{noun}s"),
        (false, true) => format!("{noun} event"),
        (false, false) => format!("{noun} events"),
    };
    format!("{} {words}", number(value))
}

/// Beyond this a number is no longer a whole number of tenths for certain.
const TENTHS_MAX: f64 = 1e15;

/// At most one decimal for small values, none for large ones. Whole numbers are written, because writing broken ones
/// takes ten times as long.
fn number(value: f64) -> String {
    let tenths = (value * 10.0).round();
    if tenths.is_nan() || tenths.abs() >= TENTHS_MAX {
        return format!("{value:.0}");
    }
    let (whole, rest) = (tenths as i64 / 10, tenths as i64 % 10);
    match rest {
        0 => whole.to_string(),
        _ if tenths.abs() >= 100.0 => ((tenths / 10.0).round_ties_even() as i64).to_string(),
        _ => format!(
            "{}{}.{}",
            if rest < 0 { "-" } else { "" },
            whole.abs(),
            rest.abs()
        ),
    }
}

#[cfg(test)]
mod tests {
    use crate::features::{Catalogue, FeatureSchema};

    #[test]
    fn numbers_are_written_as_the_standard_library_would() {
        let slowly = |value: f64| {
            let rounded = (value * 10.0).round() / 10.0;
            let whole = rounded.abs() >= 10.0 || rounded.fract() == 0.0;
            if whole {
                format!("{rounded:.0}")
            } else {
                format!("{rounded:.1}")
            }
        };
        let steps = (-3_000..3_000).map(|i| f64::from(i) * 0.037);
        let edges = [
            0.05,
            0.95,
            9.95,
            9.949,
            10.5,
            11.5,
            99.96,
            -0.5,
            1e14,
            12_345_678.9,
            1e300,
            -1e16,
        ];
        for value in steps.chain(edges) {
            let expected = if slowly(value) == "-0" {
                "0".to_owned()
            } else {
                slowly(value)
            };
            assert_eq!(super::number(value), expected, "{value}");
        }
    }

    #[test]
    fn a_probability_is_never_certain() {
        let said = [0.0, 0.004, 0.01, 0.345, 0.99, 0.9901, 0.9971, 1.0].map(super::percent);
        let (less, more) = ("less than 1 %", "more than 99 %");
        assert_eq!(said, [less, less, "1 %", "34 %", "99 %", more, more, more]);
    }

    fn catalogue() -> Catalogue {
        Catalogue::new(FeatureSchema {
            activity: vec!["purchase".into()],
            other_kinds: vec!["visit".into(), "order_placed".into()],
            horizon_days: vec![30],
            amounts: true,
        })
        .unwrap()
    }

    fn vector(named: &[(&str, f64)]) -> Vec<f64> {
        catalogue()
            .vector(
                [("tenure_days", 400.0), ("recency_days", 50.0)]
                    .iter()
                    .chain(named)
                    .copied(),
            )
            .unwrap()
    }

    fn say(name: &str, named: &[(&str, f64)]) -> String {
        let catalogue = catalogue();
        catalogue
            .phrase(catalogue.position_of(name).unwrap(), &vector(named))
            .unwrap()
    }

    fn contrast(name: &str, named: &[(&str, f64)]) -> Option<super::Contrast> {
        let catalogue = catalogue();
        catalogue.phrase_by_contrast(catalogue.position_of(name).unwrap(), &vector(named))
    }

    #[test]
    fn a_count_is_told_beside_what_was_lately() {
        let words = |name: &str, named: &[(&str, f64)]| contrast(name, named).unwrap().words;
        let visits = |all, lately| {
            words(
                "visit_count",
                &[("visit_count", all), ("visit_count_30d", lately)],
            )
        };
        assert_eq!(visits(86.0, 0.0), "86 visits, none in the last 30 days");
        assert_eq!(
            visits(86.0, 4.0),
            "86 visits, 4 of them in the last 30 days"
        );
        assert_eq!(
            visits(3.0, 3.0),
            "3 visits, all of them in the last 30 days"
        );
        assert_eq!(visits(1.0, 1.0), "1 visit, in the last 30 days");
        let active = [
            ("active_days", 40.0),
            ("active_days_30d", 0.0),
            ("active_days_half_life_30d", 4.4),
        ];
        assert_eq!(
            words("active_days", &active),
            "40 days with a purchase, none in the last 30 days"
        );
        assert_eq!(
            words("active_days_half_life_30d", &active),
            words("active_days", &active)
        );
        let window = [("active_days_120d", 27.0), ("active_days_30d", 0.0)];
        let expected = "27 days with a purchase in the last 120 days, none in the last 30 days";
        assert_eq!(words("active_days_120d", &window), expected);
        let amounts = [("amount", 812.4), ("amount_30d", 20.0)];
        assert_eq!(
            words("amount", &amounts),
            "purchase amount of 812, 20 of it in the last 30 days"
        );
        let placed = [("order_placed_count", 2.0), ("order_placed_count_30d", 0.0)];
        assert_eq!(
            words("order_placed_count", &placed),
            "2 order placed events, none in the last 30 days"
        );
        assert_eq!(
            words("gap_mean_days", &[("gap_mean_days", 3.8)]),
            "last purchase 50 days ago; usually every 3.8"
        );
        // What there is nothing to hold against.
        assert_eq!(contrast("events", &[("events", 5.0)]), None);
        assert_eq!(
            contrast(
                "visit_count",
                &[("visit_count", 0.0), ("visit_count_30d", 0.0)]
            ),
            None
        );
        assert_eq!(
            contrast(
                "active_days_15d",
                &[("active_days_15d", 2.0), ("active_days_30d", 3.0)]
            ),
            None
        );
    }

    /// In 400 days 86 visits are 6.5 in 30.
    #[test]
    fn a_contrast_is_clear_or_it_is_none() {
        let way = |lately| {
            let contrast = contrast(
                "visit_count",
                &[("visit_count", 86.0), ("visit_count_30d", lately)],
            )
            .unwrap();
            (contrast.is_fall, contrast.is_rise)
        };
        assert_eq!(
            [0.0, 3.0, 4.0, 9.0, 10.0]
                .map(way)
                .map(|(fall, rise)| i8::from(rise) - i8::from(fall)),
            [-1, -1, 0, 0, 1]
        );
    }

    #[test]
    fn a_trend_is_told_by_its_counts() {
        let trend = |few: f64, many: f64, tenure: f64| {
            let counts = [
                ("active_days_30d", few),
                ("active_days_120d", many),
                ("tenure_days", tenure),
            ];
            say(
                "trend_30d_over_120d",
                &[&counts[..], &[("trend_30d_over_120d", 0.1)]].concat(),
            )
        };
        let of = |rest: &str| format!("activity of the last 30 days {rest}");
        assert_eq!(
            trend(0.0, 1.0, 400.0),
            of("100 % below the longer run (0 of 30 days, 1 of 120)")
        );
        assert_eq!(
            trend(1.0, 2.0, 400.0),
            of("100 % above the longer run (1 of 30 days, 2 of 120)")
        );
        assert_eq!(
            trend(0.0, 0.0, 400.0),
            of("as in the longer run (0 of 30 days, 0 of 120)")
        );
        assert_eq!(
            trend(5.0, 20.0, 400.0),
            of("as in the longer run (5 of 30 days, 20 of 120)")
        );
        assert_eq!(
            trend(2.0, 3.0, 60.0),
            of("33 % above the longer run (2 of 30 days, 3 of 60)")
        );
    }

    #[test]
    fn own_gaps_are_counted() {
        assert_eq!(
            say("recency_days", &[("active_days", 1.0)]),
            "purchase on one day only, 50 days ago"
        );
        let gaps = |share: f64, active: f64| {
            say(
                "gaps_exceeded",
                &[("gaps_exceeded", share), ("active_days", active)],
            )
        };
        let of = |rest: &str| format!("last purchase 50 days ago, {rest}");
        assert_eq!(
            gaps(12.5 / 13.0, 13.0),
            of("longer than all of the user's own 12 gaps")
        );
        assert_eq!(
            gaps(0.5 / 13.0, 13.0),
            of("longer than none of the user's own 12 gaps")
        );
        assert_eq!(
            gaps(9.5 / 13.0, 13.0),
            of("longer than 9 of the user's own 12 gaps")
        );
        assert_eq!(gaps(0.75, 2.0), of("longer than the user's only gap"));
        assert_eq!(
            say("recency_share", &[("recency_share", 1.0)]),
            "no purchase since the day of the first event"
        );
        let most = say("recency_share", &[("recency_share", 0.997)]);
        assert_eq!(
            most,
            "last purchase was more than 99 % of the way back to the first event"
        );
    }

    #[test]
    fn sentences_read_as_a_person_would_say_them() {
        let catalogue = Catalogue::new(FeatureSchema {
            activity: vec!["purchase".into()],
            other_kinds: vec!["support_ticket".into()],
            horizon_days: vec![60],
            amounts: true,
        })
        .unwrap();
        let named = [
            ("recency_days", 47.0),
            ("gap_mean_days", 12.04),
            ("overdue_ratio", 3.7),
            ("tenure_days", 1.0),
            ("active_days_60d", 3.0),
            ("trend_60d_over_240d", -0.7),
            ("support_ticket_recency_days", 3.0),
            ("amount_mean", 19.95),
        ];
        let vector = catalogue.vector(named.into_iter()).unwrap();
        let say = |name| catalogue.phrase(catalogue.position_of(name).unwrap(), &vector);
        assert_eq!(
            say("recency_days").unwrap(),
            "last purchase 47 days ago; usually every 12"
        );
        assert_eq!(
            say("overdue_ratio").unwrap(),
            "last purchase 47 days ago; usually every 12"
        );
        assert_eq!(say("tenure_days").unwrap(), "known for 1 day");
        assert_eq!(
            say("active_days_60d").unwrap(),
            "Days with a purchase in the last 60 days: 3"
        );
        assert_eq!(
            say("trend_60d_over_240d").unwrap(),
            "activity of the last 60 days below the longer run"
        );
        assert_eq!(
            say("support_ticket_recency_days").unwrap(),
            "last support ticket 3 days ago"
        );
        assert_eq!(
            say("amount_mean").unwrap(),
            "Mean amount of a day with a purchase: 20"
        );
        assert_eq!(say("gap_last_days"), None);
    }
}
