//! Values below other values in JSON.

use crate::events::tests::*;

const NESTED: &str = r#"
    user = "user.id"
    time = "at"
    kind = "event.type.name"
    amount = "properties.total"
"#;

fn read_json(text: &str, settings: &str) -> Result<(Histories, QualityReport), EventsError> {
    read_bytes("log.jsonl", text.as_bytes(), settings)
}

#[test]
fn dotted_names_go_down_through_objects_and_read_as_flat_keys_do() {
    let nested = r#"{"user": {"id": 7, "name": "x"}, "at": "2024-03-01", "event": {"type": {"name": "buy"}}, "properties": {"total": 9.5}}
{"at": "2024-03-02", "properties": {"items": [1, {"total": 3}]}, "event": {"type": {"name": "visit"}}, "user": {"id": "7"}}
{"at": "2024-03-03", "properties": null, "event": {"type": {"name": "visit"}}, "user": {"id": 8}}
"#;
    let flat = r#"{"user": 7, "at": "2024-03-01", "kind": "buy", "total": 9.5}
{"user": 7, "at": "2024-03-02", "kind": "visit"}
{"user": 8, "at": "2024-03-03", "kind": "visit", "total": null}
"#;
    let (expected, _) = read_json(
        flat,
        "user = 'user'\ntime = 'at'\nkind = 'kind'\namount = 'total'",
    )
    .unwrap();
    let (found, report) = read_json(nested, NESTED).unwrap();
    assert_eq!((found, report.empty_amounts), (expected, 2));
}

#[test]
fn a_flat_key_with_the_dots_comes_first_wherever_it_stands() {
    let user = |line: &str| {
        let (histories, _) = read_json(line, "user = 'user.id'\ntime = 'at'").unwrap();
        histories.at(0).unwrap().unwrap().0
    };
    for (line, expected) in [
        (
            r#"{"user.id": "flat", "user": {"id": "deep"}, "at": "2024-03-01"}"#,
            "flat",
        ),
        (
            r#"{"user": {"id": "deep"}, "user.id": "flat", "at": "2024-03-01"}"#,
            "flat",
        ),
        (r#"{"user": {"id": "deep"}, "at": "2024-03-01"}"#, "deep"),
        (
            r#"{"user": {"id": "first"}, "user": {"id": "last"}, "at": "2024-03-01"}"#,
            "last",
        ),
    ] {
        assert_eq!(user(line), expected, "{line}");
    }
}

#[test]
fn absent_values_are_empty_and_a_name_that_no_line_has_is_an_error_with_the_keys_beside_it() {
    let lines = r#"{"user": {"id": 1}, "at": "2024-03-01"}
{"user": "text", "at": "2024-03-01"}
{"user": {}, "at": "2024-03-01"}
{"at": "2024-03-01"}
"#;
    let (histories, report) = read_json(lines, "user = 'user.id'\ntime = 'at'").unwrap();
    assert_eq!(
        (histories.len(), rejections(&report)),
        (1, vec![("empty_user", 3, vec![2, 3, 4])])
    );
    let message = read_json(lines, "user = 'user.ID'\ntime = 'at'")
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("there is no column `user.ID`")
            && message.contains("did you mean `user.id`?"),
        "{message}"
    );
}

#[test]
fn a_file_of_an_unknown_ending_is_found_by_a_nested_key() {
    let folder = TempDir::new().unwrap();
    std::fs::write(
        folder.path().join("part-0"),
        r#"{"user": {"id": 1}, "at": "2024-03-01"}"#,
    )
    .unwrap();
    std::fs::write(
        folder.path().join("part-1"),
        r#"{"account": {"id": 1}, "other": {"at": 1}}"#,
    )
    .unwrap();
    let (_, report) = read_dir(
        folder.path(),
        "paths = '.'\nuser = 'user.id'\ntime = 'at'",
        None,
    )
    .unwrap();
    assert_eq!((report.files.len(), report.left_out.len()), (1, 1));
}

#[test]
fn an_expression_that_goes_down_step_by_step_reads_lines_without_the_objects() {
    let lines = r#"{"user": "a", "at": "2024-03-01", "order": {"sum": {"total": "$2.50"}}}
{"user": "b", "at": "2024-03-01", "order": {"sum": {"total": null}}}
{"user": "c", "at": "2024-03-01", "order": {"sum": {}}}
{"user": "d", "at": "2024-03-01", "order": {"sum": null}}
{"user": "e", "at": "2024-03-01", "order": {}}
{"user": "f", "at": "2024-03-01", "order": null}
{"user": "g", "at": "2024-03-01"}
"#;
    let read = |condition: &str| {
        let amount = r#"order.sum.total.replace("$", "").trim()"#;
        let settings = format!(
            "user = 'user'\ntime = 'at'\namount = {{ expr = '{condition} ? \"\" : {amount}' }}"
        );
        let (histories, report) = read_json(lines, &settings).unwrap();
        (histories.len(), report.empty_amounts)
    };
    let last = "!has(order.sum.total) || order.sum.total == null";
    let all = format!("order == null || !has(order.sum) || order.sum == null || {last}");
    assert_eq!(read(&all), (7, 6));
    // The negative control: what is below nothing cannot be asked for.
    assert_eq!(read(last), (3, 2));
}
