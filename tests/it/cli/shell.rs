//! What a shell and a terminal see: completions, manual pages, widths, the report's page and the next command.

use std::os::unix::fs::PermissionsExt;

use super::outputs::{names, sample_model};
use super::*;

fn command(folder: &Path, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ebb-train"));
    command
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .stdin(Stdio::null());
    command
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

/// What Bash completes the last of these words to.
fn completed(script: &Path, words: &[&str]) -> Vec<String> {
    let (program, last) = (words[0], words[words.len() - 1]);
    let before = words[words.len() - 2];
    // The function is asked for by the name under which Bash itself would call it.
    let source = format!(
        "source {} || exit 1; set -- $(complete -p {program}); \
         while [ \"$1\" != -F ]; do shift; done; function=$2; \
         COMP_WORDS=({}); COMP_CWORD={}; COMPREPLY=(); $function {program} '{last}' '{before}'; \
         printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        script.display(),
        words.join(" "),
        words.len() - 1
    );
    let done = Command::new("bash")
        .args(["--norc", "-c", &source])
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", text(done.stderr));
    text(done.stdout)
        .split_whitespace()
        .map(str::to_owned)
        .collect()
}

#[test]
fn bash_completes_commands_flags_and_values() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("ebb-train.bash");
    fs::write(
        &script,
        ebb_train(folder.path(), "completions bash").ok().out,
    )
    .unwrap();
    let complete = |words: &[&str]| completed(&script, words);
    assert_eq!(complete(&["ebb-train", "publ"]), ["publish"]);
    assert_eq!(
        complete(&["ebb-train", "publish", "--roll"]),
        ["--rollback"]
    );
    assert_eq!(complete(&["ebb-train", "fit", "--if"]), ["--if-changed"]);
    assert_eq!(
        complete(&["ebb-train", "fit", "--progress", "js"]),
        ["json"]
    );
    assert_eq!(complete(&["ebb-train", "no-such-command"]), [] as [&str; 0]);
    let done = Command::new(env!("CARGO_BIN_EXE_ebb-serve"))
        .args(["--generate", "bash"])
        .output()
        .unwrap();
    fs::write(&script, done.stdout).unwrap();
    let found = completed(&script, &["ebb-serve", "--mod"]);
    assert_eq!(found, ["--model", "--models"]);
}

#[test]
fn other_shells_read_their_completions_where_they_are_there() {
    let folder = tempfile::tempdir().unwrap();
    for (shell, begins) in [
        ("zsh", "#compdef ebb-train"),
        ("fish", "# Print an optspec"),
    ] {
        let script = ebb_train(folder.path(), &format!("completions {shell}"))
            .ok()
            .out;
        assert!(script.starts_with(begins), "{shell}: {:.80}", script);
        assert!(
            script.contains("rollback") && script.contains("if-changed"),
            "{shell}"
        );
        let path = folder.path().join(shell);
        fs::write(&path, script).unwrap();
        match Command::new(shell).arg("-n").arg(&path).output() {
            Ok(done) => assert!(done.status.success(), "{done:?}"),
            Err(error) => println!("SKIPPED: {shell}: {error}"),
        }
    }
    assert_eq!(ebb_train(folder.path(), "completions tcsh").code, 64);
}

/// What a terminal shows of a page in which bold letters are struck twice.
fn plain(page: &str) -> String {
    let mut shown = String::new();
    for letter in page.chars() {
        if letter == '\u{8}' {
            shown.pop();
        } else {
            shown.push(letter);
        }
    }
    shown
}

/// The commands that `--help` lists.
fn commands(folder: &Path) -> Vec<String> {
    let help = ebb_train(folder, "--help").ok().out;
    let (_, list) = help.split_once("Commands:\n").unwrap();
    list.lines()
        .take_while(|line| !line.is_empty())
        .map(|line| line.split_whitespace().next().unwrap().to_owned())
        .filter(|name| name != "help")
        .collect()
}

#[test]
fn every_command_has_a_manual_page_that_man_can_show() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    ebb_train(path, "man --out man1").ok();
    let mut expected: Vec<String> = commands(path)
        .iter()
        .map(|name| format!("ebb-train-{name}.1"))
        .collect();
    expected.push("ebb-train.1".to_owned());
    expected.sort();
    assert_eq!(names(&path.join("man1")), expected);
    let server = Command::new(env!("CARGO_BIN_EXE_ebb-serve"))
        .args(["--generate", "man"])
        .output()
        .unwrap();
    fs::write(path.join("man1/ebb-serve.1"), server.stdout).unwrap();
    let fit = fs::read_to_string(path.join("man1/ebb-train-fit.1")).unwrap();
    // Flags of its own, and those that all commands have.
    assert!(
        fit.contains("if\\-changed") && fit.contains("progress"),
        "{fit}"
    );
    for name in names(&path.join("man1")) {
        let shown = Command::new("man")
            .args(["--warnings", "-l", "-Tutf8", "-P", "cat"])
            .arg(path.join("man1").join(&name))
            .env("MANWIDTH", "80")
            .output();
        match shown {
            Ok(shown) => {
                let (out, problems) = (plain(&text(shown.stdout)), text(shown.stderr));
                assert!(
                    shown.status.success() && problems.is_empty(),
                    "{name}: {problems}"
                );
                assert!(
                    out.contains("SYNOPSIS") && out.contains("OPTIONS"),
                    "{name}: {out}"
                );
            }
            Err(error) => println!("SKIPPED: man: {error}"),
        }
    }
}

