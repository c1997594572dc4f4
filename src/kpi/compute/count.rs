//! What a user adds to the sums of a period.

use super::{Cell, MONTH_DAYS, MOST_MONTHS, Pass, Stretch, User, count_in};
use crate::history::{AttributeValue, Day};
use crate::kpi::cell::Share;

impl Pass<'_> {
    /// Adds a user to a group's sums of a period.
    pub(super) fn count(&self, user: &User<'_>, days: Stretch, cell: &mut Cell) {
        self.count_stay(user, days, cell);
        self.count_money(user, days, cell);
        self.count_first(user, days, cell);
        self.count_gaps(user, days, cell);
        count_answer(user, days, cell);
        self.count_value(user, days, cell);
    }

    fn count_stay(&self, user: &User<'_>, days: Stretch, cell: &mut Cell) {
        let life = user.life;
        let in_period = |all: &[Day]| count_in(all, days.from, days.until) > 0;
        let is_active = in_period(&life.active);
        if self.kinds.eligibility.at(user.history, days.from).is_ok() {
            let stayed = match self.kinds.eligibility.is_silence() {
                true => is_active,
                false => !in_period(&life.churn_events),
            };
            cell.retained.count(stayed);
        }
        if life.is_lapsed(days.from, self.lapsed_after_days) {
            cell.reactivated.count(is_active);
            cell.won_back.count(in_period(&life.orders));
        }
    }

    fn count_money(&self, user: &User<'_>, days: Stretch, cell: &mut Cell) {
        let life = user.life;
        let start = life.money.partition_point(|(day, _)| *day < days.from);
        let end = life.money.partition_point(|(day, _)| *day < days.until);
        let money = life.money.get(start..end).unwrap_or_default();
        let micros: i128 = money.iter().map(|(_, net)| net).sum();
        let is_active = count_in(&life.active, days.from, days.until) > 0;
        let pays = money.iter().any(|(_, net)| *net > 0);
        let orders = count_in(&life.orders, days.from, days.until) as u64;
        cell.micros += micros;
        cell.active += u64::from(is_active);
        cell.payers += u64::from(pays);
        cell.orders += orders;
        cell.ordering += u64::from(orders > 0);
        if micros != 0 || is_active || pays {
            let draws = cell.draws.get_or_insert_default();
            let amount = units(micros);
            draws
                .0
                .add_user(user.weights, amount, f64::from(u8::from(is_active)));
            draws
                .1
                .add_user(user.weights, amount, f64::from(u8::from(pays)));
        }
    }

    /// What a user adds whose first event or order lies in the period.
    fn count_first(&self, user: &User<'_>, days: Stretch, cell: &mut Cell) {
        let life = user.life;
        let within = |day: &Day| days.from <= *day && *day < days.until;
        let settings = &self.definitions.settings;
        let until = self.observation.until;
        if let Some(first) = life.first.filter(within) {
            cell.newcomers += 1;
            if let Some(channel) = self
                .channel
                .and_then(|name| channel(user, name, days.until))
            {
                *cell.channels.entry(channel).or_default() += 1;
            }
            cell.activated
                .resize(settings.activation.len(), Share::default());
            for (share, step) in cell.activated.iter_mut().zip(&settings.activation) {
                let end = first.plus(step.days as i32);
                if end <= until {
                    share.count(count_in(&life.active, first, end) >= step.uses as usize);
                }
            }
            cell.newcomer_micros.resize(MOST_MONTHS, 0);
            for (day, net) in &life.money {
                let month = (day.since(first) / MONTH_DAYS) as usize;
                if let Some(sum) = cell.newcomer_micros.get_mut(month) {
                    *sum += net;
                }
            }
        }
        if let Some(first) = life.orders.first().copied().filter(within) {
            let second = life.orders.get(1);
            cell.repurchased.count(second.is_some());
            let windows = &settings.repurchase_days;
            cell.repurchased_within
                .resize(windows.len(), Share::default());
            for (share, window) in cell.repurchased_within.iter_mut().zip(windows) {
                let last = first.plus(*window as i32);
                if last < until {
                    share.count(second.is_some_and(|second| *second <= last));
                }
            }
        }
    }

    /// The gaps that begin with an order in the period.
    fn count_gaps(&self, user: &User<'_>, days: Stretch, cell: &mut Cell) {
        let orders = &user.life.orders;
        let last_seen = self.observation.until.plus(-1);
        let start = orders.partition_point(|day| *day < days.from);
        let end = orders.partition_point(|day| *day < days.until);
        for at in start..end {
            let day = orders[at];
            match orders.get(at + 1) {
                Some(next) => cell.gaps.ended(next.since(day).unsigned_abs()),
                None => cell.gaps.open(last_seen.since(day).unsigned_abs()),
            }
        }
        cell.gap_users += u64::from(start < end);
    }

    /// Past and future value of a user with a known future one.
    fn count_value(&self, user: &User<'_>, days: Stretch, cell: &mut Cell) {
        if let Some(residual) = user.worth.residual {
            let past = user
                .life
                .money
                .iter()
                .take_while(|(day, _)| *day < days.from);
            let past: i128 = past.map(|(_, net)| net).sum();
            let lifetime = self.definitions.margin * units(past) + residual;
            cell.valued += 1;
            cell.lifetime += lifetime;
            let draws = cell.lifetime_draws.get_or_insert_default();
            draws.add_user(user.weights, lifetime, 1.0);
        }
        if let Some(tier) = user.worth.tier {
            cell.high_value.count(tier == 0);
        }
    }
}

/// The channel of a user as known when the period was over.
fn channel(user: &User<'_>, attribute: &str, until: Day) -> Option<String> {
    let known = user.history.attributes().before(until);
    match known.last(attribute)? {
        (column, AttributeValue::Category(number)) => {
            column.categories.get(number as usize).cloned()
        }
        _ => None,
    }
}

/// The latest answer of a user in the period.
fn count_answer(user: &User<'_>, days: Stretch, cell: &mut Cell) {
    let answers = &user.life.answers;
    let end = answers.partition_point(|(day, _)| *day < days.until);
    let latest = end.checked_sub(1).and_then(|at| answers.get(at));
    let Some((_, answer)) = latest.filter(|(day, _)| *day >= days.from) else {
        return;
    };
    if *answer >= 9.0 {
        cell.promoters += 1;
    } else if *answer <= 6.0 {
        cell.detractors += 1;
    } else {
        cell.passives += 1;
    }
}

/// Micros in units of the log.
pub(crate) fn units(micros: i128) -> f64 {
    micros as f64 / 1e6
}
