//! What a model may use of a user on a date: an ordered [`Catalogue`] of numbers, each with a name, a unit and
//! a plain description, and the pure function that computes them from a history.
//!
//! A window of `w` days is the half-open range `[as_of - w, as_of)`. Nothing on `as_of` or later can be seen:
//! [`Extractor::extract`] cuts the history there before it reads anything.
//!
//! A value that cannot be known (the usual gap of a user seen on one day) is NaN in a feature vector.

pub(crate) mod attribute;
pub(crate) mod catalogue;
pub(crate) mod constraints;
pub(crate) mod extract;
pub(crate) mod feature;
pub(crate) mod list;
pub(crate) mod phrase;
pub(crate) mod season;
pub(crate) mod summary;

#[cfg(feature = "train")]
pub(crate) use attribute::is_reserved as is_reserved_level;
pub use attribute::{Attribute, LEVELS_LIMIT};
pub use catalogue::{Catalogue, FeatureSchema, HORIZON_LIMIT, nearest};
pub use constraints::{Constraints, Contradiction};
pub use extract::Extractor;
pub use feature::{Feature, FeatureGroup, Quantity, Scale};
pub use phrase::{Contrast, percent};
pub use season::{SEASONAL_YEARS_LIMIT, Season, SeasonSpan};

/// What can go wrong with a catalogue or a feature vector.
#[derive(Debug, thiserror::Error)]
pub enum FeatureError {
    /// A schema without a kind that counts as activity.
    #[error("no kind of event counts as activity")]
    NoActivity,
    /// A schema whose horizons are missing, zero or not increasing.
    #[error(
        "horizons {horizons:?} must be one or more numbers of days from 1 to {limit}, increasing"
    )]
    Horizons {
        /// What was given.
        horizons: Vec<u16>,
        /// The longest horizon there can be.
        limit: u16,
    },
    /// A schema with features of too many earlier years.
    #[error(
        "seasonal_years is {years}: there are features of the same season in at most {limit} earlier years, or 0 for none"
    )]
    SeasonalYears {
        /// What was given.
        years: u16,
        /// The most earlier years there can be.
        limit: u16,
    },
    /// A schema with a lead that no feature depends on.
    #[error(
        "lead_days is {lead_days} and seasonal_years 0: only features of earlier years depend on the lead, so it must be 0 too"
    )]
    UnusedLead {
        /// What was given.
        lead_days: u32,
    },
    /// A schema with orders, which are made of amounts, without amounts.
    #[error(
        "the value kinds {} have no amounts: orders are made of the amounts of `events.amount`",
        kinds.join(", ")
    )]
    ValueWithoutAmounts {
        /// The value kinds.
        kinds: Vec<String>,
    },
    /// An attribute that cannot have features.
    #[error("the attribute `{name}` {problem}")]
    Attribute {
        /// The attribute.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// An attribute with the name of another feature.
    #[error(
        "two features are called `{name}`: one is of an attribute; give its column another name in `attributes.columns`"
    )]
    SameName {
        /// The name.
        name: String,
    },
    /// A name that the catalogue does not have.
    #[error("there is no feature `{name}`{}", nearest.as_ref().map(|n| format!("; the nearest is `{n}`")).unwrap_or_default())]
    Unknown {
        /// What was given.
        name: String,
        /// The catalogue's most similar name.
        nearest: Option<String>,
    },
    /// A value that a feature cannot have.
    #[error("feature `{name}` is {value}: it must be finite{}", if *non_negative { " and not negative" } else { "" })]
    Value {
        /// The feature.
        name: String,
        /// What was given.
        value: f64,
        /// Whether the feature is one that cannot be negative.
        non_negative: bool,
    },
}
