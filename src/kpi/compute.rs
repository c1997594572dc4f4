//! One pass over all histories: sums of every period and group.

mod count;
mod follow;

use std::ops::Range;

use super::bootstrap;
use super::cell::{Cell, Weekly};
use super::groups::{Grouper, Groupings, SliceBy, Worth};
use super::life::{Kinds, Life, StageRules, count_in};
use super::money_rows::Costs;
use super::period::{Period, PeriodKind};
use super::rows::{Frame, Row};
use super::settings::KpiConfig;
use super::suppress::withhold;
use crate::history::{BLOCK_USERS, Day, Histories, HistoryError, HistoryView, Span, Stretch};
use crate::lifecycle::{Eligibility, Question, Thresholds};
use crate::model::{Bundle, ModelError};
use crate::phases::{Phases, Unit};
pub(crate) use count::units;

/// Users whose sums are made by one thread, about.
const SPAN_USERS: usize = 8_192;

/// The longest payback that is looked for, in months of 30 days.
const MOST_MONTHS: usize = 36;

/// Days of a month of payback.
pub(crate) const MONTH_DAYS: i32 = 30;

/// What the indicators of a log mean.
#[derive(Clone, Debug, PartialEq)]
pub struct Definitions {
    /// The kinds of events that count as activity.
    pub activity: Vec<String>,
    /// The kind of event that is churn; `None` when churn is silence.
    pub churn_event: Option<String>,
    /// Users with activity in this many days before a period are eligible.
    pub active_within_days: u32,
    /// The thresholds of stages.
    pub lifecycle: Thresholds,
    /// The window of the activity drop in days: the shortest horizon.
    pub window_days: u16,
    /// The kinds of events that are orders and whose amounts are revenue.
    pub order_kinds: Vec<String>,
    /// The share of an amount that is earned: scales lifetime value and payback.
    pub margin: f64,
    /// The windows, steps and kinds of `[kpi]`.
    pub settings: KpiConfig,
    /// The fewest users that a figure may count.
    pub min_users: u32,
}

/// Which days of a log were observed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The first day.
    pub first: Day,
    /// The day after the last one.
    pub until: Day,
    /// The days between that were not.
    pub holes: Vec<Stretch>,
}

impl Observation {
    /// Whether all of these days were observed.
    pub(crate) fn covers(&self, days: Stretch) -> bool {
        days.from >= self.first
            && days.until <= self.until
            && !self.holes.iter().any(|hole| hole.overlaps(days))
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct KpiRequest<'a> {
    /// All users.
    pub histories: &'a Histories,
    /// What the indicators mean.
    pub definitions: &'a Definitions,
    /// Which days were observed; nothing after them is looked at.
    pub observation: &'a Observation,
    /// How long periods are.
    pub period: PeriodKind,
    /// The first day of the periods; `None` for the first one observed.
    pub from: Option<Day>,
    /// The day after their last one; `None` for the end of what was observed.
    pub to: Option<Day>,
    /// What users are grouped by, beside everybody.
    pub by: &'a [SliceBy],
    /// A bundle that has the tiers, segments and values of users.
    pub bundle: Option<&'a Bundle>,
    /// What the acquisition of users cost.
    pub costs: Option<&'a Costs>,
    /// Whether stages are followed week by week.
    pub weekly: bool,
    /// The most periods times slices.
    pub most_cells: usize,
    /// Who is told how far the work has come.
    pub phases: Phases<'a>,
}

/// The indicators.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// By period, and then by indicator and slice.
    pub rows: Vec<Row>,
    /// How many of the rows are withheld because they, or what could be computed from them, count too few users.
    pub withheld: u64,
    /// Days of users with an answer outside of 0 to 10 in the periods, which are not used.
    pub bad_answers: u64,
    /// What the reader should know, one sentence each.
    pub notes: Vec<String>,
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum KpiError {
    /// Histories that could not be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// A prediction that failed.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A grouping that takes a bundle.
    #[error("users are grouped by {by} with the {by}s of a model: give a model that has them")]
    NeedsModel {
        /// The grouping.
        by: &'static str,
    },
    /// No day is asked for.
    #[error(
        "there is no day from {from} to before {until}: the log covers {first} to before {observed_until}"
    )]
    NoDays {
        /// The first day.
        from: Day,
        /// The day after the last one.
        until: Day,
        /// The first day of the log.
        first: Day,
        /// The day after its last one.
        observed_until: Day,
    },
    /// More periods and groups than fit.
    #[error(
        "{periods} periods times {slices} slices are more than {most} cells: ask for fewer days, longer periods or fewer groupings"
    )]
    TooManyCells {
        /// The periods.
        periods: usize,
        /// The slices.
        slices: usize,
        /// The most cells.
        most: usize,
    },
}

