//! `init` proposes configurations that `fit` takes, on simulated logs and on small exports of the kinds that there are.

use std::fmt::Write as _;

use serde_json::Value;

use super::*;

/// The findings of a run with `--json`.
fn findings(folder: &Path, arguments: &str) -> Value {
    let run = ebb_train(folder, &format!("init {arguments} --json")).ok();
    serde_json::from_str(&run.out).unwrap()
}

/// The data-quality report of a log read by a configuration.
fn quality(folder: &Path, config: &str) -> Value {
    ebb_train(
        folder,
        &format!("rollup --config {config} --out rolled --quality quality.json --quiet"),
    )
    .ok();
    fs::remove_dir_all(folder.join("rolled")).unwrap();
    serde_json::from_str(&fs::read_to_string(folder.join("quality.json")).unwrap()).unwrap()
}

#[test]
fn simulated_logs_are_read_as_their_own_configuration_reads_them() {
    for season in ["mild", "none", "yearly", "term", "closing"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        ebb_train(
            path,
            &format!(
                "simulate --users 150 --days 400 --seed 3 --season {season} --out log --quiet"
            ),
        )
        .ok();
        let found = findings(path, "log/events.csv.gz");
        assert_eq!(found["out"], "ebb.toml", "{season}");
        assert_eq!(
            found["proposal"]["activity"],
            serde_json::json!(["purchase"]),
            "{season}"
        );
        let (proposed, known) = (quality(path, "ebb.toml"), quality(path, "log/ebb.toml"));
        for key in [
            "rows",
            "events",
            "users",
            "records",
            "kinds",
            "rejected_share",
            "empty_amounts",
        ] {
            assert_eq!(proposed[key], known[key], "{season}: {key}");
        }
    }
}

#[test]
fn a_proposal_is_fitted_as_it_is_and_has_the_rows_that_it_promises() {
    let folder = shop();
    let path = folder.path();
    let found = findings(path, "log/events.csv.gz");
    let fit = ebb_train(path, "fit --config ebb.toml --out model --json").ok();
    let card: Value = serde_json::from_str(&fit.out).unwrap();
    let horizon = &card["card"]["horizons"][0];
    assert_eq!(
        horizon["horizon_days"],
        found["proposal"]["windows"]["horizon_days"]
    );
    assert_eq!(card["card"]["as_of"], found["proposal"]["outlook"]["as_of"]);
    let dates = found["proposal"]["outlook"]["dates"].as_array().unwrap();
    let fitted = horizon["snapshots"].as_array().unwrap();
    assert_eq!((dates.last(), dates.len()), (fitted.last(), fitted.len()));
    assert_eq!(horizon["rows"], found["proposal"]["outlook"]["rows"]);
    assert_eq!(
        horizon["churn_rate"],
        found["proposal"]["outlook"]["churn_rate"]
    );
}

/// A log of 40 users who come every so many days from 2023-01-02 on: the day, the user and the number of each purchase.
fn purchases() -> Vec<(jiff::civil::Date, usize, usize)> {
    let mut rows = Vec::new();
    for user in 0..40 {
        let gap = 5 + user % 9;
        let last = 120 + (user * 37) % 180;
        for (number, day) in (user % 7..last).step_by(gap).enumerate() {
            let date = jiff::civil::date(2023, 1, 2) + jiff::Span::new().days(day as i64);
            rows.push((date, user, number));
        }
    }
    rows.sort();
    rows
}

/// The records that all of the exports below have.
fn expected_records() -> usize {
    purchases().len()
}

/// The text of an export, a line for each purchase.
fn export(header: &str, line: impl Fn(jiff::civil::Date, usize, usize) -> String) -> String {
    let mut text = header.to_owned();
    for (date, user, number) in purchases() {
        writeln!(text, "{}", line(date, user, number)).unwrap();
    }
    text
}

/// Proposes a configuration for a file of this name and content, and reads the log by it.
fn proposed(name: &str, content: &[u8]) -> (Value, Value) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(name), content).unwrap();
    let found = findings(folder.path(), name);
    let text = fs::read_to_string(folder.path().join("ebb.toml")).unwrap();
    assert_eq!(found["toml"], text, "what is printed is what is written");
    let quality = quality(folder.path(), "ebb.toml");
    (found, quality)
}

