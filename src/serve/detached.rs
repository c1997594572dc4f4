//! Work that may never end, such as reading a file of a mount that hangs.
//!
//! It gets a thread of its own and not one of the runtime's pool, because the end of a runtime waits for those.

use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

/// How long reading some small files may take, before a start gives up or goes on without news of them.
pub(crate) const READ_LIMIT: Duration = Duration::from_secs(5);

/// Begins `work` on a thread that nothing waits for. The result comes without a value when the work panics or the system
/// gives no thread.
pub(crate) fn begin<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> oneshot::Receiver<T> {
    let (send, result) = oneshot::channel();
    // Without a thread the sender is dropped, and the receiver has no result: the caller's failure is the same.
    let _ = thread::Builder::new()
        .name("ebb-files".into())
        .spawn(move || send.send(work()));
    result
}

/// The result of `work`, outside of a runtime; `None` when it takes longer than `limit`, panics or gets no thread.
pub(crate) fn within<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (send, result) = std::sync::mpsc::sync_channel(1);
    let _ = thread::Builder::new()
        .name("ebb-files".into())
        .spawn(move || send.send(work()));
    result.recv_timeout(limit).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn work_that_hangs_is_not_waited_for() {
        let (_held, hangs) = channel::<()>();
        assert_eq!(within(Duration::ZERO, move || hangs.recv().is_ok()), None);
        assert_eq!(within(Duration::from_secs(20), || 7), Some(7));
        assert_eq!(
            within(Duration::from_secs(20), || -> u8 {
                std::panic::panic_any(())
            }),
            None
        );
    }

    #[test]
    fn a_runtime_ends_though_work_goes_on() {
        let (_held, hangs) = channel::<()>();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let result = runtime.block_on(async { begin(|| 7).await });
        assert_eq!(result, Ok(7));
        let _never = begin(move || hangs.recv());
        drop(runtime);
    }
}
