use crate::events::tests::*;

#[test]
fn every_reason_is_counted_with_its_line() {
    let log = "user,at,what,price,raw\n\
        a,2020-01-01,buy,1,x\n\
        ,2020-01-01,buy,1,x\n\
        a,,buy,1,x\n\
        a,2020-02-30,buy,1,x\n\
        a,9999-12-31,buy,1,x\n\
        a,2020-01-01, ,1,x\n\
        a,2020-01-01,buy,1e13,x\n\
        a,2020-01-01,buy,NaN,x\n\
        a,2020-01-01,buy\n\
        a,2020-01-01,buy,1,x,y\n\
        a,2020-01-01,b\u{1}y,one,x\n\
        \u{20}a ,2020-01-01, buy ,,x\n";
    // Latin-1 in a column that is not used does no harm; in one that is used it does.
    let mut bytes = log.as_bytes().to_vec();
    bytes.extend_from_slice(b"a,2020-01-01,buy,1,caf\xe9\na,2020-01-01,caf\xe9,1,x\n");
    let (histories, report) = read_bytes("log.csv", &bytes, PLAIN).unwrap();
    assert_all_accounted_for(&report);
    assert_eq!(
        (histories.len(), report.events, report.empty_amounts),
        (1, 3, 1)
    );
    assert_eq!(
        refusals(&report),
        [
            ("wrong_column_count", 2, vec![10, 11]),
            ("not_utf8", 1, vec![15]),
            ("empty_user", 1, vec![3]),
            ("empty_time", 1, vec![4]),
            ("bad_time", 1, vec![5]),
            ("time_out_of_range", 1, vec![6]),
            ("empty_kind", 1, vec![7]),
            ("bad_amount", 3, vec![8, 9, 12]),
        ]
    );
    let bad_time = &report.refused[4].first[0];
    assert_eq!(bad_time.position(), "log.csv:5, column `at`");
    assert!(
        bad_time
            .problem()
            .starts_with("found `2020-02-30`, expected a time written as ISO 8601")
    );
}

#[test]
fn json_lines_are_refused_by_line_too() {
    let log = "{\"user\":1,\"at\":\"2020-01-01\",\"what\":\"buy\",\"price\":\"2.5\"}\n\
        \n\
        {\"user\":1,\"at\":\n\
        [1]\n\
        {\"user\":[1],\"at\":\"2020-01-01\",\"what\":\"buy\"}\n\
        {\"user\":null,\"at\":\"2020-01-01\",\"what\":\"buy\"}\n\
        {\"user\":18446744073709551615,\"at\":\"2020-01-01\",\"what\":true}\n\
        {\"user\":\"x\",\"at\":\"2020-01-01\"}\n\
        {\"user\":2.0,\"at\":\"2020-01-01\",\"what\":\"buy\",\"price\":true} \n\
        {\"user\":1} trailing\n";
    let mut bytes = log.as_bytes().to_vec();
    bytes.extend_from_slice(b"{\"user\":\"\xe9\"}");
    let (histories, report) = read_bytes("log.jsonl", &bytes, PLAIN).unwrap();
    assert_all_accounted_for(&report);
    let user = |position| histories.at(position).unwrap().map(|(user, _)| user);
    assert_eq!(
        (user(0).as_deref(), user(1).as_deref(), user(2)),
        (Some("1"), Some("18446744073709551615"), None)
    );
    assert_eq!(
        refusals(&report),
        [
            ("bad_json", 3, vec![3, 4, 10]),
            ("not_utf8", 1, vec![11]),
            ("bad_type", 1, vec![5]),
            ("empty_user", 1, vec![6]),
            ("empty_kind", 1, vec![8]),
            ("bad_amount", 1, vec![9]),
        ]
    );
}

#[test]
fn a_failing_expression_shows_its_inputs() {
    let settings = "user = 'user'\ntime = 'at'\namount = { expr = 'double(q) * double(p)' }";
    let (_, report) = read_csv(
        "user,at,q,p\na,2020-01-01,2,3\na,2020-01-01,two,3\na,2020-01-01,two,3\n",
        settings,
    )
    .unwrap();
    assert_eq!(refusals(&report), [("expression_failed", 2, vec![3, 4])]);
    let place = &report.refused[0].first[0];
    assert_eq!(
        (place.column.as_str(), place.value.as_str()),
        ("`double(q) * double(p)`", "p=\"3\", q=\"two\"")
    );
}

