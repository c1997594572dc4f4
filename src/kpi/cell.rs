//! Sums over the users of a group in a period.

use std::collections::BTreeMap;

use super::bootstrap::Draws;
use super::survival::Durations;

/// How many of how many users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) some: u64,
    pub(crate) all: u64,
}

impl Share {
    /// Counts a user, and whether what is asked holds of it.
    pub(crate) fn count(&mut self, holds: bool) {
        self.all += 1;
        self.some += u64::from(holds);
    }

    fn add(&mut self, other: Self) {
        self.some += other.some;
        self.all += other.all;
    }
}

/// Sums over the users of a group in a period.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Cell {
    /// Users who were eligible when the period began, and who of them stayed.
    pub(crate) retained: Share,
    /// Users who had lapsed when the period began, and who of them were active in it.
    pub(crate) reactivated: Share,
    /// The same, and who of them ordered.
    pub(crate) won_back: Share,
    /// Users with activity.
    pub(crate) active: u64,
    /// Users with a day of a positive net amount.
    pub(crate) payers: u64,
    /// Net amount in micros; exact, so that no order of users or files matters.
    pub(crate) micros: i128,
    /// Amount over active users, and over payers.
    pub(crate) draws: Option<Box<(Draws, Draws)>>,
    /// Days with an order, and users with one.
    pub(crate) orders: u64,
    pub(crate) ordering: u64,
    /// Users whose first event lies in the period.
    pub(crate) newcomers: u64,
    /// Of these the users of each channel that is known; only where channels are asked for.
    pub(crate) channels: BTreeMap<String, u64>,
    /// For each step of activation those who were observed for so long, and who of them reached it.
    pub(crate) activated: Vec<Share>,
    /// Users whose first order lies in the period, and who of them ordered again as far as is known.
    pub(crate) repurchased: Share,
    /// For each window those who were observed for so long, and who of them ordered again in it.
    pub(crate) repurchased_within: Vec<Share>,
    /// Days from orders in the period to the next one.
    pub(crate) gaps: Durations,
    /// Users of these.
    pub(crate) gap_users: u64,
    /// Of users with an answer the latest: 9 or 10, in between, 6 and less.
    pub(crate) promoters: u64,
    pub(crate) passives: u64,
    pub(crate) detractors: u64,
    /// Users with a value and the sum of past and future value.
    pub(crate) valued: u64,
    pub(crate) lifetime: f64,
    pub(crate) lifetime_draws: Option<Box<Draws>>,
    /// Users with a tier, and who of them are in the highest one.
    pub(crate) high_value: Share,
    /// Net amount of newcomers in micros by months of 30 days since their first event.
    pub(crate) newcomer_micros: Vec<i128>,
}

fn add_shares(own: &mut Vec<Share>, other: &[Share]) {
    own.resize(own.len().max(other.len()), Share::default());
    own.iter_mut()
        .zip(other)
        .for_each(|(own, other)| own.add(*other));
}

impl Cell {
    pub(crate) fn add(&mut self, other: &Self) {
        self.retained.add(other.retained);
        self.reactivated.add(other.reactivated);
        self.won_back.add(other.won_back);
        self.active += other.active;
        self.payers += other.payers;
        self.micros += other.micros;
        if let Some(other) = &other.draws {
            let own = self.draws.get_or_insert_default();
            own.0.add(&other.0);
            own.1.add(&other.1);
        }
        self.orders += other.orders;
        self.ordering += other.ordering;
        self.newcomers += other.newcomers;
        for (channel, users) in &other.channels {
            *self.channels.entry(channel.clone()).or_default() += users;
        }
        add_shares(&mut self.activated, &other.activated);
        self.repurchased.add(other.repurchased);
        add_shares(&mut self.repurchased_within, &other.repurchased_within);
        self.gaps.add(&other.gaps);
        self.gap_users += other.gap_users;
        self.promoters += other.promoters;
        self.passives += other.passives;
        self.detractors += other.detractors;
        self.valued += other.valued;
        self.lifetime += other.lifetime;
        if let Some(other) = &other.lifetime_draws {
            self.lifetime_draws.get_or_insert_default().add(other);
        }
        self.high_value.add(other.high_value);
        let months = self.newcomer_micros.len().max(other.newcomer_micros.len());
        self.newcomer_micros.resize(months, 0);
        let pairs = self.newcomer_micros.iter_mut().zip(&other.newcomer_micros);
        pairs.for_each(|(own, other)| *own += other);
    }
}

/// Where users stood week by week in a period.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Weekly {
    /// Users by their state when the period began.
    pub(crate) at_start: BTreeMap<&'static str, u64>,
    /// Users who were mature when the period began, and who of them were due for review.
    pub(crate) review: Share,
    /// For each pair of states: weeks of users, and users.
    pub(crate) moves: BTreeMap<(&'static str, &'static str), (u64, u64)>,
    /// For each state the weeks that a stay lasted which began in the period, and users.
    pub(crate) stays: BTreeMap<&'static str, (Durations, u64)>,
}

impl Weekly {
    pub(crate) fn add(&mut self, other: &Self) {
        for (state, users) in &other.at_start {
            *self.at_start.entry(state).or_default() += users;
        }
        self.review.add(other.review);
        for (states, (weeks, users)) in &other.moves {
            let own = self.moves.entry(*states).or_default();
            own.0 += weeks;
            own.1 += users;
        }
        for (state, (durations, users)) in &other.stays {
            let own = self.stays.entry(state).or_default();
            own.0.add(durations);
            own.1 += users;
        }
    }
}
