//! What a log covers: from when to when it was observed, and which days inside were not.
//!
//! Silence is churn only where the opposite would have been recorded. A row of a wrong clock, a feed that stopped or
//! an outage makes days that were not observed, so days are judged by the log's own traffic before they are taken for silence:
//!
//! A run of (all but) empty days is a **hole** when all of these hold:
//!
//! 1. It lasts at least [`LEAST_HOLE_DAYS`] days, or [`LEAST_CLOSING_DAYS`] when it touches the turn of the year, when many
//!    businesses close; at the end of a feed, or with hardly anything after it, where a mistake costs little,
//!    [`LEAST_TAIL_DAYS`].
//! 2. It is improbable: the log-odds against it reach [`LEAST_EVIDENCE`], about 10⁶ to one. The expectation is the mean of each
//!    weekday in the eight weeks before, or in the two, whichever is less (in the first half of the log, in those after if they
//!    had fewer); weeks are negative binomial with the variance of the log's own, so an uneven log must be silent for
//!    longer. Nor has it more than a tenth of the users expected.
//! 3. It is unusual: at least twice as long as the fourth longest silence of the log, and not the season of a year: no
//!    silence of the log covers half of it 52 weeks (give or take two) earlier or later.
//!
//! Holes cut a log into islands. The one with most users is covered, and those around it as far as they are no strays. At the
//! end an island is a stray with fewer than five users, with less than a quarter of the users that its days should have, or
//! when the hole before it is longer than a year and than all that is covered; at the beginning, where a log may have
//! grown from nothing, with fewer than five users or by that length.

pub(crate) mod counts;
pub(crate) mod rule;
pub(crate) mod series;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use counts::DailyCounts;
pub use rule::{LEAST_CLOSING_DAYS, LEAST_EVIDENCE, LEAST_HOLE_DAYS, LEAST_TAIL_DAYS};

use super::Day;
use rule::Feed;
use series::Series;

/// Days beyond what is covered at which users may still be scored.
const STALE_DAYS: i32 = 3;

/// The half-open range of days `[from, until)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stretch {
    /// The first day.
    pub from: Day,
    /// The day after the last one.
    pub until: Day,
}

impl Stretch {
    /// How many days; 0 when it is empty.
    pub fn days(self) -> i32 {
        self.until.since(self.from).max(0)
    }

    /// Whether both have a day in common.
    pub fn overlaps(self, other: Self) -> bool {
        self.from < other.until && other.from < self.until
    }

    fn iter(self) -> impl Iterator<Item = Day> {
        (0..self.days()).map(move |days| self.from.plus(days))
    }
}

/// Days inside the log that were not observed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hole {
    /// The days.
    #[serde(flatten)]
    pub days: Stretch,
    /// How many users these days would have had; a user counts once for each day and kind.
    pub expected_users: f64,
}

/// What one feed, all kinds or some of them, covers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeedCoverage {
    /// The kinds; empty for all of them.
    pub kinds: Vec<String>,
    /// From its first to its last day.
    #[serde(flatten)]
    pub span: Stretch,
    /// Users a day, on average over the days covered; a user counts once for each kind.
    pub users_a_day: f64,
    /// By how much the counts of weeks vary more than independent visits would, at least 1.
    pub dispersion: f64,
}

/// What a log covers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Coverage {
    /// The days from the first to the last that were observed; rows outside are strays.
    #[serde(flatten)]
    pub span: Stretch,
    /// The day after the last one on which the feeds that labels are made of were observed; the as-of day where none is given.
    pub labels_until: Day,
    /// The days inside that were not observed, by any feed that labels are made of; in order, and apart from each other.
    pub holes: Vec<Hole>,
    /// Silences of so many days are usual in this log.
    pub usual_silence_days: i32,
    /// All kinds together, and then each feed that labels are made of.
    pub feeds: Vec<FeedCoverage>,
    /// The same of the labels of conversion, which decide nothing about churn; `None` where nothing is asked of potential users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversion: Option<ConversionCoverage>,
    /// All silences, of whatever length.
    #[serde(skip)]
    silences: Vec<Stretch>,
}

/// On which days a conversion would have been seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConversionCoverage {
    /// The day after the last one on which the kinds of conversion were observed.
    pub labels_until: Day,
    /// The days inside that were not observed, by all kinds or by those of conversion; in order, and apart from each other.
    pub holes: Vec<Hole>,
}

/// What the configuration decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CoverageSettings {
    /// The first day that is covered.
    pub from: Option<Day>,
    /// The day after the last one that is covered.
    pub until: Option<Day>,
    /// Whether rows far away from all others are taken for observed ones.
    pub keep_strays: bool,
    /// Whether every silence inside of the log is taken for observed.
    pub keep_holes: bool,
}

