use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::FeatureError;
use super::list::List;

/// The longest horizon, in days.
pub const HORIZON_LIMIT: u16 = 3_660;

/// All that decides which features there are: a catalogue is a pure function of its schema.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureSchema {
    /// The kinds of events that count as staying.
    pub activity: Vec<String>,
    /// The other kinds that have features of their own; in order of their names when a fit chose them.
    pub other_kinds: Vec<String>,
    /// The horizons in days, increasing.
    pub horizon_days: Vec<u16>,
    /// Whether events carry amounts.
    pub amounts: bool,
}

/// What a feature is about. Features of one group tell one story, so reasons name the strongest of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureGroup {
    /// How long ago the user was last active, also against the usual gap.
    Recency,
    /// How often the user is active.
    Frequency,
    /// How long the user has been known.
    Tenure,
    /// How regular the activity is.
    Rhythm,
    /// How much the user spends.
    Amount,
    /// What else the user does.
    OtherEvents,
}

/// How a feature's raw value is bent before it is standardised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// `ln(1 + x)`: counts, days, money. The value cannot be negative.
    Log,
    /// `ln(1 + |x|)` with the sign of `x`.
    SignedLog,
    /// As it is.
    Linear,
    /// `ln(p / (1 - p))`: probabilities.
    Logit,
}

/// What a feature measures. Windows and half-lives are in days; kinds are positions in
/// [`Catalogue::kinds`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Quantity {
    /// Days from the last active day to the as-of day; at least 1.
    Recency,
    /// The same for events of any kind.
    RecencyAny,
    /// Days from the first event of any kind.
    Tenure,
    /// Days from the first active day.
    ActiveAge,
    /// Days with activity, ever.
    ActiveDays,
    /// Days with activity in a window.
    ActiveDaysIn(u16),
    /// Activity events, ever.
    Events,
    /// Activity events in a window.
    EventsIn(u16),
    /// Active days, each weighed by `2^(-age / half-life)`.
    DecayedDays(u16),
    /// 1 for a user with a single active day, else 0.
    OneDay,
    /// Mean days between neighbouring active days.
    GapMean,
    /// Standard deviation of those gaps.
    GapSpread,
    /// The last of those gaps.
    GapLast,
    /// The longest of those gaps.
    GapMax,
    /// Recency over the mean gap (plus one day each).
    Overdue,
    /// The share of the gaps between neighbouring active days that are shorter than the recency; one gap more, half
    /// shorter, is added to what was seen.
    GapsExceeded,
    /// Recency over tenure.
    RecencyShare,
    /// `ln` of the rate of active days in the short window over that in the long one, with half a day added to the long
    /// window and its share of it to the short one.
    Trend(u16, u16),
    /// How much the active days cluster on weekdays: 1 - entropy / ln 7.
    WeekdayRegularity,
    /// Sum of the amounts of activity, ever.
    Amount,
    /// Sum of the amounts of activity in a window.
    AmountIn(u16),
    /// Mean amount of an active day.
    AmountMean,
    /// Standard deviation of the amounts of active days.
    AmountSpread,
    /// Amount of the last active day.
    AmountLast,
    /// Largest amount of an active day.
    AmountMax,
    /// Events of one kind, ever.
    KindCount(u16),
    /// Events of one kind in a window.
    KindCountIn(u16, u16),
    /// Days from the last event of one kind.
    KindRecency(u16),
}

impl Quantity {
    /// What a larger value than other users' makes likelier as anyone would expect it: `Some(true)` for leaving,
    /// `Some(false)` for staying, `None` where it may be either.
    pub fn larger_means_leaving(self) -> Option<bool> {
        match self {
            Self::Recency
            | Self::RecencyAny
            | Self::Overdue
            | Self::GapsExceeded
            | Self::RecencyShare => Some(true),
            Self::OneDay | Self::GapMean => Some(true),
            Self::ActiveDays | Self::ActiveDaysIn(_) | Self::Events | Self::EventsIn(_) => {
                Some(false)
            }
            Self::DecayedDays(_) | Self::Trend(..) | Self::Amount | Self::AmountIn(_) => {
                Some(false)
            }
            Self::Tenure | Self::ActiveAge | Self::GapSpread | Self::GapLast | Self::GapMax => None,
            Self::WeekdayRegularity | Self::AmountMean | Self::AmountSpread | Self::AmountLast => {
                None
            }
            Self::AmountMax | Self::KindCount(_) | Self::KindCountIn(..) | Self::KindRecency(_) => {
                None
            }
        }
    }
}

