//! Reading all files on all threads: each takes the next chunk, and what depends on the order of chunks is put into it at
//! the end, so that the number of threads changes nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::collect::{ChunkDone, empty, report};
use super::config::EventsConfig;
use super::config::Field;
use super::ingest::{Counts, RowSink};
use super::input::chunk_reader::ChunkReader;
use super::input::chunks::{Chunk, Layout, Task};
use super::input::jsonl::SeenKeys;
use super::input::log_file::LogFile;
use super::input::{csv, jsonl, missing_column, parquet};
use super::mapping::field::Columns;
use super::mapping::mapper::Mapper;
use super::quality::duplicates::Duplicates;
use super::quality::report::QualityReport;
use super::{EventsError, LogRequest};
use crate::history::{DayBounds, Histories, HistoriesBuilder, read_rollup_file};
use crate::phases::{Phase, Phases};

/// The time between two reports of progress.
const BETWEEN_REPORTS: Duration = Duration::from_millis(100);

/// One reading of a log, shared by all threads.
struct LogScan<'a> {
    request: &'a LogRequest<'a>,
    files: &'a [LogFile],
    days: DayBounds,
    chunks: Mutex<ChunkReader<'a>>,
    duplicates: Mutex<Duplicates>,
    done: Mutex<Vec<ChunkDone>>,
    /// The failure of the earliest chunk, with the chunk's number.
    failure: Mutex<Option<(usize, EventsError)>>,
    rows: AtomicU64,
    bytes_read: Arc<AtomicU64>,
}

/// What one thread counted.
type ThreadCounts = (Counts, SeenKeys);

// A thread that panics takes the whole reading with it, so what it left behind a lock is never used.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn into_inner<T>(mutex: Mutex<T>) -> T {
    mutex.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Reads the files; the histories and the report on their quality.
pub(crate) fn read(
    request: &LogRequest<'_>,
    files: &[LogFile],
    days: DayBounds,
    reading: &Phase<'_>,
    phases: Phases<'_>,
) -> Result<(Histories, QualityReport), EventsError> {
    let builder = HistoriesBuilder::within(request.memory.clone());
    let scan = LogScan::new(request, files, days);
    let threads = scan.run(&builder, reading);
    scan.report(reading);
    if let Some((_, error)) = into_inner(scan.failure) {
        return Err(error);
    }
    let (mut counts, mut keys) = (Counts::default(), SeenKeys::default());
    for (more, seen) in threads.into_iter().flatten() {
        counts.merge(more);
        keys.merge(seen);
    }
    // A key is missing only if no thread has seen it.
    keys.check(&[Field::User, Field::Time, Field::Kind, Field::Amount])?;
    let duplicates = into_inner(scan.duplicates);
    let mut report = report(files, into_inner(scan.done), &counts, &duplicates);
    report.mark_escaped(into_inner(scan.chunks).escaped());
    if counts.events == 0 {
        return Err(empty(&report, &counts, request.until));
    }
    let histories = builder.finish_observed(phases)?;
    report.describe(&histories, &counts.negative);
    Ok((histories, report))
}

impl<'a> LogScan<'a> {
    fn new(request: &'a LogRequest<'a>, files: &'a [LogFile], days: DayBounds) -> Self {
        let bytes_read = Arc::new(AtomicU64::new(0));
        let chunks = ChunkReader::new(request.config, files, bytes_read.clone());
        Self {
            request,
            files,
            days,
            chunks: Mutex::new(chunks),
            duplicates: Mutex::default(),
            done: Mutex::default(),
            failure: Mutex::default(),
            rows: AtomicU64::new(0),
            bytes_read,
        }
    }

    /// Counts what was read so far.
    fn report(&self, reading: &Phase<'_>) {
        let bytes_read = self.bytes_read.load(Ordering::Relaxed);
        reading.set(bytes_read, self.rows.load(Ordering::Relaxed));
    }

    /// Reads all chunks on all threads; what each of them counted, `None` after a failure.
    fn run(&self, builder: &HistoriesBuilder, reading: &Phase<'_>) -> Vec<Option<ThreadCounts>> {
        std::thread::scope(|scope| {
            let (running, ended) = channel();
            let start = |_| {
                let (builder, running) = (builder.fork(), running.clone());
                scope.spawn(move || self.read_chunks(builder, running))
            };
            let threads: Vec<_> = (0..rayon::current_num_threads()).map(start).collect();
            drop(running);
            // Nothing is ever sent: the channel is closed when the last thread has dropped its end of it.
            while ended.recv_timeout(BETWEEN_REPORTS) == Err(RecvTimeoutError::Timeout) {
                self.report(reading);
            }
            threads
                .into_iter()
                .map(|thread| {
                    let joined = thread.join();
                    joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                })
                .collect()
        })
    }

