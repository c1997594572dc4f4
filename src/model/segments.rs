//! Groups of users who behave alike: the centroids of a few clusters.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Column, FigureError, all_finite};

/// The lasting name of a segment, such as `s07`: a number from 1 on that no other segment of the same line of bundles ever
/// gets, whether it is older or newer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct SegmentKey(u32);

impl SegmentKey {
    /// The key of this number; `None` for 0.
    pub fn new(number: u32) -> Option<Self> {
        (number > 0).then_some(Self(number))
    }

    /// The key of the segment at a position, where keys follow the order of the segments.
    pub fn at(position: usize) -> Self {
        Self(u32::try_from(position).map_or(u32::MAX, |position| position.saturating_add(1)))
    }

    /// Its number.
    pub fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for SegmentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{:02}", self.0)
    }
}

impl From<SegmentKey> for String {
    fn from(key: SegmentKey) -> Self {
        key.to_string()
    }
}

/// A text that is no [`SegmentKey`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the key of a segment: s01, s02 and so on")]
pub struct NoSegmentKey(String);

impl TryFrom<String> for SegmentKey {
    type Error = NoSegmentKey;

    fn try_from(text: String) -> Result<Self, NoSegmentKey> {
        let number = text.strip_prefix('s').and_then(|n| n.parse().ok());
        match number.and_then(Self::new) {
            // Every key has one way to be written.
            Some(key) if key.to_string() == text => Ok(key),
            _ => Err(NoSegmentKey(text)),
        }
    }
}

/// One segment of users.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Segment {
    /// Its lasting name. Bundles before format 6 have none: there keys follow the order of the segments.
    pub key: SegmentKey,
    /// What sets its users apart, such as "frequent, recent, high spend".
    pub name: String,
    /// Its centre in the standardised features of [`Segments::features`].
    pub centroid: Vec<f64>,
    /// How many users of the training snapshot fall into it.
    pub users: u64,
    /// Their churn rate over the first horizon.
    pub churn_rate: f64,
}

impl Segment {
    /// Whether there is one finite number for each of the `features`.
    pub(crate) fn validate(&self, features: usize) -> Result<(), FigureError> {
        let finite = all_finite(&self.centroid) && self.churn_rate.is_finite();
        if finite && self.centroid.len() == features {
            Ok(())
        } else {
            Err(FigureError::Segment)
        }
    }
}

/// The segments, from the lowest churn rate to the highest; a segment's id is its position.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "SegmentsAsRead")]
pub struct Segments {
    /// The features that segments are made of.
    pub features: Vec<String>,
    /// How each of these features is standardised for the segments, where that is not how the models' features are: segments
    /// that were carried on from an earlier bundle keep its scales, so that a distance means the same. Empty otherwise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<Column>,
    /// The segments; empty when the users were too few or too alike to tell apart.
    pub items: Vec<Segment>,
    /// The highest number that a key of this line of bundles ever had: new keys are above it. 0 before the first.
    pub last_key: u32,
}

impl Segments {
    /// How the feature at `axis` of [`Self::features`] is standardised, where `own` is how the models standardise it.
    pub fn column<'a>(&'a self, axis: usize, own: &'a Column) -> &'a Column {
        self.columns.get(axis).unwrap_or(own)
    }

    /// The position of the segment whose centre is nearest to a point in [`Segments::features`], and how far away
    /// it is; `None` without segments.
    pub fn nearest(&self, point: impl Iterator<Item = f64> + Clone) -> Option<(usize, f64)> {
        let squared = |centroid: &[f64]| {
            centroid
                .iter()
                .zip(point.clone())
                .map(|(c, x)| (c - x) * (c - x))
                .sum::<f64>()
        };
        let all = self
            .items
            .iter()
            .enumerate()
            .map(|(id, segment)| (id, squared(&segment.centroid)));
        all.min_by(|a, b| a.1.total_cmp(&b.1))
            .map(|(id, squared)| (id, squared.sqrt()))
    }