/// One entry of the catalogue.
#[derive(Clone, Debug, PartialEq)]
pub struct Feature {
    /// The name, unique in its catalogue, such as `active_days_60d`.
    pub name: String,
    /// The unit of the raw value: `days`, `active days`, `events`, `amount`, `ratio` or `flag`.
    pub unit: &'static str,
    /// What it is, in one sentence.
    pub description: String,
    /// What it is about.
    pub group: FeatureGroup,
    /// How it is bent before it is standardised.
    pub scale: Scale,
    /// What it measures.
    pub quantity: Quantity,
}

fn decay(age: u32, half_life: u16) -> f64 {
    libm::exp2(-f64::from(age) / f64::from(half_life))
}

/// The ordered list of features that a schema gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Catalogue {
    schema: FeatureSchema,
    kinds: Vec<String>,
    windows: Vec<u16>,
    features: Vec<Feature>,
    /// For each half-life in use what is left of a day by its age, up to [`DECAY_AGES`] days.
    decays: Vec<(u16, Vec<f64>)>,
}

/// Raised when a quantity is computed in another way, so that no vector and no model of before is taken for one of now.
const DEFINITIONS: u32 = 2;

/// Older days are rare enough for their share to be computed.
const DECAY_AGES: u32 = 1_500;

impl Catalogue {
    /// The catalogue of a schema. Fails when there is no activity kind or a horizon is out of range.
    pub fn new(schema: FeatureSchema) -> Result<Self, FeatureError> {
        if schema.activity.is_empty() {
            return Err(FeatureError::NoActivity);
        }
        let horizons = &schema.horizon_days;
        let legal = horizons.iter().all(|h| (1..=HORIZON_LIMIT).contains(h))
            && horizons.is_sorted_by(|a, b| a < b);
        if horizons.is_empty() || !legal {
            return Err(FeatureError::Horizons {
                horizons: horizons.clone(),
                limit: HORIZON_LIMIT,
            });
        }
        let kinds: Vec<String> = schema
            .activity
            .iter()
            .chain(&schema.other_kinds)
            .cloned()
            .collect();
        let windows = windows(horizons);
        let mut list = List::new(&schema.activity);
        list.recency_and_tenure();
        list.frequency(&windows);
        list.rhythm(horizons);
        if schema.amounts {
            list.amounts(&windows);
        }
        let own = if schema.activity.len() > 1 { 0 } else { 1 };
        for (position, kind) in kinds.iter().enumerate().skip(own) {
            list.kind(position as u16, kind, horizons);
        }
        let features = list.into_features();
        let half_life = |feature: &Feature| match feature.quantity {
            Quantity::DecayedDays(half_life) => Some(half_life),
            _ => None,
        };
        let table = |half_life| {
            (
                half_life,
                (0..=DECAY_AGES).map(|age| decay(age, half_life)).collect(),
            )
        };
        let decays = features.iter().filter_map(half_life).map(table).collect();
        Ok(Self {
            kinds,
            windows,
            features,
            decays,
            schema,
        })
    }

    /// What is left of days of these ages: a half of each after one half-life.
    pub(crate) fn decayed(&self, half_life: u16, ages: impl Iterator<Item = u32>) -> f64 {
        let table = self
            .decays
            .iter()
            .find(|(known, _)| *known == half_life)
            .map_or(&[][..], |(_, table)| table);
        ages.map(|age| {
            table
                .get(age as usize)
                .copied()
                .unwrap_or_else(|| decay(age, half_life))
        })
        .sum()
    }

