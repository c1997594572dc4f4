//! The revenue of mature users stops growing before they are reviewed.

use super::{
    LEAST_USERS, MOST_USERS, ProposalInput, Proposals, differing, newest, observed_throughout, push,
};
use crate::history::{Day, HistoryError, HistoryView, Stretch};
use crate::lifecycle::Eligibility;
use crate::train::proposals::arpu::{
    Bend, Growth, Months, Spender, earlier_review_days, find_bend, month_start,
};
use crate::train::proposals::{Evidence, Trigger};

/// Users among whom those that are compared are looked for; with more, an even part of them is.
const MOST_SCANNED: usize = 1_000_000;

/// Proposes an earlier review for revenue that stops growing before it.
pub(crate) fn look(input: &ProposalInput<'_>, found: &mut Proposals) -> Result<(), HistoryError> {
    let bend = match bend(input)? {
        Ok(bend) => bend,
        Err(why) => {
            let note = format!("the revenue of mature users was not looked at: {why}");
            found.notes.push(note);
            return Ok(());
        }
    };
    let words = words(&bend);
    if !bend.is_found() {
        found
            .notes
            .push(format!("no earlier review is proposed: {words}"));
        return Ok(());
    }
    let thresholds = &input.config.lifecycle;
    let old = thresholds.mature_review_days;
    let changes = [(
        "lifecycle.mature_review_days",
        old,
        earlier_review_days(old, bend.month),
    )];
    let Growth { factor, low, high } = bend.newest;
    let evidence = Evidence {
        users: bend.users,
        estimate: factor,
        low: Some(low),
        high: Some(high),
        p: Some(bend.p()),
        window: newest(input.as_of, input.as_of.since(first_day(input))),
        features: Vec::new(),
    };
    push(
        input,
        found,
        (Trigger::Arpu, words),
        differing(changes),
        Some(evidence),
        None,
    )
}

/// The first day on which users are taken for new ones. Those who were there before the log come back in its first days.
fn first_day(input: &ProposalInput<'_>) -> Day {
    let within = i32::try_from(input.config.churn.active_within_days).unwrap_or(i32::MAX);
    input.coverage.span.from.plus(within)
}

/// The bend of the revenue of mature users, or why it cannot be looked for.
fn bend(input: &ProposalInput<'_>) -> Result<Result<Bend, String>, HistoryError> {
    let thresholds = &input.config.lifecycle;
    let is_money = is_money(input);
    if !is_money.contains(&true) || !input.histories.totals().has_amounts() {
        return Ok(Err(format!(
            "the log has no amounts of {}; map events.amount, or name the kinds in value.kinds",
            input.order_kinds.join(", ")
        )));
    }
    let days = (thresholds.exploration_days, thresholds.mature_review_days);
    let Some(months) = Months::new(days.0, days.1) else {
        return Ok(Err(format!(
            "between lifecycle.exploration_days = {} and a quarter after lifecycle.mature_review_days = {} lie fewer than nine \
             months",
            days.0, days.1
        )));
    };
    let first = first_day(input);
    let needed = Stretch {
        from: first,
        until: input.as_of,
    };
    if let Some(why) = observed_throughout(input, needed) {
        return Ok(Err(why));
    }
    let chosen = Chosen {
        input,
        eligibility: input.eligibility(),
        first,
        months,
        is_money,
    };
    let users = input
        .histories
        .evenly(MOST_SCANNED, |history| chosen.spender(history))?;
    let users: Vec<Spender> = users.into_iter().flatten().collect();
    // Few of all users are mature and known for so long.
    let step = users.len().div_ceil(MOST_USERS).max(1);
    let users: Vec<Spender> = users.into_iter().step_by(step).collect();
    Ok(find_bend(&users, months, LEAST_USERS).map_err(|why| why.to_string()))
}

/// For each kind of the log whether its amounts are revenue.
fn is_money(input: &ProposalInput<'_>) -> Vec<bool> {
    let kinds = input.histories.kinds().iter();
    kinds.map(|kind| input.order_kinds.contains(kind)).collect()
}

/// Which users are compared, and by what.
struct Chosen<'a> {
    input: &'a ProposalInput<'a>,
    eligibility: Eligibility,
    first: Day,
    months: Months,
    is_money: Vec<bool>,
}

impl Chosen<'_> {
    /// The revenue of a user who is mature, asked about, and known for all of the months.
    fn spender(&self, history: HistoryView<'_>) -> Option<Spender> {
        let as_of = self.input.as_of;
        let history = history.before(as_of);
        let first = history.records().first()?.day;
        let tenure = as_of.since(first);
        let mature = i64::from(tenure) > i64::from(self.input.config.lifecycle.growth_days);
        let known = tenure >= month_start(self.months.until) && first >= self.first;
        if !mature || !known || self.eligibility.at(history, as_of).is_err() {
            return None;
        }
        let is_money = |kind: u16| self.is_money.get(usize::from(kind)) == Some(&true);
        let records = history.records().iter();
        let days = records
            .filter(|record| is_money(record.kind))
            .map(|record| (record.day.number(), record.amount.value()));
        Some(self.months.revenue(first.number(), days))
    }
}

/// What was found of the revenue.
fn words(bend: &Bend) -> String {
    let growth = |growth: &Growth| {
        let [factor, low, high] =
            [growth.factor, growth.low, growth.high].map(|factor| 100.0 * (factor - 1.0));
        format!("{factor:+.0} % (99 % interval {low:+.0} % to {high:+.0} %)")
    };
    format!(
        "season and prices apart, the monthly revenue of mature users grows by {} from a quarter of their tenure to the next before \
         month {}, and by {} from the last but one quarter to the last ({} users)",
        growth(&bend.before),
        bend.month,
        growth(&bend.newest),
        bend.users
    )
}
