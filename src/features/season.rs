//! Windows of earlier years: what a user did in the same season.

use super::FeatureSchema;

/// The most earlier years whose same season has features of its own.
pub const SEASONAL_YEARS_LIMIT: u16 = 2;

/// Days of a year, as features and anniversaries count them. Leap days are ignored: they move a season by a day in four years.
pub(crate) const YEAR_DAYS: u16 = 365;

/// Days of an earlier year whose active days are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Season {
    /// How many years of 365 days ago, from 1.
    pub years_ago: u16,
    /// Which days of that year.
    pub span: SeasonSpan,
}

/// Which days of an earlier year. The label window of a horizon is `[as_of + lead, as_of + lead + horizon)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeasonSpan {
    /// The label window, moved back by whole years.
    Same {
        /// The horizon, the length of the window in days.
        horizon_days: u16,
        /// Days between the as-of day and the start of the label window.
        lead_days: u32,
    },
    /// The same, widened by half a window either way.
    Wide {
        /// See [`SeasonSpan::Same`].
        horizon_days: u16,
        /// See [`SeasonSpan::Same`].
        lead_days: u32,
    },
    /// The whole year that starts so many years before the as-of day.
    Year,
}

/// Consecutive days before an as-of day: `[as_of - from, as_of - until)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DaysAgo {
    pub(crate) from: u32,
    pub(crate) until: u32,
}

impl DaysAgo {
    /// How many days they are.
    pub(crate) fn len(self) -> u32 {
        self.from - self.until
    }

    /// Whether every day of `other` is one of them.
    pub(crate) fn contains(self, other: Self) -> bool {
        self.from >= other.from && self.until <= other.until
    }
}

impl Season {
    /// The seasons that a schema has features of, in the order of the catalogue.
    pub(crate) fn all(schema: &FeatureSchema) -> Vec<Self> {
        let lead_days = schema.lead_days;
        // A longer window would end after the as-of day even a year ago.
        let fits =
            |horizon: &u16| u32::from(*horizon).saturating_add(lead_days) <= u32::from(YEAR_DAYS);
        let horizons = schema.horizon_days.iter().copied().filter(fits);
        let spans: Vec<SeasonSpan> = horizons
            .flat_map(|horizon_days| {
                [
                    SeasonSpan::Same {
                        horizon_days,
                        lead_days,
                    },
                    SeasonSpan::Wide {
                        horizon_days,
                        lead_days,
                    },
                ]
            })
            .chain([SeasonSpan::Year])
            .collect();
        let of_year = |years_ago| spans.iter().map(move |&span| Self { years_ago, span });
        (1..=schema.seasonal_years).flat_map(of_year).collect()
    }

    /// The days that are counted.
    pub(crate) fn days(self) -> DaysAgo {
        let year = self.year();
        match self.span {
            SeasonSpan::Same {
                horizon_days,
                lead_days,
            } => DaysAgo {
                from: year.from - lead_days,
                until: year.from - lead_days - u32::from(horizon_days),
            },
            SeasonSpan::Wide {
                horizon_days,
                lead_days,
            } => DaysAgo {
                from: year.from - lead_days + u32::from(horizon_days.div_ceil(2)),
                // Nothing from the as-of day on can be seen, so there a wide window of the last year ends.
                until: (year.from - lead_days)
                    .saturating_sub(u32::from(horizon_days) + u32::from(horizon_days.div_ceil(2))),
            },
            SeasonSpan::Year => year,
        }
    }

    /// The whole year that it lies in, or nearly.
    pub(crate) fn whole_year(self) -> Self {
        Self {
            span: SeasonSpan::Year,
            ..self
        }
    }

    /// Days since a user's first event from which on the number of active days is known.
    ///
    /// A user first seen after the start of the same window was not yet there, or the log does not reach back to it: an
    /// empty window then says nothing of the season. A wide window is known with the one that it surrounds, because its
    /// margins only blur that one.
    pub(crate) fn least_tenure_days(self) -> u32 {
        match self.span {
            SeasonSpan::Same { lead_days, .. } | SeasonSpan::Wide { lead_days, .. } => {
                self.year().from - lead_days
            }
            SeasonSpan::Year => self.year().from,
        }
    }

    /// The horizon whose label window it is; `None` for a whole year.
    pub fn horizon_days(self) -> Option<u16> {
        match self.span {
            SeasonSpan::Same { horizon_days, .. } | SeasonSpan::Wide { horizon_days, .. } => {
                Some(horizon_days)
            }
            SeasonSpan::Year => None,
        }
    }

    /// The name of the number of active days in it.
    pub(crate) fn name(self) -> String {
        let years = self.years_ago;
        match self.span {
            SeasonSpan::Same { horizon_days, .. } => {
                format!("active_days_{horizon_days}d_{years}y_ago")
            }
            SeasonSpan::Wide { horizon_days, .. } => {
                format!("active_days_{horizon_days}d_{years}y_ago_wide")
            }
            SeasonSpan::Year => format!("active_days_year_{years}_back"),
        }
    }

    /// "a year ago", "2 years ago".
    pub(crate) fn ago(self) -> String {
        match self.years_ago {
            1 => "a year ago".to_owned(),
            years => format!("{years} years ago"),
        }
    }

    /// The days in words: "in the same 30 days a year ago".
    pub(crate) fn words(self) -> String {
        let ago = self.ago();
        let length = self.days().len();
        match self.span {
            SeasonSpan::Same {
                horizon_days: 1, ..
            } => format!("on the same day {ago}"),
            SeasonSpan::Wide {
                horizon_days: 1, ..
            } => format!("in the {length} days around the same day {ago}"),
            SeasonSpan::Same { horizon_days, .. } => {
                format!("in the same {horizon_days} days {ago}")
            }
            SeasonSpan::Wide { horizon_days, .. } => {
                format!("in the {length} days around the same {horizon_days} days {ago}")
            }
            SeasonSpan::Year if self.years_ago == 1 => format!("in the last {length} days"),
            SeasonSpan::Year => {
                format!(
                    "in the {length} days that ended {} days ago",
                    self.days().until
                )
            }
        }
    }

    fn year(self) -> DaysAgo {
        let years = u32::from(self.years_ago);
        DaysAgo {
            from: years * u32::from(YEAR_DAYS),
            until: (years - 1) * u32::from(YEAR_DAYS),
        }
    }
}
