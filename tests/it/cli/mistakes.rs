//! Logs and settings that make no model: each error says which setting to change and what the log would allow.

use std::fmt::Write;

use super::*;

const CONFIG: &str = r#"
[events]
paths = ["log.csv"]
user = "user"
time = "time"
kind = "kind"

[churn]
activity = ["purchase"]
horizon_days = [30]
active_within_days = 90
"#;

/// Users with a purchase on the given days of 2024, counted from 0; user `k` is `shift` times `k` days late.
fn log(users: usize, days: &[usize], shift: usize) -> String {
    let mut text = "user,time,kind\n".to_owned();
    for user in 0..users {
        for day in days.iter().map(|day| day + shift * user) {
            let date = "2024-01-01"
                .parse::<ebb::history::Day>()
                .unwrap()
                .plus(day as i32);
            writeln!(text, "u{user},{date},purchase").unwrap();
        }
    }
    text
}

/// The exit code and the error of a fit of `log` with the configuration after `change`.
fn fit(log: &str, change: (&str, &str), more: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    assert!(CONFIG.contains(change.0), "{change:?} changes nothing");
    fs::write(
        folder.path().join("ebb.toml"),
        CONFIG.replace(change.0, change.1),
    )
    .unwrap();
    fs::write(folder.path().join("log.csv"), log).unwrap();
    let run = ebb_train(
        folder.path(),
        &format!("fit --config ebb.toml --out model {more}"),
    );
    assert!(
        !folder.path().join("model").exists(),
        "a failed fit leaves no bundle behind"
    );
    format!("{} {}", run.code, run.error())
}

const NO_CHANGE: (&str, &str) = ("", "");
const MONTHLY: [usize; 7] = [0, 30, 60, 90, 120, 150, 180];

#[test]
fn logs_that_make_no_model() {
    let empty = log(0, &[], 0);
    insta::assert_snapshot!(fit(&empty, NO_CHANGE, ""), @"1 error: no events: the files have no rows");
    let usual = log(40, &MONTHLY, 1);
    insta::assert_snapshot!(fit(&usual, NO_CHANGE, "--as-of 2020-01-01"), @"1 error: no events before 2020-01-01: the log spans 2024-01-01 to 2024-08-07; choose an as-of day after 2024-01-01, or 2024-08-08 to see all of it");
    let one_user = log(1, &MONTHLY, 0);
    insta::assert_snapshot!(fit(&one_user, NO_CHANGE, ""), @"1 error: only 9 labelled rows (user, date) of 1 user for horizon 30: at least 50 are needed; the log holds 1 user: it takes more users, not more days; does `events.user` name the right column?");
    let faithful = log(60, &(0..20).map(|week| week * 7).collect::<Vec<_>>(), 0);
    insta::assert_snapshot!(fit(&faithful, NO_CHANGE, ""), @"1 error: all 300 labelled rows (user, date) for horizon 30 stayed: there is nothing to tell apart; shorten churn.horizon_days");
    let gone = log(60, &[0, 3], 0) + "u0,2024-06-01,visit\n";
    insta::assert_snapshot!(fit(&gone, NO_CHANGE, ""), @"1 error: all 300 labelled rows (user, date) for horizon 30 churned: there is nothing to tell apart; lengthen churn.horizon_days, or choose an earlier as-of day if the feed of these events stopped before the log ends\nhint: --as-of sets the as-of day");
    let once = log(300, &[0], 1);
    insta::assert_snapshot!(fit(&once, NO_CHANGE, ""), @"1 error: no user comes back: each of the 300 users with activity (purchase) has it on one day only, so all churn; `events.user` must name users, not orders, sessions or rows");
    let sparse = log(80, &MONTHLY, 1);
    insta::assert_snapshot!(fit(&sparse, ("= 90", "= 1"), ""), @"1 error: only 38 labelled rows (user, date) of 6 users for horizon 30: at least 50 are needed; most users had no activity within churn.active_within_days = 1 of the dates: raise it");
    let cancelled = faithful.clone() + "u0,2024-01-01,cancel\n";
    insta::assert_snapshot!(fit(&cancelled, ("[churn]", "[churn]\nchurn_event = \"cancel\""), ""), @"1 error: all 300 labelled rows (user, date) for horizon 30 stayed: there is nothing to tell apart; lengthen churn.horizon_days, or choose an earlier as-of day if the feed of these events stopped before the log ends\nhint: --as-of sets the as-of day");
    insta::assert_snapshot!(fit(&usual, ("[30]", "[400]"), ""), @"1 error: churn.horizon_days = 400 with churn.lead_days = 0 was never observed: the log spans 220 days, which allows a horizon of at most 219 days");
}

