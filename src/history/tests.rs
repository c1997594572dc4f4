use proptest::prelude::*;

use super::store::builder::Space;
use crate::history::*;

type Event = (u8, i32, u8, u32, i32);

fn events() -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec(
        (
            0_u8..6,
            -400_i32..400,
            0_u8..4,
            1_u32..5,
            -100_000_i32..100_000,
        ),
        0..120,
    )
}

fn record(event: &Event, kind: u16) -> DayRecord {
    let amount = Amount::new(f64::from(event.4) / 100.0).unwrap();
    DayRecord {
        amount,
        day: Day::new(event.1).unwrap(),
        count: event.3,
        kind,
    }
}

fn add<'a>(builder: &mut HistoriesBuilder, events: impl Iterator<Item = &'a Event>) {
    for event in events {
        let kind = builder.kind(&format!("kind{}", event.2)).unwrap();
        builder
            .add(&format!("user{}", event.0), record(event, kind))
            .unwrap();
    }
}

fn build<'a>(events: impl Iterator<Item = &'a Event>) -> Histories {
    let mut builder = HistoriesBuilder::default();
    add(&mut builder, events);
    builder.finish().unwrap()
}

/// No byte of memory, so that every run goes to disk.
fn nowhere() -> Space {
    Space {
        memory_bytes: 0,
        ..Space::default()
    }
}

/// The same events through a builder for each of some threads, spilling what comes to more than `space`.
fn build_apart(events: &[Event], threads: usize, space: Space) -> Histories {
    let builder = HistoriesBuilder::within(space);
    std::thread::scope(|scope| {
        for part in events.chunks(events.len().div_ceil(threads).max(1)) {
            let mut fork = builder.fork();
            scope.spawn(move || {
                add(&mut fork, part.iter());
                fork.close().unwrap();
            });
        }
    });
    builder.finish().unwrap()
}

fn contents(histories: &Histories) -> Vec<(String, Vec<DayRecord>)> {
    let mut all = Vec::new();
    histories
        .for_each(|_, user, view| all.push((user.to_owned(), view.records().to_vec())))
        .unwrap();
    all
}

proptest! {
    #[test]
    fn amounts_are_rounded_half_away_from_zero(value in -1e12..1e12_f64, halves in -2_000_000_i64..2_000_000) {
        let near = halves as f64 / 2e6;
        for x in [value, value / 1e9, near, near.next_up(), near.next_down()] {
            prop_assert_eq!(Amount::new(x).unwrap().micros(), (x * 1e6).round() as i64);
        }
    }
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
    assert_ne!(
        (amounts[0] + amounts[1]) + amounts[2],
        amounts[0] + (amounts[1] + amounts[2])
    );
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
    let big = DayRecord {
        amount: Amount::new(1e12).unwrap(),
        day: Day::new(3).unwrap(),
        count: u32::MAX,
        kind: 0,
    };
    assert!(
        History::new(vec![big; 2])
            .unwrap_err()
            .to_string()
            .contains("1970-01-04")
    );
    assert!(Amount::new(f64::NAN).is_err());
    assert!(Amount::new(1.1e12).is_err());
}

/// Events of a thousand users, some of them hundreds, some on the same days.
fn many_events() -> Vec<Event> {
    let mut state = 7_u64;
    let mut draw = |limit: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % limit
    };
    let user = |draw: &mut dyn FnMut(u64) -> u64| (draw(250).min(draw(250))) as u8;
    (0..40_000)
        .map(|_| {
            (
                user(&mut draw),
                draw(300) as i32,
                draw(4) as u8,
                1,
                draw(5_000) as i32 - 900,
            )
        })
        .collect()
}

#[test]
fn threads_and_spills_change_nothing() {
    let events = many_events();
    let whole = build(events.iter());
    assert!(!whole.is_on_disk());
    for (threads, space) in [
        (1, nowhere()),
        (3, nowhere()),
        (7, Space::default()),
        (
            2,
            Space {
                memory_bytes: 40_000,
                ..Space::default()
            },
        ),
    ] {
        let on_disk = space.memory_bytes < usize::MAX;
        let found = build_apart(&events, threads, space);
        assert_eq!(found.is_on_disk(), on_disk);
        assert_eq!(found, whole);
        assert_eq!(contents(&found), contents(&whole));
        for (position, (user, records)) in contents(&whole).iter().enumerate().step_by(17) {
            assert_eq!(found.get(user).unwrap().unwrap().view().records(), records);
            assert_eq!(&found.at(position).unwrap().unwrap().0, user);
        }
        assert!(found.get("nobody").unwrap().is_none() && found.get("").unwrap().is_none());
    }
    // The negative control: one event less is another log.
    assert_ne!(build_apart(&events[1..], 2, nowhere()), whole);
}

#[test]
fn a_part_that_was_not_closed_is_missed() {
    let builder = HistoriesBuilder::default();
    let mut fork = builder.fork();
    add(&mut fork, [(1, 5, 0, 1, 0)].iter());
    drop(fork);
    assert!(matches!(builder.finish(), Err(HistoryError::NotClosed)));
}

#[test]
fn a_folder_that_takes_no_temporary_file_is_named() {
    let mut builder = HistoriesBuilder::within(Space {
        memory_bytes: 0,
        folder: "/no such folder".into(),
    });
    add(&mut builder, [(1, 5, 0, 1, 0)].iter());
    let message = builder.finish().unwrap_err().to_string();
    assert!(
        message.contains("/no such folder") && message.contains("--temp"),
        "{message}"
    );
}

#[test]
fn users_are_found_by_id_and_by_position() {
    let all = build([(1, 5, 0, 1, 0), (0, 2, 1, 1, 0)].iter());
    assert_eq!(all.at(0).unwrap().unwrap().0, "user0");
    assert_eq!(all.get("user1").unwrap().unwrap().view().records().len(), 1);
    assert!(all.get("nobody").unwrap().is_none() && all.get("zzz").unwrap().is_none());
    assert!(all.at(2).unwrap().is_none());
    assert_eq!(contents(&all).len(), all.len());
    assert_eq!(
        all.span().unwrap(),
        (Day::new(2).unwrap(), Day::new(5).unwrap())
    );
    assert!(Histories::default().get("a").unwrap().is_none());
}

#[test]
fn the_names_of_kinds_are_bounded_in_bytes() {
    let mut builder = HistoriesBuilder::default();
    let name = |n: usize| format!("{n:02}") + &"k".repeat(999_998);
    for n in 0..16 {
        assert_eq!(builder.kind(&name(n)).unwrap(), n as u16);
    }
    let message = builder.kind(&name(16)).unwrap_err().to_string();
    assert!(
        message.contains("17000000 bytes") && message.contains("`events.kind`"),
        "{message}"
    );
    assert_eq!(builder.kind(&name(3)).unwrap(), 3);
}
