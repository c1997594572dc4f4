use crate::features::extract::{trend, trend_windows};

/// Numbers that come as FP32 are off by less than this share of themselves.
const ROUNDING: f64 = 1e-6;
/// Ratios and means that a client rounds for people are off by less than this share of themselves ...
const ROUGHLY: f64 = 0.02;
/// ... or by less than this.
const ROUGHLY_LEAST: f64 = 0.05;

/// One thing that holds of every vector that comes from a history. Features are positions; a rule that reads one that is
/// unknown holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Rule {
    /// A whole number of at least so many.
    Count { feature: usize, least: f64 },
    /// Between two numbers.
    Range { feature: usize, low: f64, high: f64 },
    /// `low` is not greater than `high`.
    Order { low: usize, high: usize },
    /// `inner`, of a window, lacks at most `days` of what `outer` counts.
    Lacks {
        inner: usize,
        outer: usize,
        days: f64,
    },
    /// The same where `outer` counts everything since `age`.
    LacksSince {
        inner: usize,
        outer: usize,
        age: usize,
        window: f64,
    },
    /// All of `outer` is in `inner` when the window reaches back to `age`.
    AllWithin {
        inner: usize,
        outer: usize,
        age: usize,
        window: f64,
    },
    /// Something in the window exactly when the last time was in it.
    Seen {
        count: usize,
        recency: usize,
        window: f64,
    },
    /// Nothing adds up to nothing.
    Unseen {
        amount: usize,
        recency: usize,
        window: f64,
    },
    /// Nothing is counted up to `until` days ago of a user whose first day came later.
    NotYet {
        count: usize,
        age: usize,
        until: f64,
    },
    /// So many days have room between the last one and the first.
    Room {
        days: usize,
        recency: usize,
        age: usize,
    },
    /// So many days have room between the last one and the start of the window.
    RoomWithin {
        days: usize,
        recency: usize,
        window: f64,
    },
    /// 1 for a single day, else 0.
    Single { flag: usize, days: usize },
    /// The first day is the last one exactly when there is one only.
    OneDay {
        days: usize,
        recency: usize,
        age: usize,
    },
    /// Known only for so many.
    Needs {
        feature: usize,
        count: usize,
        least: f64,
    },
    /// The parts add up.
    Sum { parts: Vec<usize>, whole: usize },
    /// The other gaps have room beside the longest.
    LongestGap {
        gap: usize,
        days: usize,
        recency: usize,
        age: usize,
    },
    /// Gaps between 1 and the longest do not spread further.
    GapSpread { spread: usize, longest: usize },
    /// Every day counts as much as its age leaves of it.
    Decayed {
        value: usize,
        days: usize,
        recency: usize,
        age: usize,
        half_life: f64,
    },
    /// A share of gaps, with one more of which a half is shorter.
    Exceeded { share: usize, days: usize },
    /// `value` is `(over + more) / (under + more)`.
    Ratio {
        value: usize,
        over: usize,
        under: usize,
        more: f64,
    },
    /// The days between the first and the last, over the gaps.
    MeanGap {
        value: usize,
        days: usize,
        recency: usize,
        age: usize,
    },
    /// Orders have an amount above 0, and nothing else has.
    Spent { amount: usize, days: usize },
    /// The orders after the first, whose mean is `mean`, are not worth more than all of them.
    RepeatAmount {
        mean: usize,
        days: usize,
        whole: usize,
    },
    /// The trend of the counts.
    Trend {
        value: usize,
        short: usize,
        long: usize,
        tenure: usize,
        windows: [u16; 2],
    },
}

fn near(a: f64, b: f64) -> f64 {
    ROUNDING * (a.abs() + b.abs())
}

fn far(a: f64, b: f64) -> bool {
    (a - b).abs() > ROUGHLY_LEAST + ROUGHLY * (a.abs() + b.abs())
}

