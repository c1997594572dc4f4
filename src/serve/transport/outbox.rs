//! What has been handed to HTTP/2 of a connection's answers and not been written yet.
//!
//! HTTP/2 keeps the last part of every answer until the peer takes it. So the memory of an answer stays on the call's
//! account until as many bytes have been written as had been handed over when the call ended.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::serve::quota::Share;

/// No answer is waited for.
const NONE: u64 = u64::MAX;

/// The answers of one connection that are on their way.
#[derive(Debug)]
pub(super) struct Outbox {
    /// Bytes of answers handed over.
    pushed: AtomicU64,
    /// Bytes of answers written.
    written: AtomicU64,
    /// At how many bytes written the first memory is given back.
    next: AtomicU64,
    /// The memory of answers, with the bytes after which it is given back.
    held: Mutex<VecDeque<(u64, Arc<Share>)>>,
}

impl Default for Outbox {
    fn default() -> Self {
        Self {
            pushed: AtomicU64::new(0),
            written: AtomicU64::new(0),
            next: AtomicU64::new(NONE),
            held: Mutex::default(),
        }
    }
}

impl Outbox {
    fn held(&self) -> MutexGuard<'_, VecDeque<(u64, Arc<Share>)>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many bytes of an answer have been handed over.
    pub(super) fn push(&self, bytes: usize) {
        self.pushed.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Holds the memory of an answer until all that has been handed over is written.
    pub(super) fn hold(&self, memory: &Arc<Share>) {
        let mark = self.pushed.load(Ordering::Relaxed);
        if self.written.load(Ordering::Relaxed) >= mark {
            return;
        }
        let mut held = self.held();
        if held.is_empty() {
            self.next.store(mark, Ordering::Relaxed);
        }
        held.push_back((mark, Arc::clone(memory)));
    }

    /// So many bytes of answers have been written.
    fn wrote(&self, bytes: u64) {
        let written = self.written.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if written < self.next.load(Ordering::Relaxed) {
            return;
        }
        let mut held = self.held();
        while held.front().is_some_and(|(mark, _)| *mark <= written) {
            held.pop_front();
        }
        let next = held.front().map_or(NONE, |(mark, _)| *mark);
        self.next.store(next, Ordering::Relaxed);
    }

    /// How many bytes have been written, if others wait.
    pub(super) fn stuck_at(&self) -> Option<u64> {
        let written = self.written.load(Ordering::Relaxed);
        (self.pushed.load(Ordering::Relaxed) > written).then_some(written)
    }
}

/// The length of a frame's header in HTTP/2.
const HEADER_BYTES: usize = 9;
/// The type of the frames that answers go in.
const DATA: u8 = 0;

/// Finds the bytes of answers among those that are written: the payloads of DATA frames.
#[derive(Debug, Default)]
pub(super) struct FrameMeter {
    header: [u8; HEADER_BYTES],
    /// How many bytes of the header have been seen.
    seen: usize,
    /// How many bytes of the payload are still to come.
    left: usize,
}

impl FrameMeter {
    /// Counts the first `written` bytes of these.
    pub(super) fn count(&mut self, parts: &[IoSlice<'_>], mut written: usize, outbox: &Outbox) {
        let mut data = 0;
        for part in parts {
            let part = &part[..written.min(part.len())];
            written -= part.len();
            data += self.scan(part);
        }
        if data > 0 {
            outbox.wrote(data as u64);
        }
    }

    /// How many bytes of answers are among these.
    fn scan(&mut self, mut bytes: &[u8]) -> usize {
        let mut data = 0;
        while !bytes.is_empty() {
            if self.seen < HEADER_BYTES {
                let take = bytes.len().min(HEADER_BYTES - self.seen);
                self.header[self.seen..][..take].copy_from_slice(&bytes[..take]);
                self.seen += take;
                bytes = &bytes[take..];
                if self.seen == HEADER_BYTES {
                    let [a, b, c, ..] = self.header;
                    self.left = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
                }
            } else {
                let take = bytes.len().min(self.left);
                if self.header[3] == DATA {
                    data += take;
                }
                self.left -= take;
                bytes = &bytes[take..];
            }
            if self.seen == HEADER_BYTES && self.left == 0 {
                self.seen = 0;
            }
        }
        data
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::limits::Limits;
    use crate::serve::quota::{Quotas, Resource};

    fn frame(kind: u8, length: usize) -> Vec<u8> {
        let [.., a, b, c] = length.to_be_bytes();
        [&[a, b, c, kind, 0, 0, 0, 0, 1][..], &vec![7; length]].concat()
    }

    #[test]
    fn the_payloads_of_data_frames_are_counted_however_they_are_cut() {
        let bytes = [
            frame(4, 6),
            frame(1, 300),
            frame(0, 70_000),
            frame(0, 0),
            frame(0, 5),
        ]
        .concat();
        for cut in [1, 3, 9, 10, 1_000, bytes.len()] {
            let (mut meter, outbox) = (FrameMeter::default(), Outbox::default());
            for part in bytes.chunks(cut) {
                // Of what was offered only a part may be taken.
                let offered = [IoSlice::new(part), IoSlice::new(&[0; 20])];
                meter.count(&offered, part.len(), &outbox);
            }
            assert_eq!(
                outbox.written.load(Ordering::Relaxed),
                70_005,
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn memory_is_given_back_when_its_answer_has_been_written() {
        let quotas = Quotas::new(&Limits::default());
        let memory = || Arc::new(quotas.take(&Arc::default(), Resource::Memory, 100).unwrap());
        let outbox = Outbox::default();
        outbox.hold(&memory());
        assert_eq!(quotas.taken(Resource::Memory), 0, "nothing is on its way");
        for _ in 0..2 {
            outbox.push(1_000);
            outbox.hold(&memory());
        }
        outbox.wrote(999);
        assert_eq!(quotas.taken(Resource::Memory), 200);
        assert_eq!(outbox.stuck_at(), Some(999));
        outbox.wrote(1);
        assert_eq!(quotas.taken(Resource::Memory), 100);
        outbox.wrote(1_000);
        assert_eq!(quotas.taken(Resource::Memory), 0);
        assert_eq!(outbox.stuck_at(), None);
    }
}