/// Computes every indicator of every period and group, on all threads.
///
/// # Errors
/// [`KpiError`] says what cannot be computed, or which histories cannot be read.
pub fn compute(request: &KpiRequest<'_>) -> Result<Report, KpiError> {
    let plan = Plan::new(request)?;
    let histories = request.histories;
    let counting = request
        .phases
        .begin("indicators", histories.len() as u64, Unit::Users);
    let pass = Pass::new(request, &plan);
    let mut all = Tally::new(&plan);
    histories.stream_spans(
        SPAN_USERS / BLOCK_USERS,
        |span| pass.of_span(span),
        |(users, tally)| {
            counting.advance(users);
            all.add(tally);
            Ok::<_, KpiError>(())
        },
    )?;
    Ok(plan.report(request, &all))
}

/// What is counted of some users, for those who have threads of their own; [`report`] makes indicators of the sum.
///
/// # Errors
/// As [`compute`].
pub fn tally(request: &KpiRequest<'_>, blocks: Range<usize>) -> Result<Tally, KpiError> {
    let plan = Plan::new(request)?;
    let span = request.histories.span_of(blocks);
    let (_, tally) = Pass::new(request, &plan).of_span(span)?;
    Ok(tally)
}

/// The indicators of what was counted of all users.
///
/// # Errors
/// As [`compute`].
pub fn report(request: &KpiRequest<'_>, all: &Tally) -> Result<Report, KpiError> {
    Ok(Plan::new(request)?.report(request, all))
}

/// How many periods times slices a request has.
///
/// # Errors
/// As [`compute`].
pub fn cell_count(request: &KpiRequest<'_>) -> Result<usize, KpiError> {
    let plan = Plan::new(request)?;
    Ok(plan.periods.len() * plan.slices.len())
}

/// The periods and slices of a request.
struct Plan {
    periods: Vec<Period>,
    groupings: Groupings,
    slices: Vec<String>,
}

impl Plan {
    fn new(request: &KpiRequest<'_>) -> Result<Self, KpiError> {
        check_groups(request)?;
        let observation = request.observation;
        let (from, until) = (
            request.from.unwrap_or(observation.first),
            request.to.unwrap_or(observation.until),
        );
        // Periods without any observed day have nothing to say.
        let seen = (from.max(observation.first), until.min(observation.until));
        let periods = match request.period {
            PeriodKind::All => request.period.periods(from, until),
            kind => kind.periods(seen.0, seen.1),
        };
        if periods.is_empty() || seen.0 >= seen.1 {
            return Err(KpiError::NoDays {
                from,
                until,
                first: observation.first,
                observed_until: observation.until,
            });
        }
        let days = (observation.first, observation.until);
        let groupings = Groupings::new(request.by, request.bundle, request.period, days);
        let slices = groupings.slices();
        if periods.len().saturating_mul(slices.len()) > request.most_cells {
            return Err(KpiError::TooManyCells {
                periods: periods.len(),
                slices: slices.len(),
                most: request.most_cells,
            });
        }
        Ok(Self {
            periods,
            groupings,
            slices,
        })
    }

    fn report(&self, request: &KpiRequest<'_>, all: &Tally) -> Report {
        let frame = Frame {
            request,
            periods: &self.periods,
            slices: &self.slices,
        };
        let (mut rows, notes) = frame.rows(all);
        let withheld = withhold(&mut rows, u64::from(request.definitions.min_users));
        Report {
            rows,
            withheld,
            bad_answers: all.bad_answers,
            notes,
        }
    }
}

fn check_groups(request: &KpiRequest<'_>) -> Result<(), KpiError> {
    let spec = request.bundle.map(Bundle::spec);
    for by in request.by {
        let has = match by {
            SliceBy::Stage | SliceBy::Cohort => true,
            SliceBy::Tier => spec.is_some_and(|spec| spec.value.is_some()),
            SliceBy::Segment => spec.is_some_and(|spec| !spec.segments.items.is_empty()),
        };
        if !has {
            return Err(KpiError::NeedsModel { by: by.name() });
        }
    }
    Ok(())
}

/// Sums of some users.
#[derive(Debug)]
pub struct Tally {
    /// For each period one cell for each slice, where it has anybody.
    pub(crate) cells: Vec<Option<Box<Cell>>>,
    /// For each period.
    pub(crate) weekly: Vec<Weekly>,
    pub(crate) bad_answers: u64,
}

