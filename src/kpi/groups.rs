//! What users are grouped by, as they were known before a period began.

use super::life::{Kinds, Life, StageRules};
use super::period::PeriodKind;
use crate::history::{Day, HistoryView};
use crate::lifecycle::states;
use crate::model::{Bundle, ModelError, Prediction, Predictor, Score, Subject, ValueEstimate};

/// Users who are in no group.
const NONE: &str = "none";

/// What users are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SliceBy {
    /// The lifecycle stage at the start of the period.
    Stage,
    /// The tier of value at the start of the period.
    Tier,
    /// The segment at the start of the period.
    Segment,
    /// The period of the first activity.
    Cohort,
}

impl SliceBy {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Stage, Self::Tier, Self::Segment, Self::Cohort];

    /// The name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stage => "stage",
            Self::Tier => "tier",
            Self::Segment => "segment",
            Self::Cohort => "cohort",
        }
    }
}

/// The groups of one grouping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grouping {
    pub(crate) by: SliceBy,
    pub(crate) names: Vec<String>,
}

/// The groupings that are asked for.
#[derive(Clone, Debug)]
pub(crate) struct Groupings {
    pub(crate) all: Vec<Grouping>,
    cohorts: PeriodKind,
    first_cohort: i32,
}

impl Groupings {
    /// The groupings of a request; tiers and segments are those of `bundle`. Cohorts are from `first` to before `until`.
    pub(crate) fn new(
        by: &[SliceBy],
        bundle: Option<&Bundle>,
        cohorts: PeriodKind,
        (first, until): (Day, Day),
    ) -> Self {
        let unnamed = || std::iter::once(NONE.to_owned());
        let first_cohort = cohorts.number(first);
        let spec = bundle.map(Bundle::spec);
        let names = |by: &SliceBy| -> Vec<String> {
            match by {
                SliceBy::Stage => states().map(str::to_owned).collect(),
                SliceBy::Tier => {
                    let tiers = spec
                        .into_iter()
                        .flat_map(|s| &s.value)
                        .flat_map(|v| &v.tiers);
                    tiers
                        .map(|tier| tier.name.clone())
                        .chain(unnamed())
                        .collect()
                }
                SliceBy::Segment => {
                    let segments = spec.into_iter().flat_map(|s| &s.segments.items);
                    segments
                        .map(|segment| segment.name.clone())
                        .chain(unnamed())
                        .collect()
                }
                SliceBy::Cohort => (first_cohort
                    ..=cohorts.number(until.plus(-1)).max(first_cohort))
                    .map(|number| cohorts.label(number))
                    .chain(unnamed())
                    .collect(),
            }
        };
        Self {
            all: by
                .iter()
                .map(|by| Grouping {
                    by: *by,
                    names: names(by),
                })
                .collect(),
            cohorts,
            first_cohort,
        }
    }

    /// The slices: everybody, and every group.
    pub(crate) fn slices(&self) -> Vec<String> {
        let groups = self.all.iter().flat_map(|grouping| {
            let by = grouping.by.name();
            grouping
                .names
                .iter()
                .map(move |name| format!("{by}={name}"))
        });
        std::iter::once("all".to_owned()).chain(groups).collect()
    }
}

/// What a bundle says of a user at a day.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Worth {
    pub(crate) tier: Option<usize>,
    pub(crate) segment: Option<usize>,
    /// The value of all that is to come; `None` where it is unknown.
    pub(crate) residual: Option<f64>,
}

/// Looks up groups of users, one after another.
pub(crate) struct Grouper<'a> {
    groupings: &'a Groupings,
    kinds: &'a Kinds,
    rules: &'a StageRules,
    predictor: Option<Predictor<'a>>,
}

impl<'a> Grouper<'a> {
    pub(crate) fn new(
        groupings: &'a Groupings,
        (kinds, rules): (&'a Kinds, &'a StageRules),
        bundle: Option<&'a Bundle>,
        names: &'a [String],
    ) -> Self {
        let predictor = bundle.map(|bundle| bundle.predictor(names).without_value_reasons());
        Self {
            groupings,
            kinds,
            rules,
            predictor,
        }
    }

    /// What the bundle says of an eligible user before a day.
    pub(crate) fn worth(
        &mut self,
        history: HistoryView<'_>,
        day: Day,
    ) -> Result<Worth, ModelError> {
        let Some(predictor) = &mut self.predictor else {
            return Ok(Worth::default());
        };
        if self.kinds.eligibility.at(history, day).is_err() {
            return Ok(Worth::default());
        }
        match predictor.predict(Subject::History(history), day, 0)? {
            Prediction::Scored(score) => Ok(Worth::from(&score)),
            _ => Ok(Worth::default()),
        }
    }

    /// The positions among all slices that a user belongs to before a day, that of everybody first.
    pub(crate) fn slices(
        &self,
        (life, history): (&Life, HistoryView<'_>),
        worth: &Worth,
        day: Day,
        into: &mut Vec<usize>,
    ) {
        into.clear();
        into.push(0);
        let mut first = 1;
        for Grouping { by, names } in &self.groupings.all {
            let last = names.len().saturating_sub(1);
            let group = match by {
                SliceBy::Stage => {
                    let state = life.state(history, day, self.kinds, self.rules);
                    states().position(|name| name == state)
                }
                SliceBy::Tier => worth.tier,
                SliceBy::Segment => worth.segment,
                SliceBy::Cohort => life.active.first().and_then(|first| {
                    let number = self.groupings.cohorts.number(*first);
                    usize::try_from(number - self.groupings.first_cohort).ok()
                }),
            };
            into.push(
                first
                    + group
                        .filter(|group| *group < last || *by == SliceBy::Stage)
                        .unwrap_or(last),
            );
            first += names.len();
        }
    }
}

impl From<&Score<'_>> for Worth {
    fn from(score: &Score<'_>) -> Self {
        let value = score.value.as_ref();
        let residual = |value: &ValueEstimate<'_>| value.residual_value;
        Self {
            tier: value.and_then(|value| value.tier),
            segment: score.segment.map(|segment| segment.id),
            residual: value.map(residual).filter(|residual| residual.is_finite()),
        }
    }
}
