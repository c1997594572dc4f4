//! A user's last weeks: what happened in each, and what the model says at its end from what had happened by then.

use serde::Serialize;

use super::answer::{Assessor, Status};
use crate::history::{Day, HistoryView};
use crate::lifecycle::Stage;
use crate::model::ModelError;

/// Weeks that are looked back at most.
const MOST_WEEKS: i32 = 52;

/// One week, which ends where a day begins that is so many weeks before the as-of day.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Week {
    /// Its first day.
    pub from: Day,
    /// The day after its last one, at whose start the user is judged: nothing on it or later is seen.
    pub as_of: Day,
    /// Days with activity.
    pub active_days: u32,
    /// Events of activity.
    pub activity_events: u64,
    /// Events of other kinds.
    pub other_events: u64,
    /// The sum of the amounts of activity.
    pub amount: f64,
    /// Whether there is a score at its end.
    pub status: Status,
    /// The lifecycle stage at its end; `None` without a score.
    pub stage: Option<Stage>,
    /// The risk at its end; none without a score.
    pub horizons: Vec<WeekRisk>,
}

impl Week {
    /// The risk of a horizon at its end; `None` without a score.
    pub fn risk(&self, horizon_days: u16) -> Option<WeekRisk> {
        let mut horizons = self.horizons.iter();
        horizons.find(|h| h.horizon_days == horizon_days).copied()
    }
}

/// The horizons that some weeks have a risk of, shortest first; none where no week has a score.
pub(crate) fn horizons_of(weeks: &[Week]) -> Vec<u16> {
    // All weeks with a score have the same ones.
    let scored = weeks.iter().find(|week| !week.horizons.is_empty());
    let horizons = scored.into_iter().flat_map(|week| &week.horizons);
    horizons.map(|h| h.horizon_days).collect()
}

/// The risk at the end of a week.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct WeekRisk {
    /// The horizon in days.
    pub horizon_days: u16,
    /// Probability of churn.
    pub churn_probability: f64,
    /// `low`, `medium` or `high`.
    pub risk_band: &'static str,
}

/// The weeks before a day, oldest first: back to the user's first event, and [`MOST_WEEKS`] at most.
pub(crate) fn weeks(
    assessor: &mut Assessor<'_>,
    history: HistoryView<'_>,
    as_of: Day,
) -> Result<Vec<Week>, ModelError> {
    let Some(first) = history.before(as_of).records().first() else {
        return Ok(Vec::new());
    };
    let ends = (0..MOST_WEEKS).map(|week| as_of.plus(-7 * week));
    let mut weeks: Vec<Week> = ends
        .take_while(|end| *end > first.day)
        .map(|end| week(assessor, history, end))
        .collect::<Result<_, _>>()?;
    weeks.reverse();
    Ok(weeks)
}

fn week(
    assessor: &mut Assessor<'_>,
    history: HistoryView<'_>,
    as_of: Day,
) -> Result<Week, ModelError> {
    let from = as_of.plus(-7);
    let mut week = Week {
        from,
        as_of,
        active_days: 0,
        activity_events: 0,
        other_events: 0,
        amount: 0.0,
        status: Status::Scored,
        stage: None,
        horizons: Vec::new(),
    };
    let mut last_active = None;
    for record in history.between(from, as_of).records() {
        let events = u64::from(record.count);
        if !assessor.is_activity(record.kind) {
            week.other_events += events;
            continue;
        }
        week.activity_events += events;
        week.amount += record.amount.value();
        week.active_days += u32::from(last_active != Some(record.day));
        last_active = Some(record.day);
    }
    match assessor.score(history, as_of)? {
        Err(reason) => week.status = reason.into(),
        Ok(score) => {
            week.stage = Some(score.stage);
            let wanted = score.horizons.iter();
            week.horizons = wanted
                .filter(|h| assessor.wants(h.horizon_days))
                .map(|h| WeekRisk {
                    horizon_days: h.horizon_days,
                    churn_probability: h.probability,
                    risk_band: h.band.name(),
                })
                .collect();
        }
    }
    Ok(week)
}
