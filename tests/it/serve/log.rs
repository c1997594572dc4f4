//! The program with a log that cannot be written, or not as fast as it comes.

use std::fs::File;
use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Read, Write, pipe};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tonic::Code;

use super::metrics::{ask_page, free_port, value};
use super::*;

/// The program, with an access log of all calls and a metrics port.
struct Program {
    child: Child,
    out: BufReader<ChildStdout>,
    channel: Channel,
    address: String,
    metrics: std::net::SocketAddr,
    _dir: tempfile::TempDir,
}

impl Program {
    /// Starts it with this standard error, and these lines in the section `[log]`.
    fn start(stderr: impl Into<Stdio>, log: &str) -> Self {
        Self::redirected("", stderr, log)
    }

    /// The same with a redirection of a shell's.
    fn redirected(redirection: &str, stderr: impl Into<Stdio>, log: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        save_bundle(&dir.path().join("shop"));
        let config = dir.path().join("ebb-serve.toml");
        let metrics = free_port();
        let text = format!(
            "model = 'shop'\nlisten = '127.0.0.1:0'\n[metrics]\nlisten = '{metrics}'\n[log]\n{log}\n"
        );
        std::fs::write(&config, text).unwrap();
        let mut child = Command::new("sh")
            .arg("-c")
            .arg(format!("exec \"$0\" --config \"$1\" {redirection}"))
            .arg(env!("CARGO_BIN_EXE_ebb-serve"))
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = || {
            let mut line = String::new();
            out.read_line(&mut line).unwrap();
            line.trim().to_owned()
        };
        let address = line().strip_prefix("listening on ").unwrap().to_owned();
        assert!(line().starts_with("ready: "));
        let channel = Endpoint::from_shared(format!("http://{address}"))
            .unwrap()
            .connect_lazy();
        Self {
            child,
            out,
            channel,
            address,
            metrics,
            _dir: dir,
        }
    }

    /// Asks for a score, or for one of a user that nobody knows.
    async fn call(&self, request: ScoreUserRequest) -> Code {
        let mut client = ScoringServiceClient::new(self.channel.clone());
        // Far longer than any call takes, and shorter than the test.
        let limit = Duration::from_secs(20);
        let answer = tokio::time::timeout(limit, client.score_user(request)).await;
        answer
            .expect("a call hangs")
            .map_or_else(|status| status.code(), |_| Code::Ok)
    }

    /// Good and failing calls are answered, whatever becomes of their lines.
    async fn answers(&self, calls: usize) {
        for _ in 0..calls {
            assert_eq!(self.call(ask(as_events(&log(), "ann"))).await, Code::Ok);
            let failing = self.call(ScoreUserRequest::default()).await;
            assert_eq!(failing, Code::InvalidArgument);
        }
    }

    /// The lines that were lost for this reason, as the metrics have it.
    async fn lost(&self, reason: &str) -> u64 {
        let page = ask_page(self.metrics, "GET /metrics").await;
        value(
            &page,
            &format!("ebb_log_lines_lost_total{{reason=\"{reason}\"}}"),
        ) as u64
    }

