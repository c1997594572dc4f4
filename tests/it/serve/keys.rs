//! Every method with every kind of credentials.

use std::path::Path;

use ebb::serve::new_key;
use prost::Message;
use prost_types::FileDescriptorProto;
use tonic::Code;

use super::raw::{Raw, SCORE_USER, framed};
use super::*;

/// What each permission allows, written down apart from the server's own table.
const ALLOWED: [(&str, &str); 21] = [
    ("/churn.v1.ScoringService/ScoreUser", "score"),
    ("/churn.v1.ScoringService/BatchScoreUsers", "score"),
    ("/churn.v1.ScoringService/StreamScoreUsers", "score"),
    ("/churn.v1.ScoringService/ListUsers", "score"),
    ("/churn.v1.InsightService/GetKpis", "score"),
    ("/inference.GRPCInferenceService/ModelInfer", "score"),
    ("/churn.v1.ModelService/GetModel", "read"),
    ("/churn.v1.ModelService/ListModels", "read"),
    ("/inference.GRPCInferenceService/ModelReady", "read"),
    ("/inference.GRPCInferenceService/ServerMetadata", "read"),
    ("/inference.GRPCInferenceService/ModelMetadata", "read"),
    (
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "read",
    ),
    (
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        "read",
    ),
    ("/churn.v1.ModelService/LoadModel", "manage"),
    ("/churn.v1.ModelService/ActivateModel", "manage"),
    ("/churn.v1.ModelService/UnloadModel", "manage"),
    ("/inference.GRPCInferenceService/ServerLive", ""),
    ("/inference.GRPCInferenceService/ServerReady", ""),
    ("/grpc.health.v1.Health/Check", ""),
    // Never ends by itself: a name that stands for nothing is watched all the same.
    ("/grpc.health.v1.Health/Watch", "watch"),
    // What does not exist is told only to those who are known.
    ("/churn.v1.ScoringService/Nothing", "any"),
];

/// A key file with these permissions for each key, and the keys.
fn key_file(path: &Path, permissions: &[&str]) -> Vec<String> {
    let (keys, lines): (Vec<_>, Vec<_>) = permissions
        .iter()
        .map(|may| new_key("test", may).unwrap())
        .unzip();
    std::fs::write(path, lines.join("\n")).unwrap();
    keys
}

async fn guarded(path: &Path) -> Running {
    let config = Config {
        api_keys_file: Some(path.to_owned()),
        ..Config::default()
    };
    Running::of(config, || stock(Some(histories(&log())))).await
}

#[tokio::test]
async fn every_method_lets_in_who_may_and_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("keys");
    let keys = key_file(&file, &["score", "read", "manage", "score,read,manage"]);
    let server = guarded(&file).await;
    let raw = Raw::connect(&server).await;
    let (other, _) = new_key("test", "score,read,manage").unwrap();
    let bearer = |key: &str| format!("Bearer {key}");
    let callers: Vec<(&str, Option<String>)> = vec![
        ("nobody", None),
        ("nonsense", Some("Basic abc".into())),
        ("empty", Some("Bearer ".into())),
        ("a key of another server", Some(bearer(&other))),
        (
            "a key cut short",
            Some(bearer(&keys[3][..keys[3].len() - 1])),
        ),
        ("score", Some(bearer(&keys[0]))),
        ("read", Some(bearer(&keys[1]))),
        ("manage", Some(bearer(&keys[2]))),
        ("score,read,manage", Some(bearer(&keys[3]))),
    ];
    for (path, needed) in ALLOWED.iter().filter(|(_, needed)| *needed != "watch") {
        for (caller, header) in &callers {
            let headers: Vec<(&str, &str)> = header
                .iter()
                .map(|value| ("authorization", value.as_str()))
                .collect();
            let answer = raw.send(path, &headers, framed(&[])).await.unwrap();
            let known = ["score", "read", "manage", "score,read,manage"].contains(caller);
            let expected = match *needed {
                "" => None,
                "any" if known => Some(Code::Unimplemented),
                _ if !known => Some(Code::Unauthenticated),
                _ if caller.split(',').any(|may| may == *needed) => None,
                _ => Some(Code::PermissionDenied),
            };
            let refused = [
                Code::Unauthenticated,
                Code::PermissionDenied,
                Code::Unimplemented,
            ];
            let found = Some(answer.code()).filter(|code| refused.contains(code));
            assert_eq!(found, expected, "{path} by {caller}: {:?}", answer.status);
            if found == Some(Code::PermissionDenied) {
                assert_eq!(
                    answer.details().error_info().unwrap().metadata["permission"],
                    *needed
                );
            }
            let text = format!("{answer:?}");
            assert!(
                keys.iter().all(|key| !text.contains(&key[8..])),
                "a key in {text}"
            );
        }
    }
}

