//! Two bundles on the same users.

use std::fmt::Debug;

use super::day::{judged_day, shared_horizons};
use super::evaluate::{judged_model, observed};
use super::rows::{config_of, context, probabilities, schedule};
use super::{DayRequest, LaterError, LaterLog};
use crate::card::{ComparedHorizon, Comparison, LATER_SCHEMA_VERSION, Paired, Untested};
use crate::history::Day;
use crate::model::Bundle;
use crate::train::data::dataset::Dataset;
use crate::train::data::snapshots::{Observed, label_window};
use crate::train::evaluation::holdout::not_to_judge_on;
use crate::train::evaluation::paired::paired;
use crate::train::settings::TrainConfig;

/// Compares two bundles at one day on the users that both score.
///
/// # Errors
/// [`LaterError`] says why they cannot be compared on this log at this day.
pub fn compare(
    log: &LaterLog<'_>,
    a: &Bundle,
    b: &Bundle,
    request: DayRequest,
) -> Result<Comparison, LaterError> {
    same_question(a, b)?;
    let shared = shared_horizons(&[a, b]);
    let observed = observed(log)?;
    let day = judged_day(&[a, b], &observed, request)?;
    let configs = [a, b].map(|bundle| config_of(bundle, log.config));
    let pair = Pair {
        log,
        bundles: [a, b],
        configs: &configs,
        observed: &observed,
        as_of: day.as_of,
    };
    let mut notes = Vec::new();
    if !day.out_of_time {
        notes.push(seen(a, b, day.as_of));
    }
    let all = [a, b]
        .into_iter()
        .flat_map(|m| &m.spec().schema.horizon_days);
    let mut left_out: Vec<u16> = all.copied().filter(|h| !shared.contains(h)).collect();
    left_out.sort_unstable();
    let horizons = shared.iter().map(|horizon| pair.horizon(*horizon));
    Ok(Comparison {
        schema_version: LATER_SCHEMA_VERSION,
        ebb_version: env!("CARGO_PKG_VERSION").to_owned(),
        a: judged_model(a),
        b: judged_model(b),
        as_of: day.as_of,
        out_of_time: day.out_of_time,
        horizons: horizons.collect::<Result<_, LaterError>>()?,
        left_out_horizons: left_out,
        notes,
    })
}

/// Which of the fits have seen what happened from a day on.
fn seen(a: &Bundle, b: &Bundle, as_of: Day) -> String {
    let late = [a, b]
        .into_iter()
        .filter(|m| as_of < m.spec().training.as_of);
    let late: Vec<String> = late
        .map(|m| {
            format!(
                "{} was fitted as of {}",
                m.version(),
                m.spec().training.as_of
            )
        })
        .collect();
    format!(
        "Not out of time: {}, after {as_of}, so the comparison favours it.",
        late.join(" and ")
    )
}

/// Refuses bundles whose labels differ.
fn same_question(a: &Bundle, b: &Bundle) -> Result<(), LaterError> {
    let differs = |setting, own: &dyn Debug, other: &dyn Debug| {
        Err(LaterError::DifferentQuestions {
            setting,
            model_a: a.version().to_owned(),
            a: format!("{own:?}"),
            model_b: b.version().to_owned(),
            b: format!("{other:?}"),
        })
    };
    let (one, other) = (a.spec(), b.spec());
    let sorted = |kinds: &[String]| {
        let mut kinds = kinds.to_vec();
        kinds.sort_unstable();
        kinds
    };
    let kinds = [one, other].map(|spec| sorted(&spec.schema.activity));
    if kinds[0] != kinds[1] {
        return differs("churn.activity", &kinds[0], &kinds[1]);
    }
    if one.churn_event != other.churn_event {
        return differs("churn.churn_event", &one.churn_event, &other.churn_event);
    }
    if one.lead_days != other.lead_days {
        return differs("churn.lead_days", &one.lead_days, &other.lead_days);
    }
    if one.timezone != other.timezone {
        return differs("events.timezone", &one.timezone, &other.timezone);
    }
    if shared_horizons(&[a, b]).is_empty() {
        let (own, other) = (&one.schema.horizon_days, &other.schema.horizon_days);
        return differs("churn.horizon_days", own, other);
    }
    Ok(())
}

/// Two bundles at a day.
struct Pair<'a> {
    log: &'a LaterLog<'a>,
    bundles: [&'a Bundle; 2],
    configs: &'a [TrainConfig; 2],
    observed: &'a Observed,
    as_of: Day,
}

