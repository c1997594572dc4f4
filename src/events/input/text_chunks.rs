//! The chunks of a text file: whole records, as many as fit, in bounded memory.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::chunks::{Layout, TextChunk};
use super::log_file::LogFile;
use super::open::{Text, open_text, read_error};
use super::preamble::{Beginning, beginning};
use super::record_boundary::{Cut, cut};
use crate::events::EventsError;
use crate::events::config::EventsConfig;
use crate::events::config::RecordLimits;

/// Bytes of a chunk of text, about; few in tests, so that all of them cross from one chunk to the next.
const CHUNK_BYTES: usize = if cfg!(test) { 64 } else { 1 << 20 };

/// Bytes of the beginning of a text file from which its layout is found.
const BEGINNING_BYTES: usize = 1 << 20;

/// Hands out the chunks of a text file.
pub(crate) struct TextChunks {
    text: Text,
    pub(crate) layout: Layout,
    limits: RecordLimits,
    names: Arc<Vec<String>>,
    /// What was read and not handed out.
    pending: Vec<u8>,
    lines: u64,
    is_first: bool,
    ended: bool,
    chunk_bytes: usize,
}

impl TextChunks {
    pub(crate) fn new(
        file: &LogFile,
        config: &EventsConfig,
        bytes_read: &Arc<AtomicU64>,
    ) -> Result<Self, EventsError> {
        let mut text = open_text(&file.path, bytes_read.clone())?;
        let limits = config.record_limits();
        let (mut pending, mut wanted) = (Vec::new(), BEGINNING_BYTES);
        let (
            Beginning {
                layout,
                names,
                length,
            },
            ended,
        ) = loop {
            let ended = read_up_to(&mut text, &mut pending, wanted, file)?;
            match beginning(&pending, ended, file, config)? {
                Some(beginning) => break (beginning, ended),
                // The header, or a quoted text in it, goes on behind what was read.
                None => wanted = wanted.saturating_mul(2),
            }
        };
        let rest = pending.split_off(length);
        let lines = lines(&pending, layout);
        let names = Arc::new(names);
        Ok(Self {
            text,
            layout,
            limits,
            names,
            pending: rest,
            lines,
            is_first: true,
            ended,
            chunk_bytes: CHUNK_BYTES,
        })
    }

    /// The next whole records, after the header.
    pub(crate) fn next(&mut self, file: &LogFile) -> Result<Option<TextChunk>, EventsError> {
        // The columns of a file without rows are looked at too.
        let names_columns = self.is_first && self.layout != Layout::Json;
        let bytes = self.records(file)?.or_else(|| names_columns.then(Vec::new));
        let Some(bytes) = bytes else { return Ok(None) };
        let lines_before = self.lines;
        self.lines += lines(&bytes, self.layout);
        let is_first = std::mem::replace(&mut self.is_first, false);
        let (layout, limits, names) = (self.layout, self.limits, self.names.clone());
        Ok(Some(TextChunk {
            bytes,
            lines_before,
            is_first,
            layout,
            limits,
            names,
        }))
    }

    fn records(&mut self, file: &LogFile) -> Result<Option<Vec<u8>>, EventsError> {
        let mut wanted = self.chunk_bytes;
        loop {
            if !self.ended && self.pending.len() < wanted {
                self.ended = read_up_to(&mut self.text, &mut self.pending, wanted, file)?;
            }
            if self.ended && self.pending.len() <= wanted {
                return Ok(Some(std::mem::take(&mut self.pending)).filter(|rest| !rest.is_empty()));
            }
            let chunk = self.pending.get(..wanted).unwrap_or(&self.pending);
            match cut(chunk, self.layout, self.limits) {
                Cut::At(end) => {
                    let rest = self.pending.split_off(end);
                    return Ok(Some(std::mem::replace(&mut self.pending, rest)));
                }
                Cut::TooLong => return self.too_long(file).map(Some),
                // A record goes on behind the chunk: the chunk grows, up to the limit of a record.
                Cut::NotYet => wanted = wanted.saturating_mul(2),
            }
        }
    }

    /// As much of a line beyond the limit as shows that it is; the rest of the line is passed over.
    fn too_long(&mut self, file: &LogFile) -> Result<Vec<u8>, EventsError> {
        let terminator = self.layout.terminator();
        let kept = self.limits.bytes.saturating_add(1).min(self.pending.len());
        let mut rest = self.pending.split_off(kept);
        let mut bytes = std::mem::take(&mut self.pending);
        loop {
            if let Some(end) = memchr::memchr(terminator, &rest) {
                bytes.push(terminator);
                self.pending = rest.split_off(end + 1);
                return Ok(bytes);
            }
            rest.clear();
            if self.ended {
                return Ok(bytes);
            }
            self.ended = read_up_to(&mut self.text, &mut rest, CHUNK_BYTES, file)?;
        }
    }
}

/// Reads until there are so many bytes; whether the text ended.
fn read_up_to(
    text: &mut Text,
    bytes: &mut Vec<u8>,
    count: usize,
    file: &LogFile,
) -> Result<bool, EventsError> {
    let more = count.saturating_sub(bytes.len()) as u64;
    let read = text.by_ref().take(more).read_to_end(bytes);
    Ok((read.map_err(|source| read_error(&file.path, source))? as u64) < more)
}

/// The names of a text file's columns.
pub(crate) fn column_names(
    file: &LogFile,
    config: &EventsConfig,
) -> Result<Arc<Vec<String>>, EventsError> {
    Ok(TextChunks::new(file, config, &Arc::default())?.names)
}

fn lines(bytes: &[u8], layout: Layout) -> u64 {
    memchr::memchr_iter(layout.terminator(), bytes).count() as u64
}

#[cfg(test)]
mod tests;
