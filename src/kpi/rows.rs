//! From sums to rows.

use super::cell::{Cell, Share};
use super::compute::{KpiRequest, Tally, units};
use super::period::{Period, PeriodKind};
use super::survival::Durations;
use crate::history::{Day, Stretch};
use crate::math::wilson_interval;

/// Why a row has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Problem {
    /// It counts too few users.
    TooFewUsers,
    /// What it counts would give away another one that counts too few users.
    HiddenWithAnother,
    /// There was a cost and no new user.
    CostWithoutNewUsers,
    /// New users have not brought in what they cost within the time that all of them were observed.
    NotPaidBack,
    /// More than half have not ended within the time that was observed.
    NotReached,
}

impl Problem {
    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::TooFewUsers => "too_few_users",
            Self::HiddenWithAnother => "hidden_with_another",
            Self::CostWithoutNewUsers => "cost_without_new_users",
            Self::NotPaidBack => "not_paid_back",
            Self::NotReached => "not_reached",
        }
    }
}

/// A figure of a period and slice.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The indicator, such as `retention`.
    pub kpi: String,
    /// The period's name, such as `2024-03`.
    pub period: String,
    /// Its days.
    pub days: Stretch,
    /// The slice: `all`, or such as `stage=growth`.
    pub slice: String,
    /// The figure; `None` where [`Self::problem`] says why.
    pub value: Option<f64>,
    /// What is above the line.
    pub numerator: Option<f64>,
    /// What is below it.
    pub denominator: Option<f64>,
    /// The lower end of the 95 % interval.
    pub low: Option<f64>,
    /// Its upper end.
    pub high: Option<f64>,
    /// Whether all days that decide the figure were observed.
    pub complete: bool,
    /// Why there is no value.
    pub problem: Option<Problem>,
    /// How many users it counts: of a share the smaller part, unless nobody is in it.
    pub(crate) users: u64,
    /// What adds up to something that is shown, too: rows of equal families do.
    pub(crate) family: String,
}

/// What rows are made of, beside sums.
pub(crate) struct Frame<'a> {
    pub(crate) request: &'a KpiRequest<'a>,
    pub(crate) periods: &'a [Period],
    pub(crate) slices: &'a [String],
}