impl Rule {
    /// Whether a vector's values contradict the rule.
    #[inline]
    pub(crate) fn is_broken(&self, at: impl Fn(&usize) -> f64) -> bool {
        match self {
            Self::Count { feature, least } => {
                at(feature) < *least || at(feature) > at(feature).trunc()
            }
            Self::Range { feature, low, high } => {
                at(feature) < low - near(1.0, *low) || at(feature) > high + near(1.0, *high)
            }
            Self::Order { low, high } => at(low) > at(high) + near(at(low), at(high)),
            Self::Lacks { inner, outer, days } => at(outer) - at(inner) > *days,
            Self::LacksSince {
                inner,
                outer,
                age,
                window,
            } => at(outer) - at(inner) > above(at(age), *window),
            Self::AllWithin {
                inner,
                outer,
                age,
                window,
            } => {
                at(age) <= *window
                    && (at(inner) - at(outer)).abs() > near(at(inner), at(outer)) + ROUNDING
            }
            Self::Seen {
                count,
                recency,
                window,
            } => {
                let (count, recency) = (at(count), at(recency));
                (count > 0.0 && recency > *window) || (count == 0.0 && recency <= *window)
            }
            Self::Unseen {
                amount,
                recency,
                window,
            } => at(recency) > *window && at(amount).abs() > 0.0,
            Self::NotYet { count, age, until } => at(age) <= *until && at(count) > 0.0,
            Self::Room { days, recency, age } => at(days) > above(at(age) + 1.0, at(recency)),
            Self::RoomWithin {
                days,
                recency,
                window,
            } => at(days) > above(window + 1.0, at(recency)),
            Self::Single { flag, days } => {
                let (flag, days) = (at(flag), at(days));
                (flag != 0.0 && flag != 1.0 && !flag.is_nan())
                    || (flag == 1.0 && other(days))
                    || (flag == 0.0 && days == 1.0)
            }
            Self::OneDay { days, recency, age } => {
                let (days, gone) = (at(days), at(age) - at(recency));
                (days == 1.0 && gone > 0.0) || (days > 1.0 && gone == 0.0)
            }
            Self::Needs {
                feature,
                count,
                least,
            } => at(count) < *least && !at(feature).is_nan(),
            _ => self.is_figure_broken(at),
        }
    }

    /// The same for rules that compute one feature from others.
    #[inline]
    fn is_figure_broken(&self, at: impl Fn(&usize) -> f64) -> bool {
        match self {
            Self::Sum { parts, whole } => {
                let sum: f64 = parts.iter().map(&at).sum();
                (sum - at(whole)).abs() > near(sum, at(whole))
            }
            Self::LongestGap {
                gap,
                days,
                recency,
                age,
            } => at(gap) + at(days) - 2.0 > at(age) - at(recency),
            Self::GapSpread { spread, longest } => far_above(
                at(spread),
                (at(longest) - 1.0) * std::f64::consts::FRAC_1_SQRT_2,
            ),
            Self::Decayed {
                value,
                days,
                recency,
                age,
                half_life,
            } => {
                let left = |days_ago: f64| at(days) * (-days_ago / half_life).exp2();
                far_above(at(value), left(at(recency))) || far_above(left(at(age)), at(value))
            }
            Self::Exceeded { share, days } => {
                let least = 0.5 / at(days);
                far_above(at(share), 1.0 - least) || far_above(least, at(share))
            }
            Self::Ratio {
                value,
                over,
                under,
                more,
            } => far(at(value), (at(over) + more) / (at(under) + more)),
            Self::MeanGap {
                value,
                days,
                recency,
                age,
            } => at(days) > 1.0 && far(at(value), (at(age) - at(recency)) / (at(days) - 1.0)),
            Self::Spent { amount, days } => {
                let (amount, days) = (at(amount), at(days));
                (days == 0.0 && amount > 0.0) || (days > 0.0 && amount == 0.0)
            }
            Self::RepeatAmount { mean, days, whole } => {
                far_above(at(mean) * (at(days) - 1.0), at(whole))
            }
            Self::Trend {
                value,
                short,
                long,
                tenure,
                windows: [a, b],
            } => {
                !at(tenure).is_nan()
                    && far(
                        at(value),
                        trend(at(short), at(long), trend_windows(*a, *b, at(tenure))),
                    )
            }
            _ => false,
        }
    }

