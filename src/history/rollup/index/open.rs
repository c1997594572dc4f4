//! Opening the index of a roll-up.

use std::fs::File;
use std::hash::Hasher;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use twox_hash::XxHash64;

use super::footer::RollupPart;
use super::{FORMAT, Head, INDEX_FILE, MAGIC, PRELUDE_BYTES, Prelude};
use crate::history::rollup::read::rollup_files;
use crate::history::store::blocks::{BLOCK_USERS, Blocks};
use crate::history::{DailyCounts, Day, Histories, HistoryError, Stretch};
use crate::output::Folder;
use crate::regular_file;

/// Bytes that are read and hashed at once: what has just been read is still in the cache.
const CHUNK_BYTES: u64 = 1 << 18;

/// Why an index is not used. The roll-up can be read all the same.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// It cannot be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is no file, or one of something else.
    #[error("it is no index of users")]
    Foreign,
    /// It was written by another version.
    #[error("it was written by version {found} of ebb-train, and this is {here}")]
    Version {
        /// The version, or that of the format.
        found: String,
        /// This program's.
        here: &'static str,
    },
    /// Its bytes are not those that were written.
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    /// It belongs to other files.
    #[error("it was made of other Parquet files than those beside it")]
    Stale,
    /// Rows of the roll-up have to be set aside.
    #[error("it has events on {last}, a day that has not come yet")]
    Future {
        /// The last day with an event.
        last: Day,
    },
    /// The roll-up's folder cannot be listed.
    #[error(transparent)]
    Rollup(#[from] HistoryError),
}

/// The users of a roll-up as [`read_rollup`](crate::history::read_rollup) would give them, with what follows from them.
#[derive(Debug)]
pub struct RollupIndex {
    /// Their histories.
    pub histories: Histories,
    /// How many users each day has.
    pub counts: DailyCounts,
    /// The days that the roll-up covers, which are all that it has.
    pub span: Stretch,
}