impl Frame<'_> {
    /// All rows, and what the reader should know.
    pub(crate) fn rows(&self, tally: &Tally) -> (Vec<Row>, Vec<String>) {
        let (mut rows, mut notes) = (Vec::new(), Vec::new());
        let cells = tally.cells.chunks(self.slices.len().max(1));
        for ((period, cells), weekly) in self.periods.iter().zip(cells).zip(&tally.weekly) {
            let start = rows.len();
            for (slice, cell) in self.slices.iter().zip(cells) {
                if let Some(cell) = cell {
                    self.cell_rows(period, slice, cell, &mut rows);
                }
            }
            // The same indicators of different slices together; those of a slice come in one order.
            let own = rows.get_mut(start..).unwrap_or_default();
            own.sort_by_cached_key(|row| order(&row.kpi));
            let nobody = Cell::default();
            let everybody = cells.first().and_then(Option::as_deref).unwrap_or(&nobody);
            self.cost_rows(period, everybody, &mut rows);
            self.weekly_rows(period, weekly, &mut rows);
        }
        if let Some(costs) = self.request.costs {
            if self.request.period == PeriodKind::Week {
                notes.push("costs are those of months: there are no costs by week".to_owned());
            } else {
                let outside = costs.outside(self.periods);
                if outside > 0 {
                    notes.push(format!("{outside} months of costs lie in none of the periods as a whole and are not used"));
                }
            }
        }
        (rows, notes)
    }

    /// A row without figures that counts some users.
    pub(super) fn row(&self, kpi: &str, period: &Period, slice: &str, users: u64) -> Row {
        let by = slice.split_once('=').map_or("", |(by, _)| by);
        Row {
            kpi: kpi.to_owned(),
            period: period.name.clone(),
            days: period.days,
            slice: slice.to_owned(),
            value: None,
            numerator: None,
            denominator: None,
            low: None,
            high: None,
            complete: self.request.observation.covers(period.days),
            problem: None,
            users,
            family: format!("{kpi} {} {by}", period.name),
        }
    }

    /// A share of users with its interval.
    pub(super) fn share(
        &self,
        kpi: &str,
        period: &Period,
        slice: &str,
        share: Share,
    ) -> Option<Row> {
        let Share { some, all } = share;
        (all > 0).then(|| {
            // Both those of whom it holds and those of whom it doesn't are counted, where there is anybody.
            let parts = [some, all - some].into_iter().filter(|part| *part > 0);
            let mut row = self.row(kpi, period, slice, parts.min().unwrap_or(all));
            let value = some as f64 / all as f64;
            let (low, high) = wilson_interval(value, all);
            row.value = Some(value);
            row.numerator = Some(some as f64);
            row.denominator = Some(all as f64);
            (row.low, row.high) = (Some(low), Some(high));
            row
        })
    }

    fn cell_rows(&self, period: &Period, slice: &str, cell: &Cell, rows: &mut Vec<Row>) {
        let share = |kpi, share| self.share(kpi, period, slice, share);
        let gone = Share {
            some: cell.retained.all - cell.retained.some,
            all: cell.retained.all,
        };
        rows.extend(share("retention", cell.retained));
        rows.extend(share("churn", gone));
        rows.extend(share("reactivation", cell.reactivated));
        rows.extend(share("win_back", cell.won_back));
        rows.extend(share("high_value_share", cell.high_value));
        self.order_rows(period, slice, cell, rows);
        self.first_rows(period, slice, cell, rows);
        self.amount_rows(period, slice, cell, rows);
        rows.extend(self.nps(period, slice, cell));
    }

    /// Whether all of a period's users were observed for so many days: `counted` of `all`, and no day was missed.
    fn is_settled(&self, period: &Period, days: u32, counted: u64, all: u64) -> bool {
        let observation = self.request.observation;
        let until = period.days.until.plus(days as i32);
        let window = Stretch {
            until,
            ..period.days
        };
        let missed = observation.holes.iter().any(|hole| hole.overlaps(window));
        counted == all && !missed && observation.covers(period.days)
    }

    fn first_rows(&self, period: &Period, slice: &str, cell: &Cell, rows: &mut Vec<Row>) {
        let settings = &self.request.definitions.settings;
        for (step, share) in settings.activation.iter().zip(&cell.activated) {
            let kpi = format!("activation_{}_by_{}d", step.uses, step.days);
            let row = self.share(&kpi, period, slice, *share);
            let complete = self.is_settled(period, step.days, share.all, cell.newcomers);
            rows.extend(row.map(|row| Row { complete, ..row }));
        }
        for (days, share) in settings
            .repurchase_days
            .iter()
            .zip(&cell.repurchased_within)
        {
            let row = self.share(&format!("repurchase_within_{days}d"), period, slice, *share);
            let complete = self.is_settled(period, *days, share.all, cell.repurchased.all);
            rows.extend(row.map(|row| Row { complete, ..row }));
        }
        rows.extend(self.share("repurchase", period, slice, cell.repurchased));
    }

    fn order_rows(&self, period: &Period, slice: &str, cell: &Cell, rows: &mut Vec<Row>) {
        if cell.ordering > 0 {
            let mut row = self.row("order_frequency", period, slice, cell.ordering);
            row.value = Some(cell.orders as f64 / cell.ordering as f64);
            row.numerator = Some(cell.orders as f64);
            row.denominator = Some(cell.ordering as f64);
            rows.push(row);
        }
        if cell.gap_users > 0 {
            let median = cell.gaps.median().map(f64::from);
            rows.push(self.median(
                "repurchase_cycle_days",
                period,
                slice,
                (median, &cell.gaps, cell.gap_users),
            ));
            if let Some(median) = cell.gaps.median_of_ended() {
                let mut row = self.row("repurchase_gap_median_days", period, slice, cell.gap_users);
                let (ended, _) = cell.gaps.counts();
                row.value = Some(median);
                row.numerator = Some(ended as f64);
                row.denominator = Some(ended as f64);
                rows.push(row);
            }
        }
    }

    /// A median of durations: those that ended over all of them.
    pub(super) fn median(
        &self,
        kpi: &str,
        period: &Period,
        slice: &str,
        (median, durations, users): (Option<f64>, &Durations, u64),
    ) -> Row {
        let (ended, all) = durations.counts();
        let mut row = self.row(kpi, period, slice, users);
        row.value = median;
        row.numerator = Some(ended as f64);
        row.denominator = Some(all as f64);
        row.problem = median.is_none().then_some(Problem::NotReached);
        row
    }

    fn amount_rows(&self, period: &Period, slice: &str, cell: &Cell, rows: &mut Vec<Row>) {
        let per_user = |kpi: &str, amount: f64, users: u64, interval: Option<(f64, f64)>| {
            (users > 0).then(|| {
                let mut row = self.row(kpi, period, slice, users);
                row.value = Some(amount / users as f64);
                row.numerator = Some(amount);
                row.denominator = Some(users as f64);
                (row.low, row.high) = interval.unzip();
                row
            })
        };
        if self.request.histories.totals().has_amounts() {
            let draws = cell.draws.as_ref();
            let interval = |of: usize| match (draws, of) {
                (Some(draws), 0) => draws.0.interval(),
                (Some(draws), _) => draws.1.interval(),
                (None, _) => None,
            };
            let amount = units(cell.micros);
            rows.extend(per_user("arpu", amount, cell.active, interval(0)));
            rows.extend(per_user("arppu", amount, cell.payers, interval(1)));
        }
        let interval = cell
            .lifetime_draws
            .as_ref()
            .and_then(|draws| draws.interval());
        rows.extend(per_user("ltv", cell.lifetime, cell.valued, interval));
    }

    /// The net promoter score, -100 to 100, with the interval of a difference of two multinomial shares.
    fn nps(&self, period: &Period, slice: &str, cell: &Cell) -> Option<Row> {
        let answers = cell.promoters + cell.passives + cell.detractors;
        (answers > 0).then(|| {
            let n = answers as f64;
            let (up, down) = (cell.promoters as f64, cell.detractors as f64);
            let score = (up - down) / n;
            let error = (((up + down) / n - score * score) / n).max(0.0).sqrt();
            let end = |side: f64| Some(100.0 * (score + side * 1.959_964 * error).clamp(-1.0, 1.0));
            let mut row = self.row("nps", period, slice, answers);
            row.value = Some(100.0 * score);
            row.numerator = Some(up - down);
            row.denominator = Some(n);
            (row.low, row.high) = (end(-1.0), end(1.0));
            row
        })
    }
}

/// The order of indicators in a period.
const ORDER: [&str; 16] = [
    "retention",
    "churn",
    "activation_",
    "reactivation",
    "win_back",
    "repurchase_within_",
    "repurchase",
    "repurchase_cycle_days",
    "repurchase_gap_median_days",
    "order_frequency",
    "arpu",
    "arppu",
    "ltv",
    "high_value_share",
    "nps",
    "cac",
];

/// The place of an indicator; those of several windows come by their numbers.
fn order(kpi: &str) -> (usize, Vec<u64>) {
    let is = |name: &&str| *name == kpi || (name.ends_with('_') && kpi.starts_with(*name));
    let place = ORDER.iter().position(is);
    let numbers = kpi.split(|letter: char| !letter.is_ascii_digit());
    (
        place.unwrap_or(ORDER.len()),
        numbers.filter_map(|number| number.parse().ok()).collect(),
    )
}

/// The days of a row as text, for files.
impl Row {
    /// The first day of the period.
    pub fn from(&self) -> Day {
        self.days.from
    }

    /// The day after its last one.
    pub fn until(&self) -> Day {
        self.days.until
    }
}