impl Pair<'_> {
    fn horizon(&self, horizon_days: u16) -> Result<ComparedHorizon, LaterError> {
        let lead_days = self.bundles[0].spec().lead_days;
        let window = label_window(self.as_of, lead_days, horizon_days);
        let mut compared = ComparedHorizon {
            horizon_days,
            from: window.from,
            until: window.until,
            user_step: 1,
            only_a: 0,
            only_b: 0,
            paired: None,
            untested: None,
        };
        if !self.observed.covers(window) {
            compared.untested = Some(Untested::LabelsNotObserved {
                date: self.as_of,
                until: window.until,
                observed_until: self.observed.until,
            });
            return Ok(compared);
        }
        let [a, b] = [self.rows(0, horizon_days)?, self.rows(1, horizon_days)?];
        // Of many users each fit looks at one in so many: both must look at the same.
        let step = common_multiple(a.user_step.max(1), b.user_step.max(1));
        let [a, b] = [a, b].map(|rows| every(rows, step));
        compared.user_step = step as u64;
        let shared = shared_rows(&a, &b);
        compared.only_a = (a.len() - shared.len()) as u64;
        compared.only_b = (b.len() - shared.len()) as u64;
        let (in_a, in_b): (Vec<usize>, Vec<usize>) = shared.into_iter().unzip();
        let (a, b) = (a.only(&in_a), b.only(&in_b));
        assert_eq!(
            a.labels, b.labels,
            "two bundles of one question label a user differently"
        );
        compared.untested = not_to_judge_on(&a, self.as_of);
        if compared.untested.is_none() {
            compared.paired = Some(self.paired(&a, &b, horizon_days)?);
        }
        Ok(compared)
    }

    /// The labelled users of one of the bundles, by its own features.
    fn rows(&self, which: usize, horizon_days: u16) -> Result<Dataset, LaterError> {
        let first = self.observed.first;
        let ctx = context(
            self.log,
            self.bundles[which],
            &self.configs[which],
            first,
            self.as_of,
            horizon_days,
        );
        let schedule = schedule(&ctx, horizon_days, 1)?;
        Ok(Dataset::build(&ctx, &schedule)?.0)
    }

    fn paired(&self, a: &Dataset, b: &Dataset, horizon_days: u16) -> Result<Paired, LaterError> {
        let of = |which: usize, rows| probabilities(self.bundles[which], rows, horizon_days);
        let seed = self.log.config.model.seed;
        Ok(paired(&a.users, &a.labels, [&of(0, a)?, &of(1, b)?], seed))
    }
}

/// The least number that is a multiple of both.
fn common_multiple(a: usize, b: usize) -> usize {
    let mut multiples = (1..=b).map(|k| a * k);
    multiples.find(|n| n.is_multiple_of(b)).unwrap_or(a * b)
}

/// The rows of every so many users.
fn every(rows: Dataset, step: usize) -> Dataset {
    if step == rows.user_step.max(1) {
        return rows;
    }
    let kept = rows.users.iter().enumerate();
    let kept = kept.filter(|(_, user)| (**user as usize).is_multiple_of(step));
    let kept: Vec<usize> = kept.map(|(row, _)| row).collect();
    rows.only(&kept)
}

/// The positions of the users that both have, in the order of users.
fn shared_rows(a: &Dataset, b: &Dataset) -> Vec<(usize, usize)> {
    let rows = a.users.iter().enumerate();
    rows.filter_map(|(row, user)| Some((row, b.users.binary_search(user).ok()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(users: &[u32], user_step: usize) -> Dataset {
        Dataset {
            width: 1,
            raw: vec![0.0; users.len()],
            labels: vec![true; users.len()],
            users: users.to_vec(),
            dates: vec![Day::new(0).unwrap(); users.len()],
            counts: vec![1.0; users.len()],
            user_step,
        }
    }

    #[test]
    fn users_are_shared_by_their_number_and_thinned_alike() {
        let (a, b) = (rows(&[0, 2, 4, 8], 2), rows(&[0, 3, 6, 9], 3));
        let step = common_multiple(a.user_step, b.user_step);
        assert_eq!(step, 6);
        assert_eq!(common_multiple(4, 6), 12);
        assert_eq!(common_multiple(1, 1), 1);
        let (a, b) = (every(a, step), every(b, step));
        assert_eq!(
            (a.users.as_slice(), b.users.as_slice()),
            (&[0][..], &[0, 6][..])
        );
        let (a, b) = (rows(&[1, 5, 7], 1), rows(&[0, 5, 6, 7], 1));
        assert_eq!(shared_rows(&a, &b), [(1, 1), (2, 3)]);
    }
}
