//! Which Parquet file it is, without reading it: its name, its length, and the hash of its footer.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};

use serde::{Deserialize, Serialize};
use twox_hash::XxHash64;

/// The last bytes of a Parquet file: the length of the footer, and `PAR1`.
const TAIL_BYTES: u64 = 8;

/// A file of a roll-up. The footer has the writer, the offsets and lengths of all columns, and their least and largest values,
/// so another content under the same name, of the same length and with the same footer, comes of no program that writes
/// Parquet. Times do not count: a copy on another machine is the same roll-up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct RollupPart {
    /// The file's path below the roll-up's folder.
    name: String,
    bytes: u64,
    footer: u64,
}

impl RollupPart {
    /// What an open Parquet file is.
    ///
    /// # Errors
    /// What the system says, and a file that ends in no footer.
    pub(super) fn of(name: String, file: &mut File) -> io::Result<Self> {
        let bytes = file.seek(SeekFrom::End(0))?;
        let no_footer = || io::Error::new(ErrorKind::InvalidData, "the file ends in no footer");
        let tail_at = bytes.checked_sub(TAIL_BYTES).ok_or_else(no_footer)?;
        file.seek(SeekFrom::Start(tail_at))?;
        let mut length = [0; 4];
        file.read_exact(&mut length)?;
        let length = u64::from(u32::from_le_bytes(length));
        let start = tail_at.checked_sub(length).ok_or_else(no_footer)?;
        file.seek(SeekFrom::Start(start))?;
        let mut footer = Vec::new();
        file.take(bytes - start).read_to_end(&mut footer)?;
        Ok(Self {
            name,
            bytes,
            footer: XxHash64::oneshot(0, &footer),
        })
    }
}
