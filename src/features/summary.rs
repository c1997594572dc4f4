use super::attribute::{Attribute, Seen};
use super::season::DaysAgo;
use crate::history::{Day, DayRecord, HistoryView};

/// What one user did on one active day.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ActiveDay {
    /// Days before the as-of day; at least 1.
    pub(crate) age: u32,
    pub(crate) weekday: usize,
    pub(crate) events: f64,
    pub(crate) amount: f64,
}

/// What one user did of one kind on one day.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KindDay {
    pub(crate) age: u32,
    pub(crate) count: f64,
}

/// A user's orders: days on which the amounts of the value kinds add up to more than 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Orders {
    /// How many there are.
    pub(crate) days: u32,
    /// Days since the first one; 0 without any.
    pub(crate) first_age: u32,
    /// Days since the last one; 0 without any.
    pub(crate) last_age: u32,
    /// The net amount of the first one in micros.
    pub(crate) first_micros: i128,
    /// The net amount of all in micros.
    pub(crate) micros: i128,
}

impl Orders {
    /// The orders among sorted records. `is_value` says of each kind whether its amounts count.
    fn of(records: &[DayRecord], as_of: Day, is_value: &[bool]) -> Self {
        let mut orders = Self::default();
        let counts = |record: &&DayRecord| {
            let is_value = is_value.get(usize::from(record.kind));
            is_value.copied().unwrap_or(false)
        };
        let mut day = None;
        let mut net = 0;
        for record in records.iter().filter(counts) {
            if day != Some(record.day) {
                orders.add(day, net, as_of);
                (day, net) = (Some(record.day), 0);
            }
            net += i128::from(record.amount.micros());
        }
        orders.add(day, net, as_of);
        orders
    }

    /// Counts a day with its net amount, if it is an order.
    fn add(&mut self, day: Option<Day>, net: i128, as_of: Day) {
        let Some(day) = day.filter(|_| net > 0) else {
            return;
        };
        self.last_age = as_of.since(day).unsigned_abs();
        if self.days == 0 {
            (self.first_age, self.first_micros) = (self.last_age, net);
        }
        self.days += 1;
        self.micros += net;
    }
}

/// A history before one as-of day, laid out for the features. Its buffers are kept between users.
#[derive(Clone, Debug, Default)]
pub(crate) struct Summary {
    /// Active days, oldest first.
    pub(crate) active: Vec<ActiveDay>,
    /// The records of each kind with features of its own, oldest first.
    kinds: Vec<Vec<KindDay>>,
    /// Days since the first and the last event of any kind.
    pub(crate) first_any: Option<u32>,
    pub(crate) last_any: Option<u32>,
    /// The orders; none where no kind's amounts count.
    pub(crate) orders: Orders,
    /// What is known of each attribute of the schema.
    attributes: Vec<Seen>,
    /// Days since the last event of each attribute that is a signal.
    signal_ages: Vec<Option<u32>>,
}

/// What the numbers of kinds in histories mean to a summary.
#[derive(Clone, Debug, Default)]
pub(crate) struct KindTable {
    /// For each kind its position in the catalogue.
    pub(crate) slots: Vec<Option<u16>>,
    /// The first positions of the catalogue, which count as activity.
    pub(crate) activity: u16,
    /// For each kind whether its amounts make orders; empty where no orders are wanted.
    pub(crate) is_value: Vec<bool>,
    /// For each attribute that is a signal the number of its kind.
    pub(crate) signals: Vec<Option<u16>>,
}

impl Summary {
    /// Reads the part of `history` before `as_of`.
    pub(crate) fn read(&mut self, history: HistoryView<'_>, as_of: Day, table: &KindTable) {
        let KindTable {
            slots,
            activity,
            is_value,
            signals: _,
        } = table;
        self.active.clear();
        self.kinds.iter_mut().for_each(Vec::clear);
        let seen = history.before(as_of).records();
        let age = |day: Day| as_of.since(day).unsigned_abs();
        self.first_any = seen.first().map(|r| age(r.day));
        self.last_any = seen.last().map(|r| age(r.day));
        // A pass of its own, so that catalogues without orders pay nothing.
        self.orders = match is_value.is_empty() {
            true => Orders::default(),
            false => Orders::of(seen, as_of, is_value),
        };
        for record in seen {
            let Some(kind) = slots.get(usize::from(record.kind)).copied().flatten() else {
                continue;
            };
            let (age, count) = (age(record.day), f64::from(record.count));
            if self.kinds.len() <= usize::from(kind) {
                self.kinds.resize_with(usize::from(kind) + 1, Vec::new);
            }
            self.kinds[usize::from(kind)].push(KindDay { age, count });
            if kind >= *activity {
                continue;
            }
            match self.active.last_mut() {
                Some(last) if last.age == age => {
                    last.events += count;
                    last.amount += record.amount.value();
                }
                _ => self.active.push(ActiveDay {
                    age,
                    weekday: record.day.weekday(),
                    events: count,
                    amount: record.amount.value(),
                }),
            }
        }
    }

    /// Reads what was known of a user's attributes before `as_of`.
    pub(crate) fn read_attributes(
        &mut self,
        history: HistoryView<'_>,
        as_of: Day,
        attributes: &[Attribute],
        table: &KindTable,
    ) {
        self.attributes.clear();
        self.signal_ages.clear();
        if attributes.is_empty() {
            return;
        }
        let known = history.before(as_of);
        for (attribute, kind) in attributes.iter().zip(&table.signals) {
            let (seen, age) = match (attribute.signal, *kind) {
                (false, _) => (attribute.seen(known.attributes()), None),
                (true, None) => (Seen::Missing, None),
                (true, Some(kind)) => Attribute::signalled(known.records(), kind)
                    .map_or((Seen::Missing, None), |(seen, day)| {
                        (seen, Some(as_of.since(day).unsigned_abs()))
                    }),
            };
            self.attributes.push(seen);
            self.signal_ages.push(age);
        }
    }

    /// Days since the last event of the signal at this position of the schema's attributes.
    pub(crate) fn signal_age(&self, position: u16) -> Option<u32> {
        let age = self.signal_ages.get(usize::from(position));
        age.copied().flatten()
    }

    /// What is known of the attribute at this position of the schema's.
    pub(crate) fn attribute(&self, position: u16) -> Seen {
        let seen = self.attributes.get(usize::from(position));
        seen.copied().unwrap_or_default()
    }

    /// The records of the kind at this position of the catalogue's.
    pub(crate) fn kind(&self, position: u16) -> &[KindDay] {
        self.kinds
            .get(usize::from(position))
            .map_or(&[], Vec::as_slice)
    }

    /// The active days of the last `window` days.
    pub(crate) fn within(&self, window: u16) -> &[ActiveDay] {
        let start = self.active.partition_point(|d| d.age > u32::from(window));
        &self.active[start..]
    }

    /// The active days among some days.
    pub(crate) fn among(&self, days: DaysAgo) -> &[ActiveDay] {
        let start = self.active.partition_point(|d| d.age > days.from);
        let end = self.active.partition_point(|d| d.age > days.until);
        &self.active[start..end]
    }

    /// Days between neighbouring active days, oldest first.
    pub(crate) fn gaps(&self) -> impl Iterator<Item = f64> {
        self.active
            .iter()
            .zip(self.active.iter().skip(1))
            .map(|(a, b)| f64::from(a.age - b.age))
    }
}
