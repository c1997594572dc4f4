use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use crate::history::{
    Coverage, CoverageSettings, DailyCounts, Day, DayBounds, FUTURE_DAYS, Histories,
    HistoriesBuilder, LabelKinds, RollupIndex, RollupRead, Stretch, Users, read_rollup,
};
use crate::kpi::Observation;
use crate::model::BundleSpec;
use crate::serve::errors::ServeError;

/// The age of a roll-up, in days, beyond which the log has a warning.
const STALE_DAYS: i64 = 3;

/// The users that can be scored by id.
#[derive(Debug)]
pub struct KnownUsers {
    histories: Histories,
    counts: DailyCounts,
    /// The days from the first to the last that were observed; `None` without rows.
    span: Option<Stretch>,
    rows_set_aside: u64,
    read_at: SystemTime,
    /// The files that they were read from, as those were just before.
    files: Fingerprint,
    /// The as-of days of requests that give none, by the version of the model.
    as_of: Mutex<BTreeMap<String, Option<Day>>>,
}

impl KnownUsers {
    /// The users of these histories.
    ///
    /// # Errors
    /// [`ServeError`] where histories on disk cannot be read.
    pub fn new(histories: Histories) -> Result<Self, ServeError> {
        let counts = DailyCounts::of(&histories, &[])?;
        let coverage = Coverage::of(&counts, LabelKinds::default(), CoverageSettings::default());
        let (span, read_at) = (coverage.map(|coverage| coverage.span), SystemTime::now());
        Ok(Self {
            histories,
            counts,
            span,
            rows_set_aside: 0,
            read_at,
            files: Fingerprint::new(),
            as_of: Mutex::default(),
        })
    }

    /// The users of a roll-up: a Parquet file or a directory of them. Rows on days that it does not cover, or in the
    /// future, are set aside, as when a model is fitted. Where there is an index of the users that belongs to these files, it
    /// is opened instead: the users are the same.
    ///
    /// # Errors
    /// [`ServeError`] names the file that cannot be read.
    pub fn read(rollup: &Path) -> Result<Self, ServeError> {
        let future = today().map(|today| today.plus(FUTURE_DAYS));
        // Files that change while they are read are found to differ, and read again.
        let files = fingerprint(rollup);
        let (mut users, source) = match Self::open(rollup, future) {
            Some(users) => (users, "index"),
            None => (Self::parse(rollup, future)?, "parquet"),
        };
        users.files = files;
        users.log(rollup, source);
        Ok(users)
    }

    /// The files that they were read from; empty for users that come from none.
    pub(crate) fn files(&self) -> &Fingerprint {
        &self.files
    }

    /// The users of the index, if there is one that can be used.
    fn open(rollup: &Path, future: Option<Day>) -> Option<Self> {
        let index = RollupIndex::open(rollup, future).unwrap_or_else(|reason| {
            let rollup = rollup.display().to_string();
            tracing::warn!(rollup, %reason, "the index of users is not used; the Parquet files are read");
            None
        })?;
        Some(Self {
            histories: index.histories,
            counts: index.counts,
            span: Some(index.span),
            rows_set_aside: 0,
            read_at: SystemTime::now(),
            files: Fingerprint::new(),
            as_of: Mutex::default(),
        })
    }

    fn parse(rollup: &Path, future: Option<Day>) -> Result<Self, ServeError> {
        let days = DayBounds {
            future,
            ..DayBounds::default()
        };
        let (mut users, mut read) = Self::read_days(rollup, days)?;
        let whole = users.histories.span().map(|(from, last)| Stretch {
            from,
            until: last.plus(1),
        });
        if let Some(span) = users.span.filter(|span| Some(*span) != whole) {
            let days = DayBounds {
                from: Some(span.from),
                until: Some(span.until),
                ..days
            };
            // Two readings of the roll-up at once could exceed the memory that one fits in.
            drop(users);
            (users, read) = Self::read_days(rollup, days)?;
            users.span = Some(span);
        }
        users.rows_set_aside = read.strays.values().map(|strays| strays.rows).sum();
        Ok(users)
    }

    fn read_days(rollup: &Path, days: DayBounds) -> Result<(Self, RollupRead), ServeError> {
        let mut builder = HistoriesBuilder::default();
        let read = read_rollup(rollup, days, Users::All, &mut builder)?;
        Ok((Self::new(builder.finish()?)?, read))
    }

    /// Logs what was read, and how old it is.
    fn log(&self, rollup: &Path, source: &str) {
        let (users, set_aside) = (self.histories.len(), self.rows_set_aside);
        let text = |day: Option<Day>| day.map(|day| day.to_string()).unwrap_or_default();
        let covered_from = text(self.span.map(|span| span.from));
        let covered_until = text(self.span.map(|span| span.until));
        let age_days = self.age_days().unwrap_or(0);
        let rollup = rollup.display().to_string();
        tracing::info!(
            rollup,
            source,
            users,
            covered_from,
            covered_until,
            age_days,
            set_aside,
            "roll-up read"
        );
        if age_days > STALE_DAYS {
            tracing::warn!(
                rollup,
                age_days,
                "the roll-up is old: users look inactive since its last day"
            );
        }
        if set_aside > 0 {
            tracing::warn!(
                rollup,
                set_aside,
                "rows of the roll-up lie on days that it does not cover, and are not used"
            );
        }
    }

