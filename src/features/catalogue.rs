use std::ops::Range;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::list::List;
use super::{Attribute, Feature, FeatureError, Quantity, SEASONAL_YEARS_LIMIT, Scale, Season};

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
    /// How many earlier years' same season has features of its own, up to [`SEASONAL_YEARS_LIMIT`]; 0 for none.
    // Absent where there are none, as in bundles that were written before there could be any.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub seasonal_years: u16,
    /// Days between the as-of day and the start of the label window, which is the season that is meant. 0 without
    /// `seasonal_years`: no other feature depends on it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lead_days: u32,
    /// The kinds whose net amounts make orders, with features of their own; empty for none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub value_kinds: Vec<String>,
    /// What is known of users beside events, with features of its own; empty for nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<Attribute>,
}

fn is_zero<N: Copy + Into<u32>>(number: &N) -> bool {
    (*number).into() == 0
}

impl FeatureSchema {
    /// The attributes that are columns of a table, and no signals of the log.
    pub fn table_attributes(&self) -> impl Iterator<Item = &Attribute> {
        self.attributes.iter().filter(|attribute| !attribute.signal)
    }

    /// The kinds whose amounts are signals.
    pub fn signal_kinds(&self) -> impl Iterator<Item = &String> {
        let signals = self.attributes.iter().filter(|attribute| attribute.signal);
        signals.map(|attribute| &attribute.name)
    }

    fn validate(&self) -> Result<(), FeatureError> {
        if self.activity.is_empty() {
            return Err(FeatureError::NoActivity);
        }
        let horizons = &self.horizon_days;
        let legal = horizons.iter().all(|h| (1..=HORIZON_LIMIT).contains(h))
            && horizons.is_sorted_by(|a, b| a < b);
        if horizons.is_empty() || !legal {
            return Err(FeatureError::Horizons {
                horizons: horizons.clone(),
                limit: HORIZON_LIMIT,
            });
        }
        let (years, limit) = (self.seasonal_years, SEASONAL_YEARS_LIMIT);
        if years > limit {
            return Err(FeatureError::SeasonalYears { years, limit });
        }
        // One catalogue, one schema: a lead that changes no feature would make two schemas of the same features.
        if years == 0 && self.lead_days > 0 {
            return Err(FeatureError::UnusedLead {
                lead_days: self.lead_days,
            });
        }
        if !self.amounts && !self.value_kinds.is_empty() {
            return Err(FeatureError::ValueWithoutAmounts {
                kinds: self.value_kinds.clone(),
            });
        }
        Attribute::validate(&self.attributes)
    }
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
    /// The catalogue of a schema.
    ///
    /// # Errors
    /// [`FeatureError`] when there is no kind of activity, or when a horizon, the earlier years or the lead are out of
    /// range, and for value kinds without amounts.
    pub fn new(schema: FeatureSchema) -> Result<Self, FeatureError> {
        schema.validate()?;
        let horizons = &schema.horizon_days;
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
        // Last, so that the catalogue without them is the start of the one with them.
        for season in Season::all(&schema) {
            list.season(season);
        }
        for (position, attribute) in (0..).zip(&schema.attributes) {
            list.attribute(position, attribute);
        }
        if !schema.value_kinds.is_empty() {
            list.orders(&schema.value_kinds);
        }
        let features = list.into_features();
        check_names(&schema, &features)?;
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

    /// What is left of days of these ages by one of the catalogue's half-lives: a half of each after one of them.
    #[expect(
        clippy::expect_used,
        reason = "every half-life comes from a feature of this catalogue: no input leads there"
    )]
    pub(crate) fn decayed(&self, half_life: u16, ages: impl Iterator<Item = u32>) -> f64 {
        let mut tables = self.decays.iter();
        let (_, table) = tables
            .find(|(known, _)| *known == half_life)
            .expect("a half-life in use has a table");
        let left = |age: u32| match table.get(age as usize) {
            Some(left) => *left,
            None => decay(age, half_life),
        };
        ages.map(left).sum()
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

    /// The positions of the features of orders, which come last; empty without value kinds.
    pub fn orders(&self) -> Range<usize> {
        let is_of_orders = |f: &Feature| f.quantity.is_of_orders();
        let first = self.features.iter().position(is_of_orders);
        first.unwrap_or(self.features.len())..self.features.len()
    }

    /// The position of the feature that measures `quantity`.
    pub fn position(&self, quantity: Quantity) -> Option<usize> {
        self.features.iter().position(|f| f.quantity == quantity)
    }

    /// The position of a feature that every catalogue has.
    #[expect(
        clippy::expect_used,
        reason = "a catalogue without it was put together wrongly: no input leads there"
    )]
    pub(crate) fn required(&self, quantity: Quantity) -> usize {
        self.position(quantity)
            .expect("every catalogue has recency, tenure, age, active days, the mean gap and the shortest window")
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
            let non_negative = self.features[position].scale == Scale::Log;
            if !value.is_finite() || (non_negative && value < 0.0) {
                return Err(FeatureError::Value {
                    name: name.to_owned(),
                    value,
                    non_negative,
                });
            }
            vector[position] = value;
        }
        Ok(vector)
    }

    /// SHA-256 over every feature's name, unit, scale and definition, and the value kinds, in hex. Equal hashes mean that two builds
    /// compute the same numbers in the same order.
    pub fn hash(&self) -> String {
        let mut digest = Sha256::new();
        digest.update(format!("definitions {DEFINITIONS}\n"));
        if !self.schema.value_kinds.is_empty() {
            digest.update(format!("value kinds {:?}\n", self.schema.value_kinds));
        }
        for f in &self.features {
            digest.update(format!(
                "{}|{}|{:?}|{:?}\n",
                f.name, f.unit, f.scale, f.quantity
            ));
        }
        hex::encode(digest.finalize())
    }
}

/// Refuses an attribute whose features have the name of another feature.
fn check_names(schema: &FeatureSchema, features: &[Feature]) -> Result<(), FeatureError> {
    if schema.attributes.is_empty() {
        return Ok(());
    }
    let mut names: Vec<&str> = features.iter().map(|f| f.name.as_str()).collect();
    names.sort_unstable();
    let mut pairs = names.windows(2);
    let same = pairs.find_map(|pair| match pair {
        [a, b] if a == b => Some((*a).to_owned()),
        _ => None,
    });
    same.map_or(Ok(()), |name| Err(FeatureError::SameName { name }))
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
    let (shortest, longest) = (horizons[0], horizons[horizons.len() - 1] * 4);
    let mut all = vec![shortest.div_ceil(4), shortest.div_ceil(2)];
    all.extend(
        std::iter::successors(Some(shortest), |w| w.checked_mul(2)).take_while(|w| *w < longest),
    );
    all.push(longest);
    all.dedup();
    all
}
