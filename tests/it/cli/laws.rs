//! Laws of frequency: the command, the card and the report.

use ebb::card::{Card, LawsCard, TenureSeries};

use super::value::business;
use super::*;

fn laws(folder: &Path, arguments: &str) -> LawsCard {
    let run = ebb_train(folder, &format!("laws --format json {arguments}")).ok();
    serde_json::from_str(&run.out).unwrap()
}

#[test]
fn the_command_prints_what_the_card_of_a_fit_holds() {
    let folder = business();
    let fit = "fit --quiet --config log/with.toml --out model --allow-below-baseline";
    ebb_train(folder.path(), fit).ok();
    let card = fs::read_to_string(folder.path().join("model/card.json")).unwrap();
    let card: Card = serde_json::from_str(&card).unwrap();
    let of_card = card.laws.unwrap();
    let by_tier = laws(folder.path(), "--config log/with.toml --model model");
    assert_eq!(by_tier, of_card);
    // Without a model there are stages alone, of the same users.
    let by_stage = laws(folder.path(), "--config log/with.toml");
    assert!(by_stage.strata.iter().all(|s| s.name.tier.is_none()));
    for stratum in &by_stage.strata {
        let same = by_tier.strata.iter().find(|s| s.name == stratum.name);
        assert_eq!(same.unwrap().users, stratum.users);
    }
    assert!(by_tier.strata.iter().any(|s| s.name.tier.is_some()));
    assert!(
        by_tier
            .strata
            .iter()
            .all(|s| s.users >= 30 && s.fitted_users <= s.users)
    );
    assert!(
        !by_tier.withheld.is_empty(),
        "some tier of some stage has fewer than 30 users"
    );
    for name in &by_tier.withheld {
        assert!(by_tier.strata.iter().all(|s| s.name != *name));
    }
    let [activity, churn] = &by_tier.series[..] else {
        panic!("{:?}", by_tier.series);
    };
    assert_eq!(
        (activity.series, activity.first_week),
        (TenureSeries::Activity, 2)
    );
    assert_eq!((churn.series, churn.first_week), (TenureSeries::Churn, 1));
    assert!(churn.users.len() > 20 && churn.users.iter().all(|users| *users >= 30));
    let page = fs::read_to_string(folder.path().join("model/report.html")).unwrap();
    assert!(page.contains("<section id=\"laws\""));
}

#[test]
fn the_command_prints_sentences_with_the_claims() {
    let folder = quick_shop();
    let text = ebb_train(folder.path(), "laws --config log/ebb.toml")
        .ok()
        .out;
    for part in [
        "Active days from ",
        "active days are ",
        "What is often said\n",
        "Pareto distribution early (acquisition): ",
        "Normal distribution late (mature): ",
        "Turning points by week of tenure\n",
        "share of users whose churn begins: ",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let decided = ["confirmed", "refuted", "undecided"];
    assert_eq!(
        decided
            .iter()
            .map(|word| text.matches(word).count())
            .sum::<usize>(),
        2,
        "{text}"
    );
    // One seed gives one answer, whatever the number of threads.
    let again = ebb_train(folder.path(), "laws --config log/ebb.toml")
        .ok()
        .out;
    assert_eq!(again, text);
}

#[test]
fn a_log_that_is_too_short_is_refused_with_the_setting_to_change() {
    let folder = quick_shop();
    let run = ebb_train(
        folder.path(),
        "laws --config log/ebb.toml --as-of 2024-01-20",
    );
    assert_eq!(run.code, 1);
    let error = run.error();
    assert!(
        error.contains("the laws of frequency were never observed: the log spans 19 days")
            && error.contains("shorten churn.horizon_days"),
        "{error}"
    );
}
