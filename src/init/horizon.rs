//! A horizon and an active window from the gaps between a user's active days, and what a fit would have with them.

use serde::Serialize;

use crate::history::{Coverage, Day, Histories, HistoryError};
use crate::train::TrainError;
use crate::train::data::labels::Labeller;
use crate::train::data::snapshots::{Observed, Schedule, Spacing};
use crate::train::settings::{ChurnConfig, ModelConfig};

/// Days that people count in.
const NATURAL_DAYS: [u16; 15] = [1, 2, 3, 5, 7, 14, 21, 30, 45, 60, 90, 120, 180, 270, 365];
/// The shortest horizon where the log is long enough for another.
const LEAST_HORIZON: u16 = 7;
/// The share of the gaps that a horizon covers: a longer silence is unusual.
const USUAL_GAPS: f64 = 0.85;
/// The share of the gaps after which a user is hardly expected any more.
const NEARLY_ALL_GAPS: f64 = 0.95;
/// Horizons that a log must be long enough for, and how many of them the active window may have.
const LOG_HORIZONS: i32 = 5;
const WINDOW_HORIZONS: u32 = 3;
/// Users by which gaps are measured.
const MOST_USERS: usize = 50_000;
/// The horizon where no user comes back.
const NO_GAPS_HORIZON: u16 = 30;
/// Dates that a fit needs to learn from some and to be judged on another.
const LEAST_DATES: usize = 3;

/// A horizon, an active window, and the gaps that they come from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Windows {
    /// The horizon in days.
    pub horizon_days: u16,
    /// The active window in days.
    pub active_within_days: u32,
    /// The days that 85 % of the gaps between active days of a user do not exceed; `None` where no user comes back.
    pub usual_gap_days: Option<i32>,
    /// The same for 95 %.
    pub long_gap_days: Option<i32>,
    /// Gaps that were measured.
    pub gaps: usize,
}

/// What a fit would have.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outlook {
    /// The day that a fit would predict from.
    pub as_of: Day,
    /// The dates at which users would be described, oldest first.
    pub dates: Vec<Day>,
    /// Labelled rows (user, date) at these dates.
    pub rows: u64,
    /// The share of them that churned; 0 without rows.
    pub churn_rate: f64,
    /// Labelled users at the newest date.
    pub newest_users: u64,
    /// The share of them that churned; 0 without users.
    pub newest_churn_rate: f64,
}

/// Gaps in days between neighbouring active days of users, in order of size.
pub(crate) fn gaps(histories: &Histories, activity: &[String]) -> Result<Vec<i32>, HistoryError> {
    let kinds: Vec<bool> = histories
        .kinds()
        .iter()
        .map(|kind| activity.contains(kind))
        .collect();
    let is_active = |kind: u16| kinds.get(usize::from(kind)).copied().unwrap_or(false);
    let each = histories.evenly(MOST_USERS, |history| {
        let records = history
            .records()
            .iter()
            .filter(|record| is_active(record.kind));
        let days: Vec<Day> = records.map(|record| record.day).collect();
        let steps = days.windows(2).map(|two| two[1].since(two[0]));
        steps.filter(|days| *days > 0).collect::<Vec<i32>>()
    })?;
    let mut all: Vec<i32> = each.into_iter().flatten().collect();
    all.sort_unstable();
    Ok(all)
}

/// The windows for a log of so many days whose gaps, in order of size, are these.
pub(crate) fn windows(gaps: &[i32], span_days: i32) -> Windows {
    let quantile = |share: f64| {
        let at = (share * gaps.len().saturating_sub(1) as f64).round() as usize;
        gaps.get(at).copied()
    };
    let (usual, long) = (quantile(USUAL_GAPS), quantile(NEARLY_ALL_GAPS));
    let longest = (span_days / LOG_HORIZONS).max(1);
    let least = i32::from(LEAST_HORIZON).min(longest);
    let wanted = usual
        .unwrap_or(i32::from(NO_GAPS_HORIZON))
        .clamp(least, longest);
    let horizon_days = natural(wanted, longest);
    let window = long
        .unwrap_or(0)
        .max((WINDOW_HORIZONS * u32::from(horizon_days)) as i32)
        .min((span_days / 2).max(i32::from(horizon_days)));
    Windows {
        horizon_days,
        active_within_days: u32::from(natural(window, window)).max(u32::from(horizon_days)),
        usual_gap_days: usual,
        long_gap_days: long,
        gaps: gaps.len(),
    }
}

