//! The day that bundles are judged at.

use super::{DayRequest, LaterError};
use crate::history::Day;
use crate::model::Bundle;
use crate::train::data::snapshots::{Observed, label_window};

/// A day to judge at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JudgedDay {
    /// Users are described as known at its start.
    pub as_of: Day,
    /// Whether no fit saw an event on it or later.
    pub out_of_time: bool,
}

/// The day to judge some bundles of one question at: the day that is asked for, or the newest one whose labels are complete
/// for all horizons.
///
/// # Errors
/// [`LaterError::Seen`] for a day before the end of a fit, and the other errors where labels are missing.
pub(crate) fn judged_day(
    bundles: &[&Bundle],
    observed: &Observed,
    request: DayRequest,
) -> Result<JudgedDay, LaterError> {
    let spec = bundles[0].spec();
    let horizons: Vec<u16> = shared_horizons(bundles);
    let complete =
        |as_of: Day, horizon: &u16| observed.covers(label_window(as_of, spec.lead_days, *horizon));
    let as_of = match request.as_of {
        Some(as_of) => as_of,
        None => newest(observed, |day| horizons.iter().all(|h| complete(day, h)))
            .ok_or_else(|| no_complete_day(observed, spec.lead_days, &horizons))?,
    };
    let shortest = horizons.iter().min().copied().unwrap_or_default();
    let window = label_window(as_of, spec.lead_days, shortest);
    let newest_fit = bundles.iter().max_by_key(|b| b.spec().training.as_of);
    let seen = newest_fit.filter(|bundle| as_of < bundle.spec().training.as_of);
    if let (Some(bundle), false) = (seen, request.allow_seen) {
        return Err(LaterError::Seen {
            model: bundle.version().to_owned(),
            fitted_as_of: bundle.spec().training.as_of,
            as_of,
            window_days: window.until.since(as_of),
            observed_until: observed.until,
        });
    }
    if as_of <= observed.first {
        let first = observed.first;
        return Err(LaterError::NothingBefore { as_of, first });
    }
    if !horizons.iter().any(|h| complete(as_of, h)) {
        return Err(LaterError::NotObserved {
            as_of,
            until: window.until,
            observed_until: observed.until,
            hole: window.until <= observed.until,
        });
    }
    Ok(JudgedDay {
        as_of,
        out_of_time: seen.is_none(),
    })
}

/// The horizons that all bundles have.
pub(crate) fn shared_horizons(bundles: &[&Bundle]) -> Vec<u16> {
    let of = |bundle: &Bundle| bundle.spec().schema.horizon_days.clone();
    let mut shared = of(bundles[0]);
    shared.retain(|horizon| bundles.iter().all(|bundle| of(bundle).contains(horizon)));
    shared
}

/// The newest day after the first event with complete labels.
fn newest(observed: &Observed, complete: impl Fn(Day) -> bool) -> Option<Day> {
    let days = observed.until.since(observed.first);
    (1..days)
        .map(|back| observed.until.plus(-back))
        .find(|day| complete(*day))
}

fn no_complete_day(observed: &Observed, lead_days: u32, horizons: &[u16]) -> LaterError {
    let longest = horizons.iter().max().copied().unwrap_or_default();
    LaterError::NoCompleteDay {
        first: observed.first,
        observed_until: observed.until,
        window_days: lead_days as i32 + i32::from(longest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Stretch;

    fn day(number: i32) -> Day {
        Day::new(number).unwrap()
    }

    #[test]
    fn the_newest_day_has_a_whole_window_without_a_hole_behind_it() {
        let observed = |holes: &[(i32, i32)]| Observed {
            first: day(0),
            until: day(100),
            holes: holes
                .iter()
                .map(|(from, until)| Stretch {
                    from: day(*from),
                    until: day(*until),
                })
                .collect(),
        };
        let found = |holes: &[(i32, i32)], lead| {
            let observed = observed(holes);
            newest(&observed, |as_of| {
                observed.covers(label_window(as_of, lead, 30))
            })
        };
        assert_eq!(found(&[], 0), Some(day(70)));
        assert_eq!(found(&[], 7), Some(day(63)));
        assert_eq!(found(&[(80, 85)], 0), Some(day(50)), "before the hole");
        // The lead may lie in a hole: nothing is counted in it.
        assert_eq!(found(&[(64, 68)], 7), Some(day(63)));
        assert_eq!(found(&[(20, 90)], 0), None);
    }
}
