//! A model that does not beat recency alone is shown, and written only on demand.

use std::fmt::Write;

use ebb::history::Day;

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
active_within_days = 20

[model]
l2 = 1.0
"#;

/// A log that is written day by day, counted from 2024-01-01.
struct Log(String);

impl Log {
    fn event(&mut self, user: &str, day: usize, kind: &str) {
        let date = "2024-01-01".parse::<Day>().unwrap().plus(day as i32);
        writeln!(self.0, "{user},{date},{kind}").unwrap();
    }

    /// A purchase on every fifth day, up to and with a last one.
    fn regular(&mut self, user: &str, shift: usize, last: usize) {
        (shift..=last)
            .step_by(5)
            .for_each(|day| self.event(user, day, "purchase"));
    }
}

/// Until day 120 a ticket means leaving; from then on the users without one leave. Whoever learnt from the past is
/// worse off than who knows recency only.
fn turned() -> String {
    let mut log = Log("user,time,kind\n".to_owned());
    for k in 0..80 {
        let (user, last) = (format!("left{k}"), 35 + k % 50);
        log.regular(&user, last % 5, last);
        log.event(&user, last, "ticket");
    }
    for k in 0..25 {
        let user = format!("calm{k}");
        log.regular(&user, k % 5, 149);
        log.event(&user, 40 + k, "ticket");
    }
    for k in 0..120 {
        log.regular(&format!("loyal{k}"), k % 5, 115 + k % 5);
    }
    for k in 0..60 {
        let user = format!("cross{k}");
        log.regular(&user, k % 5, 149);
        log.event(&user, 116 + k % 4, "ticket");
    }
    log.0
}

/// A folder with a log and its configuration.
fn folder(log: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ebb.toml"), CONFIG).unwrap();
    fs::write(folder.path().join("log.csv"), log).unwrap();
    folder
}

#[test]
fn a_weak_model_is_shown_and_not_written() {
    let folder = folder(&turned());
    let run = ebb_train(folder.path(), "fit --config ebb.toml --out model");
    assert_eq!(
        (run.code, run.error()),
        (
            2,
            "error: the 30-day model does not beat a model that knows recency only, so nothing was written; \
             --allow-below-baseline writes it all the same"
        )
    );
    assert!(
        run.out.contains("it does NOT beat recency alone") && run.out.contains("recency_only"),
        "{}",
        run.out
    );
    assert!(!folder.path().join("model").exists());
    let run = ebb_train(folder.path(), "fit --config ebb.toml --out model --json");
    let value: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(
        (run.code, &value["weak_horizons"], &value["model"]),
        (2, &serde_json::json!([30]), &value["out"])
    );
    assert!(
        value["card"]["horizons"][0]["evaluation"]["beats_recency_only"] == false
            && value["out"].is_null()
    );
    assert!(!folder.path().join("model").exists());
    let run = ebb_train(folder.path(), "fit --config ebb.toml --out model --quiet");
    assert_eq!((run.code, run.out.as_str()), (2, ""));
}

#[test]
fn a_weak_model_leaves_the_one_before_it_alone() {
    let folder = folder(&turned());
    let path = folder.path();
    ebb_train(
        path,
        "fit --config ebb.toml --as-of 2024-04-30 --out model --quiet",
    )
    .ok();
    let before = contents(&path.join("model"));
    assert_eq!(
        ebb_train(path, "fit --config ebb.toml --out model --quiet").code,
        2
    );
    assert!(contents(&path.join("model")) == before);
}

#[test]
fn a_weak_model_is_written_on_demand_and_says_what_it_is() {
    let folder = folder(&turned());
    let run = ebb_train(
        folder.path(),
        "fit --config ebb.toml --out model --allow-below-baseline",
    )
    .ok();
    assert!(
        run.out
            .contains("Note: The 30-day model does not beat a model that knows recency only."),
        "{}",
        run.out
    );
    let report = fs::read_to_string(folder.path().join("model/report.html")).unwrap();
    assert!(report.contains("Not shown to be better"));
}

#[test]
fn a_healthy_model_needs_no_leave() {
    let folder = shop();
    let run = ebb_train(folder.path(), "fit --config log/ebb.toml --out model").ok();
    assert!(run.out.contains("it beats recency alone"), "{}", run.out);
    assert!(folder.path().join("model/bundle.json").exists());
}

