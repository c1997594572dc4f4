//! What the server takes from its clients at most.

use std::time::Duration;

use tonic::transport::Server;

/// The most subjects in one batch.
pub const MAX_SUBJECTS: usize = 1_000;

/// The most events and daily activities together in one inline history.
pub const MAX_HISTORY_ENTRIES: usize = 10_000;

/// Limits on messages, connections and time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest request in bytes.
    pub message_bytes_max: usize,
    /// Calls at the same time on one connection; further ones wait at the client.
    pub streams_per_connection: u32,
    /// How many bytes of one request may be under way before the server has read them.
    pub stream_window_bytes: u32,
    /// The same for all requests of a connection.
    pub connection_window_bytes: u32,
    /// The largest HTTP/2 frame that the server reads, in bytes.
    pub frame_bytes_max: u32,
    /// The largest set of headers of a request in bytes.
    pub header_bytes_max: u32,
    /// How many calls a client may start and cancel before the server has seen them.
    pub pending_resets_max: usize,
    /// The longest a call may take.
    pub call_time_max: Duration,
    /// After this long without a word from a connection the server asks whether the peer is still there ...
    pub keepalive_every: Duration,
    /// ... and closes the connection when there is no answer for this long.
    pub keepalive_time_max: Duration,
    /// How long calls in progress may take to finish once the server has been asked to stop.
    pub drain_time_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes_max: 4 << 20,
            streams_per_connection: 1_024,
            stream_window_bytes: 1 << 20,
            connection_window_bytes: 4 << 20,
            frame_bytes_max: 64 << 10,
            header_bytes_max: 16 << 10,
            pending_resets_max: 200,
            call_time_max: Duration::from_secs(30),
            keepalive_every: Duration::from_secs(20),
            keepalive_time_max: Duration::from_secs(10),
            drain_time_max: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// An HTTP/2 server without services that keeps to these limits. The largest message is each service's own
    /// setting.
    pub fn server(&self) -> Server {
        Server::builder()
            .accept_http1(false)
            .max_concurrent_streams(self.streams_per_connection)
            .initial_stream_window_size(self.stream_window_bytes)
            .initial_connection_window_size(self.connection_window_bytes)
            .http2_adaptive_window(Some(false))
            .max_frame_size(self.frame_bytes_max)
            .http2_max_header_list_size(self.header_bytes_max)
            .http2_max_pending_accept_reset_streams(Some(self.pending_resets_max))
            .timeout(self.call_time_max)
            .http2_keepalive_interval(Some(self.keepalive_every))
            .http2_keepalive_timeout(Some(self.keepalive_time_max))
    }
}