/// The least number of days that people count in and that covers so many days, give or take a tenth; the greatest up to
/// `most` where none does.
fn natural(days: i32, most: i32) -> u16 {
    let possible = || {
        NATURAL_DAYS
            .into_iter()
            .filter(|natural| i32::from(*natural) <= most)
    };
    possible()
        .find(|natural| 10 * i32::from(*natural) >= 9 * days)
        .or_else(|| possible().next_back())
        .unwrap_or(1)
}

/// What a fit would have; with a shorter horizon where the log has too few dates for this one.
pub(crate) fn outlook(
    histories: &Histories,
    coverage: &Coverage,
    churn: &mut ChurnConfig,
) -> Result<Option<Outlook>, TrainError> {
    let as_of = coverage.labels_until;
    let Some((first, _)) = histories.span() else {
        return Ok(None);
    };
    let observed = Observed::new(first, coverage, as_of);
    let asked = churn
        .horizon_days
        .first()
        .copied()
        .unwrap_or(NO_GAPS_HORIZON);
    let shorter = NATURAL_DAYS.into_iter().rev().filter(|days| *days < asked);
    let mut found = None;
    for horizon_days in std::iter::once(asked).chain(shorter) {
        match schedule(&observed, as_of, horizon_days, churn.active_within_days) {
            Ok(schedule) if schedule.regular.len() >= LEAST_DATES => {
                found = Some((horizon_days, schedule));
                break;
            }
            // Few dates are better than none.
            Ok(schedule) => found = found.or(Some((horizon_days, schedule))),
            Err(TrainError::HorizonNotObserved { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let Some((horizon_days, schedule)) = found else {
        return Ok(None);
    };
    churn.horizon_days = vec![horizon_days];
    let labeller = Labeller::new(churn, histories.kinds(), observed);
    let dates = schedule.regular;
    let mut counts = vec![(0_u64, 0_u64); dates.len()];
    for part in histories.map_blocks(|block| {
        let mut part = vec![(0, 0); dates.len()];
        for (_, _, history) in block.iter() {
            for (count, date) in part.iter_mut().zip(&dates) {
                if let Ok(churned) = labeller.label(history, *date, horizon_days) {
                    *count = (count.0 + 1, count.1 + u64::from(churned));
                }
            }
        }
        part
    })? {
        for (sum, count) in counts.iter_mut().zip(part) {
            *sum = (sum.0 + count.0, sum.1 + count.1);
        }
    }
    let rate = |(rows, churned): (u64, u64)| churned as f64 / rows.max(1) as f64;
    let all = counts
        .iter()
        .fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
    let newest = counts.last().copied().unwrap_or_default();
    Ok(Some(Outlook {
        as_of,
        dates,
        rows: all.0,
        churn_rate: rate(all),
        newest_users: newest.0,
        newest_churn_rate: rate(newest),
    }))
}

/// The dates that a fit would lay out by default.
fn schedule(
    observed: &Observed,
    as_of: Day,
    horizon_days: u16,
    active_within_days: u32,
) -> Result<Schedule, TrainError> {
    let model = ModelConfig::default();
    let spacing = Spacing {
        past: None,
        days: model.spacing_days,
        most: model.snapshots,
        anniversaries: model.most_anniversaries(),
        active_within_days,
    };
    Schedule::new(observed, as_of, 0, horizon_days, spacing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_horizon_covers_the_usual_gaps_and_the_log_covers_some_horizons() {
        let spread = |most: i32| -> Vec<i32> { (1..=100).map(|k| k * most / 100).collect() };
        for (gaps, span_days, expected) in [
            (spread(100), 1_000, (90, 270)),
            (spread(100), 373, (60, 180)),
            (spread(30), 540, (30, 90)),
            (spread(30), 80, (14, 30)),
            (vec![1; 50], 540, (7, 21)),
            (vec![1; 50], 10, (2, 5)),
            (Vec::new(), 540, (30, 90)),
            (Vec::new(), 1, (1, 1)),
        ] {
            let found = windows(&gaps, span_days);
            assert_eq!(
                (found.horizon_days, found.active_within_days),
                expected,
                "{span_days}"
            );
        }
        assert_eq!(windows(&[], 540).usual_gap_days, None);
    }
}
