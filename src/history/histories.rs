use std::collections::HashMap;

use super::{Day, DayRecord, HistoryError, HistoryView, compact};

/// A user's position in a [`Histories`] or its builder.
pub type UserId = u32;

/// The most kinds a log may have.
const KIND_LIMIT: usize = 1_000;

/// The histories of all users of a log, with the table of kinds their records refer to.
///
/// Users and kinds are sorted by name, so equal logs give equal values whatever their order was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histories {
    kinds: Vec<String>,
    users: Vec<String>,
    /// `users.len() + 1` positions in `records`.
    offsets: Vec<usize>,
    records: Vec<DayRecord>,
}

impl Histories {
    /// The names of the kinds, sorted; a record's `kind` is a position in this list.
    pub fn kinds(&self) -> &[String] {
        &self.kinds
    }

    /// How many users there are.
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// Whether there is no user at all.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// Every user's id and history, sorted by id.
    pub fn iter(&self) -> impl Iterator<Item = (&str, HistoryView<'_>)> {
        self.users.iter().zip(self.offsets.windows(2)).map(|(user, span)| {
            let records = match *span {
                [from, until] => self.records.get(from..until).unwrap_or_default(),
                _ => Default::default(),
            };
            (user.as_str(), HistoryView { records })
        })
    }

    /// The history of the user at `position` in the sorted order; `None` beyond the last.
    pub fn at(&self, position: usize) -> Option<(&str, HistoryView<'_>)> {
        let (from, until) = (*self.offsets.get(position)?, *self.offsets.get(position + 1)?);
        Some((self.users.get(position)?, HistoryView { records: self.records.get(from..until)? }))
    }

    /// The history of the user called `id`.
    pub fn get(&self, id: &str) -> Option<HistoryView<'_>> {
        let position = self.users.binary_search_by(|user| user.as_str().cmp(id)).ok()?;
        self.at(position).map(|(_, view)| view)
    }

    /// The first and last day on which anything happened.
    pub fn span(&self) -> Option<(Day, Day)> {
        let days = || self.records.iter().map(|r| r.day);
        Some((days().min()?, days().max()?))
    }

    /// How many (user, day, kind) records there are.
    pub fn record_count(&self) -> usize {
        self.records.len()
    }
}

/// Collects records of many users in any order.
#[derive(Debug, Default)]
pub struct HistoriesBuilder {
    kinds: Names,
    users: Names,
    records: Vec<Vec<DayRecord>>,
}

impl HistoriesBuilder {
    /// The number of the kind called `name`, a new one when it was not seen before.
    pub fn kind(&mut self, name: &str) -> Result<u16, HistoryError> {
        let id = self.kinds.id(name);
        match u16::try_from(id) {
            Ok(id) if usize::from(id) < KIND_LIMIT => Ok(id),
            _ => Err(HistoryError::TooManyKinds { limit: KIND_LIMIT }),
        }
    }

    /// The number of the user called `name`, a new one when it was not seen before.
    pub fn user(&mut self, name: &str) -> Result<UserId, HistoryError> {
        let id = self.users.id(name);
        if id == self.records.len() {
            self.records.push(Vec::new());
        }
        UserId::try_from(id).map_err(|_| HistoryError::TooManyUsers { limit: UserId::MAX as usize })
    }

    /// Adds one record, whose `kind` came from [`Self::kind`], to a user that came from [`Self::user`].
    pub fn add(&mut self, user: UserId, record: DayRecord) -> Result<(), HistoryError> {
        let Some(records) = self.records.get_mut(user as usize) else { return Ok(()) };
        // Logs mostly come in order of time, so the record at hand usually belongs to the last one kept.
        match records.last_mut() {
            Some(last) if last.key() == record.key() => last.add(&record),
            _ => {
                records.push(record);
                Ok(())
            }
        }
    }

    /// All that was added, sorted by user, day and kind.
    pub fn finish(self) -> Result<Histories, HistoryError> {
        let (kinds, new_kind) = self.kinds.sorted();
        let (users, new_user) = self.users.sorted();
        let mut by_user = vec![Vec::new(); users.len()];
        for (records, position) in self.records.into_iter().zip(new_user) {
            if let Some(slot) = by_user.get_mut(position) {
                *slot = records;
            }
        }
        let mut offsets = vec![0];
        let mut all = Vec::with_capacity(by_user.iter().map(Vec::len).sum());
        for mut records in by_user {
            for record in &mut records {
                let position = new_kind.get(usize::from(record.kind)).copied().unwrap_or_default();
                record.kind = position as u16;
            }
            compact(&mut records)?;
            all.append(&mut records);
            offsets.push(all.len());
        }
        Ok(Histories { kinds, users, offsets, records: all })
    }
}

/// Distinct names, numbered in order of appearance.
#[derive(Debug, Default)]
struct Names {
    ids: HashMap<String, usize>,
    last: Option<(String, usize)>,
}

impl Names {
    fn id(&mut self, name: &str) -> usize {
        if let Some((last, id)) = &self.last
            && last == name
        {
            return *id;
        }
        let next = self.ids.len();
        let id = match self.ids.get(name) {
            Some(id) => *id,
            None => *self.ids.entry(name.to_owned()).or_insert(next),
        };
        self.last = Some((name.to_owned(), id));
        id
    }

