//! The log of the process: which lines are written, how many of them, and how they reach their destination.
//!
//! Only lines of this program are written. Libraries warn of what any peer may send them, once for each frame of a few
//! bytes. `rate` limits the lines of each kind. `lines` takes them to a thread of its own, so that no call waits for the
//! log's reader and none fails with it.

mod lines;
mod rate;

pub use lines::LineQueue;

use std::any::Any;
use std::io::{self, Write};
use std::panic::PanicHookInfo;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use tracing::level_filters::LevelFilter;
use tracing::subscriber::{Interest, set_global_default};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use self::rate::{LineRate, WINDOW};
use super::metrics::{LostLine, LostLines};
use super::settings::{LogFormat, LogSettings};
use crate::serve::errors::ServeError;

/// How long the last lines may take to be written at the end of the process.
pub const LAST_LINES: Duration = Duration::from_secs(1);

/// The crates whose lines are written: the library and the program.
const OWN_CRATES: [&str; 2] = ["ebb", "ebb_serve"];

/// The log of this process, once it has one.
static LOST: OnceLock<LostLines> = OnceLock::new();

/// The lines that the log of this process has lost.
pub(crate) fn lost_lines() -> &'static LostLines {
    LOST.get_or_init(LostLines::default)
}

/// The log of the process.
#[derive(Debug)]
pub struct Log {
    lines: LineQueue,
    rate: Arc<LineRate>,
}

impl Log {
    /// Has the events of this process, and its panics, written to `destination`. There can be one log only.
    ///
    /// # Errors
    /// [`ServeError::Log`] when there is a log already, or the system gives no thread.
    pub fn start(
        settings: &LogSettings,
        destination: impl Write + Send + 'static,
    ) -> Result<Self, ServeError> {
        let lines =
            LineQueue::counted(destination, lost_lines().clone()).map_err(ServeError::Log)?;
        let rate = Arc::new(LineRate::new(settings.max_lines_per_second));
        let own = OwnLines {
            rate: Arc::clone(&rate),
            lost: lost_lines().clone(),
        };
        let subscriber = tracing_subscriber::registry()
            .with(formatted(settings.format, lines.clone()))
            .with(own);
        set_global_default(subscriber).map_err(|error| ServeError::Log(io::Error::other(error)))?;
        // The usual report of a panic is written by the thread that panics, which then waits for the log's reader.
        std::panic::set_hook(Box::new(log_panic));
        let reported = Arc::clone(&rate);
        thread::Builder::new()
            .name("ebb-log-rate".into())
            .spawn(move || {
                loop {
                    thread::sleep(WINDOW);
                    report_left_out(&reported);
                }
            })
            .map_err(ServeError::Log)?;
        Ok(Self { lines, rate })
    }

    /// Waits until the last lines are written, for at most [`LAST_LINES`].
    pub fn finish(&self) {
        report_left_out(&self.rate);
        self.lines.finish(LAST_LINES);
    }
}

/// What makes a line of each event.
fn formatted<S>(format: LogFormat, lines: LineQueue) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
{
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(move || lines.clone())
        // Complaints about a log that cannot be written would go where it cannot be written.
        .log_internal_errors(false);
    match format {
        LogFormat::Json => layer
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .boxed(),
        LogFormat::Text => layer.with_ansi(false).boxed(),
    }
}

/// What decides which lines are written: this program's, as many as the limit allows.
struct OwnLines {
    rate: Arc<LineRate>,
    lost: LostLines,
}

// Of the whole subscriber and not of the one layer in it: a layer's own filter loses count where it refuses an event that
// it was always interested in.
impl<S: Subscriber> Layer<S> for OwnLines {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if is_written(metadata) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        is_written(metadata)
    }

    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let admitted = self.rate.admits(event);
        if !admitted {
            self.lost.count(LostLine::RateLimit);
        }
        admitted
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::INFO)
    }
}

/// Whether the log has lines of a place in the source.
fn is_written(metadata: &Metadata<'_>) -> bool {
    is_own(metadata.target()) && *metadata.level() <= LevelFilter::INFO
}

