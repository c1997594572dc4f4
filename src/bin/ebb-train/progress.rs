//! Progress on standard error: a bar for people, lines for a log, JSON for programs.

use std::fmt;
use std::io::IsTerminal as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use ebb::phases::{Observer, PhaseProgress, Phases, Unit};
use ebb::terminal::columns;
use indicatif::{
    HumanBytes, HumanCount, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState,
    ProgressStyle,
};
use serde::Serialize;

use crate::outcome::{Output, say};

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressForm {
    /// A bar on a terminal, nothing elsewhere, with --quiet and with --json.
    Auto,
    /// Nothing.
    Never,
    /// A line for each phase that takes longer than a second, and another one every five.
    Plain,
    /// A JSON object a line: phase, done, total, unit.
    Json,
}

/// The progress of one piece of work, shown as long as this lives.
pub(crate) struct ProgressDisplay {
    screen: Option<Screen>,
}

/// Where progress is shown, if it is.
struct Screen {
    form: Form,
    current: Mutex<Option<RunningPhase>>,
}

enum Form {
    Bar,
    Plain,
    Json,
}

/// The phase that goes on.
struct RunningPhase {
    phase: String,
    begun: Instant,
    /// When it was shown last; `None` where it was not yet.
    shown: Option<Instant>,
    figures: Figures,
    /// Whether the figures are newer than what was shown.
    waiting: bool,
    bar: Option<ProgressBar>,
}

#[derive(Clone, Copy)]
struct Figures {
    done: u64,
    total: u64,
    unit: Unit,
    rows: Option<u64>,
}

/// A line of `--progress json`.
#[derive(Serialize)]
struct PhaseLine<'a> {
    phase: &'a str,
    done: u64,
    total: u64,
    unit: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<u64>,
}

impl ProgressDisplay {
    /// A display as the command line asks for it.
    pub(crate) fn new(output: Output) -> Self {
        let watched = !output.quiet && !output.json && std::io::stderr().is_terminal();
        let form = match output.progress {
            ProgressForm::Auto if watched => Some(Form::Bar),
            ProgressForm::Auto | ProgressForm::Never => None,
            ProgressForm::Plain => Some(Form::Plain),
            ProgressForm::Json => Some(Form::Json),
        };
        Self {
            screen: form.map(|form| Screen {
                form,
                current: Mutex::new(None),
            }),
        }
    }

    /// Where the work is observed.
    pub(crate) fn phases(&self) -> Phases<'_> {
        match &self.screen {
            Some(screen) => Phases::observed_by(screen),
            None => Phases::UNOBSERVED,
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if let Some(current) = &mut *lock(&self.current) {
            self.form.end(current);
        }
    }
}

impl Observer for Screen {
    fn observe(&self, progress: PhaseProgress<'_>) {
        let PhaseProgress {
            phase,
            done,
            total,
            unit,
            rows,
        } = progress;
        let figures = Figures {
            done,
            total,
            unit,
            rows,
        };
        let mut current = lock(&self.current);
        match &mut *current {
            Some(current) if current.phase == phase && current.figures.unit == unit => {
                // Two threads may report in the wrong order.
                if done >= current.figures.done {
                    current.figures = figures;
                    current.waiting = true;
                    self.form.go_on(current);
                }
            }
            other => {
                if let Some(earlier) = other {
                    self.form.end(earlier);
                }
                self.form.begin(other.insert(RunningPhase {
                    phase: phase.to_owned(),
                    begun: Instant::now(),
                    shown: None,
                    figures,
                    waiting: true,
                    bar: None,
                }));
            }
        }
    }
}

fn lock(current: &Mutex<Option<RunningPhase>>) -> MutexGuard<'_, Option<RunningPhase>> {
    // What is shown is no reason to fail.
    current.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Form {
    /// The least time between two reports of a phase.
    fn pause(&self) -> Duration {
        match self {
            Self::Bar => Duration::from_millis(100),
            Self::Json => Duration::from_millis(200),
            Self::Plain => Duration::from_secs(5),
        }
    }

    /// How long a phase has to go on before it is shown.
    fn patience(&self) -> Duration {
        match self {
            Self::Bar | Self::Json => Duration::ZERO,
            Self::Plain => Duration::from_secs(1),
        }
    }

    fn begin(&self, current: &mut RunningPhase) {
        if matches!(self, Self::Bar) {
            current.bar = Some(bar(current));
        }
        if self.patience() == Duration::ZERO {
            self.show(current);
        }
    }

    fn go_on(&self, current: &mut RunningPhase) {
        let is_due = match current.shown {
            Some(shown) => shown.elapsed() >= self.pause(),
            None => current.begun.elapsed() >= self.patience(),
        };
        let Figures { done, total, .. } = current.figures;
        let is_end = done >= total && !matches!(self, Self::Plain);
        if is_due || is_end {
            self.show(current);
        }
    }

    /// The phase is over: its last figures are shown if they were not.
    fn end(&self, current: &mut RunningPhase) {
        match self {
            Self::Plain if current.shown.is_some() => {
                let seconds = current.begun.elapsed().as_secs_f64();
                say(&format!("{}: {seconds:.1} s", current.phase));
            }
            Self::Json if current.waiting => self.show(current),
            Self::Plain | Self::Json | Self::Bar => {}
        }
        if let Some(bar) = &current.bar {
            bar.finish_and_clear();
        }
    }

    fn show(&self, current: &mut RunningPhase) {
        let Figures {
            done,
            total,
            unit,
            rows,
        } = current.figures;
        match self {
            Self::Bar => {
                if let Some(bar) = &current.bar {
                    bar.set_length(total);
                    bar.set_prefix(current.figures.text());
                    bar.set_position(done);
                }
            }
            Self::Plain => {
                let left = current.left().map_or(String::new(), |left| {
                    format!(", {:.0} s left", left.as_secs_f64().ceil())
                });
                let figures = current.figures.text();
                say(&format!("{}: {figures}{left}", current.phase));
            }
            Self::Json => {
                let line = PhaseLine {
                    phase: &current.phase,
                    done,
                    total,
                    unit: unit.name(),
                    rows,
                };
                // It has no maps and no numbers that JSON does not have.
                if let Ok(line) = serde_json::to_string(&line) {
                    say(&line);
                }
            }
        }
        current.shown = Some(Instant::now());
        current.waiting = false;
    }
}

