use super::*;

const SEASONS: [Season; 5] = [
    Season::Mild,
    Season::None,
    Season::Yearly,
    Season::Term,
    Season::Closing,
];

/// Three years and a half.
const DAYS: u32 = 1_300;

/// Events of a kind per day and user: on the days that `chosen` picks, and on the others.
fn rates(world: &World, lives: &[Life], kind: Kind, chosen: &dyn Fn(Day) -> bool) -> (f64, f64) {
    let (mut inside, mut outside) = ((0.0, 0.0), (0.0, 0.0));
    for life in lives {
        let (from, gone) = (
            life.joined.max(world.start),
            life.left(world).unwrap_or(world.end),
        );
        for day in (0..gone.since(from)).map(|day| from.plus(day)) {
            let side = if chosen(day) {
                &mut inside
            } else {
                &mut outside
            };
            side.1 += 1.0;
        }
        for event in life.events.iter().filter(|event| event.kind == kind) {
            let side = if chosen(event.day) {
                &mut inside
            } else {
                &mut outside
            };
            side.0 += 1.0;
        }
    }
    (inside.0 / inside.1, outside.0 / outside.1)
}

fn rests(breaks: &[Break], day: Day) -> bool {
    breaks
        .iter()
        .any(|rest| (rest.from..rest.until).contains(&day))
}

/// Days from the peak nearest to a day.
fn days_from_peak(day: Day, peak: i32) -> i32 {
    let days = (i32::from(day.date().day_of_year()) - peak).rem_euclid(365);
    days.min(365 - days)
}

#[test]
fn a_closed_business_sells_nothing_and_another_does_on_the_same_days() {
    let (world, closing) = lives_of(600, DAYS, Season::Closing);
    let breaks = world.breaks();
    assert_eq!(breaks.len(), 4);
    let closed = |day| rests(&breaks, day);
    let (bought, otherwise) = rates(&world, &closing, Kind::Purchase, &closed);
    assert!(bought == 0.0 && otherwise > 0.0);
    let (visited, otherwise) = rates(&world, &closing, Kind::Visit, &closed);
    assert!(visited > 0.0 && visited < 0.1 * otherwise, "{visited}");
    assert!(closing.iter().all(|life| !closed(life.joined)));
    for season in [Season::None, Season::Mild] {
        let (world, lives) = lives_of(600, DAYS, season);
        assert!(world.breaks().is_empty());
        let (inside, outside) = rates(&world, &lives, Kind::Purchase, &closed);
        assert!(inside > 0.7 * outside, "{season}: {inside} {outside}");
    }
}

#[test]
fn courses_are_silent_between_terms_and_end_with_them() {
    let (world, lives) = lives_of(3_000, DAYS, Season::Term);
    let breaks = world.breaks();
    let pauses = |day| rests(&breaks, day);
    let (bought, otherwise) = rates(&world, &lives, Kind::Purchase, &pauses);
    assert!(bought > 0.0 && bought < 0.05 * otherwise, "{bought}");

    let joined: Vec<_> = lives
        .iter()
        .filter(|life| life.joined >= world.start)
        .collect();
    let enrolled = |life: &&&Life| {
        breaks
            .iter()
            .any(|rest| (0..21).contains(&life.joined.since(rest.until)))
    };
    let share = joined.iter().filter(enrolled).count() as f64 / joined.len() as f64;
    assert!(share > 0.6, "{share}");
    assert!(joined.iter().all(|life| !pauses(life.joined)));

    let finished = lives.iter().filter(|life| {
        life.exit
            .is_some_and(|exit| exit.cause == Cause::EndOfCourse)
    });
    assert!(finished.count() > 300);
    for life in &lives {
        let end = life.course_end.unwrap();
        assert_eq!(purchases(&life.events, end, world.end), 0);
        assert!(breaks.iter().any(|rest| rest.from == end) || end >= world.end);
    }
    // Of those that stay, most come back after the summer.
    let summer = breaks
        .iter()
        .find(|rest| rest.from > world.start.plus(365) && rest.until.since(rest.from) > 60)
        .unwrap();
    let stays = |life: &&Life| {
        purchases(&life.events, summer.from.plus(-60), summer.from) > 0
            && life
                .exit
                .is_none_or(|exit| exit.onset > summer.until.plus(60))
    };
    let stayed: Vec<_> = lives.iter().filter(stays).collect();
    let back = stayed
        .iter()
        .filter(|life| purchases(&life.events, summer.until, summer.until.plus(60)) > 0)
        .count();
    assert!(
        stayed.len() > 50 && back * 10 > stayed.len() * 7,
        "{back} of {}",
        stayed.len()
    );
}