impl RollupIndex {
    /// Opens the index in the folder of a roll-up; `None` where there is none. `future` is the first day that cannot have come
    /// yet.
    ///
    /// # Errors
    /// [`IndexError`] says why it cannot be used: read the Parquet files then.
    pub fn open(rollup: &Path, future: Option<Day>) -> Result<Option<Self>, IndexError> {
        let path = rollup.join(INDEX_FILE);
        match path.metadata() {
            // A pipe of this name would never come to its end.
            Ok(metadata) if !metadata.is_file() => return Err(IndexError::Foreign),
            Ok(_) => {}
            // The roll-up itself may be a file.
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let folder = Folder::open(rollup)?;
        let mut file = regular_file::open(&path)?;
        let length = file.metadata()?.len();
        let (prelude, head) = read_head(&mut file, length)?;
        if head.parts != parts(rollup)? {
            return Err(IndexError::Stale);
        }
        let last = head.span.until.plus(-1);
        if future.is_some_and(|future| last >= future) {
            return Err(IndexError::Future { last });
        }
        let body = read_body(&mut file, &prelude)?;
        if folder.was_replaced() {
            return Err(IndexError::Stale);
        }
        head.index(body).map(Some)
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// The Parquet files that are there.
fn parts(rollup: &Path) -> Result<Vec<RollupPart>, IndexError> {
    let part = |path: PathBuf| {
        let name = path.strip_prefix(rollup).unwrap_or(&path);
        let name = name.to_string_lossy().into_owned();
        RollupPart::of(name, &mut regular_file::open(&path)?)
    };
    let files = rollup_files(rollup)?;
    Ok(files.into_iter().map(part).collect::<io::Result<_>>()?)
}

fn read_head(file: &mut File, length: u64) -> Result<(Prelude, Head), IndexError> {
    let mut bytes = [0; PRELUDE_BYTES];
    file.read_exact(&mut bytes)
        .map_err(|_| IndexError::Foreign)?;
    let prelude = Prelude::parse(&bytes)?;
    let head_bytes = u64::from(prelude.head_bytes);
    // Compared before anything of that length is asked for.
    let expected = (PRELUDE_BYTES as u64 + head_bytes).checked_add(prelude.body_bytes);
    if expected != Some(length) {
        return Err(IndexError::Damaged("it is too short or too long"));
    }
    let mut head = Vec::new();
    file.take(head_bytes).read_to_end(&mut head)?;
    if XxHash64::oneshot(0, &head) != prelude.head_hash {
        return Err(IndexError::Damaged("the head has another hash"));
    }
    // Heads of other versions may have other members.
    let program = serde_json::from_slice::<Program>(&head).map(|head| head.program);
    match program {
        Ok(program) if program == env!("CARGO_PKG_VERSION") => {}
        Ok(program) => return Err(IndexError::version(program)),
        Err(_) => return Err(IndexError::Damaged("the head is not readable")),
    }
    let head = serde_json::from_slice(&head);
    let head = head.map_err(|_| IndexError::Damaged("the head is not readable"))?;
    Ok((prelude, head))
}

/// What the heads of all versions have.
#[derive(serde::Deserialize)]
struct Program {
    program: String,
}

/// Reads the body in one go and compares its hash on the way.
fn read_body(file: &mut File, prelude: &Prelude) -> Result<Vec<u8>, IndexError> {
    let length = usize::try_from(prelude.body_bytes).map_err(io::Error::other)?;
    let mut body = Vec::new();
    body.try_reserve_exact(length).map_err(io::Error::other)?;
    let mut hash = XxHash64::with_seed(0);
    while body.len() < length {
        let before = body.len();
        let chunk = CHUNK_BYTES.min((length - before) as u64);
        file.by_ref().take(chunk).read_to_end(&mut body)?;
        if body.len() == before {
            return Err(IndexError::Damaged("it became shorter"));
        }
        hash.write(&body[before..]);
    }
    if hash.finish() != prelude.body_hash {
        return Err(IndexError::Damaged("the body has another hash"));
    }
    Ok(body)
}

impl IndexError {
    fn version(found: String) -> Self {
        Self::Version {
            found,
            here: env!("CARGO_PKG_VERSION"),
        }
    }
}

impl Prelude {
    fn parse(bytes: &[u8; PRELUDE_BYTES]) -> Result<Self, IndexError> {
        let (magic, mut rest) = bytes.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(IndexError::Foreign);
        }
        let format = u32::from_le_bytes(take(&mut rest));
        if format != FORMAT {
            return Err(IndexError::version(format!("(format {format})")));
        }
        Ok(Self {
            head_bytes: u32::from_le_bytes(take(&mut rest)),
            head_hash: u64::from_le_bytes(take(&mut rest)),
            body_bytes: u64::from_le_bytes(take(&mut rest)),
            body_hash: u64::from_le_bytes(take(&mut rest)),
        })
    }
}

/// Takes so many bytes off the front, which are there.
fn take<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
    let mut taken = [0; N];
    let (front, rest) = bytes.split_at(N);
    taken.copy_from_slice(front);
    *bytes = rest;
    taken
}

impl Head {
    /// The index of this head with its body.
    fn index(self, mut body: Vec<u8>) -> Result<RollupIndex, IndexError> {
        let blocks = self.ranges(&body)?;
        // The ends are in the ranges now.
        body.truncate(blocks.last().map_or(0, |last| last.end));
        let blocks = Blocks::Index { body, blocks };
        Ok(RollupIndex {
            histories: Histories::new(self.kinds, self.totals, blocks),
            counts: self.counts,
            span: self.span,
        })
    }

    /// Where each block is in the body.
    fn ranges(&self, body: &[u8]) -> Result<Vec<Range<usize>>, IndexError> {
        let wrong = || IndexError::Damaged("its parts do not fit together");
        let table = self.blocks.checked_mul(size_of::<u64>());
        let end = table.and_then(|table| body.len().checked_sub(table));
        let (blocks, table) = body
            .split_at_checked(end.ok_or_else(wrong)?)
            .ok_or_else(wrong)?;
        let mut start = 0;
        let mut ranges = Vec::with_capacity(self.blocks);
        for mut end in table.chunks_exact(size_of::<u64>()) {
            let end = usize::try_from(u64::from_le_bytes(take(&mut end))).map_err(|_| wrong())?;
            if end <= start || end > blocks.len() {
                return Err(wrong());
            }
            ranges.push(start..end);
            start = end;
        }
        let fits = start == blocks.len()
            && self.blocks == self.totals.users.div_ceil(BLOCK_USERS)
            && self.kinds.len() == self.totals.kinds().len();
        if fits { Ok(ranges) } else { Err(wrong()) }
    }
}
