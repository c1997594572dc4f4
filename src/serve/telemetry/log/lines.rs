use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::serve::telemetry::metrics::{LostLine, LostLines};

/// The most lines that wait for their destination.
const QUEUE_LINES: usize = 8_192;
/// The most bytes that they have together.
const QUEUE_BYTES: usize = 4 << 20;
/// How long the writer waits before it tries a destination again that has no room at the moment.
const AGAIN: Duration = Duration::from_millis(10);

/// Lines on their way to a destination that may be slow, stuck, full or gone.
///
/// A line is handed over without a wait and without an error. A thread of its own writes it. A line that finds the queue
/// full, or that the destination refuses, is lost and counted.
#[derive(Clone, Debug)]
pub struct LineQueue {
    sender: SyncSender<Vec<u8>>,
    waiting: Arc<Waiting>,
    lost: LostLines,
}

/// What has been handed over and is not dealt with yet, the line that is being written included.
#[derive(Debug, Default)]
struct Waiting {
    lines: AtomicUsize,
    bytes: AtomicUsize,
}

impl Waiting {
    fn done(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
        self.lines.fetch_sub(1, Ordering::AcqRel);
    }
}

impl LineQueue {
    /// A queue to `destination`, whose lost lines nobody asks for.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(destination: impl Write + Send + 'static) -> io::Result<Self> {
        Self::counted(destination, LostLines::default())
    }

    /// A queue that counts its lost lines.
    pub(crate) fn counted(
        destination: impl Write + Send + 'static,
        lost: LostLines,
    ) -> io::Result<Self> {
        let (sender, lines) = sync_channel(QUEUE_LINES);
        let waiting = Arc::<Waiting>::default();
        let (of_writer, counted) = (Arc::clone(&waiting), lost.clone());
        thread::Builder::new()
            .name("ebb-lines".into())
            .spawn(move || write_lines(&lines, destination, &of_writer, &counted))?;
        Ok(Self {
            sender,
            waiting,
            lost,
        })
    }

    /// Hands over a line, which has its line break.
    pub fn push(&self, line: Vec<u8>) {
        let bytes = line.len();
        let before = self.waiting.bytes.fetch_add(bytes, Ordering::AcqRel);
        self.waiting.lines.fetch_add(1, Ordering::AcqRel);
        if before + bytes > QUEUE_BYTES || self.sender.try_send(line).is_err() {
            self.waiting.done(bytes);
            self.lost.count(LostLine::QueueFull);
        }
    }

    /// Waits until all lines are written or lost, but no longer than `limit`. Returns whether they are.
    pub fn finish(&self, limit: Duration) -> bool {
        let begun = Instant::now();
        while self.waiting.lines.load(Ordering::Acquire) > 0 {
            if begun.elapsed() >= limit {
                return false;
            }
            thread::sleep(AGAIN);
        }
        true
    }
}

/// Each write is one line, as the formatter of events makes them.
impl Write for LineQueue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes lines until every queue to here is dropped.
fn write_lines(
    lines: &Receiver<Vec<u8>>,
    mut destination: impl Write,
    waiting: &Waiting,
    lost: &LostLines,
) {
    let mut is_cut = false;
    while let Ok(mut line) = lines.recv() {
        let bytes = line.len();
        if is_cut {
            // Else this line would be glued to the part of one that found no room.
            line.insert(0, b'\n');
        }
        match write_line(&mut destination, &line) {
            Ok(()) => is_cut = false,
            Err(written) => {
                is_cut |= written > 0;
                lost.count(LostLine::WriteFailed);
            }
        }
        waiting.done(bytes);
    }
}

/// Writes one line, for as long as that takes. The error is how many bytes were written before the destination refused.
fn write_line(destination: &mut impl Write, line: &[u8]) -> Result<(), usize> {
    let mut written = 0;
    while let Some(rest) = line.get(written..).filter(|rest| !rest.is_empty()) {
        match destination.write(rest) {
            Ok(0) => return Err(written),
            Ok(bytes) => written += bytes,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Another program made the pipe non-blocking. Only this thread waits for its reader.
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(AGAIN),
            Err(_) => return Err(written),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    /// A destination that takes a write at each message, or refuses it.
    struct Held {
        turns: Receiver<io::Result<usize>>,
        taken: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Held {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let most = self.turns.recv().unwrap_or(Ok(usize::MAX))?;
            let taken = bytes.len().min(most);
            self.taken.lock().unwrap().extend(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    type Turns = Sender<io::Result<usize>>;

    fn held() -> (LineQueue, Turns, Arc<Mutex<Vec<u8>>>, LostLines) {
        let (turn, turns) = channel();
        let (taken, lost) = (Arc::<Mutex<Vec<u8>>>::default(), LostLines::default());
        let destination = Held {
            turns,
            taken: Arc::clone(&taken),
        };
        let queue = LineQueue::counted(destination, lost.clone()).unwrap();
        (queue, turn, taken, lost)
    }

    #[test]
    fn a_stuck_destination_holds_up_nobody_and_what_finds_no_room_is_counted() {
        let (queue, turn, taken, lost) = held();
        for _ in 0..QUEUE_LINES + 100 {
            queue.push(b"line\n".to_vec());
        }
        // One may be in the writer's hands beside the full queue.
        let full = lost.get(LostLine::QueueFull);
        assert!((99..=100).contains(&full), "{full}");
        assert!(!queue.finish(Duration::ZERO));
        drop(turn);
        assert!(queue.finish(LONG));
        let written = (QUEUE_LINES as u64 + 100 - full) as usize;
        assert_eq!(taken.lock().unwrap().len(), written * b"line\n".len());
        assert_eq!(lost.get(LostLine::WriteFailed), 0);
    }

    #[test]
    fn the_queue_is_bounded_by_bytes_too() {
        let (queue, turn, _, lost) = held();
        for _ in 0..5 {
            queue.push(vec![b'x'; 1 << 20]);
        }
        assert_eq!(lost.get(LostLine::QueueFull), 1);
        drop(turn);
        assert!(queue.finish(LONG));
        // The negative control: with room again, the next line is taken.
        queue.push(vec![b'x'; 1 << 20]);
        assert_eq!(lost.get(LostLine::QueueFull), 1);
    }

    #[test]
    fn a_destination_that_refuses_lines_gets_the_next_ones_whole() {
        let (queue, turn, taken, lost) = held();
        let full = || Err(io::Error::from(ErrorKind::StorageFull));
        // The first is cut after two bytes, the second refused, the third written after a wait for room.
        turn.send(Ok(2)).unwrap();
        turn.send(full()).unwrap();
        turn.send(full()).unwrap();
        turn.send(Err(ErrorKind::WouldBlock.into())).unwrap();
        drop(turn);
        for line in ["first\n", "second\n", "third\n", "fourth\n"] {
            queue.push(line.into());
        }
        assert!(queue.finish(LONG));
        assert_eq!(lost.get(LostLine::WriteFailed), 2);
        assert_eq!(
            String::from_utf8(taken.lock().unwrap().clone()).unwrap(),
            "fi\nthird\nfourth\n"
        );
    }
}