#[test]
fn a_control_has_no_season() {
    let (world, lives) = lives_of(1_500, DAYS, Season::None);
    for quarter in 0..4 {
        let in_quarter = |day: Day| (day.date().month() - 1) / 3 == quarter;
        let (inside, outside) = rates(&world, &lives, Kind::Purchase, &in_quarter);
        assert!((0.9..1.1).contains(&(inside / outside)), "{quarter}");
    }
    assert!(lives.iter().all(|life| life.course_end.is_none()));
    assert!(world.months().iter().all(|month| month.factor == 1.0));
}

#[test]
fn presents_are_bought_around_the_same_day_every_year() {
    let (world, lives) = lives_of(2_000, DAYS, Season::Yearly);
    for wanted in [RhythmKind::Common, RhythmKind::Personal] {
        // In the first, second and third year of the log.
        for year in 0..3 {
            let from = world.start.plus(365 * year);
            let (mut near, mut all) = (0.0, 0.0);
            for life in lives.iter().filter(|life| life.rhythm.kind() == wanted) {
                let Rhythm::Peak { day_of_year, .. } = life.rhythm else {
                    panic!("{:?} has no peak", life.rhythm);
                };
                let bought = |event: &&Event| {
                    event.kind == Kind::Purchase && (from..from.plus(365)).contains(&event.day)
                };
                for event in life.events.iter().filter(bought) {
                    near += f64::from(u8::from(days_from_peak(event.day, day_of_year) <= 35));
                    all += 1.0;
                }
            }
            assert!(
                all > 200.0 && near / all > 0.85,
                "{wanted:?} {year}: {near} of {all}"
            );
        }
    }
    // Nothing of the kind among those who have no time of year: 71 days are a fifth of the year.
    let (inside, outside) = rates(
        &world,
        &lives
            .into_iter()
            .filter(|life| life.rhythm == Rhythm::Steady)
            .collect::<Vec<_>>(),
        Kind::Purchase,
        &|day| days_from_peak(day, 339) <= 35,
    );
    assert!((0.85..1.15).contains(&(inside / outside)));
}

/// Shares of users that buy in the 30 days from a day on.
#[derive(Debug)]
struct Returns {
    all: f64,
    /// Among users that bought in the same days a year before.
    with_last_year: f64,
    /// Among the others.
    without: f64,
}

/// Of users with a purchase in the 400 days before `as_of` that are still there.
fn returns(world: &World, lives: &[Life], as_of: Day) -> Returns {
    let bought = |life: &&Life, from: i32, until: i32| {
        purchases(&life.events, as_of.plus(from), as_of.plus(until)) > 0
    };
    let there = |life: &&Life| life.left(world).is_none_or(|left| left > as_of.plus(30));
    let active: Vec<_> = lives
        .iter()
        .filter(|life| there(life) && bought(life, -400, 0))
        .collect();
    let share = |lives: &[&Life]| {
        assert!(lives.len() > 20, "{}", lives.len());
        lives.iter().filter(|life| bought(life, 0, 30)).count() as f64 / lives.len() as f64
    };
    let (with, without): (Vec<&Life>, Vec<&Life>) =
        active.iter().partition(|life| bought(life, -365, -335));
    Returns {
        all: share(&active),
        with_last_year: share(&with),
        without: share(&without),
    }
}

#[test]
fn churn_swings_with_the_year_and_the_same_days_of_last_year_are_a_sign() {
    let [advent, summer] = ["2026-11-20", "2026-06-20"].map(|text| text.parse::<Day>().unwrap());
    let (world, lives) = lives_of(4_000, DAYS, Season::Yearly);
    let (before_christmas, in_summer) = (
        returns(&world, &lives, advent).all,
        returns(&world, &lives, summer).all,
    );
    assert!(
        before_christmas > in_summer + 0.2,
        "{before_christmas} {in_summer}"
    );
    let personal: Vec<_> = lives
        .into_iter()
        .filter(|life| life.rhythm.kind() == RhythmKind::Personal)
        .collect();
    let own = returns(&world, &personal, summer);
    assert!(own.with_last_year > own.without + 0.3, "{own:?}");

    // Without a season, users that bought in the same days a year before are hardly other than the rest.
    let (world, lives) = lives_of(2_000, DAYS, Season::None);
    let (winter, control) = (
        returns(&world, &lives, advent),
        returns(&world, &lives, summer),
    );
    assert!(
        (winter.all - control.all).abs() < 0.06,
        "{winter:?} {control:?}"
    );
    assert!(
        control.with_last_year < control.without + 0.2,
        "{control:?}"
    );
}

