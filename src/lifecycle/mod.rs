//! Who is asked about ([`Eligibility`]), and where a user stands: exactly one [`Stage`], decided by the first [`Rule`]
//! that fires.
//!
//! Behaviour comes before tenure: a user who is leaving is `Churning` however new or old. The rules are pure
//! functions of a feature vector, so every way to name a user gives the same stage.

pub(crate) mod eligibility;

pub use eligibility::{Eligibility, NotEligible, is_inactive};

use serde::{Deserialize, Serialize};

use crate::features::{Catalogue, FeatureSchema, Quantity};
use crate::math::binomial_cdf_below;

/// A lifecycle stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Just arrived.
    Acquisition,
    /// Trying things out.
    Exploration,
    /// Has settled in and is not yet long-standing.
    Growth,
    /// Long-standing.
    Mature,
    /// Behaves as leavers do.
    Churning,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 5] = [
        Self::Acquisition,
        Self::Exploration,
        Self::Growth,
        Self::Mature,
        Self::Churning,
    ];

    /// The stage's name in files and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Acquisition => "acquisition",
            Self::Exploration => "exploration",
            Self::Growth => "growth",
            Self::Mature => "mature",
            Self::Churning => "churning",
        }
    }
}

/// The rule that decided a stage, in the order in which they are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// No activity for longer than users count as active.
    Inactive,
    /// Silent for several times the user's own usual gap.
    Overdue,
    /// Activity fell well below the user's own earlier rate, and not by chance.
    ActivityDrop,
    /// Known for a short time only.
    NewUser,
    /// Known for a few weeks and seen on one day only.
    NotYetReturned,
    /// Known for some weeks.
    Exploring,
    /// Known for some months.
    Growing,
    /// Known for long.
    Established,
}

impl Rule {
    /// The rule's name in files and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Overdue => "overdue",
            Self::ActivityDrop => "activity_drop",
            Self::NewUser => "new_user",
            Self::NotYetReturned => "not_yet_returned",
            Self::Exploring => "exploring",
            Self::Growing => "growing",
            Self::Established => "established",
        }
    }
}

/// The rules' thresholds: the `[lifecycle]` table of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Thresholds {
    /// Up to this tenure every user is in acquisition.
    pub exploration_from_days: u32,
    /// Up to this tenure a user seen on one day only is still in acquisition.
    pub acquisition_days: u32,
    /// Up to this tenure users are in exploration.
    pub exploration_days: u32,
    /// Up to this tenure users are in growth; beyond it they are mature.
    pub growth_days: u32,
    /// Overdue when recency is more than this many times the mean gap ...
    pub overdue_factor: f64,
    /// ... of a user with at least this many active days ...
    pub overdue_active_days: u32,
    /// ... and at least this many days have passed.
    pub overdue_min_days: u32,
    /// The activity drop: the recent rate is more than this share below the earlier rate ...
    pub drop_share: f64,
    /// ... and so few active days would come about by chance with less than this probability.
    pub drop_probability: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            exploration_from_days: 14,
            acquisition_days: 28,
            exploration_days: 56,
            growth_days: 182,
            overdue_factor: 3.0,
            overdue_active_days: 3,
            overdue_min_days: 14,
            drop_share: 0.3,
            drop_probability: 0.05,
        }
    }
}

impl Thresholds {
    /// What is wrong with the thresholds, naming the setting; `None` when they are in order.
    pub fn problem(&self) -> Option<String> {
        let days = [
            self.exploration_from_days,
            self.acquisition_days,
            self.exploration_days,
            self.growth_days,
        ];
        if !days.is_sorted() {
            return Some(
                "lifecycle: exploration_from_days, acquisition_days, exploration_days and growth_days must not decrease"
                    .into(),
            );
        }
        for (name, share) in [
            ("drop_share", self.drop_share),
            ("drop_probability", self.drop_probability),
        ] {
            if !(share > 0.0 && share < 1.0) {
                return Some(format!(
                    "lifecycle.{name} is {share}: it must lie between 0 and 1"
                ));
            }
        }
        let factor = self.overdue_factor;
        (!(factor.is_finite() && factor >= 1.0))
            .then(|| format!("lifecycle.overdue_factor is {factor}: it must be at least 1"))
    }
}

/// The window of the activity drop: the shortest horizon.
fn window_days(schema: &FeatureSchema) -> u16 {
    schema.horizon_days.first().copied().unwrap_or(1)
}

/// The part of a user's behaviour that the rules read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Behaviour {
    /// Days since the first event.
    pub tenure_days: f64,
    /// Days since the last activity.
    pub recency_days: f64,
    /// Days with activity, ever.
    pub active_days: f64,
    /// Mean days between active days; `None` for a single one.
    pub gap_mean_days: Option<f64>,
    /// Days with activity in the last `recent_window_days`.
    pub recent_active_days: f64,
    /// The window of the activity drop: the shortest horizon.
    pub recent_window_days: f64,
}