/// The settings of `[events]` that an export of 40 users is proposed.
fn settings(name: &str, content: &str) -> toml::Table {
    let (found, quality) = proposed(name, content.as_bytes());
    assert_eq!(
        (
            quality["users"].as_u64(),
            quality["records"].as_u64(),
            quality["rejected"].as_array().map(Vec::len)
        ),
        (Some(40), Some(expected_records() as u64), Some(0)),
        "{}",
        found["toml"]
    );
    let table: toml::Table = found["toml"].as_str().unwrap().parse().unwrap();
    let mut events = table["events"].as_table().unwrap().clone();
    assert_eq!(events.remove("paths"), Some(name.into()));
    events
}

fn table(text: &str) -> toml::Table {
    text.parse().unwrap()
}

#[test]
fn european_exports_have_their_marks_and_dates_in_the_configuration() {
    let german = export(
        "\u{feff}Bestellnummer;Bestelldatum;Uhrzeit;Kundennummer;Betrag\n",
        |date, user, number| {
            format!(
                "{user}{number:03};{};08:{number:02};K{user:05};{},{:02}",
                date.strftime("%d.%m.%Y"),
                12 + number,
                user
            )
        },
    );
    let found = settings("bestellungen.csv", &german);
    assert_eq!(
        found,
        table(
            "delimiter = ';'\nuser = 'Kundennummer'\ntime = 'Bestelldatum'\ntime_format = '%d.%m.%Y'\namount = 'Betrag'\ndecimal = ','"
        )
    );
    let brazilian = export(
        "Nº Pedido;Data da Compra;CPF Cliente;Valor Total\n",
        |date, user, number| {
            format!(
                "{user}{number:03};{} 10:{number:02};{user:011};R$ 1.{:03},50",
                date.strftime("%d/%m/%Y"),
                number
            )
        },
    );
    let found = settings("pedidos.csv", &brazilian);
    assert_eq!(
        (&found["time_format"], &found["decimal"]),
        (&"%d/%m/%Y %H:%M".into(), &",".into())
    );
    assert_eq!(
        found["amount"]["expr"],
        "Valor_Total.replace(\"R$\", \"\").trim()".into()
    );
}

#[test]
fn american_exports_have_the_month_first() {
    let text = export(
        "Order Date,Client ID,Order Total\n",
        |date, user, number| {
            format!(
                "{},{user},\"$1,2{:02}.50\"",
                date.strftime("%-m/%-d/%Y 8:05:00 PM"),
                number
            )
        },
    );
    let found = settings("orders.csv", &text);
    assert_eq!(found["time_format"], "%m/%d/%Y %I:%M:%S %p".into());
    assert_eq!(found["decimal"], ".".into());
}

#[test]
fn returns_are_kinds_where_a_letter_or_a_sign_shows_them() {
    let lines = export(
        "Invoice,Quantity,InvoiceDate,Price,Customer ID\n",
        |date, user, number| {
            let (letter, sign) = if number % 9 == 8 {
                ("C", "-")
            } else {
                ("", "")
            };
            format!(
                "{letter}{}{number:03},{sign}2,{date} 10:00:00,1.{number:02},{user}.0",
                489 + user
            )
        },
    );
    let found = settings("online_retail_ii.csv", &lines);
    assert_eq!(
        found["kind"]["expr"],
        "Invoice.startsWith(\"C\") ? \"return\" : \"purchase\"".into()
    );
    assert_eq!(
        found["amount"]["expr"],
        "double(Quantity) * double(Price)".into()
    );
    let signs = export("client_id,sale_date,value\n", |date, user, number| {
        let sign = if number % 9 == 8 { "-" } else { "" };
        format!("{user},{date},{sign}9.75")
    });
    let found = settings("sales.csv", &signs);
    assert_eq!(
        found["kind"]["expr"],
        "value.startsWith(\"-\") ? \"return\" : \"purchase\"".into()
    );
}

#[test]
fn files_without_a_header_get_names() {
    let text = export("", |date, user, number| {
        let behaviour = ["pv", "pv", "buy", "cart"][number % 4];
        let seconds = date
            .to_zoned(jiff::tz::TimeZone::UTC)
            .unwrap()
            .timestamp()
            .as_second();
        format!(
            "{},{},{behaviour},{}",
            1_000 + user,
            9_000_000 + number * 31,
            seconds + 36_000
        )
    });
    let found = settings("UserBehavior.csv", &text);
    assert_eq!(
        found,
        table(
            "columns = ['user', 'column_2', 'kind', 'time']\nuser = 'user'\ntime = 'time'\ntime_format = 'epoch_s'\ntimezone = 'UTC'\nkind = 'kind'"
        )
    );
}

