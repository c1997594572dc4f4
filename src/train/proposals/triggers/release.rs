//! Users are others since a release.

use super::{LEAST_USERS, MOST_USERS, ProposalInput, Proposals, newest, not_covered, push};
use crate::features::Extractor;
use crate::history::{Day, HistoryError};
use crate::train::proposals::cycle::{WINDOW_DAYS, YEAR_DAYS};
use crate::train::proposals::release::{FourDays, LEAST_FEATURES, shifts};
use crate::train::proposals::{Change, Evidence, FeatureShift, SettingValue, Trigger, label_days};
use crate::train::settings::Release;

/// The setting that is proposed.
const SETTING: &str = "model.dates_from";

/// Proposes a fit on dates after the newest release since which users are others.
pub(crate) fn look(input: &ProposalInput<'_>, found: &mut Proposals) -> Result<(), HistoryError> {
    let mut releases: Vec<&Release> = input.config.releases.iter().collect();
    releases.sort_by_key(|release| std::cmp::Reverse(release.day));
    for release in releases {
        if in_force(input, release.day) {
            continue;
        }
        let shifts = match shifts_since(input, release.day)? {
            Ok(shifts) => shifts,
            Err(why) => {
                let name = named(release);
                found.notes.push(format!("{name} was not looked at: {why}"));
                continue;
            }
        };
        if propose(input, release, shifts, found)? {
            break;
        }
    }
    Ok(())
}

/// Whether models are fitted on dates after a release already.
fn in_force(input: &ProposalInput<'_>, day: Day) -> bool {
    let set = input.config.model.dates_from;
    set.is_some_and(|from| from >= day)
}

/// How a release is called.
fn named(release: &Release) -> String {
    let note = release.note.as_ref();
    let note = note.map_or_else(String::new, |note| format!(" ({note})"));
    format!("the release of {}{note}", release.day)
}

/// Adds a proposal where enough features are others, or a note; whether it did.
fn propose(
    input: &ProposalInput<'_>,
    release: &Release,
    (users, shifts): (u64, Vec<FeatureShift>),
    found: &mut Proposals,
) -> Result<bool, HistoryError> {
    let all = shifts.len();
    let changed: Vec<FeatureShift> = shifts.into_iter().filter(FeatureShift::is_found).collect();
    let name = named(release);
    let words = format!(
        "{} of {all} features differ more from the year before than they did on the day of {name} ({users} users)",
        changed.len()
    );
    if changed.len() < LEAST_FEATURES {
        let note = format!("no fit on dates after a release is proposed: {words}");
        found.notes.push(note);
        return Ok(false);
    }
    let change = Change {
        setting: SETTING.to_owned(),
        old: input.config.model.dates_from.map(SettingValue::Day),
        new: SettingValue::Day(release.day),
    };
    let evidence = Evidence {
        users,
        estimate: changed.len() as f64,
        low: None,
        high: None,
        p: None,
        window: newest(input.as_of, input.as_of.since(release.day)),
        features: changed,
    };
    push(
        input,
        found,
        (Trigger::Release, words),
        vec![change],
        Some(evidence),
        None,
    )?;
    Ok(true)
}

type Shifts = Result<(u64, Vec<FeatureShift>), String>;

/// How features differ from the year before, now and on the day of a release; or why that cannot be said.
fn shifts_since(input: &ProposalInput<'_>, day: Day) -> Result<Shifts, HistoryError> {
    let since = input.as_of.since(day);
    // A model that is fitted on dates after the release has two label windows then: one to learn from and one to be judged on.
    let rest = (2 * label_days(input.previous.spec())).max(WINDOW_DAYS);
    if since < rest {
        let from = day.plus(rest);
        return Ok(Err(format!(
            "from {from} on a model can be fitted on dates after it"
        )));
    }
    if since >= YEAR_DAYS {
        return Ok(Err(
            "the same days of the year before lie after it too".to_owned()
        ));
    }
    if let Some(why) = not_covered(input, since + YEAR_DAYS) {
        return Ok(Err(why));
    }
    let dates = [
        input.as_of,
        input.as_of.plus(-YEAR_DAYS),
        day,
        day.plus(-YEAR_DAYS),
    ];
    let mut rows = Vec::with_capacity(dates.len());
    for date in dates {
        let of_date = features_at(input, date)?;
        if (of_date.len() as u64) < LEAST_USERS {
            return Ok(Err(format!(
                "{} users are asked about on {date}; {LEAST_USERS} are needed",
                of_date.len()
            )));
        }
        rows.push(of_date);
    }
    let [now, year_now, before, year_before] = &rows[..] else {
        return Ok(Err("a day is missing".to_owned()));
    };
    let features = input.previous.catalogue().features().iter();
    let names: Vec<&str> = features.map(|feature| feature.name.as_str()).collect();
    let days = FourDays {
        now,
        year_now,
        before,
        year_before,
    };
    Ok(Ok((now.len() as u64, shifts(&names, &days))))
}

/// The features at a date of the users who are asked about.
fn features_at(input: &ProposalInput<'_>, date: Day) -> Result<Vec<Vec<f64>>, HistoryError> {
    let eligibility = input.eligibility();
    let catalogue = input.previous.catalogue();
    let extractor = Extractor::new(catalogue, input.histories.kinds());
    let rows = input.histories.evenly(MOST_USERS, |history| {
        eligibility.at(history, date).ok()?;
        let mut vector = vec![f64::NAN; catalogue.len()];
        extractor.clone().extract(history, date, &mut vector);
        Some(vector)
    })?;
    Ok(rows.into_iter().flatten().collect())
}
