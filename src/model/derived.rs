//! What BG/NBD derives from a feature vector.

use super::bg_nbd::{BgNbd, MOST_ACTIVE_DAYS, Purchases};
use crate::features::{Catalogue, FeatureGroup, Scale};

/// What [`BgNbd`] makes of a user's recency, frequency and age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Derived {
    /// The probability that the user is still there.
    Alive,
    /// Active days that the user would have in a year while there.
    Rate,
    /// The probability of no active day in this many days.
    Silent(u16),
}

impl Derived {
    /// All numbers for a catalogue, in the order of their columns.
    pub(crate) fn of(catalogue: &Catalogue) -> impl Iterator<Item = Self> {
        let horizons = catalogue.schema().horizon_days.iter();
        let silences = horizons.map(|days| Self::Silent(*days));
        [Self::Alive, Self::Rate].into_iter().chain(silences)
    }

    /// The name, as of a feature.
    pub fn name(self) -> String {
        match self {
            Self::Alive => "bg_nbd_alive".to_owned(),
            Self::Rate => "bg_nbd_days_a_year".to_owned(),
            Self::Silent(days) => format!("bg_nbd_silent_{days}d"),
        }
    }

    /// The unit of the value.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Rate => "active days",
            Self::Alive | Self::Silent(_) => "probability",
        }
    }

    /// What it is about.
    pub fn group(self) -> FeatureGroup {
        match self {
            Self::Rate => FeatureGroup::Frequency,
            Self::Alive | Self::Silent(_) => FeatureGroup::Recency,
        }
    }

    /// As [`Quantity::larger_means_leaving`](crate::features::Quantity::larger_means_leaving).
    pub fn larger_means_leaving(self) -> Option<bool> {
        match self {
            Self::Silent(_) => Some(true),
            Self::Alive | Self::Rate => Some(false),
        }
    }

    /// How it is transformed before it is standardised.
    pub fn scale(self) -> Scale {
        match self {
            Self::Alive => Scale::Linear,
            Self::Rate => Scale::Log,
            Self::Silent(_) => Scale::Logit,
        }
    }

    /// What it is, in one sentence.
    pub fn description(self) -> String {
        match self {
            Self::Alive => {
                "Probability of still being there by recency, frequency and age (BG/NBD)."
                    .to_owned()
            }
            Self::Rate => {
                "Active days in a year expected of the user while there (BG/NBD).".to_owned()
            }
            Self::Silent(days) => {
                format!(
                    "Probability of no active day in {days} days by recency, frequency and age (BG/NBD)."
                )
            }
        }
    }

    /// The value for one user.
    pub(crate) fn value(self, model: &BgNbd, user: &Purchases) -> f64 {
        match self {
            Self::Rate => self.value_if(model, user, f64::NAN),
            Self::Alive | Self::Silent(_) => self.value_if(model, user, model.p_alive(user)),
        }
    }

    /// The value for a user who is alive with the probability `alive`.
    fn value_if(self, model: &BgNbd, user: &Purchases, alive: f64) -> f64 {
        match self {
            Self::Alive => alive,
            Self::Rate => {
                (model.r + f64::from(user.frequency())) / (model.alpha + user.age_days()) * 365.0
            }
            Self::Silent(days) => model.p_silent_if(alive, user, days),
        }
    }

    /// The values of several numbers; NaN for an unknown user.
    pub(crate) fn values<'a>(
        all: &'a [Self],
        model: &'a BgNbd,
        user: Option<Purchases>,
    ) -> impl Iterator<Item = f64> + 'a {
        let alive = user.as_ref().map(|user| model.p_alive(user));
        let known = user.zip(alive);
        all.iter().map(move |d| {
            known
                .as_ref()
                .map_or(f64::NAN, |(user, alive)| d.value_if(model, user, *alive))
        })
    }
}

/// What BG/NBD reads, from active days, recency and the days since the first active one, each NaN where unknown.
pub(crate) fn purchases_of(days: f64, recency: f64, age: f64) -> Option<Purchases> {
    if days.is_nan() || recency.is_nan() || age.is_nan() {
        return None;
    }
    let again = (days - 1.0).round().clamp(0.0, f64::from(MOST_ACTIVE_DAYS)) as u32;
    Purchases::new(again, if again == 0 { 0.0 } else { age - recency }, age)
}
