//! Work on parts of the rows, on all processors.

use std::sync::{Mutex, PoisonError};

/// What `work` gives for each part, in the order of the parts, whichever processor was free for it: sums over the
/// results do not depend on how many processors there are.
pub(super) fn in_order<P: Send, R: Send>(parts: Vec<P>, work: impl Fn(P) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(parts.len());
    if threads <= 1 {
        return parts.into_iter().map(work).collect();
    }
    let waiting = Mutex::new(parts.into_iter().enumerate());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    let take = || std::iter::from_fn(next).map(|(place, part)| (place, work(part))).collect::<Vec<_>>();
    let mut done: Vec<(usize, R)> = std::thread::scope(|scope| {
        let running: Vec<_> = (1..threads).map(|_| scope.spawn(take)).collect();
        let mut done = take();
        for thread in running {
            match thread.join() {
                Ok(others) => done.extend(others),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_parts() {
        for count in [0, 1, 2, 100] {
            let expected: Vec<usize> = (0..count).map(|x| x * x).collect();
            assert_eq!(in_order((0..count).collect(), |x: usize| x * x), expected);
        }
    }
}
