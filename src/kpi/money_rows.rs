//! What the acquisition of users cost, beside what they bring.

use std::collections::BTreeMap;

use super::cell::Cell;
use super::compute::{MONTH_DAYS, units};
use super::period::{Period, PeriodKind};
use super::rows::{Frame, Problem, Row};
use crate::history::Day;

/// What the acquisition of users cost, by month and channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Costs {
    /// Micros by the first day of the month, and by channel.
    pub months: BTreeMap<Day, BTreeMap<String, i128>>,
    /// The attribute of users that names the channel by which they came; `None` for no figures by channel.
    pub channel_attribute: Option<String>,
}

/// The channel of users whose channel is not known, or cost nothing.
const OTHERS: &str = "none";

impl Costs {
    /// The costs by channel of the months that lie in a period; `None` where none does, or one only in part.
    pub(crate) fn of(&self, period: &Period) -> Option<BTreeMap<&str, i128>> {
        let days = period.days;
        let months = self.months.range(days.from..days.until);
        let mut total: Option<BTreeMap<&str, i128>> = None;
        for (month, channels) in months {
            if month_end(*month) > days.until {
                return None;
            }
            let total = total.get_or_insert_default();
            for (channel, micros) in channels {
                *total.entry(channel).or_default() += micros;
            }
        }
        // A month of costs that began earlier has a part in the period that nobody has counted.
        let earlier = self.months.range(..days.from).next_back();
        let cut = earlier.is_some_and(|(month, _)| month_end(*month) > days.from);
        total.filter(|_| !cut)
    }

    /// How many months of costs lie in no period as a whole.
    pub(crate) fn outside(&self, periods: &[Period]) -> usize {
        let inside = |month: &Day| {
            let holds = |p: &Period| p.days.from <= *month && month_end(*month) <= p.days.until;
            periods.iter().any(holds)
        };
        self.months.keys().filter(|month| !inside(month)).count()
    }
}

fn month_end(month: Day) -> Day {
    let months = PeriodKind::Month;
    months.start(months.number(month) + 1)
}

impl Frame<'_> {
    /// The rows of costs of a period, of everybody; `cell` is that of everybody.
    pub(super) fn cost_rows(&self, period: &Period, cell: &Cell, rows: &mut Vec<Row>) {
        let costs = self
            .request
            .costs
            .filter(|_| self.request.period != PeriodKind::Week);
        let Some((costs, channels)) = costs.and_then(|costs| Some((costs, costs.of(period)?)))
        else {
            return;
        };
        let all = self.cac(period, "all", channels.values().sum(), cell.newcomers);
        let cac = all.as_ref().and_then(|row| row.value);
        rows.extend(all);
        if costs.channel_attribute.is_some() {
            self.channel_rows(period, cell, &channels, rows);
        }
        if let Some(cac) = cac {
            rows.extend(self.cac_to_ltv(period, cell, cac));
            rows.push(self.payback(period, cell, cac));
        }
    }

    /// The cost of a new user; `None` where there was neither a cost nor a new user.
    fn cac(&self, period: &Period, slice: &str, micros: i128, users: u64) -> Option<Row> {
        let cost = units(micros);
        let mut row = self.row("cac", period, slice, users);
        row.numerator = Some(cost);
        row.denominator = Some(users as f64);
        if users == 0 {
            row.problem = (cost > 0.0).then_some(Problem::CostWithoutNewUsers);
            return row.problem.map(|_| row);
        }
        row.value = Some(cost / users as f64);
        Some(row)
    }

    /// The cost of a new user by channel, and how many users came by none of them.
    fn channel_rows(
        &self,
        period: &Period,
        cell: &Cell,
        costs: &BTreeMap<&str, i128>,
        rows: &mut Vec<Row>,
    ) {
        let of_channel = |channel: &str| cell.channels.get(channel).copied().unwrap_or(0);
        let mut others = cell.newcomers;
        for (channel, micros) in costs.iter().filter(|(channel, _)| **channel != OTHERS) {
            let users = of_channel(channel);
            others -= users;
            rows.extend(self.cac(period, &format!("channel={channel}"), *micros, users));
        }
        let of_others = costs.get(OTHERS).copied().unwrap_or(0);
        rows.extend(self.cac(period, &format!("channel={OTHERS}"), of_others, others));
    }

    fn cac_to_ltv(&self, period: &Period, cell: &Cell, cac: f64) -> Option<Row> {
        let ltv = (cell.valued > 0).then(|| cell.lifetime / cell.valued as f64)?;
        // Both must be of enough users.
        let mut row = self.row("cac_to_ltv", period, "all", cell.newcomers.min(cell.valued));
        row.numerator = Some(cac);
        row.denominator = Some(ltv);
        row.value = (ltv > 0.0).then(|| cac / ltv);
        if let Some((low, high)) = cell
            .lifetime_draws
            .as_ref()
            .and_then(|draws| draws.interval())
            && low > 0.0
        {
            (row.low, row.high) = (Some(cac / high), Some(cac / low));
        }
        Some(row)
    }

    /// Months of 30 days until new users have brought in on average what they cost.
    fn payback(&self, period: &Period, cell: &Cell, cac: f64) -> Row {
        let margin = self.request.definitions.margin;
        let observed = self
            .request
            .observation
            .until
            .since(period.days.until.plus(-1))
            / MONTH_DAYS;
        let mut sum = 0;
        let mut paid = None;
        for (month, micros) in (1..=observed).zip(&cell.newcomer_micros) {
            sum += micros;
            if margin * units(sum) / cell.newcomers as f64 >= cac {
                paid = Some(month);
                break;
            }
        }
        let mut row = self.row("payback_months", period, "all", cell.newcomers);
        row.value = paid.map(f64::from);
        row.numerator = Some(margin * units(sum));
        row.denominator = Some(cell.newcomers as f64);
        row.problem = paid.is_none().then_some(Problem::NotPaidBack);
        row
    }
}
