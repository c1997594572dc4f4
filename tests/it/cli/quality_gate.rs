//! The quality gate on models of logs that could not be used in full.

use super::*;

/// The quality gate on a model of the simulated log, with `value` in the column `column` of every `nth` row.
fn checked(nth: usize, column: usize, value: &str, thresholds: &str) -> Run {
    let folder = shop();
    let path = folder.path();
    let spoilt = |(k, line): (usize, &str)| {
        let mut fields: Vec<&str> = line.split(',').collect();
        if k > 0 && k % nth == 0 {
            fields[column] = value;
        }
        fields.join(",") + "\n"
    };
    let text: String = log_text(path).lines().enumerate().map(spoilt).collect();
    fs::write(path.join("spoilt.csv"), text).unwrap();
    ebb_train(
        path,
        "fit --quiet --config log/ebb.toml --events spoilt.csv --out model",
    )
    .ok();
    ebb_train(
        path,
        &format!("check --model model --min-auc 0.5 {thresholds}"),
    )
}

#[test]
fn the_gate_fails_where_many_rows_were_rejected_and_passes_where_rows_name_no_user() {
    let position = |name: &str| {
        let folder = shop();
        log_text(folder.path())
            .lines()
            .next()
            .unwrap()
            .split(',')
            .position(|column| column == name)
            .unwrap()
    };
    let (user, time) = (position("user_id"), position("time"));
    let red = checked(8, time, "soon", "");
    assert_ne!(red.code, 0, "{}", red.out);
    assert!(
        red.out.contains("of rows rejected, ")
            && red.out.contains("for bad_time, at most 0.05: FAILED"),
        "{}",
        red.out
    );
    let allowed = checked(8, time, "soon", "--max-rejected-share 0.15").ok();
    assert!(allowed.out.contains("at most 0.15: ok"), "{}", allowed.out);
    let green = checked(5, user, "", "").ok();
    assert!(
        green.out.contains("names no user and is left out"),
        "{}",
        green.out
    );
}
