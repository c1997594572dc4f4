//! How far long work has come.
//!
//! Work that takes long is given [`Phases`]. It begins a [`Phase`] for each of its steps and counts there what is done; an
//! [`Observer`] gets every count. Nothing depends on whether there is one: results are the same, and without an observer a
//! count is an addition.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a phase counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes of files.
    Bytes,
    /// Rows of a file.
    Rows,
    /// Users.
    Users,
    /// Shares of the users, cut by a hash of their ids.
    Partitions,
    /// Fits of a model.
    Fits,
    /// Resamples of a bootstrap.
    Resamples,
    /// Steps of a computation, of unequal length.
    Steps,
}

impl Unit {
    /// The unit as a word, in the plural.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Rows => "rows",
            Self::Users => "users",
            Self::Partitions => "partitions",
            Self::Fits => "fits",
            Self::Resamples => "resamples",
            Self::Steps => "steps",
        }
    }
}

/// How far a phase has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhaseProgress<'a> {
    /// What is done, such as `reading the log`.
    pub phase: &'a str,
    /// How much of it is done.
    pub done: u64,
    /// How much there is to do, as far as that can be said: more may turn up, and some may turn out to be needless.
    pub total: u64,
    /// What is counted.
    pub unit: Unit,
    /// Rows read so far, in a phase that reads some and counts something else.
    pub rows: Option<u64>,
}

/// Gets the progress of work, from any of its threads.
pub trait Observer: Sync {
    /// A phase has begun, or has come further. It is called often; what takes long delays the work.
    fn observe(&self, progress: PhaseProgress<'_>);
}

/// Where the phases of long work are observed, if they are.
#[derive(Clone, Copy, Default)]
pub struct Phases<'a> {
    observer: Option<&'a dyn Observer>,
}

impl fmt::Debug for Phases<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let observed = self.observer.is_some();
        f.debug_struct("Phases")
            .field("observed", &observed)
            .finish()
    }
}

impl<'a> Phases<'a> {
    /// Phases without an observer.
    pub const UNOBSERVED: Self = Self { observer: None };

    /// Phases that an observer gets to see.
    pub fn observed_by(observer: &'a dyn Observer) -> Self {
        Self {
            observer: Some(observer),
        }
    }

    /// Begins a phase in which there are `total` units to do.
    pub fn begin(self, name: impl Into<String>, total: u64, unit: Unit) -> Phase<'a> {
        let phase = Phase {
            observer: self.observer,
            name: name.into(),
            unit,
            total: AtomicU64::new(total),
            done: AtomicU64::new(0),
        };
        phase.report(0, None);
        phase
    }
}

/// A step of long work, begun by [`Phases::begin`]. It may be counted on several threads.
pub struct Phase<'a> {
    observer: Option<&'a dyn Observer>,
    name: String,
    unit: Unit,
    total: AtomicU64,
    done: AtomicU64,
}

impl fmt::Debug for Phase<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Phase")
            .field("name", &self.name)
            .field("unit", &self.unit)
            .field("total", &self.total)
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}

impl Phase<'_> {
    /// So many more units are done.
    pub fn advance(&self, units: u64) {
        let before = self.done.fetch_add(units, Ordering::Relaxed);
        self.report(before + units, None);
    }

    /// So many units are done by now, for which so many rows were read.
    pub fn set(&self, done: u64, rows: u64) {
        self.done.store(done, Ordering::Relaxed);
        self.report(done, Some(rows));
    }

    /// What is left turned out to be needless, or more was done than expected: the phase is over.
    pub fn finish(self) {
        let done = self.done.load(Ordering::Relaxed);
        if done != self.total.swap(done, Ordering::Relaxed) {
            self.report(done, None);
        }
    }

    fn report(&self, done: u64, rows: Option<u64>) {
        let Some(observer) = self.observer else {
            return;
        };
        observer.observe(PhaseProgress {
            phase: &self.name,
            done,
            total: self.total.load(Ordering::Relaxed),
            unit: self.unit,
            rows,
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Keeps all that it gets.
    #[derive(Default)]
    struct Kept(Mutex<Vec<(String, u64, u64)>>);

    impl Observer for Kept {
        fn observe(&self, progress: PhaseProgress<'_>) {
            let PhaseProgress {
                phase, done, total, ..
            } = progress;
            self.0.lock().unwrap().push((phase.to_owned(), done, total));
        }
    }

    #[test]
    fn an_observer_gets_the_beginning_every_count_and_the_end() {
        let kept = Kept::default();
        let phases = Phases::observed_by(&kept);
        let fits = phases.begin("backtest", 8, Unit::Fits);
        fits.advance(2);
        fits.advance(3);
        // Three of them were given up.
        fits.finish();
        let whole = phases.begin("reading", 10, Unit::Bytes);
        whole.set(10, 4);
        whole.finish();
        let seen = kept.0.into_inner().unwrap();
        let expected = [
            ("backtest", 0, 8),
            ("backtest", 2, 8),
            ("backtest", 5, 8),
            ("backtest", 5, 5),
            ("reading", 0, 10),
            ("reading", 10, 10),
        ];
        assert_eq!(
            seen,
            expected.map(|(phase, done, total)| (phase.to_owned(), done, total))
        );
    }

    #[test]
    fn counts_of_several_threads_add_up() {
        let kept = Kept::default();
        let phase = Phases::observed_by(&kept).begin("users", 400, Unit::Users);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..100).for_each(|_| phase.advance(1)));
            }
        });
        let most = kept
            .0
            .lock()
            .unwrap()
            .iter()
            .map(|(_, done, _)| *done)
            .max();
        assert_eq!(most, Some(400));
        // Without an observer they are counted all the same.
        let phase = Phases::UNOBSERVED.begin("users", 2, Unit::Users);
        phase.advance(2);
        assert_eq!(phase.done.into_inner(), 2);
    }
}
