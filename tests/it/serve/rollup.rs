//! The roll-up: its as-of day, and its replacement by a newer one.

use std::path::{Path, PathBuf};

use ebb::history::{Amount, Day, DayRecord, HistoriesBuilder, write_rollup};

use super::*;

/// Something that a user did: user, day, kind.
type Row = (&'static str, &'static str, &'static str);

/// Twenty users who visit every other day of 2011 up to a day, and what else is given.
fn users(until: &str, more: &[Row]) -> Histories {
    let mut builder = HistoriesBuilder::default();
    let mut add = |user: &str, day: Day, kind: &str| {
        let kind = builder.kind(kind).unwrap();
        builder
            .add(
                user,
                DayRecord {
                    amount: Amount::default(),
                    day,
                    count: 1,
                    kind,
                },
            )
            .unwrap();
    };
    let (from, until): (Day, Day) = ("2011-01-01".parse().unwrap(), until.parse().unwrap());
    for user in 0..20 {
        for days in (user % 2..until.since(from)).step_by(2) {
            add(&format!("u{user}"), from.plus(days), "visit");
        }
    }
    more.iter()
        .for_each(|(user, day, kind)| add(user, day.parse().unwrap(), kind));
    builder.finish().unwrap()
}

/// A server of the users in a roll-up.
async fn server_of(rollup: PathBuf) -> Running {
    let config = Config {
        rollup: Some(rollup.clone()),
        ..Config::default()
    };
    let load = move || {
        Ok(InitialState {
            users: Some(Arc::new(KnownUsers::read(&rollup)?)),
            ..stock(None)?
        })
    };
    Running::of(config, load).await
}

impl Running {
    /// The as-of day of a question that gives none.
    async fn default_as_of(&self) -> String {
        self.score(ScoreUserRequest {
            as_of: String::new(),
            ..ask(user("u1"))
        })
        .await
        .unwrap()
        .as_of
    }
}

fn write(folder: &Path, histories: &Histories) {
    write_rollup(folder, histories, 1).unwrap();
}

#[tokio::test]
async fn the_default_as_of_day_is_the_one_after_what_is_covered() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("rollup");
    let cases: [(&[Row], &str); 3] = [
        (&[], "2011-09-01"),
        // A row of a wrong clock, and one of a day that has not come yet.
        (&[("u1", "2011-09-25", "visit")], "2011-09-01"),
        (&[("u1", "2199-01-01", "visit")], "2011-09-01"),
    ];
    for (more, expected) in cases {
        write(&folder, &users("2011-09-01", more));
        let server = server_of(folder.clone()).await;
        assert_eq!(server.default_as_of().await, expected, "{more:?}");
        let given = server
            .score(ScoreUserRequest {
                as_of: expected.into(),
                ..ask(user("u1"))
            })
            .await
            .unwrap();
        let by_default = server
            .score(ScoreUserRequest {
                as_of: String::new(),
                ..ask(user("u1"))
            })
            .await
            .unwrap();
        assert_eq!(given, by_default);
    }
    // The negative control: were it the last row's day, it would have moved.
    assert_eq!(
        users("2011-09-01", cases[1].0)
            .span()
            .unwrap()
            .1
            .to_string(),
        "2011-09-25"
    );
}

/// The answers for all users, one of whom is not known.
async fn answers(rollup: &Path) -> Vec<Option<Score>> {
    let server = server_of(rollup.to_owned()).await;
    let mut all = Vec::new();
    for number in 0..21 {
        let answer = server.score(ask(user(&format!("u{number}")))).await;
        assert_eq!(answer.is_ok(), number < 20, "{answer:?}");
        all.push(answer.ok());
    }
    all
}

#[tokio::test]
async fn users_of_the_index_are_those_of_the_files_and_a_bad_index_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("rollup");
    write(
        &folder,
        &users("2011-09-01", &[("u3", "2011-08-01", "buy")]),
    );
    let index = folder.join("_users.index");
    let bytes = std::fs::read(&index).unwrap();
    let of_index = answers(&folder).await;
    std::fs::remove_file(&index).unwrap();
    let of_files = answers(&folder).await;
    assert_eq!(of_index, of_files);
    // What is damaged, cut off, of nothing, or of another roll-up.
    let mut damaged = bytes.clone();
    *damaged.last_mut().unwrap() ^= 1;
    let mut others = vec![damaged, bytes[..bytes.len() / 2].to_vec(), Vec::new()];
    let other = dir.path().join("other");
    write(&other, &users("2011-08-01", &[]));
    others.push(std::fs::read(other.join("_users.index")).unwrap());
    for other in others {
        std::fs::write(&index, other).unwrap();
        assert_eq!(answers(&folder).await, of_files);
    }
    // The negative control: the other roll-up's users have other scores.
    assert_ne!(answers(&other).await, of_files);
}

#[tokio::test]
async fn a_roll_up_that_changes_is_read_again_and_a_bad_one_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("rollup");
    write(&folder, &users("2011-09-01", &[]));
    let server = server_of(folder.clone()).await;
    assert_eq!(server.default_as_of().await, "2011-09-01");
    // By itself, when its files change.
    write(
        &folder,
        &users("2011-09-08", &[("new", "2011-09-07", "visit")]),
    );
    until(async || server.default_as_of().await == "2011-09-08").await;
    server
        .score(ScoreUserRequest {
            as_of: String::new(),
            ..ask(user("new"))
        })
        .await
        .unwrap();
    // On a reload; one that cannot be read changes nothing.
    let file = folder.join("part-00000-of-00001.parquet");
    let good = std::fs::read(&file).unwrap();
    std::fs::write(&file, b"no parquet").unwrap();
    server.reload.send(()).await.unwrap();
    server.reload.send(()).await.unwrap();
    assert_eq!(server.default_as_of().await, "2011-09-08");
    std::fs::write(&file, good).unwrap();
    // Nor does one whose reading would wait for a writer; the next one is read all the same.
    super::keys::make_fifo(&folder.join("other.parquet"));
    server.reload.send(()).await.unwrap();
    server.reload.send(()).await.unwrap();
    assert_eq!(server.default_as_of().await, "2011-09-08");
    std::fs::remove_file(folder.join("other.parquet")).unwrap();
    write(&folder, &users("2011-09-15", &[]));
    server.reload.send(()).await.unwrap();
    until(async || server.default_as_of().await == "2011-09-15").await;
}