    /// Whether the scales fit the features and no key is above the last one.
    pub(crate) fn validate(&self) -> Result<(), FigureError> {
        let names = self.columns.iter().map(|column| &column.feature);
        if !self.columns.is_empty() && !names.eq(&self.features) {
            return Err(FigureError::SegmentScales);
        }
        self.columns.iter().try_for_each(Column::validate)?;
        let keys: BTreeSet<SegmentKey> = self.items.iter().map(|s| s.key).collect();
        let last = keys.last().map_or(0, |key| key.number());
        if keys.len() == self.items.len() && last <= self.last_key {
            Ok(())
        } else {
            Err(FigureError::SegmentKeys)
        }
    }
}

/// [`Segments`] as they lie in a file: without keys before format 6.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SegmentsAsRead {
    features: Vec<String>,
    #[serde(default)]
    columns: Vec<Column>,
    items: Vec<SegmentAsRead>,
    last_key: Option<u32>,
}

/// [`Segment`] as it lies in a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SegmentAsRead {
    key: Option<SegmentKey>,
    name: String,
    centroid: Vec<f64>,
    users: u64,
    churn_rate: f64,
}

impl TryFrom<SegmentsAsRead> for Segments {
    type Error = &'static str;

    fn try_from(read: SegmentsAsRead) -> Result<Self, Self::Error> {
        let keyed = read.items.iter().filter(|item| item.key.is_some()).count();
        // All or none: a key that was made up could be another segment's.
        let complete = match read.last_key {
            Some(_) => keyed == read.items.len(),
            None => keyed == 0 && read.columns.is_empty(),
        };
        if !complete {
            return Err("segments need a `last_key` and a `key` each, or none of both");
        }
        let last_key = match read.last_key {
            Some(last) => last,
            None => u32::try_from(read.items.len()).map_err(|_| "too many segments")?,
        };
        let items = read.items.into_iter().enumerate();
        let item = |(id, item): (usize, SegmentAsRead)| Segment {
            key: item.key.unwrap_or(SegmentKey::at(id)),
            name: item.name,
            centroid: item.centroid,
            users: item.users,
            churn_rate: item.churn_rate,
        };
        Ok(Self {
            features: read.features,
            columns: read.columns,
            items: items.map(item).collect(),
            last_key,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_way_to_be_written() {
        for number in [1, 7, 12, 100, u32::MAX] {
            let key = SegmentKey::new(number).unwrap();
            assert_eq!(SegmentKey::try_from(key.to_string()), Ok(key));
        }
        assert_eq!(SegmentKey::at(6).to_string(), "s07");
        for text in [
            "", "s", "7", "s7", "s00", "S07", "s007", "s+7", "s 7", "s-1",
        ] {
            let error = SegmentKey::try_from(text.to_owned()).unwrap_err();
            assert!(error.to_string().contains("s01, s02"), "{text}");
        }
    }

    fn read(json: &str) -> Result<Segments, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    const SEGMENT: &str = r#""name": "new", "centroid": [1.0], "users": 20, "churn_rate": 0.5"#;

    #[test]
    fn segments_without_keys_get_them_in_their_order() {
        let old = format!(r#"{{"features": ["a"], "items": [{{{SEGMENT}}}, {{{SEGMENT}}}]}}"#);
        let read_back = read(&old).unwrap();
        let keys: Vec<String> = read_back.items.iter().map(|s| s.key.to_string()).collect();
        assert_eq!(keys, ["s01", "s02"]);
        assert_eq!(read_back.last_key, 2);
        let written = serde_json::to_string(&read_back).unwrap();
        assert!(!written.contains("columns") && written.contains(r#""key":"s01""#));
        assert_eq!(read(&written), Ok(read_back));
    }

    #[test]
    fn some_keys_without_the_others_are_refused() {
        let keyed = format!(r#"{{"key": "s04", {SEGMENT}}}"#);
        let bare = format!("{{{SEGMENT}}}");
        for (items, last) in [
            (format!("{keyed}, {bare}"), r#", "last_key": 4"#),
            (keyed.clone(), ""),
            (bare, r#", "last_key": 1"#),
        ] {
            let json = format!(r#"{{"features": ["a"], "items": [{items}]{last}}}"#);
            assert!(read(&json).unwrap_err().contains("last_key"), "{json}");
        }
        let json = format!(r#"{{"features": ["a"], "items": [{keyed}], "last_key": 9}}"#);
        assert_eq!(read(&json).unwrap().items[0].key.number(), 4);
    }
}
