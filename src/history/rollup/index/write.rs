//! Writing the index of a roll-up beside its files.

use std::hash::Hasher;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::{fs, io};

use twox_hash::XxHash64;

use super::footer::RollupPart;
use super::{Head, INDEX_FILE, PRELUDE_BYTES, Prelude};
use crate::history::{
    BLOCK_USERS, Coverage, CoverageSettings, DailyCounts, Histories, HistoryError, LabelKinds,
    Stretch,
};
use crate::output::Staged;
use crate::phases::{Phases, Unit};

/// Writes the index of `histories` beside the complete files `parts` of their roll-up; whether there is one.
///
/// There is none where a reader of the files would not get just these histories: where it would set rows aside because of
/// their days, or where a kind has no row.
///
/// # Errors
/// [`HistoryError`] names the file that cannot be written, and histories on disk that cannot be read.
pub(in crate::history::rollup) fn write_index(
    staged: &Staged,
    histories: &Histories,
    parts: &[String],
    phases: Phases<'_>,
) -> Result<bool, HistoryError> {
    let counts = DailyCounts::of(histories, &[])?;
    let Some(span) = covered(histories, &counts) else {
        return Ok(false);
    };
    let path = staged.destination().given().join(INDEX_FILE);
    let io = |source| HistoryError::Io {
        path: path.clone(),
        source,
    };
    let part = |name: &String| RollupPart::of(name.clone(), &mut staged.open(name)?);
    let head = Head {
        program: env!("CARGO_PKG_VERSION").to_owned(),
        parts: parts
            .iter()
            .map(part)
            .collect::<io::Result<_>>()
            .map_err(io)?,
        kinds: histories.kinds().to_vec(),
        totals: histories.totals().clone(),
        span,
        counts,
        blocks: histories.block_count(),
    };
    let head = serde_json::to_vec(&head).map_err(|error| io(error.into()))?;
    let mut body = Body {
        file: BufWriter::with_capacity(1 << 20, staged.create(INDEX_FILE)?),
        hash: XxHash64::with_seed(0),
        bytes: 0,
    };
    // The lengths and hashes in it are known at the end.
    body.file.write_all(&[0; PRELUDE_BYTES]).map_err(io)?;
    body.file.write_all(&head).map_err(io)?;
    let mut ends = Vec::with_capacity(histories.block_count() * size_of::<u64>());
    let mut left = histories.len();
    let writing = phases.begin("writing the index of users", left as u64, Unit::Users);
    histories.for_each_encoded(|block| {
        // Every block but the last is full.
        let users = left.min(BLOCK_USERS);
        left -= users;
        writing.advance(users as u64);
        body.put(block).map_err(io)?;
        ends.extend_from_slice(&body.bytes.to_le_bytes());
        Ok(())
    })?;
    body.put(&ends).map_err(io)?;
    body.finish(&head).map_err(io)?;
    Ok(true)
}

/// The days that the roll-up covers, where these are all that it has and each kind has a row.
fn covered(histories: &Histories, counts: &DailyCounts) -> Option<Stretch> {
    let (first, last) = histories.span()?;
    let whole = Stretch {
        from: first,
        until: last.plus(1),
    };
    let coverage = Coverage::of(counts, LabelKinds::default(), CoverageSettings::default())?;
    let every_kind_is_there = histories.totals().kinds().iter().all(|kind| kind.users > 0);
    let is_read = first.is_in_years() && last.is_in_years();
    (coverage.span == whole && every_kind_is_there && is_read).then_some(whole)
}

/// The body on its way to the file.
struct Body {
    file: BufWriter<fs::File>,
    hash: XxHash64,
    bytes: u64,
}

impl Body {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.write(bytes);
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes)
    }

    /// Fills in what stands before the head.
    fn finish(self, head: &[u8]) -> io::Result<()> {
        let prelude = Prelude {
            head_bytes: u32::try_from(head.len()).map_err(io::Error::other)?,
            head_hash: XxHash64::oneshot(0, head),
            body_bytes: self.bytes,
            body_hash: self.hash.finish(),
        };
        let mut file = self.file.into_inner()?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&prelude.to_bytes())
    }
}
