//! Settings that cannot be meant.

use super::*;

fn problem(text: &str) -> Option<String> {
    let refused = Config::parse(text).unwrap().validate().err()?;
    Some(refused.to_string())
}

#[test]
fn what_others_can_reach_must_be_meant() {
    assert_eq!(problem("model = 'm'"), None);
    assert!(problem("").unwrap().contains("--model DIR"));
    let open = problem("model = 'm'\nlisten = '0.0.0.0:1'").unwrap();
    assert!(
        open.contains("not encrypted") && open.contains("--insecure"),
        "{open}"
    );
    assert_eq!(
        problem("model = 'm'\nlisten = '0.0.0.0:1'\ninsecure = true"),
        None
    );
    assert_eq!(
        problem("model = 'm'\nlisten = '0.0.0.0:1'\n[tls]\ncertificate = 'c'\nkey = 'k'"),
        None
    );
    assert!(
        problem("model = 'm'\n[metrics]\nlisten = '0.0.0.0:1'")
            .unwrap()
            .contains("metrics.public")
    );
    assert_eq!(
        problem("model = 'm'\n[metrics]\nlisten = '0.0.0.0:1'\npublic = true"),
        None
    );
    assert!(
        problem("model = 'm'\n[limits]\nmax_concurrent_calls = 0")
            .unwrap()
            .contains("limits.max_concurrent_calls is 0")
    );
}

#[test]
fn figures_of_fewer_than_ten_users_cannot_be_asked_for() {
    let least = |users: u32| problem(&format!("model = 'm'\n[privacy]\nmin_users = {users}"));
    assert_eq!((least(10), least(30)), (None, None));
    let refused = least(9).unwrap();
    assert!(refused.contains("privacy.min_users is 9"), "{refused}");
}

#[test]
fn the_port_for_http_has_the_rules_of_that_for_grpc() {
    let http = |text: &str| problem(&format!("model = 'm'\n{text}"));
    assert_eq!(http("[http]\nlisten = '127.0.0.1:8080'"), None);
    let open = http("[http]\nlisten = '0.0.0.0:8080'").unwrap();
    assert!(
        open.contains("http.listen") && open.contains("--insecure"),
        "{open}"
    );
    assert_eq!(
        http("insecure = true\n[http]\nlisten = '0.0.0.0:8080'"),
        None
    );
    for same in [
        "[http]\nlisten = '127.0.0.1:50051'",
        "[http]\nlisten = '127.0.0.1:8080'\n[metrics]\nlisten = '127.0.0.1:8080'",
    ] {
        assert!(
            http(same).unwrap().contains("choose another port"),
            "{same}"
        );
    }
    let origins = |list: &str| {
        http(&format!(
            "[http]\nlisten = '127.0.0.1:8080'\nallow_origins = {list}"
        ))
    };
    assert_eq!(
        origins("['https://shop.example', 'http://localhost:3000', '*']"),
        None
    );
    for wrong in [
        "shop.example",
        "https://shop.example/",
        "https://Shop.example",
        "ftp://a",
        "https://a@b",
        "null",
        "",
    ] {
        let refused = origins(&format!("['{wrong}']")).unwrap();
        assert!(refused.contains("http.allow_origins"), "{wrong}: {refused}");
    }
    let alone = http("[http]\nallow_origins = ['*']").unwrap();
    assert!(alone.contains("without http.listen"), "{alone}");
}

#[test]
fn models_are_managed_from_this_machine_on_every_port() {
    let is_loopback = |text: &str| Config::parse(text).unwrap().is_loopback();
    assert!(is_loopback("") && is_loopback("[http]\nlisten = '[::1]:8080'"));
    assert!(!is_loopback("listen = '0.0.0.0:1'"));
    assert!(!is_loopback("[http]\nlisten = '0.0.0.0:8080'"));
}

#[test]
fn traces_take_a_build_with_them() {
    let problem = problem("model = 'm'\n[traces]");
    if cfg!(feature = "otel") {
        assert_eq!(problem, None);
    } else {
        assert!(
            problem
                .unwrap()
                .contains("`cargo build --release --features otel`")
        );
    }
}

#[test]
fn paths_start_at_the_file_and_unknown_keys_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ebb-serve.toml");
    std::fs::write(
        &file,
        "model = 'models/shop'\napi_keys_file = '/etc/keys'\n[tls]\ncertificate = 'c'\nkey = 'k'",
    )
    .unwrap();
    let config = Config::read(&file).unwrap();
    assert_eq!(config.model, Some(dir.path().join("models/shop")));
    assert_eq!(config.api_keys_file, Some("/etc/keys".into()));
    assert_eq!(config.tls.unwrap().key, dir.path().join("k"));
    std::fs::write(&file, "[limits]\nmesage_bytes = 3").unwrap();
    let problem = Config::read(&file).unwrap_err().to_string();
    assert!(
        problem.contains("mesage_bytes") && problem.contains("line 2"),
        "{problem}"
    );
}

#[test]
fn every_renamed_key_is_refused_with_its_new_name() {
    let parse = |key: &str, value: &str| {
        let text = match key.split_once('.') {
            None => format!("{key} = {value}"),
            Some((section, key)) => format!("[{section}]\n{key} = {value}"),
        };
        Config::parse(&text)
    };
    for (old, new) in RENAMED {
        let problem = parse(old, "1").unwrap_err();
        assert_eq!(
            problem,
            format!("unknown field `{old}`; it is called `{new}` now")
        );
        // The new key is one, and takes a value of some type.
        let known = ["1", "'all'"].iter().any(|value| parse(new, value).is_ok());
        assert!(known, "{new}");
    }
    // A key that never was one is not explained by another.
    let problem = parse("limits.call", "1").unwrap_err();
    assert!(problem.contains("unknown field `call`"), "{problem}");
}
