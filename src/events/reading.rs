use std::cell::Cell;
use std::rc::Rc;

use super::EventsError;
use super::files::LogFile;
use super::intake::Intake;
use super::mapper::Mapper;
use super::reason::Refusal;
use super::source::{Row, Stop};

/// How far the reading of a log has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Files read to their end.
    pub files_read: usize,
    /// All files.
    pub files: usize,
    /// Bytes read from the disk.
    pub bytes_read: u64,
    /// Bytes of all files on the disk.
    pub bytes: u64,
    /// Rows read.
    pub rows: u64,
}

/// Rows between two reports of progress.
const ROWS_BETWEEN: u64 = 16_384;

/// Reports progress now and then.
pub(super) struct Meter<'a> {
    on_progress: &'a mut dyn FnMut(Progress),
    progress: Progress,
    bytes_before: u64,
    position: Rc<Cell<u64>>,
}

impl<'a> Meter<'a> {
    pub(super) fn new(files: &[LogFile], on_progress: &'a mut dyn FnMut(Progress)) -> Self {
        let bytes = files.iter().map(|file| file.bytes).sum();
        let progress = Progress { files: files.len(), bytes, ..Progress::default() };
        Self { on_progress, progress, bytes_before: 0, position: Rc::default() }
    }

    /// The counter of the bytes read of a file that begins now.
    pub(super) fn start_file(&mut self) -> Rc<Cell<u64>> {
        self.position = Rc::default();
        self.position.clone()
    }

    /// Takes note of one row.
    pub(super) fn tick(&mut self) {
        self.progress.rows += 1;
        if self.progress.rows.is_multiple_of(ROWS_BETWEEN) {
            self.progress.bytes_read = self.bytes_before + self.position.get();
            (self.on_progress)(self.progress);
        }
    }

    /// Takes note of the end of a file and of `untold_rows` that were not noted one by one.
    pub(super) fn end_file(&mut self, file: &LogFile, untold_rows: u64) {
        self.bytes_before += file.bytes;
        self.progress.bytes_read = self.bytes_before;
        self.progress.files_read += 1;
        self.progress.rows += untold_rows;
        (self.on_progress)(self.progress);
    }
}

/// What the reader of one file works with.
pub(super) struct Reading<'r, 'a> {
    pub(super) mapper: &'r mut Mapper,
    pub(super) intake: &'r mut Intake,
    pub(super) meter: &'r mut Meter<'a>,
    pub(super) file: &'r LogFile,
}

impl Reading<'_, '_> {
    /// Takes in one row that starts on the line `line` tells.
    pub(super) fn row(&mut self, row: &impl Row, line: impl FnOnce() -> u64) -> Result<(), EventsError> {
        match self.mapper.apply(row, self.intake) {
            Ok(()) => Ok(()),
            Err(Stop::Refused(refusal)) => self.refuse(refusal, line),
            Err(Stop::Failed(error)) => Err(*error),
        }
    }

    /// Counts a refused row.
    pub(super) fn refuse(&mut self, refusal: Refusal, line: impl FnOnce() -> u64) -> Result<(), EventsError> {
        if self.intake.shows(refusal.reason) {
            let column = self.mapper.label(refusal.field);
            self.intake.refuse(refusal, &self.file.shown, line(), column)
        } else {
            self.intake.refuse(refusal, "", 0, String::new())
        }
    }
}
