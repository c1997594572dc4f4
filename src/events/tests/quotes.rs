//! Quotes left open, escapes and records beyond the limits.

use crate::events::tests::*;

const SETTINGS: &str = "user = 'user'\ntime = 'at'\nkind = 'what'\namount = 'price'";

/// A log whose ninth line opens a quote that nothing closes, and whose other rows `row` writes.
fn log_with_an_open_quote(rows: usize, row: impl Fn(usize) -> String) -> String {
    let line = |n: usize| {
        if n == 9 {
            "u9,2024-03-09,buy,9,\"left the shop\n".to_owned()
        } else {
            row(n)
        }
    };
    "user,at,what,price,note\n".to_owned() + &(2..=rows + 1).map(line).collect::<String>()
}

fn users(histories: &Histories) -> Vec<String> {
    (0..histories.len())
        .map(|at| histories.at(at).unwrap().unwrap().0.clone())
        .collect()
}

#[test]
fn an_open_quote_costs_its_own_row_alone() {
    let day = |n: usize| format!("2024-03-{:02}", n % 28 + 1);
    let plain = |n| format!("u{n},{},buy,{n},ok\n", day(n));
    let quoted = |n| format!("\"u{n}\",\"{}\",\"buy\",\"{n}\",\"ok\"\n", day(n));
    let texts = |n| format!("u{n},{},buy,{n},\"two\nlines, and \"\"more\"\"\"\n", day(n));
    let inches = |n| format!("u{n},{},buy,{n},a pipe of {n}\"\n", day(n));
    let empty = |n| format!("u{n},{},buy,{n},\"\"\n", day(n));
    for (name, row) in [
        ("plain", &plain as &dyn Fn(usize) -> String),
        ("quoted", &quoted),
        ("texts of two lines", &texts),
        ("inches", &inches),
        ("empty", &empty),
    ] {
        for rows in [8, 20, 3_000] {
            let log = log_with_an_open_quote(rows, row);
            let line = 1 + log
                .split('\n')
                .position(|line| line.contains("left the shop"))
                .unwrap() as u64;
            let (histories, report) = read_csv(&log, SETTINGS).unwrap();
            assert_all_accounted_for(&report);
            assert_eq!(refusals(&report), [("open_quote", 1, vec![line])], "{name}");
            let mut expected: Vec<String> = (2..=rows + 1)
                .filter(|n| *n != 9)
                .map(|n| format!("u{n}"))
                .collect();
            expected.sort();
            assert_eq!(users(&histories), expected, "{name}");
        }
    }
    let log = log_with_an_open_quote(20, plain);
    let message = read_csv(&log, &format!("on_bad_row = 'fail'\n{SETTINGS}"))
        .unwrap_err()
        .to_string();
    insta::assert_snapshot!(message, @r#"log.csv:9: found `"left the shop`, expected a quote that closes it before other rows begin, within 1000 lines and 1048576 bytes (`events.max_record_lines`, `events.max_record_bytes`) (open_quote), since `events.on_bad_row` is "fail"; with "report" such rows are counted and passed over"#);
}

#[test]
fn texts_over_several_lines_are_read_up_to_the_limits() {
    let log = |lines: usize| {
        format!(
            "user,at,note\na,2024-01-01,\"{}\"\nb,2024-01-02,x\n",
            "x\n".repeat(lines - 1)
        )
    };
    let settings = "user = 'user'\ntime = 'at'";
    let read = |lines, limit: &str| {
        refusals(
            &read_csv(&log(lines), &format!("{limit}\n{settings}"))
                .unwrap()
                .1,
        )
    };
    assert!(read(1_000, "").is_empty());
    // Its last line is a quote, which is open by itself.
    assert_eq!(read(1_001, "")[1], ("open_quote", 2, vec![2, 1_002]));
    assert!(read(1_001, "max_record_lines = 1001").is_empty());
    assert_eq!(
        read(100, "max_record_bytes = 100")[1],
        ("open_quote", 2, vec![2, 101])
    );
}

#[test]
fn a_record_of_too_many_bytes_is_refused_in_every_format() {
    let long = "x".repeat(3 << 20);
    let csv =
        format!("user,at\na,2024-01-01\n{long},2024-01-02\n\"{long}\",2024-01-03\nb,2024-01-04\n");
    let settings = "user = 'user'\ntime = 'at'";
    let json = |user: &str, day: u8| format!("{{\"user\":\"{user}\",\"at\":\"2024-01-0{day}\"}}\n");
    let jsonl = format!(
        "\n{}{}\n{}{}",
        json("a", 1),
        json(&long, 2),
        json(&long, 3),
        json("b", 4)
    );
    let blanks = csv.replace(',', " ").replace('"', "");
    for (name, text, settings, lines) in [
        ("log.csv", csv.as_str(), settings.to_owned(), vec![3, 4]),
        (
            "log.csv",
            &csv.replace('\n', "\r\n"),
            settings.to_owned(),
            vec![3, 4],
        ),
        (
            "log.csv",
            &csv.replace('\n', "\r"),
            settings.to_owned(),
            vec![3, 4],
        ),
        ("log.csv", csv.trim_end(), settings.to_owned(), vec![3, 4]),
        (
            "log.txt",
            &blanks,
            format!("delimiter = 'whitespace'\n{settings}"),
            vec![3, 4],
        ),
        ("log.jsonl", &jsonl, settings.to_owned(), vec![3, 5]),
    ] {
        let (histories, report) = read_bytes(name, text.as_bytes(), &settings).unwrap();
        assert_all_accounted_for(&report);
        assert_eq!(refusals(&report), [("record_too_long", 2, lines)], "{name}");
        assert_eq!(users(&histories), ["a", "b"]);
    }
}

#[test]
fn quotes_escaped_by_backslashes_are_recognised_or_configured() {
    let row = |n: usize| format!("u{n},2024-03-01,\"say \\\"{n}\\\", \\\\ and more\",{n}\n");
    let log = "user,at,what,price\n".to_owned() + &(0..50).map(row).collect::<String>();
    let kinds = |report: &QualityReport| {
        report
            .kinds
            .iter()
            .map(|kind| kind.kind.clone())
            .collect::<Vec<_>>()
    };
    let (_, report) = read_csv(&log, SETTINGS).unwrap();
    assert_eq!(
        (report.events, report.files[0].escape),
        (50, Some(Escape::Backslash))
    );
    assert_eq!(
        kinds(&report)[..2],
        ["say \"0\", \\ and more", "say \"1\", \\ and more"]
    );
    assert!(
        report
            .render()
            .contains("log.csv (csv, whose quotes are escaped by backslashes)")
    );
    assert_eq!(serde_json::json!(report)["files"][0]["escape"], "\\");
    let (_, configured) = read_csv(&log, &format!("escape = '\\'\n{SETTINGS}")).unwrap();
    assert_eq!(
        (kinds(&configured), configured.files[0].escape),
        (kinds(&report), None)
    );
    // With doubled quotes alone, a backslash is a letter, and the rows are malformed.
    let (_, doubled) = read_csv(&log, &format!("escape = '\"'\n{SETTINGS}")).unwrap_or_default();
    assert_ne!(kinds(&doubled), kinds(&report));
}

#[test]
fn a_backslash_that_ends_a_text_is_no_escape() {
    for kind in ["C:\\", "C:\\\",\"D:\\", "\\", "say \"\"hi\"\" \\", "a\\\\"] {
        let columns = kind.split("\",\"").count();
        let header = ["user,at,what,price", "user,at,what,more,price"][columns - 1];
        let row = |n: usize| format!("u{n},2024-03-01,\"{kind}\",{n}\n");
        let log = format!("{header}\n") + &(0..50).map(row).collect::<String>();
        let (_, report) = read_csv(&log, SETTINGS).unwrap();
        assert_eq!(
            (report.events, report.files[0].escape),
            (50, None),
            "{kind}"
        );
        let expected = kind.split("\",\"").next().unwrap().replace("\"\"", "\"");
        assert_eq!(report.kinds[0].kind, expected);
    }
}

#[test]
fn long_and_odd_names_make_a_report_of_usual_width() {
    let user = "x".repeat(100_000);
    let log = format!("user,at,what,price\n{user},2024-01-01,b\u{1b}[31muy,1\n");
    let text = read_csv(&log, SETTINGS).unwrap().1.render();
    assert!(
        text.contains("b\\u{1b}[31muy") && text.lines().all(|line| line.len() < 120),
        "{text}"
    );
}