/// Whether an event of this target is one of this program.
fn is_own(target: &str) -> bool {
    let module = |own: &str| {
        target
            .strip_prefix(own)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    OWN_CRATES.into_iter().any(module)
}

/// Logs how many lines of each kind were not written.
fn report_left_out(rate: &LineRate) {
    for left_out in rate.take_left_out() {
        tracing::warn!(
            of = left_out.message,
            lines = left_out.lines,
            max_lines_per_second = rate.max_lines(),
            "lines left out"
        );
    }
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    let thread = thread::current();
    tracing::error!(
        problem = panic_text(panic.payload()),
        place,
        thread = thread.name(),
        "panicked"
    );
}

/// What a panic says, where that is a text.
fn panic_text(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no text")
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines that events on this thread leave, and those that were lost.
    fn logged(
        format: LogFormat,
        max_lines: u32,
        events: impl FnOnce(&LineRate),
    ) -> (Vec<String>, LostLines) {
        let (page, lost) = (Page::default(), LostLines::default());
        let lines = LineQueue::counted(page.clone(), lost.clone()).unwrap();
        let rate = Arc::new(LineRate::new(max_lines));
        let own = OwnLines {
            rate: Arc::clone(&rate),
            lost: lost.clone(),
        };
        let subscriber = tracing_subscriber::registry()
            .with(formatted(format, lines.clone()))
            .with(own);
        tracing::subscriber::with_default(subscriber, || events(&rate));
        assert!(lines.finish(Duration::from_secs(20)));
        let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        (text.lines().map(str::to_owned).collect(), lost)
    }

    #[test]
    fn only_lines_of_this_program_are_written() {
        let (lines, lost) = logged(LogFormat::Text, 10, |_| {
            tracing::error!(target: "h2::proto::streams", "of a library");
            tracing::error!(target: "ebbing", "of another program");
            tracing::debug!("of this program, and of no interest");
            tracing::info!(target: "ebb", "of this crate");
            tracing::warn!(target: "ebb_serve", "of the binary");
            tracing::info!("of this module");
        });
        let messages: Vec<&str> = lines
            .iter()
            .filter_map(|l| l.split_once(": "))
            .map(|(_, m)| m)
            .collect();
        assert_eq!(
            messages,
            ["of this crate", "of the binary", "of this module"]
        );
        assert_eq!(lost.get(LostLine::RateLimit), 0);
    }

    #[test]
    fn lines_beyond_the_limit_are_counted_in_a_line() {
        let (lines, lost) = logged(LogFormat::Json, 4, |rate| {
            for number in 0..1_000 {
                tracing::info!(number, "one of many");
            }
            tracing::info!("another kind");
            report_left_out(rate);
            // Nothing more to report.
            report_left_out(rate);
        });
        let lines: Vec<serde_json::Value> = lines
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        // A slow run may see a second pass, and four lines more in the next.
        let of = |message: &str| lines.iter().filter(|l| l["message"] == message).count();
        let written = of("one of many");
        assert!((4..1_000).contains(&written), "{written}");
        assert_eq!((of("another kind"), of("lines left out")), (1, 1));
        let report = lines.last().unwrap();
        assert_eq!(report["of"], "one of many");
        assert_eq!(report["lines"], 1_000 - written);
        assert_eq!(report["max_lines_per_second"], 4);
        assert_eq!(lost.get(LostLine::RateLimit), 1_000 - written as u64);
    }

    #[test]
    fn what_a_panic_says_is_found_in_both_of_its_forms() {
        let text = |panics: fn()| {
            let payload = std::panic::catch_unwind(panics).unwrap_err();
            panic_text(&*payload).to_owned()
        };
        assert_eq!(text(|| panic!("plain")), "plain");
        assert_eq!(
            text(|| std::panic::panic_any(format!("with {}", 7))),
            "with 7"
        );
        assert_eq!(text(|| std::panic::panic_any(7_u8)), "no text");
    }
}