impl RunningPhase {
    /// How long the phase is going to go on, were it to go on as it did.
    fn left(&self) -> Option<Duration> {
        let Figures { done, total, .. } = self.figures;
        if done == 0 || done > total {
            return None;
        }
        let each = self.begun.elapsed().as_secs_f64() / done as f64;
        Duration::try_from_secs_f64(each * (total - done) as f64).ok()
    }
}

impl Figures {
    /// How much of how much: `1.20 MiB of 4.10 MiB, 12,345 rows`.
    fn text(&self) -> String {
        let of = match self.unit {
            Unit::Bytes => format!("{} of {}", HumanBytes(self.done), HumanBytes(self.total)),
            unit => format!(
                "{} of {} {}",
                HumanCount(self.done),
                HumanCount(self.total),
                unit.name()
            ),
        };
        match self.rows {
            Some(rows) => format!("{of}, {} rows", HumanCount(rows)),
            None => of,
        }
    }
}

/// The least columns of a terminal for figures beside the bar.
const COLUMNS_WITH_FIGURES: usize = 80;

/// A bar for a phase on standard error. It has no colours, so that there is nothing for `NO_COLOR` to turn off.
fn bar(phase: &RunningPhase) -> ProgressBar {
    // Hidden until all of it is there.
    let hidden = ProgressDrawTarget::hidden();
    let bar = ProgressBar::with_draw_target(Some(phase.figures.total), hidden)
        .with_message(phase.phase.clone())
        .with_prefix(phase.figures.text());
    let is_wide = columns(std::io::stderr()).is_none_or(|columns| columns >= COLUMNS_WITH_FIGURES);
    let template = if is_wide {
        "{msg} {wide_bar} {percent:>3} %, {prefix}{left}"
    } else {
        "{msg} {wide_bar} {percent:>3} %{left}"
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.with_key("left", time_left));
    }
    bar.set_draw_target(ProgressDrawTarget::stderr());
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

/// The time that a phase still takes, once that can be said.
fn time_left(state: &ProgressState, into: &mut dyn fmt::Write) {
    let done = state.pos();
    if done > 0 && state.len().is_some_and(|total| done < total) {
        // A terminal cannot be told of an error.
        let _ = write!(into, ", {:#} left", HumanDuration(state.eta()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn current(done: u64, total: u64, begun: Duration) -> RunningPhase {
        RunningPhase {
            phase: "reading the log".to_owned(),
            begun: Instant::now().checked_sub(begun).unwrap(),
            shown: None,
            figures: Figures {
                done,
                total,
                unit: Unit::Bytes,
                rows: Some(1_234),
            },
            waiting: true,
            bar: None,
        }
    }

    #[test]
    fn figures_and_the_time_left_are_readable() {
        let half = current(1 << 20, 2 << 20, Duration::from_secs(60));
        assert_eq!(half.figures.text(), "1.00 MiB of 2.00 MiB, 1,234 rows");
        let left = half.left().unwrap().as_secs_f64();
        assert!((60.0..61.0).contains(&left), "{left}");
        assert_eq!(current(0, 10, Duration::from_secs(9)).left(), None);
        assert_eq!(current(11, 10, Duration::from_secs(9)).left(), None);
    }

    #[test]
    fn a_phase_is_shown_at_its_beginning_its_end_and_seldom_between() {
        let mut now = current(0, 1_000, Duration::ZERO);
        Form::Json.begin(&mut now);
        assert!(!now.waiting);
        now.figures.done = 1;
        now.waiting = true;
        Form::Json.go_on(&mut now);
        assert!(now.waiting, "not a fifth of a second later");
        now.figures.done = 1_000;
        Form::Json.go_on(&mut now);
        assert!(!now.waiting, "the end is shown at once");
        // Lines for a log are for phases that take their time.
        let mut short = current(0, 10, Duration::ZERO);
        Form::Plain.begin(&mut short);
        short.figures.done = 10;
        Form::Plain.go_on(&mut short);
        assert!(short.shown.is_none());
        let mut long = current(5, 10, Duration::from_secs(2));
        Form::Plain.go_on(&mut long);
        assert!(long.shown.is_some());
    }
}
