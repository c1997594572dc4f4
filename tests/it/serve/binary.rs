use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use super::*;

fn ebb_serve(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ebb-serve"));
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn run_to_end(arguments: &[&str]) -> (Option<i32>, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = ebb_serve(arguments).output().unwrap();
    (
        status.code(),
        String::from_utf8([stdout, stderr].concat()).unwrap(),
    )
}

fn terminate(child: &Child) {
    assert!(
        Command::new("kill")
            .args(["-TERM", &child.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
}

#[tokio::test]
async fn the_program_prints_its_port_scores_and_ends_well_when_asked() {
    let dir = tempfile::tempdir().unwrap();
    let (model, rollup) = (dir.path().join("model"), dir.path().join("rollup"));
    let bundle = save_bundle(&model);
    ebb::history::write_rollup(&rollup, &histories(&log()), 1).unwrap();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let arguments = [
        "--model",
        &text(&model),
        "--rollup",
        &text(&rollup),
        "--listen",
        "127.0.0.1:0",
    ];
    let mut child = ebb_serve(&arguments).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let listening = lines.next().unwrap().unwrap();
    let address = listening.strip_prefix("listening on ").unwrap();
    assert!(!address.ends_with(":0"));
    let ready = lines.next().unwrap().unwrap();
    let expected = format!(
        "ready: model {} from {}, horizons of 30, 90 days, 5 known users as of {END}",
        bundle.version(),
        model.display()
    );
    assert_eq!(ready, expected);
    let mut client = ScoringServiceClient::connect(format!("http://{address}"))
        .await
        .unwrap();
    let score = client
        .score_user(ask(user("ann")))
        .await
        .unwrap()
        .into_inner()
        .score
        .unwrap();
    assert_eq!(score.status(), ScoreStatus::Scored);
    drop(client);
    terminate(&child);
    // Not on this thread: the client's side of the connection must be able to close.
    let ended = tokio::task::spawn_blocking(move || child.wait().unwrap())
        .await
        .unwrap();
    assert_eq!(ended.code(), Some(0));
    assert_eq!(lines.next().unwrap().unwrap(), "stopped");
}

#[test]
fn exit_codes_tell_bad_usage_from_failure() {
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().to_str().unwrap();
    let (code, text) = run_to_end(&["--help"]);
    assert!(code == Some(0) && text.contains("--rollup"), "{text}");
    let (code, text) = run_to_end(&["--listen", "127.0.0.1:0"]);
    assert!(code == Some(64) && text.contains("--model"), "{text}");
    let (code, text) = run_to_end(&["--model", model, "--listen", "nowhere"]);
    assert!(code == Some(64) && text.contains("nowhere"), "{text}");
    let (code, text) = run_to_end(&["--model", model, "--listen", "0.0.0.0:0"]);
    assert!(code == Some(64) && text.contains("--insecure"), "{text}");
    let (code, text) = run_to_end(&["--model", model, "--listen", "127.0.0.1:0"]);
    assert!(
        code == Some(1) && text.contains("MANIFEST.sha256"),
        "{text}"
    );
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, text) = run_to_end(&["--model", model, "--listen", &address]);
    assert!(code == Some(1) && text.contains(&address), "{text}");
}

/// A folder with a bundle and a configuration with this text after the model's line.
fn configured(more: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    save_bundle(&dir.path().join("shop"));
    let config = dir.path().join("ebb-serve.toml");
    std::fs::write(
        &config,
        format!("model = 'shop'\nlisten = '127.0.0.1:0'\n{more}"),
    )
    .unwrap();
    let config = config.to_str().unwrap().to_owned();
    (dir, config)
}

#[test]
fn a_configuration_is_checked_as_a_start_would() {
    let (_dir, config) = configured("[limits]\nmax_concurrent_calls = 10\n");
    let (code, text) = run_to_end(&["--config", &config, "--check-config"]);
    assert!(
        code == Some(0) && text.contains("ready: model") && text.contains("is in order"),
        "{text}"
    );
    for (more, expected, part) in [
        ("calls = 3", 64, "calls"),
        (
            "[limits]\nmax_concurrent_calls = 0",
            64,
            "limits.max_concurrent_calls is 0",
        ),
        ("[limits]\nmax_streams = 'x'", 64, "line 4"),
        (
            "[limits]\ncalls = 3",
            64,
            "it is called `limits.max_concurrent_calls` now",
        ),
        ("api_keys_file = 'none'", 1, "none"),
        ("canary = 'none'", 1, "none"),
        ("rollup = 'none'", 1, "none"),
        (
            "[tls]\ncertificate = 'shop/card.json'\nkey = 'none'",
            1,
            "card.json: has no certificate",
        ),
        ("[metrics]\nlisten = '0.0.0.0:1'", 64, "metrics.public"),
    ] {
        let (_dir, config) = configured(more);
        let (code, text) = run_to_end(&["--config", &config, "--check-config"]);
        assert!(
            code == Some(expected) && text.contains(part),
            "{more}: {code:?} {text}"
        );
    }
    let (code, text) = run_to_end(&["--config", "/nowhere/ebb-serve.toml"]);
    assert!(
        code == Some(64) && text.contains("/nowhere/ebb-serve.toml"),
        "{text}"
    );
}

#[test]
fn a_new_key_is_shown_once_with_a_line_that_the_server_reads() {
    let (code, text) = run_to_end(&["--new-key", "shop", "--permissions", "score,manage"]);
    let lines: Vec<&str> = text.lines().collect();
    let [
        "the key, which is not shown again:",
        key,
        "",
        "its line for the key file:",
        line,
    ] = lines.as_slice()
    else {
        panic!("{text}")
    };
    assert!(
        code == Some(0) && key.starts_with("ebb_") && !line.contains(&key[4..]),
        "{text}"
    );
    let (dir, config) = configured("api_keys_file = 'keys'");
    std::fs::write(dir.path().join("keys"), line).unwrap();
    assert_eq!(
        run_to_end(&["--config", &config, "--check-config"]).0,
        Some(0)
    );
    // A key in the place of its hash is refused and not repeated.
    std::fs::write(dir.path().join("keys"), format!("shop {key} score")).unwrap();
    let (code, text) = run_to_end(&["--config", &config, "--check-config"]);
    assert!(
        code == Some(1) && text.contains("line 1") && !text.contains(&key[4..]),
        "{text}"
    );
    assert_eq!(run_to_end(&["--new-key", "a b"]).0, Some(64));
    let (code, text) = run_to_end(&["--new-key", "a", "--may", "score"]);
    assert_eq!(code, Some(64));
    assert!(text.contains("it is called `--permissions` now"), "{text}");
    assert_eq!(
        run_to_end(&["--new-key", "a", "--permissions", "all"]).0,
        Some(64)
    );
}

#[tokio::test]
async fn a_hangup_signal_has_the_bundle_read_again_and_calls_are_logged_as_json() {
    let (dir, config) = configured("[log]\naccess_log = 'all'\n");
    let mut child = ebb_serve(&["--config", &config]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = lines
        .next()
        .unwrap()
        .unwrap()
        .strip_prefix("listening on ")
        .unwrap()
        .to_owned();
    lines.next().unwrap().unwrap();
    let mut client = ScoringServiceClient::connect(format!("http://{address}"))
        .await
        .unwrap();
    let mut asks = async || {
        let mut request = tonic::Request::new(ask(as_events(&log(), "ann")));
        request
            .metadata_mut()
            .insert("x-request-id", "order-17".parse().unwrap());
        client
            .score_user(request)
            .await
            .unwrap()
            .into_inner()
            .score
            .unwrap()
            .model_version
    };
    let before = asks().await;
    let mut spec = spec();
    spec.models[0].intercept = 2.0;
    let folder = dir.path().join("shop");
    let newer = ebb::model::save(&folder, spec, CARD, "<html></html>").unwrap();
    assert_ne!(before, newer.version());
    assert!(
        Command::new("kill")
            .args(["-HUP", &child.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
    let begun = std::time::Instant::now();
    while asks().await != newer.version() {
        assert!(begun.elapsed().as_secs() < 20);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    drop(client);
    terminate(&child);
    let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap())
        .await
        .unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |message: &str| {
        lines
            .iter()
            .find(|line| line["message"] == message)
            .unwrap()
    };
    let call = of("call");
    assert_eq!(
        (&call["request_id"], &call["code"]),
        (&"order-17".into(), &"Ok".into())
    );
    assert_eq!(call["method"], "/churn.v1.ScoringService/ScoreUser");
    assert_eq!(of("model loaded again")["version"], newer.version());
}

/// A request with a key, and a name unless that is empty.
fn named<M>(id: &str, key: &str, message: M) -> tonic::Request<M> {
    let mut request = tonic::Request::new(message);
    let headers = request.metadata_mut();
    headers.insert("authorization", format!("Bearer {key}").parse().unwrap());
    if !id.is_empty() {
        headers.insert("x-request-id", id.parse().unwrap());
    }
    request
}

fn moved(label: ModelLabel, name: &str) -> ActivateModelRequest {
    ActivateModelRequest {
        label: label.into(),
        name: name.into(),
        etag: String::new(),
    }
}

fn loaded(name: &str) -> LoadModelRequest {
    LoadModelRequest {
        name: name.into(),
        validate_only: false,
    }
}

#[tokio::test]
async fn changes_of_models_are_logged_with_the_key_and_the_request_id() {
    let (dir, config) = configured("models = '.'\napi_keys_file = 'keys'\n");
    save_bundle(&dir.path().join("next"));
    std::fs::create_dir(dir.path().join("empty")).unwrap();
    let (key, line) = ebb::serve::new_key("keeper", "read,manage").unwrap();
    std::fs::write(dir.path().join("keys"), line).unwrap();
    let mut child = ebb_serve(&["--config", &config]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let listening = lines.next().unwrap().unwrap();
    let address = listening.strip_prefix("listening on ").unwrap().to_owned();
    lines.next().unwrap().unwrap();
    let mut models = ModelServiceClient::connect(format!("http://{address}"))
        .await
        .unwrap();
    let load = |id: &str, name: &str| named(id, &key, loaded(name));
    let activate = |id: &str, label, name: &str| named(id, &key, moved(label, name));
    models.load_model(load("load-1", "next")).await.unwrap();
    let stable = activate("move-1", ModelLabel::Stable, "next");
    models.activate_model(stable).await.unwrap();
    let unload = UnloadModelRequest {
        name: "shop".into(),
        etag: String::new(),
    };
    let unload = named("drop-1", &key, unload);
    models.unload_model(unload).await.unwrap();
    models.load_model(load("bad-1", "empty")).await.unwrap_err();
    // A call without a name gets one, in the answer as in the log.
    let canary = activate("", ModelLabel::Canary, "next");
    let answer = models.activate_model(canary).await.unwrap();
    let given = answer.metadata().get("x-request-id").unwrap().clone();
    drop(models);
    terminate(&child);
    let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
    let log = String::from_utf8(output.await.unwrap().stderr).unwrap();
    let of = |message: &str, id: &str| {
        let lines = log
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let found: Vec<serde_json::Value> = lines
            .filter(|line| line["message"] == message && line["request_id"] == id)
            .collect();
        assert_eq!(found.len(), 1, "{message} {id}: {log}");
        assert_eq!(found[0]["key"], "keeper");
        found[0].clone()
    };
    assert_eq!(of("model loaded", "load-1")["model"], "next");
    assert_eq!(of("label moved", "move-1")["label"], "stable");
    assert_eq!(of("model unloading", "drop-1")["model"], "shop");
    assert_eq!(of("model rejected", "bad-1")["model"], "empty");
    assert_eq!(
        of("label moved", given.to_str().unwrap())["label"],
        "canary"
    );
}

#[test]
fn a_start_names_the_file_that_it_cannot_read_to_its_end() {
    for (setting, part) in [
        ("api_keys_file = 'fifo'", "fifo: is a FIFO"),
        (
            "[tls]\ncertificate = 'fifo'\nkey = 'none'",
            "fifo: is a FIFO",
        ),
        ("rollup = 'rollup'", "part.parquet: is a FIFO"),
        ("rollup = 'fifo'", "fifo: is a FIFO"),
        ("canary = 'fifo'", "fifo: is a FIFO"),
        ("api_keys_file = '/dev/zero'", "/dev/zero: is a device"),
    ] {
        let (dir, config) = configured(setting);
        std::fs::create_dir(dir.path().join("rollup")).unwrap();
        super::keys::make_fifo(&dir.path().join("fifo"));
        super::keys::make_fifo(&dir.path().join("rollup/part.parquet"));
        for more in [&["--check-config"][..], &[]] {
            let arguments = [&["--config", &config][..], more].concat();
            let (code, text) = run_to_end(&arguments);
            assert!(
                code == Some(1) && text.contains(part),
                "{setting}: {code:?} {text}"
            );
        }
    }
}