    /// Their histories.
    pub fn histories(&self) -> &Histories {
        &self.histories
    }

    /// The as-of day of a request that gives none: the day after the last one on which the events that decide churn were
    /// observed, as when a model is fitted. `None` when there are no events.
    pub fn as_of(&self, version: &str, spec: &BundleSpec) -> Option<Day> {
        let mut known = self.as_of.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(as_of) = known.get(version) {
            return *as_of;
        }
        let coverage = Coverage::of(&self.counts, label_kinds(spec), CoverageSettings::default());
        if let Some(coverage) = &coverage {
            self.warn_of_conversion(version, spec, coverage);
            Self::warn_of_attributes(version, spec);
        }
        let as_of = coverage.map(|coverage| coverage.labels_until);
        known.insert(version.to_owned(), as_of);
        as_of
    }

    /// Logs that a model weighs what the roll-up does not have.
    fn warn_of_attributes(version: &str, spec: &BundleSpec) {
        let weighed = spec.schema.table_attributes();
        let names: Vec<&str> = weighed.map(|attribute| attribute.name.as_str()).collect();
        if !names.is_empty() {
            tracing::warn!(
                model = version,
                attributes = names.join(", "),
                "the roll-up has no attributes: its users are scored as if none were known, unless a request gives them"
            );
        }
    }

    /// Logs that potential users cannot be told from others, or not at the as-of day.
    fn warn_of_conversion(&self, version: &str, spec: &BundleSpec, coverage: &Coverage) {
        let Some(part) = &spec.conversion else {
            return;
        };
        let (events, of_conversion) = (part.event.join(", "), coverage.of_conversion());
        if !self.has_any(&part.event) {
            tracing::warn!(
                model = version,
                events,
                "the roll-up has no event that is conversion: its users get no probability of it"
            );
        } else if of_conversion.is_stale(coverage.labels_until) {
            tracing::warn!(
                model = version,
                events,
                observed_until = %of_conversion.labels_until,
                as_of = %coverage.labels_until,
                "the events that are conversion end early: users that converted since look as if they had not"
            );
        }
    }

    /// Whether some user has an event of one of these kinds.
    pub(crate) fn has_any(&self, kinds: &[String]) -> bool {
        let known = self.histories.kinds();
        kinds.iter().any(|kind| known.contains(kind))
    }

    /// Which days were observed, as when the trainer counts indicators; `None` when there are no events.
    pub(crate) fn observation(&self, spec: &BundleSpec) -> Option<Observation> {
        let coverage = Coverage::of(&self.counts, label_kinds(spec), CoverageSettings::default())?;
        let (first, _) = self.histories.span()?;
        Some(Observation {
            first,
            until: coverage.labels_until,
            holes: coverage.holes.iter().map(|hole| hole.days).collect(),
        })
    }

    /// The day after the last one that was observed.
    pub(crate) fn covered_until(&self) -> Option<Day> {
        self.span.map(|span| span.until)
    }

    /// When they were read.
    pub(crate) fn read_at(&self) -> SystemTime {
        self.read_at
    }

    /// Rows that were not used because of their days.
    pub(crate) fn rows_set_aside(&self) -> u64 {
        self.rows_set_aside
    }

    /// Days from the day after the last one that was observed to today (in UTC).
    fn age_days(&self) -> Option<i64> {
        Some(i64::from(today()?.since(self.covered_until()?)))
    }
}

/// The feeds that a model's labels are made of.
fn label_kinds(spec: &BundleSpec) -> LabelKinds<'_> {
    LabelKinds {
        activity: &spec.schema.activity,
        churn_event: spec.churn_event.as_deref(),
        conversion: match &spec.conversion {
            Some(part) => &part.event,
            None => &[],
        },
    }
}

/// The present day in UTC; `None` where the clock is out of all range.
fn today() -> Option<Day> {
    let passed = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()?;
    Day::new(i32::try_from(passed.as_secs() / 86_400).ok()?)
}

/// How deep folders within folders are searched; symbolic links could form a circle.
const MAX_DEPTH: usize = 16;

/// The names, sizes and modification times of a roll-up's files: equal for files that have not changed.
pub(crate) type Fingerprint = Vec<(PathBuf, u64, Option<SystemTime>)>;

/// The fingerprint of a roll-up's files.
pub(crate) fn fingerprint(rollup: &Path) -> Fingerprint {
    let mut files = Vec::new();
    let mut folders = vec![(rollup.to_owned(), 0)];
    while let Some((path, depth)) = folders.pop() {
        let Ok(metadata) = std::fs::metadata(&path) else {
            continue;
        };
        if !metadata.is_dir() {
            files.push((path, metadata.len(), metadata.modified().ok()));
        } else if depth < MAX_DEPTH {
            let entries = std::fs::read_dir(&path).into_iter().flatten().flatten();
            folders.extend(entries.map(|entry| (entry.path(), depth + 1)));
        }
    }
    files.sort();
    files
}