    /// Reads chunks until there are no more; `None` after a failure. `_running` is dropped when the thread ends.
    fn read_chunks(&self, builder: HistoriesBuilder, _running: Sender<()>) -> Option<ThreadCounts> {
        let mut worker = Worker::new(self, builder);
        loop {
            let mut chunks = lock(&self.chunks);
            let (number, task) = (chunks.chunks_read() + 1, chunks.next());
            drop(chunks);
            let outcome = match task {
                Ok(Some(task)) => worker.read(task),
                Ok(None) => {
                    return match worker.sink.close() {
                        Ok(counts) => Some((counts, worker.keys)),
                        // Every failure of a chunk comes before one of the end.
                        Err(error) => self.fail(usize::MAX, error.into()),
                    };
                }
                Err(error) => Err(error),
            };
            if let Err(error) = outcome {
                return self.fail(number, error);
            }
        }
    }

    /// Makes all threads stop; of several failures the one that comes first in the log counts.
    fn fail<T>(&self, number: usize, error: EventsError) -> Option<T> {
        lock(&self.chunks).stop();
        let mut failure = lock(&self.failure);
        if failure
            .as_ref()
            .is_none_or(|(earliest, _)| number < *earliest)
        {
            *failure = Some((number, error));
        }
        None
    }
}

/// One thread's reader of chunks.
struct Worker<'s, 'a> {
    scan: &'s LogScan<'a>,
    /// `None` until a chunk needs one, and where user or time are not configured.
    mapper: Option<Mapper>,
    sink: RowSink<'a>,
    keys: SeenKeys,
    /// The position of the file that the mapper is bound to.
    bound: Option<usize>,
}

impl<'s, 'a> Worker<'s, 'a> {
    fn new(scan: &'s LogScan<'a>, builder: HistoriesBuilder) -> Self {
        let LogRequest { config, users, .. } = *scan.request;
        Self {
            scan,
            mapper: None,
            sink: RowSink::new(config, builder, scan.days, users),
            keys: SeenKeys::default(),
            bound: None,
        }
    }

    fn read(&mut self, task: Task) -> Result<(), EventsError> {
        let Task {
            number,
            file: position,
            chunk,
        } = task;
        let file = &self.scan.files[position];
        // Chunks of one file mostly come one after the other.
        if self.bound != Some(position) {
            self.bind(file, &chunk)?;
            self.bound = Some(position);
        }
        let (sink, config) = (&mut self.sink, self.scan.request.config);
        sink.begin_chunk(&file.shown);
        // A roll-up has its fields by name; all other files need a mapping.
        let mapper = self.mapper.as_mut();
        let mapper = || mapper.ok_or_else(|| missing_setting(config, file));
        let rows = match chunk {
            Chunk::Rollup => read_rollup(sink, file)?,
            Chunk::Rows(group) => parquet::read(mapper()?, sink, file, group)?,
            Chunk::Text(chunk) => match chunk.layout {
                Layout::Json => jsonl::read(mapper()?, sink, file, &chunk, &mut self.keys)?,
                Layout::Whitespace => csv::read_whitespace_separated(mapper()?, sink, &chunk)?,
                Layout::Csv(csv) => csv::read_csv(mapper()?, sink, &chunk, csv)?,
            },
        };
        self.end_chunk(number, position, rows);
        Ok(())
    }

    /// Looks up the mapped columns in another file.
    fn bind(&mut self, file: &LogFile, chunk: &Chunk) -> Result<(), EventsError> {
        let LogRequest {
            config,
            default_kind,
            ..
        } = *self.scan.request;
        if self.mapper.is_none() {
            self.mapper = Mapper::new(config, default_kind)?;
        }
        let Some(mapper) = &mut self.mapper else {
            return Ok(());
        };
        let names = match chunk {
            Chunk::Rollup => return Ok(()),
            Chunk::Rows(group) => parquet::names(group.metadata.schema()),
            Chunk::Text(chunk) if chunk.layout == Layout::Json => {
                self.keys.start(&file.path, mapper.names())
            }
            Chunk::Text(chunk) => chunk.names.to_vec(),
        };
        let bound = mapper.bind(&Columns {
            path: &file.path,
            names: &names,
        });
        bound.map_err(|error| missing_column::explain(error, chunk))
    }

    fn end_chunk(&mut self, number: usize, file: usize, rows: u64) {
        let notes = self.sink.end_chunk();
        if !notes.hashes.is_empty() {
            lock(&self.scan.duplicates).add_all(&notes.hashes);
        }
        self.scan.rows.fetch_add(rows, Ordering::Relaxed);
        lock(&self.scan.done).push(ChunkDone {
            number,
            file,
            rows,
            rejected: notes.rejected,
        });
    }
}

fn read_rollup(sink: &mut RowSink<'_>, file: &LogFile) -> Result<u64, EventsError> {
    let (builder, days, users) = sink.rollup_target();
    let read = read_rollup_file(&file.path, days, users, builder)?;
    sink.count_rollup(&read)?;
    Ok(read.rows)
}

fn missing_setting(config: &EventsConfig, file: &LogFile) -> EventsError {
    let setting = if config.user.is_none() {
        "user"
    } else {
        "time"
    };
    EventsError::MissingSetting {
        setting,
        path: file.path.clone(),
    }
}
