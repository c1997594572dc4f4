//! What `check` says of a log that could not be used in full.

use super::*;

/// The simulated log with every `nth` row's column `column` emptied or spoilt; fitted, and what the CI hyperparameters says of it.
fn checked(nth: usize, column: usize, value: &str, floors: &str) -> Run {
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
    ebb_train(path, &format!("check --model model --min-auc 0.5 {floors}"))
}

#[test]
fn ci_goes_red_where_many_rows_were_refused_and_stays_green_where_rows_name_no_user() {
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
        red.out.contains("of rows refused, ")
            && red.out.contains("for bad_time, at most 0.05: FAILED"),
        "{}",
        red.out
    );
    let allowed = checked(8, time, "soon", "--max-refused-share 0.15").ok();
    assert!(allowed.out.contains("at most 0.15: ok"), "{}", allowed.out);
    let green = checked(5, user, "", "").ok();
    assert!(
        green.out.contains("names no user and is left out"),
        "{}",
        green.out
    );
}
