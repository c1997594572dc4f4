//! Pieces of a text file: its beginning, and blocks from places spread over the rest.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::events::EventsError;
use crate::events::input::open::{first_bytes, is_compressed, open_text, read_error};
use crate::phases::Phase;

/// Bytes of the beginning of a file.
const HEAD_BYTES: usize = if cfg!(test) { 1 << 12 } else { 1 << 19 };
/// Bytes of each block behind it, and how many blocks there are at least where the file is long enough.
const BLOCK_BYTES: usize = if cfg!(test) { 1 << 10 } else { 1 << 15 };
const BLOCKS: usize = 48;

/// Pieces of a text file. Each begins and ends anywhere: the first and the last line of a block are parts of lines.
#[derive(Debug)]
pub(crate) struct Pieces {
    /// The beginning.
    pub(crate) head: Vec<u8>,
    /// Whether the beginning is all.
    pub(crate) is_whole: bool,
    /// Blocks of what follows, in order.
    pub(crate) blocks: Vec<Vec<u8>>,
}

impl Pieces {
    /// How many of so many rows the beginning gives at most, and how many each block: a third and the rest, where there are any
    /// blocks.
    pub(crate) fn rows(&self, most_rows: usize) -> (usize, usize) {
        if self.blocks.is_empty() {
            return (most_rows, 0);
        }
        let head = most_rows / 3;
        (head, ((most_rows - head) / self.blocks.len()).max(1))
    }
}

/// The beginning of a text file, decompressed and past a byte order mark.
pub(crate) fn head(path: &Path) -> Result<Vec<u8>, EventsError> {
    let mut head = Vec::new();
    open_text(path, Arc::default())?
        .take(HEAD_BYTES as u64)
        .read_to_end(&mut head)
        .map_err(|source| read_error(path, source))?;
    Ok(head)
}

/// The pieces of a file: of a plain one by seeking, of a compressed one by reading all of it.
pub(crate) fn pieces(path: &Path, phase: &Phase<'_>) -> Result<Pieces, EventsError> {
    let fail = |source| read_error(path, source);
    if !is_compressed(&first_bytes(path, 4)?) {
        let head = head(path)?;
        let bytes = std::fs::metadata(path).map_err(fail)?.len();
        let is_whole = head.len() < HEAD_BYTES || head.len() as u64 >= bytes;
        let blocks = if is_whole {
            Vec::new()
        } else {
            seek_blocks(path, head.len() as u64, bytes).map_err(fail)?
        };
        phase.advance(bytes);
        return Ok(Pieces {
            head,
            is_whole,
            blocks,
        });
    }
    let bytes_read = Arc::new(AtomicU64::new(0));
    let mut text = open_text(path, bytes_read.clone())?;
    let mut head = Vec::new();
    text.by_ref()
        .take(HEAD_BYTES as u64)
        .read_to_end(&mut head)
        .map_err(fail)?;
    let mut counted = 0;
    let mut count = || {
        let read = bytes_read.load(Ordering::Relaxed);
        phase.advance(read - counted);
        counted = read;
    };
    let blocks = thinned_blocks(&mut text, &mut count).map_err(fail)?;
    Ok(Pieces {
        is_whole: blocks.is_empty(),
        head,
        blocks,
    })
}

/// Blocks at even distances between two places, the last one at the very end.
fn seek_blocks(path: &Path, from: u64, until: u64) -> std::io::Result<Vec<Vec<u8>>> {
    let mut file = File::open(path)?;
    let (block, rest) = (BLOCK_BYTES as u64, until.saturating_sub(from));
    let count = rest.div_ceil(block).min(BLOCKS as u64);
    let room = rest.saturating_sub(block);
    (0..count)
        .map(|k| {
            let place = from + room * k / count.saturating_sub(1).max(1);
            file.seek(SeekFrom::Start(place))?;
            let mut bytes = Vec::with_capacity(BLOCK_BYTES);
            file.by_ref().take(block).read_to_end(&mut bytes)?;
            Ok(bytes)
        })
        .collect()
}

/// Blocks at even distances of a text of unknown length: whenever there are too many, every second one is dropped.
fn thinned_blocks(text: &mut impl Read, count: &mut impl FnMut()) -> std::io::Result<Vec<Vec<u8>>> {
    let (mut blocks, mut step) = (Vec::new(), 1_u64);
    for number in 0_u64.. {
        let mut block = Vec::with_capacity(BLOCK_BYTES);
        text.by_ref()
            .take(BLOCK_BYTES as u64)
            .read_to_end(&mut block)?;
        count();
        if block.is_empty() {
            break;
        }
        if !number.is_multiple_of(step) {
            continue;
        }
        blocks.push(block);
        if blocks.len() > 2 * BLOCKS {
            let mut position = 0;
            blocks.retain(|_| {
                position += 1;
                position % 2 == 1
            });
            step *= 2;
        }
    }
    Ok(blocks)
}

/// The part of a block that consists of whole lines.
pub(crate) fn whole_lines(block: &[u8], terminator: u8) -> &[u8] {
    let from = memchr::memchr(terminator, block).map_or(block.len(), |end| end + 1);
    let until = memchr::memrchr(terminator, block).map_or(from, |end| end + 1);
    block.get(from..until).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;
    use crate::phases::{Phases, Unit};

    fn numbers(count: usize) -> String {
        (0..count).map(|n| format!("row {n}\n")).collect()
    }

    /// The numbers of the rows in the pieces of a file of these bytes.
    fn rows(name: &str, bytes: &[u8]) -> (Vec<usize>, bool) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let Pieces {
            head,
            is_whole,
            blocks,
        } = pieces(&path, &Phases::UNOBSERVED.begin("looking", 1, Unit::Bytes)).unwrap();
        let mut rows = Vec::new();
        let mut take = |bytes: &[u8]| {
            for line in String::from_utf8(bytes.to_vec()).unwrap().lines() {
                rows.push(line.strip_prefix("row ").unwrap().parse().unwrap());
            }
        };
        let end = memchr::memrchr(b'\n', &head).unwrap() + 1;
        take(&head[..end]);
        for block in &blocks {
            take(whole_lines(block, b'\n'));
        }
        (rows, is_whole)
    }

    #[test]
    fn a_small_file_is_its_head_and_a_large_one_has_rows_of_all_its_parts() {
        let (small, is_whole) = rows("log.txt", numbers(100).as_bytes());
        assert_eq!((small, is_whole), ((0..100).collect(), true));
        let text = numbers(100_000);
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(text.as_bytes()).unwrap();
        for (name, bytes) in [
            ("log.txt", text.as_bytes()),
            ("log.gz", &gzip.finish().unwrap()),
        ] {
            let (rows, is_whole) = rows(name, bytes);
            assert!(!is_whole && rows.len() < 30_000, "{name}: {}", rows.len());
            let tenths: std::collections::BTreeSet<usize> =
                rows.iter().map(|row| row / 10_000).collect();
            assert_eq!(tenths.len(), 10, "{name}: rows of every tenth of the file");
            assert!(
                rows.windows(2).all(|two| two[0] < two[1]),
                "{name}: in order, each once"
            );
        }
    }
}
