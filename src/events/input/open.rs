//! Opening text files: plain, gzip or zstd, as their first bytes say.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::GzDecoder;

use crate::events::EventsError;

/// Bytes read at once, before and after decompression.
const BUFFER_BYTES: usize = 1 << 17;

/// The path that stands for the standard input.
pub(crate) const STANDARD_INPUT: &str = "-";

/// A text that can be read.
pub(crate) type Text = Box<dyn BufRead + Send>;

/// Opens a text file: decompressed where its first bytes say gzip or zstd, and past a byte order mark.
///
/// `bytes_read` counts the bytes read from the disk.
pub(crate) fn open_text(path: &Path, bytes_read: Arc<AtomicU64>) -> Result<Text, EventsError> {
    let fail = |source| read_error(path, source);
    let mut raw = Input::open(path, bytes_read).map_err(fail)?;
    let magic = raw.peek(4).map_err(fail)?;
    let mut text: Text = if magic.starts_with(&GZIP) {
        Box::new(BufReader::with_capacity(
            BUFFER_BYTES,
            Gzip(GzDecoder::new(raw)),
        ))
    } else if is_compressed(magic) {
        let decoder = zstd::Decoder::with_buffer(raw).map_err(fail)?;
        Box::new(BufReader::with_capacity(BUFFER_BYTES, Zstd(decoder)))
    } else {
        Box::new(raw)
    };
    match text.fill_buf().map_err(fail)? {
        // The byte order mark of UTF-8 would be part of the first column's name.
        [0xef, 0xbb, 0xbf, ..] => text.consume(3),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            return Err(EventsError::Utf16 {
                path: path.to_owned(),
            });
        }
        _ => {}
    }
    Ok(text)
}

/// The first bytes of a file as they are on the disk.
pub(crate) fn first_bytes(path: &Path, count: usize) -> Result<Vec<u8>, EventsError> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|source| read_error(path, source))?;
    file.take(count as u64)
        .read_to_end(&mut bytes)
        .map_err(|source| read_error(path, source))?;
    Ok(bytes)
}

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Whether a file with these first bytes is compressed in a way that is read.
pub(crate) fn is_compressed(magic: &[u8]) -> bool {
    magic.starts_with(&GZIP) || magic.starts_with(&ZSTD) || is_skippable(magic)
}

/// Whether these are the first bytes of a frame that a zstd decoder passes over (RFC 8878, 3.1.2).
fn is_skippable(magic: &[u8]) -> bool {
    matches!(magic, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// The error for a file that could not be read; one that stops in the middle has its own.
pub(crate) fn read_error(path: &Path, source: io::Error) -> EventsError {
    let path = path.to_owned();
    let behind = source
        .get_ref()
        .and_then(|error| error.downcast_ref::<TrailingBytes>());
    match (behind, source.kind()) {
        (Some(TrailingBytes(bytes)), _) => EventsError::TrailingBytes {
            path,
            bytes: *bytes,
        },
        (None, io::ErrorKind::UnexpectedEof) => EventsError::Truncated { path },
        _ if source.to_string().contains("requires too much memory") => {
            EventsError::ZstdWindow { path }
        }
        _ => EventsError::Io { path, source },
    }
}

/// So many bytes follow the end of compressed data.
#[derive(Debug, thiserror::Error)]
#[error("{0} bytes after the end of the compressed data")]
struct TrailingBytes(u64);

fn trailing_bytes(mut rest: impl Read) -> io::Error {
    match io::copy(&mut rest, &mut io::sink()) {
        Ok(bytes) => io::Error::other(TrailingBytes(bytes)),
        Err(error) => error,
    }
}

/// One or more members of gzip, with zeros between and behind them, as tapes and block devices pad files.
struct Gzip(GzDecoder<Input>);

impl Read for Gzip {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.0.read(into)?;
            if read > 0 || into.is_empty() {
                return Ok(read);
            }
            let raw = self.0.get_mut();
            raw.skip_zeros()?;
            match raw.peek(GZIP.len())? {
                [] => return Ok(0),
                magic if magic == GZIP => {
                    let raw = std::mem::take(raw);
                    self.0.reset(raw);
                }
                _ => return Err(trailing_bytes(raw)),
            }
        }
    }
}

/// Frames of zstd, those that are passed over among them.
struct Zstd(zstd::Decoder<'static, Input>);

impl Read for Zstd {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0
            .read(into)
            .map_err(|error| match error.to_string().as_str() {
                // Only what is not a frame stops the decoder between two, and what it says is not consumed.
                "Unknown frame descriptor" => trailing_bytes(self.0.get_mut()),
                _ => error,
            })
    }
}

/// A file in a buffer whose next bytes can be looked at.
struct Input {
    file: Box<dyn Read + Send>,
    bytes_read: Arc<AtomicU64>,
    buffer: Vec<u8>,
    /// How much of the buffer was consumed.
    at: usize,
}

impl Default for Input {
    fn default() -> Self {
        Self {
            file: Box::new(io::empty()),
            bytes_read: Arc::default(),
            buffer: Vec::new(),
            at: 0,
        }
    }
}

impl Input {
    fn open(path: &Path, bytes_read: Arc<AtomicU64>) -> io::Result<Self> {
        let file: Box<dyn Read + Send> = match path.to_str() {
            Some(STANDARD_INPUT) => Box::new(io::stdin()),
            _ => Box::new(File::open(path)?),
        };
        Ok(Self {
            file,
            bytes_read,
            ..Self::default()
        })
    }

    /// The next bytes, fewer only where the file ends.
    fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        while self.buffer.len() - self.at < count && self.read_more()? > 0 {}
        let rest = &self.buffer[self.at..];
        Ok(rest.get(..count).unwrap_or(rest))
    }

    /// Reads on behind what was not consumed.
    fn read_more(&mut self) -> io::Result<usize> {
        self.buffer.drain(..self.at);
        self.at = 0;
        let kept = self.buffer.len();
        self.buffer.resize(kept + BUFFER_BYTES, 0);
        let outcome = loop {
            match self.file.read(&mut self.buffer[kept..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => break outcome,
            }
        };
        self.buffer
            .truncate(kept + outcome.as_ref().copied().unwrap_or(0));
        let read = outcome?;
        self.bytes_read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }

    fn skip_zeros(&mut self) -> io::Result<()> {
        loop {
            let bytes = self.fill_buf()?;
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            let is_over = zeros == 0 || zeros < bytes.len();
            self.consume(zeros);
            if is_over {
                return Ok(());
            }
        }
    }
}

impl BufRead for Input {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        // A decoder that sees the magic number of a frame as a whole consumes none that isn't one.
        self.peek(8)?;
        Ok(&self.buffer[self.at..])
    }

    fn consume(&mut self, count: usize) {
        self.at = (self.at + count).min(self.buffer.len());
    }
}

impl Read for Input {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut bytes = self.fill_buf()?;
        let read = bytes.read(into)?;
        self.consume(read);
        Ok(read)
    }
}