#[test]
fn settings_that_do_not_fit_the_log() {
    let usual = log(40, &MONTHLY, 1);
    insta::assert_snapshot!(fit(&usual, ("[\"purchase\"]", "[\"buy\"]"), ""), @"1 error: no event is of a kind in churn.activity (buy); the log's kinds are: purchase");
    insta::assert_snapshot!(fit(&usual, ("[churn]", "[churn]\nchurn_event = \"cancel\""), ""), @r#"1 error: no event is of the kind churn.churn_event = "cancel"; the log's kinds are: purchase"#);
    insta::assert_snapshot!(fit(&usual, ("log.csv", "logs/*.csv"), ""), @"1 error: no file matches `logs/*.csv` in .; see `events.paths`");
    insta::assert_snapshot!(fit(&usual, ("\"user\"", "\"usr\""), ""), @"64 error: ./log.csv: there is no column `usr`, which `events.user` names; did you mean `user`?; the columns are user, time, kind");
    insta::assert_snapshot!(fit(&usual, ("kind = \"kind\"", "timezone = \"Europe/Londn\""), ""), @"64 error: `Europe/Londn` is not an IANA time zone; write it like `Europe/London` or `UTC`");
}

#[test]
fn settings_that_are_wrong_by_themselves() {
    let usual = log(40, &MONTHLY, 1);
    insta::assert_snapshot!(fit(&usual, ("horizon_days", "horizn_days"), ""), @r#"
    64 error: ebb.toml: TOML parse error at line 10, column 1
       |
    10 | horizn_days = [30]
       | ^^^^^^^^^^^
    unknown field `horizn_days`, expected one of `activity`, `horizon_days`, `active_within_days`, `lead_days`, `churn_event`
    did you mean `horizon_days`?
    "#);
    insta::assert_snapshot!(fit(&usual, ("kind = \"kind\"", "knd = \"kind\""), ""), @r#"
    64 error: ebb.toml: TOML parse error at line 6, column 1
      |
    6 | knd = "kind"
      | ^^^
    unknown field `knd`, expected one of `paths`, `user`, `time`, `time_format`, `decimal`, `kind`, `amount`, `timezone`, `on_bad_row`, `max_rejected_share`, `max_rows_without_user_share`, `format`, `delimiter`, `columns`, `from`, `until`, `stray`, `hole`, `escape`, `max_record_bytes`, `max_record_lines`
    did you mean `kind`?
    "#);
    insta::assert_snapshot!(fit(&usual, ("[30]", "[]"), ""), @"64 error: ebb.toml: line 10, column 1: churn.horizon_days is []: it must hold numbers of days from 1 to 3660");
    insta::assert_snapshot!(fit(&usual, ("[30]", "[0]"), ""), @"64 error: ebb.toml: line 10, column 1: churn.horizon_days is [0]: it must hold numbers of days from 1 to 3660");
    insta::assert_snapshot!(fit(&usual, ("= 90", "= 0"), ""), @"64 error: ebb.toml: line 11, column 1: churn.active_within_days is 0: it must lie between 1 and 36600");
    insta::assert_snapshot!(fit(&usual, ("[churn]", "[risk_bands]\nmedium = 0.7\nhigh = 0.6\n[churn]"), ""), @"64 error: ebb.toml: line 9, column 1: risk_bands: medium = 0.7 and high = 0.6 must be 0 < medium < high < 1");
}

#[test]
fn files_that_are_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &str| {
        let run = ebb_train(folder.path(), arguments);
        format!("{} {}", run.code, run.error())
    };
    let missing = no_such_file();
    assert_eq!(
        run("fit --config ebb.toml --out model"),
        format!("64 error: ebb.toml: {missing}")
    );
    assert_eq!(
        run("inspect --model nowhere"),
        format!("1 error: nowhere: {missing}")
    );
    fs::write(folder.path().join("ebb.toml"), CONFIG).unwrap();
    insta::assert_snapshot!(run("rollup --config ebb.toml --out rollup --partitions 0"), @"64 error: --partitions must be at least 1");
    insta::assert_snapshot!(run("score --model m --config ebb.toml --as-of 2024-05-01 --out scores.xls"), @r"
    64 error: scores.xls: the name must end in .csv or .parquet, or be - for CSV on standard output
    hint: --out names what is written
    ");
}

#[test]
fn a_folder_that_is_no_bundle_is_not_overwritten() {
    let folder = shop();
    let path = folder.path();
    fs::create_dir(path.join("thesis")).unwrap();
    fs::write(path.join("thesis/chapter1.tex"), "years of work").unwrap();
    let run = ebb_train(path, "fit --config log/ebb.toml --out thesis --quiet");
    assert_eq!(run.code, 1);
    assert!(
        run.error()
            .contains("thesis holds `chapter1.tex`, which was not written by ebb-train"),
        "{}",
        run.err
    );
    assert_eq!(contents(&path.join("thesis")).len(), 1);
}

#[test]
fn a_log_most_of_which_is_rejected_makes_no_model() {
    // Months and days the wrong way round: what can be read is read as other days.
    let date = |day: usize| format!("{:02}/{:02}/2024", 1 + day / 28 % 12, 1 + day % 28);
    let mut text = "user,time,kind\n".to_owned();
    for row in 0..2_000 {
        writeln!(text, "u{},{},purchase", row % 97, date(row % 330)).unwrap();
    }
    let swapped = "kind = \"kind\"\ntime_format = \"%d/%m/%Y\"";
    insta::assert_snapshot!(fit(&text, ("kind = \"kind\"", swapped), "--quiet"), @r#"1 error: 56.2 % of the rows were rejected, more than `events.max_rejected_share` = 0.2 allows, most of them for bad_time (1124 rows); the first is log.csv:14, column `time`: found `01/13/2024`, expected a time written as %d/%m/%Y; correct the mapping, or allow more by `events.max_rejected_share`"#);
    let rest = "\n\n[churn]\nactivity = [\"purchase\"]\nhorizon_days = [30]";
    let allowed = swapped.to_owned() + "\nmax_rejected_share = 0.7" + &rest.replace("30", "700");
    let other = fit(
        &text,
        (&("kind = \"kind\"".to_owned() + rest), &allowed),
        "--quiet",
    );
    assert!(other.contains("churn.horizon_days = 700"), "{other}");
    // Three of ten without a user are usual, six are not.
    let anonymous = |tenths: usize| {
        let mut lines = log(60, &MONTHLY, 1);
        let rows = lines.lines().count();
        (0..rows * tenths / (10 - tenths)).for_each(|_| lines += ",2024-01-01,purchase\n");
        fit(&lines, ("[30]", "[400]"), "--quiet")
    };
    assert!(anonymous(3).contains("churn.horizon_days = 400"));
    let many = anonymous(6);
    assert!(
        many.starts_with("1 ") && many.contains("`events.max_rows_without_user_share` = 0.5"),
        "{many}"
    );
}