    /// The schema it was made from.
    pub fn schema(&self) -> &FeatureSchema {
        &self.schema
    }

    /// The features in order; a feature vector has one value for each.
    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    /// How many features there are.
    pub fn len(&self) -> usize {
        self.features.len()
    }

    /// Never true: a catalogue always holds recency and tenure.
    pub fn is_empty(&self) -> bool {
        self.features.is_empty()
    }

    /// The kinds with features of their own: activity first, then the others.
    pub fn kinds(&self) -> &[String] {
        &self.kinds
    }

    /// The lengths of the windows in days, increasing.
    pub fn windows(&self) -> &[u16] {
        &self.windows
    }

    /// The position of the feature that measures `quantity`.
    pub fn position(&self, quantity: Quantity) -> Option<usize> {
        self.features.iter().position(|f| f.quantity == quantity)
    }

    /// The position of the feature called `name`; the error names the most similar one.
    pub fn position_of(&self, name: &str) -> Result<usize, FeatureError> {
        self.features
            .iter()
            .position(|f| f.name == name)
            .ok_or_else(|| FeatureError::Unknown {
                name: name.to_owned(),
                nearest: self.nearest(name),
            })
    }

    fn nearest(&self, name: &str) -> Option<String> {
        nearest(name, self.features.iter().map(|f| f.name.as_str())).map(str::to_owned)
    }

    /// A feature vector in catalogue order from (name, value) pairs; what is not named is unknown.
    pub fn vector<'a>(
        &self,
        named: impl Iterator<Item = (&'a str, f64)>,
    ) -> Result<Vec<f64>, FeatureError> {
        let mut vector = vec![f64::NAN; self.len()];
        for (name, value) in named {
            let position = self.position_of(name)?;
            let non_negative = self
                .features
                .get(position)
                .is_some_and(|f| f.scale == Scale::Log);
            if !value.is_finite() || (non_negative && value < 0.0) {
                return Err(FeatureError::Value {
                    name: name.to_owned(),
                    value,
                    non_negative,
                });
            }
            if let Some(slot) = vector.get_mut(position) {
                *slot = value;
            }
        }
        Ok(vector)
    }

    /// SHA-256 over every feature's name, unit, scale and definition, in hex. Equal hashes mean that two builds
    /// compute the same numbers in the same order.
    pub fn hash(&self) -> String {
        let mut digest = Sha256::new();
        digest.update(format!("definitions {DEFINITIONS}\n"));
        for f in &self.features {
            digest.update(format!(
                "{}|{}|{:?}|{:?}\n",
                f.name, f.unit, f.scale, f.quantity
            ));
        }
        digest
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// The name among others that shares the longest start and end with one that is unknown; `None` when none is similar.
pub fn nearest<'n>(name: &str, among: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let shared = |other: &str| {
        let start = other
            .bytes()
            .zip(name.bytes())
            .take_while(|(a, b)| a == b)
            .count();
        let end = other
            .bytes()
            .rev()
            .zip(name.bytes().rev())
            .take_while(|(a, b)| a == b)
            .count();
        (start + end).min(other.len())
    };
    let all = among.map(|other| (shared(other), other));
    all.max_by_key(|(shared, _)| *shared)
        .filter(|(shared, _)| *shared > 2)
        .map(|(_, other)| other)
}

/// Windows from a quarter of the shortest horizon, doubling, up to four times the longest.
fn windows(horizons: &[u16]) -> Vec<u16> {
    let shortest = horizons.first().copied().unwrap_or(1);
    let longest = horizons.last().copied().unwrap_or(shortest) * 4;
    let mut all = vec![shortest.div_ceil(4), shortest.div_ceil(2)];
    all.extend(
        std::iter::successors(Some(shortest), |w| w.checked_mul(2)).take_while(|w| *w < longest),
    );
    all.push(longest);
    all.dedup();
    all
}
