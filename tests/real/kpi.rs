//! The indicators of CDNOW against figures that pandas counted from the same file.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::data;

/// The rows of `ebb-train kpi --json` for everybody.
fn kpis(arguments: &str) -> Vec<Value> {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/cdnow.toml");
    let done = Command::new(env!("CARGO_BIN_EXE_ebb-train"))
        .args(["kpi", "--json", "--config"])
        .arg(config)
        .arg("--events")
        .arg(data("cdnow/CDNOW_master.txt"))
        .args(arguments.split_whitespace())
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let report: Value = serde_json::from_slice(&done.stdout).unwrap();
    report["kpis"].as_array().unwrap().clone()
}

/// Value, numerator and denominator of an indicator in a period.
fn figures(rows: &[Value], kpi: &str, period: &str) -> [f64; 3] {
    let of = |row: &&Value| row["kpi"] == kpi && row["slice"] == "all" && row["period"] == period;
    let row = rows
        .iter()
        .find(of)
        .unwrap_or_else(|| panic!("{kpi} {period}"));
    ["value", "numerator", "denominator"].map(|column| row[column].as_f64().unwrap())
}

/// An order is a user and a day; all users first ordered in the first quarter of 1997.
#[test]
fn cdnow_has_the_figures_of_pandas() {
    let all = kpis("--period all");
    let whole = |kpi: &str| figures(&all, kpi, "1997-01-01..1998-07-01");
    assert_eq!(
        whole("order_frequency"),
        [2.867_670_767_925_328_6, 67_591.0, 23_570.0]
    );
    assert_eq!(
        whole("repurchase"),
        [0.488_587_187_102_248_63, 11_516.0, 23_570.0]
    );
    assert_eq!(
        whole("repurchase_gap_median_days"),
        [34.0, 44_021.0, 44_021.0]
    );
    assert_eq!(whole("repurchase_within_30d")[0], 0.174_586_338_565_973_7);
    assert_eq!(whole("repurchase_within_90d")[0], 0.292_193_466_270_683_04);
    assert_eq!(whole("repurchase_within_180d")[0], 0.374_501_484_938_481_1);
    assert_eq!(whole("arpu")[1], 2_500_315.63);
    // What a median of the gaps that ended leaves out: 23,570 orders without a next one.
    assert_eq!(whole("repurchase_cycle_days"), [94.0, 44_021.0, 67_591.0]);

    let quarters = kpis("--period quarter");
    for (quarter, orders, users, amount, arpu) in [
        ("1997Q1", 31_141.0, 23_570.0, 1_071_805.47, 45.473_291),
        ("1997Q2", 9_473.0, 5_376.0, 359_153.66, 66.806_856),
        ("1997Q3", 7_293.0, 4_263.0, 292_395.37, 68.589_109),
        ("1997Q4", 7_412.0, 4_221.0, 300_806.76, 71.264_335),
        ("1998Q1", 6_608.0, 3_817.0, 262_823.89, 68.856_141),
        ("1998Q2", 5_664.0, 3_317.0, 213_330.48, 64.314_284),
    ] {
        let [value, numerator, denominator] = figures(&quarters, "arpu", quarter);
        assert_eq!((numerator, denominator), (amount, users), "{quarter}");
        assert!((value - arpu).abs() < 5e-7, "{quarter}: {value}");
        assert_eq!(
            figures(&quarters, "order_frequency", quarter)[1],
            orders,
            "{quarter}"
        );
    }

    let days = kpis("--period all --from 1998-04-01 --to 1998-06-30");
    let of = |kpi: &str| figures(&days, kpi, "1998-04-01..1998-06-30");
    assert_eq!(of("win_back"), [0.055_438_195_832_143_88, 971.0, 17_515.0]);
    assert_eq!(
        of("retention"),
        [0.384_971_098_265_895_93, 2_331.0, 6_055.0]
    );
    // The negative control: another day more changes them.
    let quarter = figures(&quarters, "win_back", "1998Q2");
    assert_eq!((quarter[1], quarter[2]), (977.0, 17_515.0));
}
