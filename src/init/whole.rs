//! The whole log, read by the mapping that was found, as a fit would read it.

use std::path::Path;

use super::horizon::{gaps, outlook, windows};
use super::kinds::{KindFound, Meaning, activity};
use super::mapped::Mapped;
use super::proposal::Proposal;
use super::request::InitRequest;
use super::value::ValueFound;
use super::{InitError, text};
use crate::events::{LogRequest, QualityReport, ReadLog, read_log};
use crate::history::{Coverage, CoverageSettings, DailyCounts, Histories, LabelKinds, Users};
use crate::phases::Phases;
use crate::train::config::Config;
use crate::train::data::dataset::MIN_ROWS;
use crate::train::settings::ChurnConfig;

/// The share of the users below which activity that only they have calls for a doubt.
const FEW_ACTIVE: f64 = 0.05;
/// The churn rates outside of which there is little to tell apart.
const TELLING_RATES: std::ops::RangeInclusive<f64> = 0.02..=0.98;

/// Reads the log and proposes the rest.
pub(crate) fn read(
    request: &InitRequest<'_>,
    paths: Vec<String>,
    mapped: Mapped,
    phases: Phases<'_>,
) -> Result<Proposal, InitError> {
    let log = LogRequest {
        config: &mapped.events,
        base_dir: Path::new("."),
        paths: request.files,
        until: None,
        default_kind: mapped.kind_of_all.as_deref(),
        users: Users::All,
        memory: request.memory,
        // Which kinds they are is known only of the log.
        labels: LabelKinds::default(),
        today: request.today,
    };
    let ReadLog {
        histories,
        coverage,
        quality,
    } = read_log(&log, phases)?;
    let names: Vec<&str> = quality
        .kinds
        .iter()
        .map(|found| found.kind.as_str())
        .collect();
    let activity = activity(&names);
    let coverage = labelled_coverage(&histories, &activity, coverage)?;
    let span_days = coverage.labels_until.since(coverage.span.from);
    let mut found = windows(&gaps(&histories, &activity)?, span_days);
    let mut churn = ChurnConfig {
        activity: activity.clone(),
        horizon_days: vec![found.horizon_days],
        active_within_days: found.active_within_days,
        lead_days: 0,
        churn_event: None,
    };
    let outlook = outlook(&histories, &coverage, &mut churn)?;
    found.horizon_days = churn
        .horizon_days
        .first()
        .copied()
        .unwrap_or(found.horizon_days);
    let kinds = kinds_found(&quality, &activity);
    let mut proposal = Proposal {
        paths,
        layout: mapped.layout,
        user: mapped.user,
        time: mapped.time,
        times: mapped.times,
        kind: mapped.kind,
        amount: mapped.amount,
        value: ValueFound::of(&histories, &kinds, span_days)?,
        kinds,
        activity,
        windows: found,
        rows: quality.rows,
        rejected_share: quality.rejected_share,
        without_user_share: quality.without_user_share,
        users: quality.users,
        records: quality.records,
        first_day: coverage.span.from,
        last_day: coverage.span.until.plus(-1),
        outlook,
        doubts: mapped.doubts,
    };
    if let Some(rejected) = quality.too_many_rejected(&mapped.events) {
        proposal.doubts.push(rejected.to_string());
    }
    let doubts = doubts(&proposal);
    proposal.doubts.extend(doubts);
    // What is proposed is what the checks of configurations accept.
    Config::parse(&text::toml(&proposal), &request.folder.join("ebb.toml"))?;
    Ok(proposal)
}

/// What the log covers of the kinds that labels are made of.
fn labelled_coverage(
    histories: &Histories,
    activity: &[String],
    whole: Coverage,
) -> Result<Coverage, InitError> {
    let labels = LabelKinds {
        activity,
        churn_event: None,
        conversion: &[],
    };
    let counts = DailyCounts::of(histories, &labels.names())?;
    Ok(Coverage::of(&counts, labels, CoverageSettings::default()).unwrap_or(whole))
}

fn kinds_found(quality: &QualityReport, activity: &[String]) -> Vec<KindFound> {
    let found = quality.kinds.iter().map(|found| KindFound {
        kind: found.kind.clone(),
        events: found.events,
        users: found.users,
        meaning: Meaning::of(&found.kind),
        is_activity: activity.contains(&found.kind),
    });
    let mut kinds: Vec<KindFound> = found.collect();
    kinds.sort_by(|a, b| b.events.cmp(&a.events).then_with(|| a.kind.cmp(&b.kind)));
    kinds
}

/// What is worth a look now that the log was read.
fn doubts(proposal: &Proposal) -> Vec<String> {
    let mut doubts = Vec::new();
    let users = proposal.users.max(1) as f64;
    let active = proposal.kinds.iter().filter(|kind| kind.is_activity);
    let most_active = active.map(|kind| kind.users).max().unwrap_or(0) as f64;
    if most_active / users < FEW_ACTIVE {
        doubts.push(format!(
            "only {:.1} % of the users have activity ({}); if others are to stay too, add their kinds to churn.activity",
            100.0 * most_active / users,
            proposal.activity.join(", ")
        ));
    }
    // Beside purchases it is orders that are cancelled.
    let has_purchases = proposal
        .kinds
        .iter()
        .any(|kind| kind.meaning == Meaning::Purchase);
    let mut ends = proposal
        .kinds
        .iter()
        .filter(|kind| kind.meaning == Meaning::Cancellation && !has_purchases);
    if let Some(KindFound { kind, .. }) = ends.next() {
        doubts.push(format!(
            "`{kind}` may be what churn is: set churn.churn_event = {} then, and churn is no longer silence",
            text::quoted(kind)
        ));
    }
    if proposal.windows.gaps == 0 {
        doubts.push(
            "no user is active on two days: does `events.user` name users, and not orders or sessions?".to_owned(),
        );
    }
    match &proposal.outlook {
        None => doubts.push("the log is too short for a horizon of even one day".to_owned()),
        Some(outlook) if outlook.rows < MIN_ROWS as u64 => doubts.push(format!(
            "a fit needs {MIN_ROWS} labelled rows (user, date) at least, and would have {}",
            outlook.rows
        )),
        Some(outlook) if !TELLING_RATES.contains(&outlook.churn_rate) => doubts.push(format!(
            "{:.1} % of the rows churn within {} days, so there is little to tell apart; try another churn.horizon_days",
            100.0 * outlook.churn_rate,
            proposal.windows.horizon_days
        )),
        Some(outlook) if outlook.dates.len() < 3 => doubts.push(
            "the log is too short to learn from some dates and be judged on another".to_owned(),
        ),
        Some(_) => {}
    }
    doubts
}
