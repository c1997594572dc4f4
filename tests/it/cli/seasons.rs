//! Fits that look at earlier years, on simulated businesses whose season is known.

use serde_json::Value;

use super::*;

/// A simulated business of nearly three years with a season, asked about 30 days.
fn business(season: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let simulate = format!(
        "simulate --quiet --season {season} --users 2500 --days 1020 --start 2022-01-01 --seed 5 --out log"
    );
    ebb_train(folder.path(), &simulate).ok();
    let config = fs::read_to_string(folder.path().join("log/ebb.toml")).unwrap();
    for (name, years) in [("none", "0"), ("default", "3")] {
        let lines = config.lines().map(|line| match line {
            line if line.starts_with("horizon_days = [") => "horizon_days = [30]".to_owned(),
            line => line.to_owned(),
        });
        let text: Vec<String> = lines.collect();
        let text = format!("{}\n\n[model]\nanniversaries = {years}\n", text.join("\n"));
        fs::write(folder.path().join(format!("log/{name}.toml")), text).unwrap();
    }
    folder
}

/// The only horizon of the card of a fit as of a day three weeks into the autumn term.
fn fitted(folder: &TempDir, config: &str) -> Value {
    let fit = format!(
        "fit --quiet --config log/{config}.toml --as-of 2024-10-10 --out {config} --allow-below-baseline"
    );
    ebb_train(folder.path(), &fit).ok();
    let card = fs::read_to_string(folder.path().join(config).join("card.json")).unwrap();
    let card: Value = serde_json::from_str(&card).unwrap();
    card["horizons"][0].clone()
}

fn tested(horizon: &Value, metric: &str) -> f64 {
    horizon["evaluation"]["model"][metric]["value"]
        .as_f64()
        .unwrap()
}

/// The day that is judged, 10 September, lies at the turn from the summer break to the autumn term. All that a fit knows by
/// then of this year is the summer.
#[test]
fn a_season_that_turns_is_foreseen_by_a_fit_that_looks_at_earlier_years() {
    let folder = business("term");
    let (with, without) = (fitted(&folder, "default"), fitted(&folder, "none"));
    let hyperparameters = &with["hyperparameters"];
    assert_eq!(
        hyperparameters["anniversaries"], 2,
        "as many as the log covers"
    );
    assert_eq!(hyperparameters["seasonal_features"], true);
    assert_eq!(without["hyperparameters"]["anniversaries"], 0);
    let gain = tested(&without, "log_loss") - tested(&with, "log_loss");
    assert!(gain > 0.1, "{gain}");
    let (with_bias, without_bias) = (tested(&with, "bias"), tested(&without, "bias"));
    assert!(
        with_bias.abs() < 0.75 * without_bias.abs(),
        "{with_bias} {without_bias}"
    );
    // Nothing of the judged window is among the dates that were learnt from.
    let days = |name: &str| with["evaluation"][name].clone();
    assert_eq!(days("test"), "2024-09-10");
    for date in days("train").as_array().unwrap() {
        assert!(date.as_str().unwrap() <= "2024-08-11", "{date}");
    }
    // The anniversaries of the predicted day are dates of the final fit.
    let dates = with["snapshots"].as_array().unwrap();
    for anniversary in ["2022-10-11", "2023-10-11"] {
        assert!(
            dates.iter().any(|date| date == anniversary),
            "{anniversary} in {dates:?}"
        );
    }
    assert_eq!(with["next_window"]["date"], "2024-10-10");
}

/// The control: without a season there is nothing to gain, and next to nothing is lost.
#[test]
fn where_there_is_no_season_earlier_years_cost_nothing() {
    let folder = business("none");
    let (with, without) = (fitted(&folder, "default"), fitted(&folder, "none"));
    let difference = tested(&with, "log_loss") - tested(&without, "log_loss");
    // The judged users are some 650, of whose losses the paired difference has a standard error of about 0.003.
    assert!((-0.012..0.006).contains(&difference), "{difference}");
}