    /// The names in order, and for each old number the position of its name in that order.
    fn sorted(self) -> (Vec<String>, Vec<usize>) {
        let mut pairs: Vec<(String, usize)> = self.ids.into_iter().collect();
        pairs.sort_unstable();
        let mut position = vec![0; pairs.len()];
        for (new, (_, old)) in pairs.iter().enumerate() {
            if let Some(slot) = position.get_mut(*old) {
                *slot = new;
            }
        }
        (pairs.into_iter().map(|(name, _)| name).collect(), position)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::history::{Amount, History};

    type Event = (u8, i32, u8, u32, i32);

    fn events() -> impl Strategy<Value = Vec<Event>> {
        prop::collection::vec((0_u8..6, -400_i32..400, 0_u8..4, 1_u32..5, -100_000_i32..100_000), 0..120)
    }

    fn record(event: &Event, kind: u16) -> DayRecord {
        let amount = Amount::new(f64::from(event.4) / 100.0).unwrap();
        DayRecord { amount, day: Day::new(event.1).unwrap(), count: event.3, kind }
    }

    fn build<'a>(events: impl Iterator<Item = &'a Event>) -> Histories {
        let mut builder = HistoriesBuilder::default();
        for event in events {
            let kind = builder.kind(&format!("kind{}", event.2)).unwrap();
            let user = builder.user(&format!("user{}", event.0)).unwrap();
            builder.add(user, record(event, kind)).unwrap();
        }
        builder.finish().unwrap()
    }

    proptest! {
        #[test]
        fn the_order_of_events_does_not_matter((sorted, shuffled) in events().prop_flat_map(|e| (Just(e.clone()), Just(e).prop_shuffle()))) {
            prop_assert_eq!(build(sorted.iter()), build(shuffled.iter()));
        }

        #[test]
        fn merging_parts_in_any_order_equals_the_whole(events in events(), cut_a in 0_usize..120, cut_b in 0_usize..120) {
            let records: Vec<DayRecord> = events.iter().map(|e| record(e, u16::from(e.2))).collect();
            let whole = History::new(records.clone()).unwrap();
            let (low, high) = (cut_a.min(cut_b).min(records.len()), cut_a.max(cut_b).min(records.len()));
            let parts = [&records[..low], &records[low..high], &records[high..]].map(|p| History::new(p.to_vec()).unwrap());
            for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [1, 0, 2]] {
                let mut merged = History::default();
                for part in order {
                    merged.merge(parts[part].view()).unwrap();
                }
                prop_assert_eq!(&merged, &whole);
            }
            // (a + b) + c == a + (b + c)
            let mut tail = parts[1].clone();
            tail.merge(parts[2].view()).unwrap();
            let mut nested = parts[0].clone();
            nested.merge(tail.view()).unwrap();
            prop_assert_eq!(&nested, &whole);
        }

        #[test]
        fn windows_are_half_open(events in events(), from in -400_i32..400, length in 0_i32..200) {
            let history = History::new(events.iter().map(|e| record(e, 0)).collect()).unwrap();
            let (from, until) = (Day::new(from).unwrap(), Day::new(from + length).unwrap());
            let inside: Vec<DayRecord> = history.view().records().iter().copied().filter(|r| r.day >= from && r.day < until).collect();
            prop_assert_eq!(history.view().between(from, until).records(), inside.as_slice());
        }
    }

    /// The negative control of the merge properties: sums of floating-point numbers do depend on their order.
    #[test]
    fn floating_point_sums_would_fail_the_merge_property() {
        let amounts = [0.1, 0.2, 0.3];
        assert_ne!((amounts[0] + amounts[1]) + amounts[2], amounts[0] + (amounts[1] + amounts[2]));
        let exact = |a: f64, b: f64, c: f64| {
            let [a, b, c] = [a, b, c].map(|x| DayRecord {
                amount: Amount::new(x).unwrap(),
                day: Day::new(0).unwrap(),
                count: 1,
                kind: 0,
            });
            History::new(vec![a, b, c]).unwrap()
        };
        assert_eq!(exact(0.1, 0.2, 0.3), exact(0.3, 0.2, 0.1));
    }

    #[test]
    fn sums_that_cannot_be_held_are_errors() {
        let big = DayRecord { amount: Amount::new(1e12).unwrap(), day: Day::new(3).unwrap(), count: u32::MAX, kind: 0 };
        assert!(History::new(vec![big; 2]).unwrap_err().to_string().contains("1970-01-04"));
        assert!(Amount::new(f64::NAN).is_err());
        assert!(Amount::new(1.1e12).is_err());
    }

    #[test]
    fn users_are_found_by_id_and_by_position() {
        let all = build([(1, 5, 0, 1, 0), (0, 2, 1, 1, 0)].iter());
        assert_eq!(all.at(0).unwrap().0, "user0");
        assert_eq!(all.get("user1").unwrap().records().len(), 1);
        assert!(all.get("nobody").is_none());
        assert_eq!(all.iter().count(), all.len());
        assert_eq!(all.span().unwrap(), (Day::new(2).unwrap(), Day::new(5).unwrap()));
    }
}
