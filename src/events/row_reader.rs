use super::EventsError;
use super::ingest::Intake;
use super::input::files::LogFile;
use super::input::parquet_fast::PlainBatch;
use super::mapping::field::{Row, Stop};
use super::mapping::mapper::Mapper;
use super::quality::rejection::{Field, Refusal, RefusalReason};

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

/// What the reader of a piece works with.
pub(crate) struct Reading<'r> {
    pub(crate) mapper: &'r mut Mapper,
    pub(crate) intake: &'r mut Intake,
    pub(crate) file: &'r LogFile,
}

impl Reading<'_> {
    /// Takes in one row of a Parquet file; `false` when it is odd and was left alone.
    pub(crate) fn quick(
        &mut self,
        batch: &mut PlainBatch<'_>,
        row: usize,
    ) -> Result<bool, EventsError> {
        Ok(batch.row(self, row)?)
    }

    /// Takes in one row that starts on the line `line` tells.
    pub(crate) fn row(
        &mut self,
        row: &impl Row,
        line: impl FnOnce() -> u64,
    ) -> Result<(), EventsError> {
        match self.mapper.apply(row, self.intake) {
            Ok(()) => Ok(()),
            Err(Stop::Refused(refusal)) => self.refuse(refusal, line),
            Err(Stop::Failed(error)) => Err(*error),
        }
    }

    /// Counts a row that is refused as a whole; what was found and expected is told only where its place is shown.
    pub(crate) fn refuse_row(
        &mut self,
        reason: RefusalReason,
        line: u64,
        describe: impl FnOnce() -> (String, String),
    ) -> Result<(), EventsError> {
        if self.intake.refuse_unseen(reason) {
            return Ok(());
        }
        let (value, expected) = describe();
        self.show(
            Refusal {
                reason,
                field: Field::Row,
                value,
                expected: expected.into(),
            },
            line,
        )
    }

    /// Counts a refused row.
    pub(crate) fn refuse(
        &mut self,
        refusal: Refusal,
        line: impl FnOnce() -> u64,
    ) -> Result<(), EventsError> {
        if self.intake.refuse_unseen(refusal.reason) {
            Ok(())
        } else {
            self.show(refusal, line())
        }
    }

    fn show(&mut self, refusal: Refusal, line: u64) -> Result<(), EventsError> {
        let column = self.mapper.label(refusal.field);
        self.intake.refuse(refusal, &self.file.shown, line, column)
    }
}