    /// The features that it reads, the one to blame first.
    pub(crate) fn features(&self) -> Vec<usize> {
        match self {
            Self::Count { feature, .. } | Self::Range { feature, .. } => vec![*feature],
            Self::Order { low, high } => vec![*low, *high],
            Self::Lacks { inner, outer, .. } => vec![*outer, *inner],
            Self::LacksSince {
                inner, outer, age, ..
            } => vec![*outer, *inner, *age],
            Self::AllWithin {
                inner, outer, age, ..
            } => vec![*inner, *outer, *age],
            Self::Seen {
                count: first,
                recency,
                ..
            }
            | Self::Unseen {
                amount: first,
                recency,
                ..
            } => {
                vec![*first, *recency]
            }
            Self::Room { days, recency, age } | Self::OneDay { days, recency, age } => {
                vec![*days, *age, *recency]
            }
            Self::NotYet { count, age, .. } => vec![*count, *age],
            Self::RoomWithin { days, recency, .. } => vec![*days, *recency],
            Self::Single { flag, days } => vec![*flag, *days],
            Self::Needs { feature, count, .. } => vec![*feature, *count],
            Self::Sum { parts, whole } => std::iter::once(*whole)
                .chain(parts.iter().copied())
                .collect(),
            Self::LongestGap {
                gap: first,
                days,
                recency,
                age,
            }
            | Self::Decayed {
                value: first,
                days,
                recency,
                age,
                ..
            }
            | Self::MeanGap {
                value: first,
                days,
                recency,
                age,
            } => vec![*first, *days, *age, *recency],
            Self::GapSpread { spread, longest } => vec![*spread, *longest],
            Self::Spent { amount, days } => vec![*amount, *days],
            Self::RepeatAmount { mean, days, whole } => vec![*mean, *days, *whole],
            Self::Exceeded { share, days } => vec![*share, *days],
            Self::Ratio {
                value, over, under, ..
            } => vec![*value, *over, *under],
            Self::Trend {
                value,
                short,
                long,
                tenure,
                ..
            } => vec![*value, *short, *long, *tenure],
        }
    }

    /// What holds of every history.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Count { least, .. } => format!("it must be a whole number of at least {least}"),
            Self::Range { low, high, .. } if *high == f64::INFINITY => {
                format!("it cannot be less than {low}")
            }
            Self::Range { low, high, .. } => format!("it must lie between {low} and {high}"),
            Self::Order { .. } => "the first cannot be greater than the second".to_owned(),
            Self::Lacks { days, .. } => format!("they differ by at most {days}"),
            Self::LacksSince { window, .. } => {
                format!(
                    "what lies before the last {window} days has no room between them and the first day"
                )
            }
            Self::AllWithin { window, .. } => {
                format!("all of it lies in the last {window} days, so the first two are equal")
            }
            Self::Seen { window, .. } => {
                format!(
                    "there is something in the last {window} days exactly when the last time lies in them"
                )
            }
            Self::Unseen { window, .. } => format!("nothing happened in the last {window} days"),
            Self::NotYet { until, .. } => {
                format!("what is counted ended {until} days ago, before the first day")
            }
            Self::Room { .. } => {
                "so many days have no room between the first and the last one".to_owned()
            }
            Self::RoomWithin { window, .. } => {
                format!(
                    "so many days have no room between the last one and the start of the last {window} days"
                )
            }
            Self::Single { .. } => "the first is 1 when the second is 1, else 0".to_owned(),
            Self::OneDay { .. } => {
                "the first day is the last one exactly when there is one only".to_owned()
            }
            Self::Needs { least, .. } => {
                format!("the first is known only where the second is at least {least}")
            }
            Self::Sum { .. } => "the first is the sum of the others".to_owned(),
            Self::LongestGap { .. } => {
                "the gaps have no room between the first day and the last".to_owned()
            }
            Self::GapSpread { .. } => "gaps no longer than that cannot spread so far".to_owned(),
            Self::Decayed { .. } => {
                "it is the sum of what is left of each day, between the newest's and the oldest's"
                    .to_owned()
            }
            Self::Exceeded { .. } => "it lies half a gap from 0 and 1".to_owned(),
            Self::Ratio { more, .. } if *more == 0.0 => {
                "the first is the second over the third".to_owned()
            }
            Self::Ratio { .. } => {
                "the first is the second over the third, each with a day more".to_owned()
            }
            Self::MeanGap { .. } => {
                "it is the days between the first and the last, over the number of gaps".to_owned()
            }
            Self::Spent { .. } => "the first is above 0 exactly when the second is".to_owned(),
            Self::RepeatAmount { .. } => {
                "the second, without one, times the first is not more than the third".to_owned()
            }
            Self::Trend { .. } => {
                "it is the logarithm of the second's rate over the third's".to_owned()
            }
        }
    }
}

/// What `a` has more than `b`; not less than nothing. NaN when either is.
fn above(a: f64, b: f64) -> f64 {
    let more = a - b;
    if more < 0.0 { 0.0 } else { more }
}

fn far_above(a: f64, b: f64) -> bool {
    a > b && far(a, b)
}

/// Known and not 1.
fn other(days: f64) -> bool {
    !days.is_nan() && days != 1.0
}