impl Tally {
    fn new(plan: &Plan) -> Self {
        let periods = plan.periods.len();
        Self {
            cells: (0..periods * plan.slices.len()).map(|_| None).collect(),
            weekly: vec![Weekly::default(); periods],
            bad_answers: 0,
        }
    }

    /// Adds the sums of other users, of an equal request.
    pub fn add(&mut self, other: Self) {
        for (own, other) in self.cells.iter_mut().zip(other.cells) {
            match (own.as_mut(), other) {
                (Some(own), Some(other)) => own.add(&other),
                (None, Some(other)) => *own = Some(other),
                (_, None) => {}
            }
        }
        for (own, other) in self.weekly.iter_mut().zip(&other.weekly) {
            own.add(other);
        }
        self.bad_answers += other.bad_answers;
    }
}

/// What the pass over histories needs.
struct Pass<'a> {
    plan: &'a Plan,
    kinds: Kinds,
    rules: StageRules,
    definitions: &'a Definitions,
    lapsed_after_days: u32,
    observation: &'a Observation,
    bundle: Option<&'a Bundle>,
    names: &'a [String],
    /// The attribute that is the channel by which a user came.
    channel: Option<&'a str>,
    weekly: bool,
}

impl<'a> Pass<'a> {
    fn new(request: &KpiRequest<'a>, plan: &'a Plan) -> Self {
        let (definitions, names) = (request.definitions, request.histories.kinds());
        let question = Question::Churn {
            activity: definitions.activity.clone(),
            churn_event: definitions.churn_event.clone(),
            active_within_days: definitions.active_within_days,
        };
        let position = |name: &str| names.iter().position(|kind| kind == name);
        let nps =
            position(&definitions.settings.nps_kind).and_then(|kind| u16::try_from(kind).ok());
        Self {
            plan,
            kinds: Kinds {
                eligibility: Eligibility::new(names, &question),
                is_order: names
                    .iter()
                    .map(|kind| definitions.order_kinds.contains(kind))
                    .collect(),
                nps,
            },
            rules: StageRules {
                thresholds: definitions.lifecycle.clone(),
                active_within_days: definitions.active_within_days,
                window_days: definitions.window_days,
            },
            definitions,
            lapsed_after_days: definitions
                .settings
                .lapsed_after_days
                .unwrap_or(definitions.active_within_days),
            observation: request.observation,
            bundle: request.bundle,
            names,
            channel: request.costs.and_then(|c| c.channel_attribute.as_deref()),
            weekly: request.weekly,
        }
    }

    fn of_span(&self, span: Span<'_>) -> Result<(u64, Tally), KpiError> {
        let mut tally = Tally::new(self.plan);
        let slice_count = self.plan.slices.len();
        let rules = (&self.kinds, &self.rules);
        let mut grouper = Grouper::new(&self.plan.groupings, rules, self.bundle, self.names);
        let (mut life, mut slices, mut weights) = (Life::default(), Vec::new(), Vec::new());
        let mut users = 0;
        span.for_each(|user, history| {
            users += 1;
            let history = history.before(self.observation.until);
            life.read(history, &self.kinds);
            weights.clear();
            for (at, period) in self.plan.periods.iter().enumerate() {
                // Who comes later has no part in the period.
                if life.first.is_none_or(|first| first >= period.days.until) {
                    continue;
                }
                let worth = grouper.worth(history, period.days.from)?;
                grouper.slices((&life, history), &worth, period.days.from, &mut slices);
                if weights.is_empty() && (worth.residual.is_some() || self.is_active(&life)) {
                    bootstrap::weights(user, &mut weights);
                }
                let own = User {
                    life: &life,
                    history,
                    worth: &worth,
                    weights: &weights,
                };
                for slice in &slices {
                    let cell = &mut tally.cells[at * slice_count + slice];
                    self.count(&own, period.days, cell.get_or_insert_default());
                }
                tally.bad_answers +=
                    count_in(&life.bad_answers, period.days.from, period.days.until) as u64;
            }
            if self.weekly {
                self.follow(&life, history, &mut tally.weekly);
            }
            Ok::<_, KpiError>(())
        })?;
        Ok((users, tally))
    }

    /// Whether a user has activity or money at all.
    fn is_active(&self, life: &Life) -> bool {
        !life.active.is_empty() || !life.money.is_empty()
    }
}

/// A user at a period.
struct User<'a> {
    life: &'a Life,
    history: HistoryView<'a>,
    worth: &'a Worth,
    weights: &'a [f64],
}
