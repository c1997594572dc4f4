use super::{Catalogue, Feature, Quantity};

impl Catalogue {
    /// One plain sentence on a user's value of a feature, such as "last purchase 47 days ago; usually every 12".
    /// `vector` is the user's whole feature vector; `None` when the feature's value is unknown.
    pub fn phrase(&self, position: usize, vector: &[f64]) -> Option<String> {
        let feature = self.features().get(position)?;
        let value = vector.get(position).copied().filter(|v| !v.is_nan())?;
        let other = |q| self.position(q).and_then(|p| vector.get(p)).copied().filter(|v| !v.is_nan());
        let usual =
            || other(Quantity::GapMean).map(|gap| format!("; usually every {}", number(gap))).unwrap_or_default();
        Some(match feature.quantity {
            Quantity::Recency => format!("last {} {} ago{}", self.verb(), days(value), usual()),
            Quantity::Overdue => {
                let recency = other(Quantity::Recency).map(days).unwrap_or_default();
                format!("last {} {recency} ago{}", self.verb(), usual())
            }
            Quantity::RecencyShare => {
                format!("last {} was {} % of the way back to the first event", self.verb(), number(value * 100.0))
            }
            Quantity::GapsExceeded => {
                let recency = other(Quantity::Recency).map(days).unwrap_or_default();
                let shorter = number(value * 100.0);
                format!("last {} {recency} ago, longer than {shorter} % of the user's own gaps", self.verb())
            }
            Quantity::ActiveAge => format!("first {} {} ago", self.verb(), days(value)),
            Quantity::RecencyAny => format!("last event of any kind {} ago", days(value)),
            Quantity::Tenure => format!("known for {}", days(value)),
            Quantity::OneDay if value > 0.0 => format!("{} on one day only", self.verb()),
            Quantity::OneDay => format!("{} on more than one day", self.verb()),
            Quantity::Trend(short, _) => {
                let way = if value < 0.0 { "below" } else { "above" };
                let change = (libm::exp(value) - 1.0).abs() * 100.0;
                format!("activity of the last {short} days {} % {way} the longer run", number(change))
            }
            Quantity::KindRecency(kind) => format!("last {} {} ago", self.kind_word(kind), days(value)),
            _ => plain(feature, value),
        })
    }

    fn verb(&self) -> String {
        match self.schema().activity.as_slice() {
            [_] => self.kind_word(0),
            _ => "activity".to_owned(),
        }
    }

    fn kind_word(&self, kind: u16) -> String {
        self.kinds().get(usize::from(kind)).map(|k| k.replace('_', " ")).unwrap_or_default()
    }
}

/// "Days with a purchase in the last 60 days: 3".
fn plain(feature: &Feature, value: f64) -> String {
    format!("{}: {}", feature.sentence.trim_end_matches('.'), number(value))
}

fn days(value: f64) -> String {
    if (value - 1.0).abs() < 0.05 { "1 day".to_owned() } else { format!("{} days", number(value)) }
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
        _ => format!("{}{}.{}", if rest < 0 { "-" } else { "" }, whole.abs(), rest.abs()),
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
            if whole { format!("{rounded:.0}") } else { format!("{rounded:.1}") }
        };
        let steps = (-3_000..3_000).map(|i| f64::from(i) * 0.037);
        let edges = [0.05, 0.95, 9.95, 9.949, 10.5, 11.5, 99.96, -0.5, 1e14, 12_345_678.9, 1e300, -1e16];
        for value in steps.chain(edges) {
            let expected = if slowly(value) == "-0" { "0".to_owned() } else { slowly(value) };
            assert_eq!(super::number(value), expected, "{value}");
        }
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
        assert_eq!(say("recency_days").unwrap(), "last purchase 47 days ago; usually every 12");
        assert_eq!(say("overdue_ratio").unwrap(), "last purchase 47 days ago; usually every 12");
        assert_eq!(say("tenure_days").unwrap(), "known for 1 day");
        assert_eq!(say("active_days_60d").unwrap(), "Days with a purchase in the last 60 days: 3");
        assert_eq!(say("trend_60d_over_240d").unwrap(), "activity of the last 60 days 50 % below the longer run");
        assert_eq!(say("support_ticket_recency_days").unwrap(), "last support ticket 3 days ago");
        assert_eq!(say("amount_mean").unwrap(), "Mean amount of a day with a purchase: 20");
        assert_eq!(say("gap_last_days"), None);
    }
}