#[test]
fn a_season_does_not_change_who_a_user_is() {
    for user in 0..50 {
        let persona = |season| {
            let world = World::new(default_start(), 200, season);
            let traits = Life::live(&world, 7, user).traits;
            (
                traits.persona,
                traits.basket.to_bits(),
                traits.price_sensitive,
            )
        };
        for season in SEASONS {
            assert_eq!(persona(season), persona(Season::Mild), "{season}");
        }
    }
}

/// Simulates 200 users for 800 days.
fn simulated_season(season: Season) -> (tempfile::TempDir, Summary) {
    let folder = tempfile::tempdir().unwrap();
    let options = SimulateOptions {
        season,
        ..SimulateOptions::new(200, 800, 7, folder.path().to_owned())
    };
    let summary = simulate(&options).unwrap();
    (folder, summary)
}

#[test]
fn the_truth_of_a_season_has_every_users_time_of_year() {
    for season in SEASONS {
        let (folder, summary) = simulated_season(season);
        let text = text_of(folder.path(), "truth.csv");
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let headers = reader.headers().unwrap().clone();
        if season == Season::Mild {
            assert!(headers.iter().all(|name| name != "season"));
            assert!(!text_of(folder.path(), "ebb.toml").contains("season"));
            continue;
        }
        let column = |name: &str| headers.iter().position(|header| header == name).unwrap();
        let (kind, peak, months) = (
            column("season"),
            column("peak"),
            column("purchases_by_month"),
        );
        let mut users = BTreeMap::new();
        for row in reader.records().map(Result::unwrap) {
            *users.entry(row[kind].to_owned()).or_insert(0_u32) += 1;
            let by_month: Vec<f64> = row[months].split(' ').map(|n| n.parse().unwrap()).collect();
            let rate: f64 = row[column("purchases_per_30_days")].parse().unwrap();
            let year = by_month.iter().sum::<f64>() / (rate * 365.25 / 30.0);
            assert!(
                by_month.len() == 12 && (0.9..1.1).contains(&year),
                "{season} {year}"
            );
            if let Some(month) = row[peak].get(..2) {
                let month: usize = month.parse().unwrap();
                let most = by_month.iter().copied().fold(0.0, f64::max);
                // A peak at the beginning of a month may fall to the one before.
                assert!(by_month[month - 1] > 0.6 * most, "{}", &row[months]);
            }
        }
        let counted = summary.season.users.iter().map(|(kind, users)| {
            let name = serde_json::to_value(kind).unwrap();
            (name.as_str().unwrap().to_owned(), *users)
        });
        assert_eq!(users, counted.collect());
        let text = text_of(folder.path(), "ebb.toml");
        assert!(text.contains(&format!(", season = {season}.")), "{text}");
    }
}

#[test]
fn the_summary_has_the_calendar() {
    let summary = simulated_season(Season::Yearly).1.season;
    assert!(summary.breaks.is_empty());
    assert_eq!(summary.months.len(), 27);
    let factor = |index: usize| summary.months[index].factor;
    assert!(factor(11) > 4.0 && factor(23) > 4.0 && factor(6) < 0.1);

    let (_folder, summary) = simulated_season(Season::Closing);
    let first = Break {
        from: "2024-07-01".parse().unwrap(),
        until: "2024-08-26".parse().unwrap(),
    };
    assert_eq!(summary.season.breaks[0], first);
    assert_eq!(summary.season.months[6].factor, 0.0);
    let text = summary.to_string();
    assert!(
        text.contains("\nseason closing, rests from 2024-07-01 to 2024-08-26, 2025-07-07 to"),
        "{text}"
    );
    assert!(
        !simulated_season(Season::Mild)
            .1
            .to_string()
            .contains("season")
    );
}

#[test]
fn any_window_can_be_simulated_in_any_season() {
    let folder = tempfile::tempdir().unwrap();
    let day = |text: &str| text.parse::<Day>().unwrap();
    for season in SEASONS {
        for (start, days) in [
            // Inside of a summer break, and on the first and last days that a log may begin on.
            (day("2024-07-02"), 60),
            (day("1900-01-01"), 60),
            (day("2199-12-31"), LONGEST_DAYS),
        ] {
            let options = SimulateOptions {
                start,
                season,
                ..SimulateOptions::new(20, days, 7, folder.path().to_owned())
            };
            let summary = simulate(&options).unwrap();
            assert!(summary.users == 20 && summary.rows > 0, "{season} {start}");
        }
    }
}
