use super::season::DaysAgo;
use crate::history::{Day, HistoryView};

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
}

impl Summary {
    /// Reads the part of `history` before `as_of`. `slots` gives each kind's position in the catalogue; the
    /// first `activity` positions count as activity.
    pub(crate) fn read(
        &mut self,
        history: HistoryView<'_>,
        as_of: Day,
        slots: &[Option<u16>],
        activity: u16,
    ) {
        self.active.clear();
        self.kinds.iter_mut().for_each(Vec::clear);
        let seen = history.before(as_of).records();
        let age = |day: Day| as_of.since(day).unsigned_abs();
        self.first_any = seen.first().map(|r| age(r.day));
        self.last_any = seen.last().map(|r| age(r.day));
        for record in seen {
            let Some(kind) = slots.get(usize::from(record.kind)).copied().flatten() else {
                continue;
            };
            let (age, count) = (age(record.day), f64::from(record.count));
            if self.kinds.len() <= usize::from(kind) {
                self.kinds.resize_with(usize::from(kind) + 1, Vec::new);
            }
            self.kinds[usize::from(kind)].push(KindDay { age, count });
            if kind >= activity {
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