#[test]
fn a_column_that_is_not_utf8_is_a_doubt_in_files_with_and_without_a_header() {
    let lines = export("", |date, user, number| {
        let behaviour = match user {
            39 => "caf\u{e9}",
            _ => ["pv", "pv", "buy", "cart"][number % 4],
        };
        format!("{},{behaviour},{date} 10:00:00", 1_000 + user)
    });
    let latin1 = |text: &str| -> Vec<u8> { text.chars().map(|c| c as u8).collect() };
    for (header, column) in [
        ("", "kind"),
        ("user_id,behaviour_type,time\n", "behaviour_type"),
    ] {
        let (found, _) = proposed("log.csv", &latin1(&format!("{header}{lines}")));
        let doubts = found["proposal"]["doubts"].to_string();
        assert!(
            doubts.contains(&format!("values of `{column}` are not UTF-8")),
            "{doubts}: {}",
            found["toml"]
        );
    }
}

#[test]
fn nested_json_is_mapped_by_dotted_names() {
    let text = export("", |date, user, number| {
        format!(
            r#"{{"event": {{"type": "{}", "at": "{date}T10:00:00+0{}:00"}}, "user": {{"id": {user}, "plan": "x"}}, "properties": {{"total": {number}.5}}}}"#,
            ["page_view", "order_completed"][number % 2],
            // Summer time begins on 26 March.
            if date < jiff::civil::date(2023, 3, 26) || date >= jiff::civil::date(2023, 10, 29) {
                1
            } else {
                2
            },
        )
    });
    let (found, quality) = proposed("events.jsonl", text.as_bytes());
    let events: toml::Table = found["toml"].as_str().unwrap().parse().unwrap();
    let mut events = events["events"].as_table().unwrap().clone();
    events.remove("paths");
    assert_eq!(
        events,
        table(
            "user = 'user.id'\ntime = 'event.at'\ntimezone = 'Europe/Berlin'\nkind = 'event.type'\namount = 'properties.total'"
        )
    );
    assert_eq!(
        found["proposal"]["activity"],
        serde_json::json!(["order_completed"])
    );
    assert_eq!(quality["users"], 40);
}

#[test]
fn ambiguous_dates_are_a_doubt_in_the_file_and_given_columns_settle_others() {
    let folder = tempfile::tempdir().unwrap();
    let text = export("account,contact,day,amount\n", |date, user, number| {
        format!(
            "a{user},c{},{:02}/{:02}/2023,{number}.5",
            user / 2,
            1 + date.day() % 12,
            date.month()
        )
    });
    let mut lines: Vec<&str> = text.lines().skip(1).collect();
    lines.sort_by_key(|line| line.len() * 7 % 11);
    let text = format!("account,contact,day,amount\n{}\n", lines.join("\n"));
    fs::write(folder.path().join("log.csv"), text).unwrap();
    let run = ebb_train(folder.path(), "init log.csv --stdout").ok();
    assert!(
        run.out.contains("# Doubt: no day is above 12")
            && run.out.contains("time_format = \"%d/%m/%Y\""),
        "{}",
        run.out
    );
    assert!(
        run.out.contains("user = \"account\"") && run.out.contains("contact"),
        "{}",
        run.out
    );
    assert!(
        !folder.path().join("ebb.toml").exists(),
        "--stdout writes nothing"
    );
    let run = ebb_train(folder.path(), "init log.csv --stdout --user contact").ok();
    assert!(
        run.out.contains("user = \"contact\"") && run.out.contains("# As given."),
        "{}",
        run.out
    );
}