#[test]
fn a_log_too_short_to_judge_on_gives_a_note_and_a_model() {
    // 50 days hold one window of 30 days and no earlier date whose window ends before it.

    let mut log = Log("user,time,kind\n".to_owned());
    for k in 0..80 {
        log.regular(
            &format!("u{k}"),
            k % 5,
            if k % 2 == 0 { 49 } else { 15 + k % 5 },
        );
    }
    let folder = folder(&log.0);
    let run = ebb_train(folder.path(), "fit --config ebb.toml --out model").ok();
    assert!(
        run.out
            .contains("Note: The log is too short to judge the 30-day model"),
        "{}",
        run.out
    );
    assert!(
        run.out.contains("it spans 50 days, and 61 would do."),
        "{}",
        run.out
    );
    assert!(folder.path().join("model/bundle.json").exists());
}

/// The lines of a run that tell why a model was not judged.
fn causes(run: &Run) -> Vec<&str> {
    run.out
        .lines()
        .filter(|line| line.starts_with("Note: ") && line.contains("judge"))
        .collect()
}

/// The fit of a log, which must not blame the log's length, and what `check` and the report say of it.
fn unjudged(log: &str, because: &str) {
    let folder = folder(log);
    let run = ebb_train(folder.path(), "fit --config ebb.toml --out model").ok();
    assert!(
        causes(&run).iter().any(|line| line.contains(because)),
        "{because}: {}",
        run.out
    );
    let check = ebb_train(folder.path(), "check --model model --min-auc 0.5");
    assert!(
        check.out.contains(because) && check.out.contains("not tested: FAILED"),
        "{}",
        check.out
    );
    let report = fs::read_to_string(folder.path().join("model/report.html")).unwrap();
    assert!(report.contains(because), "{because}");
    for said in [&run.out, &check.out, &report] {
        assert!(!said.contains("too short to judge"), "{said}");
    }
}

#[test]
fn few_users_of_a_long_log_are_told_as_few_users() {
    let mut log = Log("user,time,kind\n".to_owned());
    for k in 0..30 {
        log.regular(
            &format!("u{k}"),
            k % 5,
            if k % 3 == 0 { 60 + 9 * k } else { 399 },
        );
    }
    unjudged(&log.0, "Too few users to judge the 30-day model");
}

#[test]
fn a_date_of_one_class_is_told_with_what_became_of_it() {
    let mut log = Log("user,time,kind\n".to_owned());
    for k in 0..200 {
        log.regular(
            &format!("u{k}"),
            k % 5,
            if k % 2 == 0 { 60 + k } else { 389 },
        );
    }
    unjudged(
        &log.0,
        "stayed within 30 days, so nothing can be told apart there",
    );
}

#[test]
fn a_handful_of_churners_is_told_as_such() {
    let mut log = Log("user,time,kind\n".to_owned());
    // One leaves long before the newest date, one just before it.
    for k in 0..200 {
        log.regular(
            &format!("u{k}"),
            k % 5,
            if k == 0 {
                120
            } else if k == 1 {
                352
            } else {
                399
            },
        );
    }
    unjudged(&log.0, "Too few users churned to judge the 30-day model");
}

#[test]
fn dates_too_close_together_are_told_with_their_settings() {
    let log = turned();
    let folder = folder(&log);
    let path = folder.path();
    fs::write(
        path.join("ebb.toml"),
        format!("{CONFIG}snapshots = 3\nspacing_days = 2\n"),
    )
    .unwrap();
    let run = ebb_train(path, "fit --config ebb.toml --out model").ok();
    let said = "The 3 dates of the fit lie too close together to judge the 30-day model: none is 30 days before the newest. \
                Raise model.snapshots or model.spacing_days.";
    assert!(run.out.contains(said), "{}", run.out);
}

#[test]
fn users_that_hardly_ever_come_back_are_doubted() {
    let mut log = Log("user,time,kind\n".to_owned());
    (0..3_000).for_each(|k| log.event(&format!("order{k}"), k % 300, "purchase"));
    (0..80).for_each(|k| log.regular(&format!("u{k}"), k % 5, 299));
    let folder = folder(&log.0);
    let run = ebb_train(
        folder.path(),
        "fit --config ebb.toml --out model --allow-below-baseline",
    )
    .ok();
    let said = "Only 80 of 3080 users were active on more than one day (2.6 %): does `events.user` name users";
    assert!(run.out.contains(said), "{}", run.out);
}
