//! Key performance indicators on the command line.

use super::*;

fn kpi(folder: &Path, arguments: &str) -> Run {
    ebb_train(folder, &format!("kpi --config log/ebb.toml {arguments}"))
}

/// Appends settings to the configuration.
fn configure(folder: &TempDir, settings: &str) {
    let path = folder.path().join("log/ebb.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, format!("{text}\n{settings}\n")).unwrap();
}

#[test]
fn the_roll_up_gives_the_figures_of_the_log_in_every_form() {
    let folder = shop();
    let path = folder.path();
    ebb_train(path, "rollup --quiet --config log/ebb.toml --out rolled").ok();
    let asked = "--quiet --by stage,cohort --period month";
    let raw = kpi(path, &format!("{asked} --out -")).ok().out;
    let rolled = kpi(path, &format!("{asked} --events rolled --out -"))
        .ok()
        .out;
    assert!(raw.lines().count() > 100, "{raw}");
    assert!(raw == rolled, "the roll-up gives other figures");
    let header = raw.lines().next().unwrap();
    assert_eq!(
        header,
        "kpi,period,from,until,slice,value,numerator,denominator,low,high,complete,problem"
    );
    kpi(path, &format!("{asked} --out kpi.csv")).ok();
    assert_eq!(
        fs::read_to_string(path.join("kpi.csv")).unwrap().trim_end(),
        raw.trim_end()
    );
    kpi(path, &format!("{asked} --out kpi.parquet")).ok();
    assert!(fs::metadata(path.join("kpi.parquet")).unwrap().len() > 1_000);
    // The negative control: other periods have other figures.
    assert_ne!(kpi(path, "--quiet --period quarter --out -").ok().out, raw);
    let text = kpi(path, "--period quarter").ok().out;
    assert!(
        text.contains("2024Q1 (2024-01-01 to 2024-03-31)") && text.contains("retention"),
        "{text}"
    );
    let json = kpi(path, "--json --period quarter").ok().out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(json["kpis"][0]["kpi"].is_string() && json["withheld"].is_u64());
}

#[test]
fn no_figure_counts_fewer_users_than_the_setting_says() {
    let folder = shop();
    configure(&folder, "[privacy]\nmin_users = 30");
    let rows = |folder: &TempDir| -> Vec<Vec<String>> {
        let text = kpi(folder.path(), "--quiet --by stage,cohort --out -")
            .ok()
            .out;
        let lines = text.lines().skip(1);
        lines
            .map(|line| line.split(',').map(str::to_owned).collect())
            .collect()
    };
    let withheld = |rows: &[Vec<String>]| {
        let few = ["too_few_users", "hidden_with_another"];
        rows.iter()
            .filter(|row| few.contains(&row[11].as_str()))
            .count()
    };
    let strict = rows(&folder);
    for row in &strict {
        let (numerator, denominator) = (row[6].parse::<f64>(), row[7].parse::<f64>());
        let is_share = ["retention", "churn", "win_back", "stage_mix"].contains(&row[0].as_str());
        if let (true, Ok(some), Ok(all)) = (is_share, numerator, denominator) {
            for part in [some, all - some, all] {
                assert!(part == 0.0 || part >= 30.0, "{row:?}");
            }
        }
    }
    let other = shop();
    configure(&other, "[privacy]\nmin_users = 2");
    let loose = rows(&other);
    assert_eq!(loose.len(), strict.len(), "withheld rows stay");
    assert!(withheld(&strict) > withheld(&loose) + 20);
}

#[test]
fn tiers_segments_and_values_come_from_a_bundle() {
    let folder = shop();
    let path = folder.path();
    let text = fs::read_to_string(path.join("log/ebb.toml")).unwrap();
    let text = text.replace("horizon_days = 180", "horizon_days = 90");
    fs::write(path.join("log/ebb.toml"), text).unwrap();
    ebb_train(
        path,
        "fit --quiet --config log/ebb.toml --out model --allow-below-baseline",
    )
    .ok();
    let out = kpi(
        path,
        "--quiet --model model --by tier,segment --period quarter --out -",
    )
    .ok()
    .out;
    let of = |start: &str| out.lines().filter(|line| line.starts_with(start)).count();
    assert!(
        out.contains(",tier=high,") && out.contains(",segment="),
        "{out}"
    );
    assert!(of("ltv,") > 2 && of("high_value_share,") > 0, "{out}");
    let refused = kpi(path, "--by tier");
    assert_eq!(refused.code, 64);
    assert!(
        refused.error().contains("give a model that has them"),
        "{}",
        refused.error()
    );
}

#[test]
fn bad_costs_settings_and_days_are_refused_with_their_place() {
    let folder = shop();
    let path = folder.path();
    configure(&folder, "[costs]\nfile = \"costs.csv\"");
    let missing = kpi(path, "");
    assert_eq!(missing.code, 64);
    assert!(
        missing.error().contains("costs.csv (costs.file)"),
        "{}",
        missing.error()
    );
    let costs = |text: &str| fs::write(path.join("log/costs.csv"), text).unwrap();
    costs("month,channel,cost\n2024-01,ads,many\n");
    let error = kpi(path, "").error().to_owned();
    assert!(
        error.contains("line 2: cost `many` is no number"),
        "{error}"
    );
    costs("month,channel,cost\n2024-02,ads,1000\n2024-02,fairs,500\n2030-01,ads,5\n");
    let out = kpi(path, "--out -").ok();
    let cac: Vec<&str> = out
        .out
        .lines()
        .filter(|line| line.starts_with("cac,"))
        .collect();
    assert!(
        cac.len() == 1 && cac[0].contains("2024-02") && cac[0].contains(",1500,"),
        "{cac:?}"
    );
    assert!(
        out.err
            .contains("1 months of costs lie in none of the periods"),
        "{}",
        out.err
    );
    let late = kpi(path, "--from 2031-01-01");
    assert_eq!(late.code, 64);
    assert!(
        late.error().contains("there is no day from 2031-01-01"),
        "{}",
        late.error()
    );
    configure(&folder, "[kpi]\norder_kinds = \"buy\"");
    let kind = kpi(path, "");
    assert_eq!(kind.code, 64);
    assert!(
        kind.error().contains("kpi.order_kinds names `buy`"),
        "{}",
        kind.error()
    );
}
