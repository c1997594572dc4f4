use crate::events::tests::*;

fn message(result: Result<(Histories, QualityReport), EventsError>) -> String {
    result.unwrap_err().to_string()
}

const LOG: &str = "CustomerID,InvoiceDate,Quantity\n7,2020-01-01,2\n";

#[test]
fn an_unknown_column_names_the_nearest() {
    let settings = "user = 'CustomerId'\ntime = 'InvoiceDate'";
    let text = message(read_csv(LOG, settings));
    assert!(
        text.ends_with(
            "log.csv: there is no column `CustomerId`, which `events.user` names; did you mean `CustomerID`?; \
         the columns are CustomerID, InvoiceDate, Quantity"
        ),
        "{text}"
    );
    let settings =
        "user = 'CustomerID'\ntime = 'InvoiceDate'\namount = { expr = 'double(Quantty)' }";
    let text = message(read_csv(LOG, settings));
    assert!(
        text.contains("no column `Quantty`, which `events.amount` names; did you mean `Quantity`?"),
        "{text}"
    );
    let settings = "user = 'usr'\ntime = 't'";
    let text = message(read_bytes(
        "log.jsonl",
        b"{\"user\":1,\"t\":\"2020-01-01\"}\n",
        settings,
    ));
    assert!(
        text.contains("no column `usr`, which `events.user` names; did you mean `user`?"),
        "{text}"
    );
    let text = message(read_csv("a,a,t\n", "user = 'a'\ntime = 't'"));
    assert!(text.contains("there are several columns `a`"), "{text}");
}

#[test]
fn a_bad_expression_is_an_error_before_anything_is_read() {
    for (expression, expected) in [
        (
            "double(Quantity",
            "the expression `double(Quantity` is wrong",
        ),
        ("1 +", "the expression `1 +` is wrong"),
        ("", "is wrong"),
        ("dubble(Quantity)", "there is no function `dubble`"),
        ("Quantity.dubble()", "there is no function `dubble`"),
    ] {
        let settings = format!(
            "user = 'CustomerID'\ntime = 'InvoiceDate'\namount = {{ expr = '{expression}' }}"
        );
        let text = message(read_csv(LOG, &settings));
        assert!(
            text.contains(expected) && text.contains("events.amount"),
            "{text}"
        );
    }
}

#[test]
fn a_compressed_file_that_stops_in_the_middle_is_named() {
    let log: String = (0..50_000)
        .map(|n| format!("{n},2020-01-01,{}\n", n * 7))
        .collect();
    let (gz, zst) = (
        gzip(log.as_bytes()),
        zstd::encode_all(log.as_bytes(), 1).unwrap(),
    );
    let settings = "columns = ['u', 't', 'x']\nuser = 'u'\ntime = 't'";
    assert!(read_bytes("log.csv.gz", &gz, settings).is_ok());
    for (name, bytes) in [
        ("log.csv.gz", &gz[..gz.len() / 2]),
        ("log.csv.gz", &gz[..gz.len() - 4]),
        ("log.csv.zst", &zst[..zst.len() / 2]),
    ] {
        let error = read_bytes(name, bytes, settings).unwrap_err();
        assert!(
            matches!(&error, EventsError::Truncated { path } if path.ends_with(name)),
            "{error}"
        );
    }
    let mut corrupt = gz.clone();
    corrupt[gz.len() / 2] ^= 0xff;
    assert!(matches!(
        read_bytes("log.csv.gz", &corrupt, settings),
        Err(EventsError::Io { .. } | EventsError::Truncated { .. })
    ));
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let settings = "user = 'u'\ntime = 't'";
    let dir = TempDir::new().unwrap();
    let text = message(read_dir(
        dir.path(),
        "paths = ['data/*.csv']\nuser = 'u'\ntime = 't'",
        None,
    ));
    assert!(
        text.starts_with("no file matches `data/*.csv` in "),
        "{text}"
    );
    assert!(
        message(read_dir(dir.path(), "paths = ['[']\nuser = 'u'", None))
            .contains("is not a pattern")
    );
    let text = message(read_bytes("log.xlsx", b"PK", settings));
    assert!(
        text.ends_with(
            "nothing of `*` can be read: log.xlsx is an Excel workbook, which is not read"
        ),
        "{text}"
    );
    let text = message(read_bytes("log", b"PK", settings));
    assert!(text.contains("set `events.format`"), "{text}");
    let text = message(read_bytes(
        "log",
        b"PK",
        &format!("paths = ['log']\n{settings}"),
    ));
    assert!(text.contains("set `events.format`"), "{text}");
    assert!(message(read_bytes("log.csv", b"", settings)).contains("not even a header line"));
    assert!(message(read_bytes("log.csv", b"\xff\xfeu\0,\0t\0", settings)).contains("UTF-16"));
    assert!(message(read_bytes("log.json", b"[{\"u\":1}]", settings)).contains("JSON array"));
    assert!(message(read_bytes("log.parquet", b"PAR1 or not", settings)).contains("log.parquet"));
    assert!(message(read_csv("u,t\n", "time = 't'")).contains("`events.user` is not set"));
    assert!(message(read_csv("u,t\n", "user = 'u'")).contains("`events.time` is not set"));
    assert!(
        message(read_csv(
            "u,t\n",
            "user = 'u'\ntime = 't'\ntimezone = 'Nowhere'"
        ))
        .contains("Nowhere")
    );
    assert!(
        message(read_csv(
            "u,t\n",
            "user = 'u'\ntime = 't'\ntime_format = '%H'"
        ))
        .contains("events.time_format")
    );
    let request = LogRequest {
        config: &config(settings),
        base_dir: dir.path(),
        paths: &[],
        until: None,
        default_kind: None,
        users: Users::All,
        memory: &MemoryBudget::default(),
        labels: LabelKinds::default(),
        today: None,
    };
    assert!(matches!(
        read_log(&request, Phases::UNOBSERVED),
        Err(EventsError::NoPaths)
    ));
}

#[test]
fn an_empty_log_says_what_it_holds() {
    let dir = TempDir::new().unwrap();
    fs::write(
        dir.path().join("log.csv"),
        "user,at,what,price\na,2020-01-05,buy,1\nb,2020-03-01,buy,1\n,2020-03-01,buy,1\n",
    )
    .unwrap();
    insta::assert_snapshot!(message(read_dir(dir.path(), PLAIN, Some("2020-01-05"))), @r#"
    no events before 2020-01-05: the log spans 2020-01-05 to 2020-03-01; choose an as-of day after 2020-01-05, or 2020-03-02 to see all of it

      empty_user (1 row)
        log.csv:4, column `user`: found nothing, expected a user id
    "#);
    fs::write(
        dir.path().join("log.csv"),
        "user,at,what,price\na,05.01.2020,buy,1\nb,01.03.2020,buy,1\n",
    )
    .unwrap();
    insta::assert_snapshot!(message(read_dir(dir.path(), PLAIN, None)), @r#"
    no events: none of the 2 rows could be read

      bad_time (2 rows)
        log.csv:2, column `at`: found `05.01.2020`, expected a time written as ISO 8601, such as 2024-01-31 08:15:00, since `events.time_format` is not set
        log.csv:3, column `at`: found `01.03.2020`, expected a time written as ISO 8601, such as 2024-01-31 08:15:00, since `events.time_format` is not set
    "#);
    fs::write(dir.path().join("log.csv"), "user,at,what,price\n").unwrap();
    insta::assert_snapshot!(message(read_dir(dir.path(), PLAIN, None)), @r#"no events: the files have no rows"#);
}