#[test]
fn a_configuration_that_is_there_is_kept_unless_it_is_meant() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::create_dir(path.join("data")).unwrap();
    let text = export("user_id,time,amount\n", |date, user, _| {
        format!("u{user},{date},5")
    });
    fs::write(path.join("data/log.csv"), &text).unwrap();
    fs::write(path.join("ebb.toml"), "mine").unwrap();
    let refused = ebb_train(path, "init data/log.csv");
    assert_eq!(refused.code, 64);
    insta::assert_snapshot!(refused.error(), @"error: ebb.toml is there already; --force replaces it, --out names another file, --stdout prints the configuration");
    assert_eq!(fs::read_to_string(path.join("ebb.toml")).unwrap(), "mine");
    let run = ebb_train(path, "init data/log.csv --force").ok();
    assert!(
        run.err
            .contains("next: ebb-train fit --config ebb.toml --out model"),
        "{}",
        run.err
    );
    assert!(
        fs::read_to_string(path.join("ebb.toml"))
            .unwrap()
            .contains("paths = \"data/log.csv\"")
    );
    // Beside the log the path is another one, and a folder is a log too.
    ebb_train(path, "init data/log.csv --out data/ebb.toml").ok();
    assert!(
        fs::read_to_string(path.join("data/ebb.toml"))
            .unwrap()
            .contains("paths = \"log.csv\"")
    );
    fs::remove_file(path.join("data/ebb.toml")).unwrap();
    fs::write(path.join("data/more.csv"), text).unwrap();
    ebb_train(path, "init data --out folder.toml").ok();
    assert_eq!(quality(path, "folder.toml")["rows"], 2 * expected_records());
}

#[test]
fn what_is_no_log_is_an_error_that_says_what_was_found() {
    let folder = tempfile::tempdir().unwrap();
    let refusal = |name: &str, content: &[u8], more: &str| {
        fs::write(folder.path().join(name), content).unwrap();
        let run = ebb_train(folder.path(), &format!("init {name} --stdout {more}"));
        format!("{} {}", run.code, run.error())
    };
    insta::assert_snapshot!(refusal("empty.csv", b"", ""), @"1 error: empty.csv: the file is empty");
    insta::assert_snapshot!(refusal("header.csv", b"user,time\n", ""), @"1 error: header.csv: there is no row below the header");
    insta::assert_snapshot!(refusal("noise.csv", &[7, 0, 1, 2, 0], ""), @"64 error: noise.csv: is no text: there is a zero byte at place 1; give CSV, JSON Lines or Parquet, as they are or compressed with gzip or zstd");
    insta::assert_snapshot!(refusal("list.json", b"[{\"a\": 1}]", ""), @"1 error: list.json: holds a JSON array; write one object a line, as `jq -c '.[]'` does");
    let items = b"timestamp,item_id,click\n2024-01-01 10:00:00,7,0\n2024-01-02 10:00:00,7,1\n2024-01-02 11:00:00,9,0\n";
    insta::assert_snapshot!(refusal("items.csv", items, ""), @r"
    64 error: no column looks like the id of a user; the columns are:
      timestamp: times from 2024-01-01 to 2024-01-02
      item_id: whole numbers, 2 different such as `7`
      click: whole numbers, 2 different such as `0`
    hint: --user, --time, --kind and --amount name columns
    ");
    insta::assert_snapshot!(refusal("items.csv", items, "--user item"), @r"
    64 error: there is no column `item`; did you mean `item_id`?; the columns are:
      timestamp: times from 2024-01-01 to 2024-01-02
      item_id: whole numbers, 2 different such as `7`
      click: whole numbers, 2 different such as `0`
    hint: --user, --time, --kind and --amount name columns
    ");
    insta::assert_snapshot!(refusal("items.csv", items, "--user item_id --time click"), @"64 error: column `click` cannot be the time: it holds whole numbers, 2 different such as `0`");
    let utf16: Vec<u8> = "user,time\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    insta::assert_snapshot!(refusal("utf16.csv", &[&[0xff, 0xfe], utf16.as_slice()].concat(), ""), @"64 error: utf16.csv: the text is UTF-16; convert it to UTF-8");
    fs::write(folder.path().join("other.csv"), "user,at\na,2024-01-01\n").unwrap();
    fs::write(folder.path().join("log.csv"), "user,time\na,2024-01-01\n").unwrap();
    let run = ebb_train(folder.path(), "init log.csv other.csv");
    insta::assert_snapshot!(run.error(), @"error: log.csv and other.csv have different columns; only the first has time; only the second has at; name the files of one log");
    let run = ebb_train(folder.path(), "init -");
    insta::assert_snapshot!(run.error(), @"error: the log is read more than once, which the standard input cannot be: name files");
}