/// The list above is complete: a new method needs a line there that says who may call it.
#[tokio::test]
async fn every_method_that_reflection_knows_is_listed() {
    let server = Running::ready().await;
    let files = super::operation::reflected_files(&server).await;
    let mut missing = Vec::new();
    for bytes in files {
        let file = FileDescriptorProto::decode(bytes.as_slice()).unwrap();
        for service in &file.service {
            for method in &service.method {
                let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                if !ALLOWED.iter().any(|(listed, _)| *listed == path) {
                    missing.push(path);
                }
            }
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}

#[tokio::test]
async fn keys_change_while_the_server_runs_and_two_are_valid_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("keys");
    let ((old, old_line), (new, new_line)) = (
        new_key("shop", "score").unwrap(),
        new_key("shop", "score").unwrap(),
    );
    std::fs::write(&file, &old_line).unwrap();
    let server = guarded(&file).await;
    let raw = Raw::connect(&server).await;
    let code = async |key: &str| {
        let header = format!("Bearer {key}");
        raw.call(SCORE_USER, &[("authorization", &header)], &ask(user("ann")))
            .await
            .code()
    };
    assert_eq!(
        (code(&old).await, code(&new).await),
        (Code::Ok, Code::Unauthenticated)
    );
    std::fs::write(&file, format!("{old_line}\n{new_line}\n")).unwrap();
    // The negative control: until the file is looked at, the new key is none.
    assert_eq!(code(&new).await, Code::Unauthenticated);
    server.look_at_credentials().await;
    assert_eq!((code(&old).await, code(&new).await), (Code::Ok, Code::Ok));
    // A file that is no use changes nothing, however often it is looked at.
    std::fs::write(&file, "nonsense").unwrap();
    server.look_at_credentials().await;
    assert_eq!((code(&old).await, code(&new).await), (Code::Ok, Code::Ok));
    std::fs::write(&file, &new_line).unwrap();
    server.look_at_credentials().await;
    assert_eq!(
        (code(&old).await, code(&new).await),
        (Code::Unauthenticated, Code::Ok)
    );
}

pub(super) fn make_fifo(path: &Path) {
    use rustix::fs::{CWD, Mode, mkfifoat};
    mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR).unwrap();
}

/// Reading such a file would wait for ever, or until the memory is full.
#[tokio::test]
async fn a_key_file_that_cannot_be_read_to_its_end_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("keys");
    let (old, old_line) = new_key("shop", "score").unwrap();
    std::fs::write(&file, &old_line).unwrap();
    let server = guarded(&file).await;
    // A new connection each time: reading files must not hold up those who come.
    let code = async |key: &str| {
        let header = format!("Bearer {key}");
        let raw = Raw::connect(&server).await;
        raw.call(SCORE_USER, &[("authorization", &header)], &ask(user("ann")))
            .await
            .code()
    };
    let sparse = |path: &Path| {
        let sparse = std::fs::File::create(path).unwrap();
        sparse.set_len(10 << 30).unwrap();
    };
    let endless = |path: &Path| std::os::unix::fs::symlink("/dev/zero", path).unwrap();
    let folder = |path: &Path| std::fs::create_dir(path).unwrap();
    for make in [make_fifo, sparse, endless, folder] {
        std::fs::remove_file(&file).unwrap();
        make(&file);
        server.look_at_credentials().await;
        assert_eq!(code(&old).await, Code::Ok);
        // The negative control: what can be read is taken over.
        let _ = std::fs::remove_dir(&file);
        let _ = std::fs::remove_file(&file);
        let (new, new_line) = new_key("shop", "score").unwrap();
        std::fs::write(&file, format!("{old_line}\n{new_line}")).unwrap();
        server.look_at_credentials().await;
        assert_eq!((code(&old).await, code(&new).await), (Code::Ok, Code::Ok));
    }
    assert_eq!(server.stop().await, Stopped::Drained);
}
