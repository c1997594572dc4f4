//! Temporary files for what does not fit into memory. They have no names, so nothing is left of them however the process
//! ends.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::interner::Names;
use crate::history::{HistoryError, codec};

/// Bytes read or written at once.
const BUFFER_BYTES: usize = 1 << 16;

/// An error of a temporary file in `folder`.
pub(crate) fn failed(folder: &Path, source: io::Error) -> HistoryError {
    HistoryError::Spill {
        folder: folder.to_owned(),
        source,
    }
}

fn create(folder: &Path) -> Result<File, HistoryError> {
    tempfile::tempfile_in(folder).map_err(|source| failed(folder, source))
}

/// What one partition has sent to disk.
#[derive(Debug, Default)]
pub(crate) struct Parcels {
    file: Option<(File, PathBuf)>,
    /// For each parcel the bytes of its names and of its runs.
    lengths: Vec<(usize, usize)>,
}

/// Names in order of their numbers, and the runs that refer to them.
pub(crate) struct Parcel {
    pub(crate) names: Vec<u8>,
    pub(crate) runs: Vec<u8>,
}

impl Parcels {
    /// Whether nothing was sent to disk.
    pub(crate) fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// Writes a parcel.
    pub(crate) fn put(
        &mut self,
        folder: &Path,
        names: &Names,
        runs: &[Vec<u8>],
    ) -> Result<(), HistoryError> {
        let (file, _) = match &mut self.file {
            Some(file) => file,
            none => none.insert((create(folder)?, folder.to_owned())),
        };
        let mut texts = Vec::with_capacity(names.memory());
        for id in 0..names.len() as u32 {
            codec::put_bytes(&mut texts, names.get(id));
        }
        // Each run counts users from 0, so the runs of a parcel are told apart by their lengths.
        let mut all = Vec::with_capacity(runs.iter().map(|run| run.len() + 5).sum());
        for run in runs {
            codec::put_bytes(&mut all, run);
        }
        let written = file.write_all(&texts).and_then(|()| file.write_all(&all));
        written.map_err(|source| failed(folder, source))?;
        self.lengths.push((texts.len(), all.len()));
        Ok(())
    }

    /// Reads all parcels back, in the order they were written.
    pub(crate) fn read(self) -> Result<Vec<Parcel>, HistoryError> {
        let Some((mut file, folder)) = self.file else {
            return Ok(Vec::new());
        };
        let io = |source| failed(&folder, source);
        file.seek(SeekFrom::Start(0)).map_err(io)?;
        let mut bytes = |length: usize| {
            let mut bytes = vec![0; length];
            file.read_exact(&mut bytes).map_err(io).map(|()| bytes)
        };
        self.lengths
            .iter()
            .map(|(names, runs)| {
                Ok(Parcel {
                    names: bytes(*names)?,
                    runs: bytes(*runs)?,
                })
            })
            .collect()
    }
}

/// A file that is written once from its beginning to its end.
pub(crate) struct Written {
    writer: BufWriter<File>,
    folder: PathBuf,
    length: u64,
}

impl Written {
    pub(crate) fn new(folder: &Path) -> Result<Self, HistoryError> {
        Ok(Self {
            writer: BufWriter::with_capacity(BUFFER_BYTES, create(folder)?),
            folder: folder.to_owned(),
            length: 0,
        })
    }

    /// Appends bytes; where they start.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<u64, HistoryError> {
        let start = self.length;
        self.writer
            .write_all(bytes)
            .map_err(|source| failed(&self.folder, source))?;
        self.length += bytes.len() as u64;
        Ok(start)
    }

    fn end(self) -> Result<(File, PathBuf), HistoryError> {
        let Self { writer, folder, .. } = self;
        let file = writer
            .into_inner()
            .map_err(|error| failed(&folder, error.into_error()))?;
        Ok((file, folder))
    }

    /// The file, to be read from its beginning to its end.
    pub(crate) fn rewind(self) -> Result<Sequence, HistoryError> {
        let left = self.length;
        let (mut file, folder) = self.end()?;
        file.seek(SeekFrom::Start(0))
            .map_err(|source| failed(&folder, source))?;
        Ok(Sequence {
            reader: BufReader::with_capacity(BUFFER_BYTES, file),
            folder,
            left,
        })
    }

    /// The file, to be read at any place.
    pub(crate) fn places(self) -> Result<Places, HistoryError> {
        let (file, folder) = self.end()?;
        Ok(Places {
            file: Mutex::new(file),
            folder,
        })
    }
}

/// A file that is read from its beginning to its end.
pub(crate) struct Sequence {
    reader: BufReader<File>,
    folder: PathBuf,
    left: u64,
}

impl Sequence {
    /// Whether all was read.
    pub(crate) fn is_at_end(&self) -> bool {
        self.left == 0
    }

    /// Reads bytes that were written with their length, in four bytes, before them.
    pub(crate) fn read(&mut self, into: &mut Vec<u8>) -> Result<(), HistoryError> {
        let io = |source| failed(&self.folder, source);
        let mut length = [0; 4];
        self.reader.read_exact(&mut length).map_err(io)?;
        let length = u32::from_le_bytes(length);
        into.resize(length as usize, 0);
        self.reader.read_exact(into).map_err(io)?;
        self.left = self.left.saturating_sub(4 + u64::from(length));
        Ok(())
    }
}

/// A file that is read at any place, by any thread.
#[derive(Debug)]
pub(crate) struct Places {
    file: Mutex<File>,
    folder: PathBuf,
}

impl Places {
    /// Reads `length` bytes from `start` on.
    pub(crate) fn read(
        &self,
        start: u64,
        length: usize,
        into: &mut Vec<u8>,
    ) -> Result<(), HistoryError> {
        let io = |source| failed(&self.folder, source);
        into.resize(length, 0);
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(start)).map_err(io)?;
        file.read_exact(into).map_err(io)
    }

    /// An error for bytes that are not what was written.
    pub(crate) fn damaged(&self) -> HistoryError {
        failed(
            &self.folder,
            io::Error::new(io::ErrorKind::InvalidData, "a temporary file was damaged"),
        )
    }
}