#[test]
fn text_keeps_to_the_columns_that_there_are_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let run = |columns: Option<&str>, arguments: &str| {
        let mut command = command(folder.path(), arguments);
        command.env_remove("COLUMNS");
        if let Some(columns) = columns {
            command.env("COLUMNS", columns);
        }
        text(command.output().unwrap().stdout)
    };
    let widest = |text: &str| text.lines().map(|line| line.chars().count()).max().unwrap();
    for arguments in [
        format!("inspect --model {}", sample_model()),
        "fit --help".to_owned(),
    ] {
        let whole = run(None, &arguments);
        assert!(widest(&whole) > 120, "{arguments}");
        let narrow = run(Some("72"), &arguments);
        assert!(widest(&narrow) <= 72, "{arguments}\n{narrow}");
        let words = |text: &str| {
            text.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(words(&narrow), words(&whole), "{arguments}");
        assert_eq!(run(Some("nonsense"), &arguments), whole);
    }
    // The next command is there to be copied.
    let report = format!("report --model {}", sample_model());
    let done = command(folder.path(), &report)
        .env("COLUMNS", "40")
        .output();
    let next = text(done.unwrap().stderr);
    assert!(widest(&next) > 60 && next.lines().count() == 1, "{next}");
    // JSON is for programs.
    let json = format!("inspect --json --model {}", sample_model());
    assert_eq!(run(Some("72"), &json), run(None, &json));
}

#[test]
fn the_report_is_found_copied_and_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let model = sample_model();
    let page = format!("{model}/report.html");
    let run = ebb_train(path, &format!("report --model {model}")).ok();
    assert_eq!(run.out, format!("{page}\n"));
    ebb_train(path, &format!("report --model {model} --out r/page.html")).ok();
    assert_eq!(
        fs::read(path.join("r/page.html")).unwrap(),
        fs::read(&page).unwrap()
    );
    let into = ebb_train(path, &format!("report --model {model} --out {page}"));
    assert_eq!(into.code, 64, "{}", into.err);
    let missing = ebb_train(path, "report --model nowhere");
    assert!(
        missing.code == 1 && missing.error().contains("nowhere"),
        "{}",
        missing.err
    );
    // An opener that writes down what it is given.
    let opener = path.join("xdg-open");
    let open = || {
        let report = format!("report --model {model} --out r/page.html --open");
        command(path, &report).env("PATH", path).output().unwrap()
    };
    let missing = open();
    assert_eq!(missing.status.code(), Some(1));
    let problem = text(missing.stderr);
    assert!(
        problem.contains("xdg-open cannot be started; open /"),
        "{problem}"
    );
    let script = |status: i32| {
        fs::write(
            &opener,
            format!("#!/bin/sh\necho \"$1\" > opened\nexit {status}\n"),
        )
        .unwrap();
        fs::set_permissions(&opener, PermissionsExt::from_mode(0o755)).unwrap();
    };
    script(0);
    assert!(open().status.success());
    let opened = fs::read_to_string(path.join("opened")).unwrap();
    let expected = path.canonicalize().unwrap().join("r/page.html");
    assert_eq!(opened.trim_end(), expected.display().to_string());
    script(3);
    let failed = open();
    assert_eq!(failed.status.code(), Some(1));
    let problem = text(failed.stderr);
    assert!(problem.contains("xdg-open failed; open /"), "{problem}");
}

/// The command that a run named as the next one.
fn next(run: &Run) -> Option<&str> {
    run.err
        .lines()
        .find_map(|line| line.strip_prefix("next: ebb-train "))
}

#[test]
fn the_next_command_works_as_it_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let simulate = "simulate --users 400 --days 300 --seed 3 --out log";
    let simulated = ebb_train(path, simulate).ok();
    let fit = next(&simulated).unwrap();
    assert_eq!(fit, "fit --config log/ebb.toml --out model");
    let fitted = ebb_train(path, fit).ok();
    let report = next(&fitted).unwrap();
    let reported = ebb_train(path, report).ok();
    assert!(
        path.join(reported.out.trim_end()).exists(),
        "{}",
        reported.out
    );
    let score = next(&reported).unwrap();
    assert!(score.starts_with("score --model model "), "{score}");
    for silent in ["--quiet", "--json"] {
        let run = ebb_train(path, &format!("{simulate} {silent}")).ok();
        assert_eq!((next(&run), run.err.as_str()), (None, ""), "{silent}");
    }
}