impl Behaviour {
    /// The features that [`Self::of`] reads.
    pub fn quantities(schema: &FeatureSchema) -> [Quantity; 5] {
        [
            Quantity::Tenure,
            Quantity::Recency,
            Quantity::ActiveDays,
            Quantity::GapMean,
            Quantity::ActiveDaysIn(window_days(schema)),
        ]
    }

    /// The behaviour that a feature vector describes, or the name of a feature it lacks.
    pub fn of(catalogue: &Catalogue, vector: &[f64]) -> Result<Self, String> {
        let name = |position: usize| {
            catalogue
                .features()
                .get(position)
                .map(|f| f.name.clone())
                .unwrap_or_default()
        };
        Places::new(catalogue).behaviour(vector).map_err(name)
    }

    /// Whether activity in the recent window fell by more than `drop_share` below the user's own earlier rate,
    /// and is improbably low under that rate.
    ///
    /// Given the total number of active days, those of the recent window are binomial with the window's share
    /// of the time, if the rate never changed (the conditional test of two Poisson rates: Przyborowski and
    /// Wilenski 1940, Biometrika 31). A fall from 3 to 2 is no alarm, one from 30 to 10 is.
    pub fn activity_dropped(&self, thresholds: &Thresholds) -> bool {
        let earlier_days = self.tenure_days - self.recent_window_days;
        let earlier = self.active_days - self.recent_active_days;
        if earlier_days <= 0.0 || earlier <= 0.0 {
            return false;
        }
        let expected = earlier / earlier_days * self.recent_window_days;
        let share = self.recent_window_days / self.tenure_days;
        self.recent_active_days < (1.0 - thresholds.drop_share) * expected
            && binomial_cdf_below(
                self.recent_active_days as u32,
                self.active_days as u32,
                share,
                thresholds.drop_probability,
            )
    }
}

/// Where the features that the rules read stand in a feature vector, looked up once for many vectors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Places {
    /// Position of the days since the first event.
    pub tenure: usize,
    /// Position of the days since the last activity.
    pub recency: usize,
    /// Position of the days with activity, ever.
    pub active_days: usize,
    /// Position of the mean gap.
    pub gap_mean: usize,
    /// Position of the days with activity in the recent window.
    pub recent_active_days: usize,
    recent_window_days: f64,
}

impl Places {
    /// The places in vectors of a catalogue, which has all these features.
    pub fn new(catalogue: &Catalogue) -> Self {
        // What is not there lies beyond every vector, and so is unknown.
        let place = |quantity| catalogue.position(quantity).unwrap_or(usize::MAX);
        let [tenure, recency, active_days, gap_mean, recent_active_days] =
            Behaviour::quantities(catalogue.schema()).map(place);
        let recent_window_days = f64::from(window_days(catalogue.schema()));
        Self {
            tenure,
            recency,
            active_days,
            gap_mean,
            recent_active_days,
            recent_window_days,
        }
    }

    /// The positions of the features that the rules cannot do without, in the order in which they are asked for.
    pub fn needed(&self) -> [usize; 4] {
        [
            self.tenure,
            self.recency,
            self.active_days,
            self.recent_active_days,
        ]
    }

    /// The behaviour that a feature vector describes, or the position of a feature it lacks.
    pub fn behaviour(&self, vector: &[f64]) -> Result<Behaviour, usize> {
        let known = |position: usize| vector.get(position).copied().filter(|v| !v.is_nan());
        let [tenure_days, recency_days, active_days, recent_active_days] = self
            .needed()
            .map(|position| known(position).ok_or(position));
        Ok(Behaviour {
            tenure_days: tenure_days?,
            recency_days: recency_days?,
            active_days: active_days?,
            gap_mean_days: known(self.gap_mean),
            recent_active_days: recent_active_days?,
            recent_window_days: self.recent_window_days,
        })
    }
}

