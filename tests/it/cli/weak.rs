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
        (shift..=last).step_by(5).for_each(|day| self.event(user, day, "purchase"));
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
             --allow-weak writes it all the same"
        )
    );
    assert!(run.out.contains("it does NOT beat recency alone") && run.out.contains("recency_only"), "{}", run.out);
    assert!(!folder.path().join("model").exists());
    let run = ebb_train(folder.path(), "fit --config ebb.toml --out model --json");
    let value: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!((run.code, &value["weak_horizons"], &value["model"]), (2, &serde_json::json!([30]), &value["out"]));
    assert!(value["card"]["horizons"][0]["evaluation"]["beats_recency_only"] == false && value["out"].is_null());
    assert!(!folder.path().join("model").exists());
    let run = ebb_train(folder.path(), "fit --config ebb.toml --out model --quiet");
    assert_eq!((run.code, run.out.as_str()), (2, ""));
}

#[test]
fn a_weak_model_leaves_the_one_before_it_alone() {
    let folder = folder(&turned());
    let path = folder.path();
    ebb_train(path, "fit --config ebb.toml --as-of 2024-04-30 --out model --quiet").ok();
    let before = contents(&path.join("model"));
    assert_eq!(ebb_train(path, "fit --config ebb.toml --out model --quiet").code, 2);
    assert!(contents(&path.join("model")) == before);
}

#[test]
fn a_weak_model_is_written_on_demand_and_says_what_it_is() {
    let folder = folder(&turned());
    let run = ebb_train(folder.path(), "fit --config ebb.toml --out model --allow-weak").ok();
    assert!(run.out.contains("Note: The 30-day model does not beat a model that knows recency only."), "{}", run.out);
    let report = fs::read_to_string(folder.path().join("model/report.html")).unwrap();
    assert!(report.contains("No better than recency alone") || report.contains("No better than one probability"));
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
    let mut log = Log("user,time,kind\n".to_owned());
    for k in 0..80 {
        log.regular(&format!("u{k}"), k % 5, if k % 2 == 0 { 49 } else { 15 + k % 5 });
    }
    let folder = folder(&log.0);
    let run = ebb_train(folder.path(), "fit --config ebb.toml --out model").ok();
    assert!(run.out.contains("nobody can say whether it beats recency alone"), "{}", run.out);
    assert!(folder.path().join("model/bundle.json").exists());
}