/// The feeds that labels are made of.
#[derive(Clone, Copy, Debug, Default)]
pub struct LabelKinds<'a> {
    /// The kinds that count as staying.
    pub activity: &'a [String],
    /// The kind that is churn, where silence is not.
    pub churn_event: Option<&'a str>,
    /// The kinds of which any is conversion; none where nothing is asked of potential users.
    pub conversion: &'a [String],
}

impl<'a> LabelKinds<'a> {
    /// The kinds of each feed that labels of churn are made of.
    fn feeds(self) -> impl Iterator<Item = Vec<&'a str>> {
        let activity = self.activity.iter().map(String::as_str).collect();
        [activity, self.churn_event.into_iter().collect()].into_iter()
    }

    /// The kinds of conversion.
    fn of_conversion(self) -> Vec<&'a str> {
        self.conversion.iter().map(String::as_str).collect()
    }

    /// All kinds, of whatever feed.
    pub fn names(self) -> Vec<&'a str> {
        self.feeds().flatten().chain(self.of_conversion()).collect()
    }
}

impl Coverage {
    /// What a log with these counts covers; `None` for a log without rows.
    pub fn of(
        counts: &DailyCounts,
        labels: LabelKinds<'_>,
        settings: CoverageSettings,
    ) -> Option<Self> {
        let mut all = Feed::judge(Series::new(counts.all())?, None, settings)?;
        all.span = Stretch {
            from: settings.from.unwrap_or(all.span.from),
            until: settings.until.unwrap_or(all.span.until),
        };
        let judge = |kinds: &[&str]| {
            let mut counts = counts.of_kinds(kinds.iter().copied());
            // Rows outside of what the log covers are strays of each feed too.
            counts.retain(|day, _| (all.span.from..all.span.until).contains(day));
            Feed::judge(Series::new(&counts)?, Some(all.span.until), settings)
        };
        // A last day that is configured counts for all feeds.
        let end_of = |feed: &Feed| match settings.until {
            Some(_) => all.span.until,
            None => feed.span.until,
        };
        let (mut holes, mut labels_until) = (all.holes.clone(), all.span.until);
        let mut feeds = vec![all.coverage(&[])];
        for kinds in labels.feeds() {
            let Some(feed) = judge(&kinds) else { continue };
            labels_until = labels_until.min(end_of(&feed));
            feeds.push(feed.coverage(&kinds));
            holes.extend(feed.holes);
        }
        let of_conversion = labels.of_conversion();
        let conversion = (!of_conversion.is_empty()).then(|| {
            let (mut holes, mut labels_until) = (all.holes.clone(), all.span.until);
            if let Some(feed) = judge(&of_conversion) {
                labels_until = labels_until.min(end_of(&feed));
                feeds.push(feed.coverage(&of_conversion));
                holes.extend(feed.holes);
            }
            ConversionCoverage {
                labels_until,
                holes: united(holes),
            }
        });
        let usual_silence_days = all.usual_silence_days;
        Some(Self {
            span: all.span,
            labels_until,
            holes: united(holes),
            usual_silence_days,
            feeds,
            conversion,
            silences: all.silences,
        })
    }

    /// What the log covers for labels of conversion, in the form of that for labels of churn; of a log of which nothing is asked
    /// about potential users, the same.
    pub fn of_conversion(&self) -> Self {
        match &self.conversion {
            None => self.clone(),
            Some(part) => Self {
                labels_until: part.labels_until,
                holes: part.holes.clone(),
                ..self.clone()
            },
        }
    }

    /// Whether an as-of day lies so far beyond what is covered that scores would be wrong: more than three days, or than any
    /// silence that is usual in the log, unless the log is as silent at this time of other years.
    pub fn is_stale(&self, as_of: Day) -> bool {
        let beyond = Stretch {
            from: self.labels_until,
            until: as_of,
        };
        beyond.days() > self.usual_silence_days.max(STALE_DAYS)
            && !rule::is_season(beyond, &self.silences)
    }

    /// How many days an as-of day lies beyond what is covered; 0 when it does not.
    pub fn days_beyond(&self, as_of: Day) -> i32 {
        as_of.since(self.labels_until).max(0)
    }
}

/// The holes in order, those that overlap or touch as one.
fn united(mut holes: Vec<Hole>) -> Vec<Hole> {
    holes.sort_by_key(|hole| hole.days);
    let mut apart: Vec<Hole> = Vec::new();
    for hole in holes {
        match apart.last_mut() {
            // One outage often stops several feeds on slightly different days.
            Some(last) if hole.days.from <= last.days.until => {
                last.days.until = last.days.until.max(hole.days.until);
                last.expected_users = last.expected_users.max(hole.expected_users);
            }
            _ => apart.push(hole),
        }
    }
    apart
}