/// The stage of a user and the rule that decided it. `active_within_days` is how long users count as active.
pub fn classify(
    behaviour: &Behaviour,
    thresholds: &Thresholds,
    active_within_days: u32,
) -> (Stage, Rule) {
    let b = behaviour;
    let overdue = b
        .gap_mean_days
        .is_some_and(|gap| b.recency_days > thresholds.overdue_factor * gap.max(1.0))
        && b.active_days >= f64::from(thresholds.overdue_active_days)
        && b.recency_days >= f64::from(thresholds.overdue_min_days);
    let within = |days: u32| b.tenure_days <= f64::from(days);
    if is_inactive(b.recency_days, active_within_days) {
        (Stage::Churning, Rule::Inactive)
    } else if overdue {
        (Stage::Churning, Rule::Overdue)
    } else if b.activity_dropped(thresholds) {
        (Stage::Churning, Rule::ActivityDrop)
    } else if within(thresholds.exploration_from_days) {
        (Stage::Acquisition, Rule::NewUser)
    } else if within(thresholds.acquisition_days) && b.active_days < 2.0 {
        (Stage::Acquisition, Rule::NotYetReturned)
    } else if within(thresholds.exploration_days) {
        (Stage::Exploration, Rule::Exploring)
    } else if within(thresholds.growth_days) {
        (Stage::Growth, Rule::Growing)
    } else {
        (Stage::Mature, Rule::Established)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn behaviour(
        tenure: f64,
        recency: f64,
        active: f64,
        gap: Option<f64>,
        recent: f64,
    ) -> Behaviour {
        Behaviour {
            tenure_days: tenure,
            recency_days: recency,
            active_days: active,
            gap_mean_days: gap,
            recent_active_days: recent,
            recent_window_days: 30.0,
        }
    }

    fn rule(b: Behaviour) -> (Stage, Rule) {
        classify(&b, &Thresholds::default(), 180)
    }

    #[test]
    fn each_rule_fires_where_it_should_and_not_a_day_earlier() {
        let quiet = |tenure: f64, active: f64| {
            behaviour(tenure, 1.0, active, (active > 1.0).then_some(10.0), active)
        };
        for (b, expected) in [
            (quiet(14.0, 1.0), (Stage::Acquisition, Rule::NewUser)),
            (quiet(15.0, 1.0), (Stage::Acquisition, Rule::NotYetReturned)),
            (quiet(15.0, 2.0), (Stage::Exploration, Rule::Exploring)),
            (quiet(28.0, 1.0), (Stage::Acquisition, Rule::NotYetReturned)),
            (quiet(29.0, 1.0), (Stage::Exploration, Rule::Exploring)),
            (quiet(56.0, 2.0), (Stage::Exploration, Rule::Exploring)),
            (quiet(57.0, 2.0), (Stage::Growth, Rule::Growing)),
            (quiet(182.0, 2.0), (Stage::Growth, Rule::Growing)),
            (quiet(183.0, 2.0), (Stage::Mature, Rule::Established)),
            (
                behaviour(400.0, 181.0, 9.0, Some(10.0), 0.0),
                (Stage::Churning, Rule::Inactive),
            ),
            (
                behaviour(50.0, 31.0, 3.0, Some(10.0), 0.0),
                (Stage::Churning, Rule::Overdue),
            ),
            (
                behaviour(50.0, 30.0, 3.0, Some(10.0), 1.0),
                (Stage::Exploration, Rule::Exploring),
            ),
            (
                behaviour(50.0, 13.0, 3.0, Some(4.0), 1.0),
                (Stage::Exploration, Rule::Exploring),
            ),
            (
                behaviour(300.0, 5.0, 95.0, Some(3.0), 3.0),
                (Stage::Churning, Rule::ActivityDrop),
            ),
        ] {
            assert_eq!(rule(b), expected, "{b:?}");
        }
    }

    #[test]
    fn a_small_fall_is_no_alarm_and_a_large_one_is() {
        let thresholds = Thresholds::default();
        let halves =
            |earlier: f64, recent: f64| behaviour(60.0, 1.0, earlier + recent, Some(5.0), recent);
        assert!(
            !halves(3.0, 2.0).activity_dropped(&thresholds),
            "from 3 to 2: a third less, but probable"
        );
        assert!(
            !halves(20.0, 15.0).activity_dropped(&thresholds),
            "only a quarter less"
        );
        assert!(halves(30.0, 10.0).activity_dropped(&thresholds));
        // The negative control: without the test of chance the fall from 3 to 2 would fire.
        let careless = Thresholds {
            drop_probability: 0.999,
            ..thresholds
        };
        assert!(halves(3.0, 2.0).activity_dropped(&careless));
    }

    proptest! {
        #[test]
        fn every_user_has_one_stage_and_its_rule_agrees(
            tenure in 1.0..2_000.0_f64, recency in 1.0..900.0_f64, active in 1.0..400.0_f64,
            gap in prop::option::of(1.0..200.0_f64), recent in 0.0..30.0_f64,
        ) {
            let b = behaviour(tenure.max(recency), recency, active, gap, recent.min(active));
            let (stage, rule) = rule(b);
            let expected = match rule {
                Rule::Inactive | Rule::Overdue | Rule::ActivityDrop => Stage::Churning,
                Rule::NewUser | Rule::NotYetReturned => Stage::Acquisition,
                Rule::Exploring => Stage::Exploration,
                Rule::Growing => Stage::Growth,
                Rule::Established => Stage::Mature,
            };
            prop_assert_eq!(stage, expected);
        }
    }

    #[test]
    fn thresholds_out_of_order_are_named() {
        assert_eq!(Thresholds::default().problem(), None);
        let wrong = Thresholds {
            drop_share: 1.5,
            ..Thresholds::default()
        };
        assert!(wrong.problem().unwrap().contains("lifecycle.drop_share"));
        let wrong = Thresholds {
            growth_days: 3,
            ..Thresholds::default()
        };
        assert!(wrong.problem().unwrap().contains("growth_days"));
    }
}