#[test]
fn lines_are_physical_lines_of_the_file() {
    // A quoted newline, blank lines, a byte order mark, and a record that no newline ends.
    let log = "\u{feff}user,at,note\n\na,2020-01-01,\"two\nlines\"\n,2020-01-01,x\n\n\n,2020-01-01,\"a\n\nb\"\n,2020-01-01,y";
    let settings = "user = 'user'\ntime = 'at'";
    for text in [
        log.to_owned(),
        log.replace('\n', "\r\n"),
        log.to_owned() + "\n",
        log.replace('\n', "\r\n") + "\r\n",
    ] {
        let (_, report) = read_csv(&text, settings).unwrap();
        assert_eq!(
            refusals(&report),
            [("empty_user", 3, vec![5, 8, 11])],
            "{text:?}"
        );
    }
    let settings = "user = 'user'\ntime = 'at'\ndelimiter = 'whitespace'";
    let (_, report) = read_csv(
        "\r\n user  at\r\n\r\n a 2020-01-01\r\n\t\r\n b\r\n",
        settings,
    )
    .unwrap();
    assert_eq!(refusals(&report), [("wrong_column_count", 1, vec![6])]);
}

#[test]
fn fail_stops_at_the_first_bad_row() {
    let settings = format!("on_bad_row = 'fail'\n{PLAIN}");
    let log = "user,at,what,price\na,2020-01-01,buy,1\nb,01/02/2020,buy,1\nc,,buy,1\n";
    let message = read_csv(log, &settings).unwrap_err().to_string();
    insta::assert_snapshot!(message, @r#"log.csv:3, column `at`: found `01/02/2020`, expected a time written as ISO 8601, such as 2024-01-31 08:15:00, since `events.time_format` is not set (bad_time), since `events.on_bad_row` is "fail"; with "report" such rows are counted and passed over"#);
    let message = read_csv("user,at,what,price\na\n", &settings)
        .unwrap_err()
        .to_string();
    insta::assert_snapshot!(message, @r#"log.csv:2: found `1`, expected 4 columns (wrong_column_count), since `events.on_bad_row` is "fail"; with "report" such rows are counted and passed over"#);
}

#[test]
fn what_lies_after_the_as_of_day_is_not_seen() {
    let dir = TempDir::new().unwrap();
    fs::write(
        dir.path().join("log.csv"),
        "user,at,what,price\na,2020-01-01,buy,1\na,2020-01-02,,nonsense\n",
    )
    .unwrap();
    let settings = format!("on_bad_row = 'fail'\n{PLAIN}");
    let (histories, report) = read_dir(dir.path(), &settings, Some("2020-01-02")).unwrap();
    assert_eq!((histories.record_count(), report.rows_after_as_of), (1, 1));
    assert!(read_dir(dir.path(), &settings, Some("2020-01-03")).is_err());
}

#[test]
fn the_report_reads_well() {
    let mut log = "user,at,what,price\n".to_owned();
    for n in 0..1_234 {
        log += &format!(
            "u{},2020-0{}-{:02},{},{}.5\n",
            n % 97,
            1 + n % 9,
            1 + n % 28,
            ["buy", "send back"][n % 2],
            n as i64 % 7 - 1
        );
    }
    log += "bot,2020-01-01,buy,\nbot,2020-01-01,buy,\nbot,2021-01-01,buy,2\nlate,2020-13-01,buy,2\n,2020-01-01,buy,1\nonly\n";
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("log.csv"), log).unwrap();
    let (_, report) = read_dir(dir.path(), PLAIN, Some("2021-01-01")).unwrap();
    assert_all_accounted_for(&report);
    insta::assert_snapshot!(report.render(), @r#"
    file                        1,240 rows   log.csv (csv)
    rows read                   1,240 100.0 %
    events kept                 1,236  99.7 %
    rows refused                    1   0.1 %   wrong_column_count
    rows refused                    1   0.1 %   empty_user
    rows refused                    1   0.1 %   bad_time
    after as-of day                 1   0.1 %   not seen
    empty amounts                   2   0.2 %   count as 0
    duplicates                      1   0.1 %   equal rows; kept
    span                          272 days   2020-01-01 to 2020-09-28
    users                          98
    records                     1,235         one for each user, day and kind

      kind              events        users  negative amounts
      buy                  619           98                89
      send back            617           97                88

      most events         events    share
      u0                      13    1.1 %
      u1                      13    1.1 %
      u10                     13    1.1 %
      u11                     13    1.1 %
      u12                     13    1.1 %

      wrong_column_count (1 row)
        log.csv:1241: found `1`, expected 4 columns

      empty_user (1 row)
        log.csv:1240, column `user`: found nothing, expected a user id

      bad_time (1 row)
        log.csv:1239, column `at`: found `2020-13-01`, expected a time written as ISO 8601, such as 2024-01-31 08:15:00, since `events.time_format` is not set
    "#);
    assert_eq!(
        serde_json::to_value(&report).unwrap()["refused"][0]["reason"],
        "wrong_column_count"
    );
}
