//! The limits on what clients may send, occupy and wait for: each is a setting of the section `[limits]`.

use std::time::Duration;

use serde::Deserialize;

use super::errors::ServeError;
use super::memory;

/// One limit, as the documentation lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitRow {
    /// The setting's name.
    pub name: &'static str,
    /// Its value when it is not set.
    pub default: u32,
    /// The smallest legal value.
    pub least: u32,
    /// The largest legal value.
    pub most: u32,
    /// What it bounds.
    pub meaning: &'static str,
}

macro_rules! limits {
    ($($(#[doc = $doc:literal])+ $name:ident = $default:expr, $least:expr, $most:expr;)+) => {
        /// Limits on messages, calls, connections and time. Legal ones are within the ranges of [`Limits::ROWS`].
        #[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct Limits {
            $($(#[doc = $doc])+ pub $name: u32,)+
        }

        impl Limits {
            /// Every limit with its default, its range and its meaning.
            pub const ROWS: &[LimitRow] = &[$(LimitRow {
                name: stringify!($name),
                default: $default,
                least: $least,
                most: $most,
                meaning: concat!($($doc),+),
            }),+];

            /// The values in the order of [`Limits::ROWS`].
            pub fn values(&self) -> Vec<u32> {
                vec![$(self.$name),+]
            }
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($name: $default,)+ }
            }
        }
    };
}

limits! {
    /// The largest request message in bytes.
    max_message_bytes = 4 << 20, 1 << 10, 64 << 20;
    /// Subjects in one batch, and rows of one inference request.
    max_batch_size = 1_000, 1, SUBJECTS_MOST;
    /// Events and daily activities together in one inline history.
    max_history_entries = 10_000, 1, ENTRIES_MOST;
    /// Bytes that connections, requests, what is decoded of them and answers may take at the same time, beside models and
    /// known users. 0: a quarter of the memory that the process may use, from 64 to 512 MiB.
    memory_bytes = 0, 0, u32::MAX;
    /// Calls at the same time, on all connections together, of those that may need a key. One caller gets at most four
    /// fifths of them, see Shares.
    max_concurrent_calls = 8_192, 1, 1_000_000;
    /// Of them, streaming calls: streams of batches and of reflection.
    max_streams = 512, 1, 1_000_000;
    /// Calls at the same time on one connection that has not had a call with a valid key.
    unauthenticated_calls_per_connection = 16, 1, 100_000;
    /// Health watches at the same time.
    max_health_watches = 1_024, 1, 1_000_000;
    /// Calls at the same time on one connection; further ones wait at the client.
    streams_per_connection = 256, 1, 100_000;
    /// Connections at the same time. It is lowered to what the open files of the process allow.
    connections = 10_000, 1, 1_000_000;
    /// The headers of one request in bytes.
    header_bytes = 16 << 10, 1 << 10, 1 << 20;
    /// The longest a call may take, in seconds; a shorter deadline of the client's holds.
    call_timeout_seconds = 30, 1, 3_600;
    /// The longest a stream of batches, a health watch or a reflection may take, in seconds; a shorter deadline of the
    /// client's holds.
    stream_timeout_seconds = 86_400, 1, 604_800;
    /// How long a stream of batches may be silent, in seconds.
    stream_idle_seconds = 300, 1, 86_400;
    /// Computations that wait for a thread; further ones are refused.
    queue_length = 256, 1, 1_000_000;
    /// The longest a computation may wait for a thread, in milliseconds; after that it is refused.
    max_queue_wait_ms = 25, 1, 60_000;
    /// Threads that compute. 0: one for each processor.
    compute_threads = 0, 0, 1_024;
    /// Models loaded at the same time, failed ones included.
    models = 16, 1, 1_000;
    /// How long reading and testing a model may take, in seconds, before it is refused. Below `call_timeout_seconds`, so that
    /// LoadModel can give the reason.
    model_load_seconds = 20, 1, 3_600;
    /// How long the handshake of a new connection may take, HTTP/2's and TLS's, in seconds.
    handshake_seconds = 10, 1, 600;
    /// The age in seconds, give or take a tenth, at which a client is asked to connect again, so that servers added later get
    /// their share. 0: never.
    connection_age_seconds = 0, 0, 604_800;
    /// After so many seconds without a word from a connection the server asks whether the peer is still there.
    keepalive_seconds = 8, 1, 86_400;
    /// A peer that does not answer within so many seconds is gone.
    keepalive_timeout_seconds = 4, 1, 600;
    /// How long calls in progress may take to finish once the server has been asked to stop, in seconds.
    drain_seconds = 10, 0, 3_600;
    /// Connections to the metrics port at the same time; for a further one the one idle for longest is closed.
    metrics_connections = 16, 1, 1_000;
}

/// The most subjects that any setting allows in a batch: more are refused before they are decoded.
pub(crate) const SUBJECTS_MOST: u32 = 10_000;
/// The same for the entries of all histories of a request.
pub(crate) const ENTRIES_MOST: u32 = 100_000;

/// How many bytes of one request may be under way before the server has read them.
pub(crate) const STREAM_WINDOW_BYTES: u32 = 1 << 20;
/// The same for all requests of a connection: the least that HTTP/2 allows.
pub(crate) const CONNECTION_WINDOW_BYTES: u32 = (64 << 10) - 1;
/// The same for a connection with a large request in progress, if there is memory for it.
pub(crate) const LARGE_WINDOW_BYTES: u32 = 1 << 20;
/// What a call takes of the server's memory beside its messages, in bytes: its task, its buffers and its state in HTTP/2.
pub(crate) const CALL_BYTES: usize = 8 << 10;
/// How many bytes of one answer HTTP/2 keeps until they are written.
pub(crate) const SEND_BUFFER_BYTES: usize = 64 << 10;
/// The largest HTTP/2 frame that the server reads, in bytes.
pub(crate) const FRAME_BYTES: u32 = 64 << 10;
/// How many calls a client may start and cancel before the server has seen them.
pub(crate) const PENDING_RESETS: usize = 200;

/// The part of the memory that the process may use which is for requests, answers and connections, and its bounds.
const MEMORY_PART: usize = 4;
const MEMORY_LEAST: usize = 64 << 20;
const MEMORY_MOST: usize = 512 << 20;

impl Limits {
    /// The section `[limits]` as a Markdown table.
    pub fn table() -> String {
        let head = "| setting | default | from | to | bounds |\n| --- | --- | --- | --- | --- |\n";
        let row = |row: &LimitRow| {
            let LimitRow {
                name,
                default,
                least,
                most,
                meaning,
            } = row;
            format!(
                "| `{name}` | {default} | {least} | {most} | {} |\n",
                meaning.trim()
            )
        };
        head.to_owned() + &Self::ROWS.iter().map(row).collect::<String>()
    }

    /// Refuses values that are not within their ranges.
    pub fn validate(&self) -> Result<(), ServeError> {
        let wrong = |(row, value): &(&LimitRow, u32)| !(row.least..=row.most).contains(value);
        match Self::ROWS.iter().zip(self.values()).find(wrong) {
            None => Ok(()),
            Some((row, value)) => Err(ServeError::Setting(format!(
                "limits.{} is {value}: it must be from {} to {}",
                row.name, row.least, row.most
            ))),
        }
    }

    /// The longest a call may take.
    pub(crate) fn longest(&self, is_streaming: bool) -> Duration {
        seconds(if is_streaming {
            self.stream_timeout_seconds
        } else {
            self.call_timeout_seconds
        })
    }

    /// How many bytes requests, answers and connections may take.
    pub(crate) fn memory(&self) -> usize {
        match self.memory_bytes {
            0 => (memory::available() / MEMORY_PART).clamp(MEMORY_LEAST, MEMORY_MOST),
            bytes => size(bytes),
        }
    }

    /// How many threads compute.
    pub(crate) fn threads(&self) -> usize {
        match self.compute_threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            n => size(n),
        }
    }
}

/// A limit as a duration.
pub(crate) fn seconds(limit: u32) -> Duration {
    Duration::from_secs(u64::from(limit))
}

/// A limit as a size.
pub(crate) fn size(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_legal_and_what_is_beyond_a_range_is_named() {
        assert!(Limits::default().validate().is_ok());
        let refused = Limits {
            queue_length: 0,
            ..Limits::default()
        }
        .validate();
        assert_eq!(
            refused.unwrap_err().to_string(),
            "limits.queue_length is 0: it must be from 1 to 1000000"
        );
        assert!(
            Limits {
                max_batch_size: SUBJECTS_MOST + 1,
                ..Limits::default()
            }
            .validate()
            .is_err()
        );
    }
}