    /// Asks it to stop. It ends in time, with all calls finished and code 0.
    async fn stop(mut self) {
        drop(self.channel);
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
        let ended = tokio::task::spawn_blocking(move || {
            let begun = Instant::now();
            loop {
                if let Some(status) = self.child.try_wait().unwrap() {
                    let mut rest = String::new();
                    self.out.read_to_string(&mut rest).unwrap();
                    return Some((status.code(), rest));
                }
                // Far more than the second that the last lines have.
                if begun.elapsed() > Duration::from_secs(30) {
                    self.child.kill().unwrap();
                    return None;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        let ended = ended.await.unwrap().expect("the program does not stop");
        assert_eq!(ended, (Some(0), "stopped\n".to_owned()));
    }
}

/// The messages of the lines in a pipe whose writer is gone.
fn messages(mut reader: PipeReader) -> Vec<serde_json::Value> {
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    let line = |line| serde_json::from_str::<serde_json::Value>(line).unwrap();
    text.lines().map(line).collect()
}

const ALL: &str = "access_log = 'all'\nmax_lines_per_second = 1000000";

/// The control of all tests below: with a reader that reads, there is a line for each call, and none is lost.
#[tokio::test]
async fn a_log_that_is_read_has_every_line() {
    let (reader, writer) = pipe().unwrap();
    let program = Program::start(writer, ALL);
    program.answers(10).await;
    for reason in ["queue_full", "write_failed", "rate_limit"] {
        assert_eq!(program.lost(reason).await, 0, "{reason}");
    }
    program.stop().await;
    let lines = messages(reader);
    let calls = lines.iter().filter(|line| line["message"] == "call");
    assert_eq!(calls.count(), 20);
    // Also the last line, which is written at the end.
    assert_eq!(lines.last().unwrap()["message"], "draining");
}

#[tokio::test]
async fn a_full_disk_costs_lines_and_nothing_else() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let program = Program::start(full, ALL);
    program.answers(10).await;
    until(async || program.lost("write_failed").await >= 20).await;
    program.answers(1).await;
    program.stop().await;
}

#[tokio::test]
async fn a_reader_that_is_gone_costs_lines_and_nothing_else() {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let program = Program::start(writer, ALL);
    program.answers(10).await;
    until(async || program.lost("write_failed").await >= 20).await;
    program.answers(1).await;
    program.stop().await;
}

#[tokio::test]
async fn a_reader_that_is_stuck_holds_up_neither_calls_nor_a_stop() {
    let (reader, writer) = pipe().unwrap();
    let filled = fill(&writer);
    let program = Program::start(writer, ALL);
    program.answers(50).await;
    // Its lines wait in the queue, of which the writer holds the first.
    assert_eq!(program.lost("write_failed").await, 0);
    program.stop().await;
    // Nothing was written, or there would be no test.
    assert_eq!(std::io::read_to_string(reader).unwrap().len(), filled);
}

/// Writes into a pipe until it has no room. Returns how many bytes that were.
fn fill(mut pipe: &PipeWriter) -> usize {
    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
    let flags = fcntl_getfl(pipe).unwrap();
    fcntl_setfl(pipe, flags | OFlags::NONBLOCK).unwrap();
    let mut filled = 0;
    while let Ok(bytes) = pipe.write(&[b'\n'; 4_096]) {
        filled += bytes;
    }
    fcntl_setfl(pipe, flags).unwrap();
    filled
}

#[tokio::test]
async fn a_program_without_standard_error_serves() {
    let program = Program::redirected("2>&-", Stdio::inherit(), ALL);
    program.answers(10).await;
    program.stop().await;
}

#[tokio::test]
async fn lines_of_one_kind_are_limited_and_counted() {
    let (reader, writer) = pipe().unwrap();
    let program = Program::start(writer, "access_log = 'all'\nmax_lines_per_second = 2");
    program.answers(100).await;
    let lost = program.lost("rate_limit").await;
    program.stop().await;
    let lines = messages(reader);
    let of = |message: &str| -> Vec<&serde_json::Value> {
        lines
            .iter()
            .filter(|line| line["message"] == message)
            .collect()
    };
    let written = of("call").len() as u64;
    assert_eq!(written + lost, 200);
    let reports = of("lines left out").into_iter();
    let counted: u64 = reports.map(|line| line["lines"].as_u64().unwrap()).sum();
    assert_eq!(counted, lost);
    assert!(lost > 0 && written >= 2);
}

/// The HTTP/2 library warns of every answer to a ping that it never sent: 17 bytes were a line each.
#[tokio::test]
async fn a_peer_cannot_write_into_the_log() {
    let (reader, writer) = pipe().unwrap();
    let program = Program::start(writer, ALL);
    let mut peer = TcpStream::connect(&program.address).await.unwrap();
    peer.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await
        .unwrap();
    let ack = [&[0, 0, 8, 6, 1, 0, 0, 0, 0][..], b"unasked!"].concat();
    for _ in 0..100 {
        // The server may close such a connection.
        if peer.write_all(&ack.repeat(100)).await.is_err() {
            break;
        }
    }
    program.answers(1).await;
    drop(peer);
    program.stop().await;
    let lines = messages(reader);
    assert!(!lines.is_empty());
    for line in lines {
        let target = line["target"].as_str().unwrap();
        assert!(target.starts_with("ebb::"), "{line}");
    }
}
