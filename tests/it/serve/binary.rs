use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use super::*;

fn ebb_serve(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ebb-serve"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run_to_end(arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = ebb_serve(arguments).output().unwrap();
    (status.code(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

fn terminate(child: &Child) {
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
}

#[tokio::test]
async fn the_program_prints_its_port_scores_and_ends_well_when_asked() {
    let dir = tempfile::tempdir().unwrap();
    let (model, rollup) = (dir.path().join("model"), dir.path().join("rollup"));
    let bundle = save_bundle(&model);
    ebb::history::write_rollup(&rollup, &histories(&log()), 1).unwrap();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let arguments = ["--model", &text(&model), "--rollup", &text(&rollup), "--listen", "127.0.0.1:0"];
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
    let mut client = ScoringServiceClient::connect(format!("http://{address}")).await.unwrap();
    let score = client.score_user(ask(user("ann"))).await.unwrap().into_inner().score.unwrap();
    assert_eq!(score.status(), ScoreStatus::Scored);
    drop(client);
    terminate(&child);
    // Not on this thread: the client's side of the connection must be able to close.
    let ended = tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
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
    assert!(code == Some(1) && text.contains("MANIFEST.sha256"), "{text}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, text) = run_to_end(&["--model", model, "--listen", &address]);
    assert!(code == Some(1) && text.contains(&address), "{text}");
}
